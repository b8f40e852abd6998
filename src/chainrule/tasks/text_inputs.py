"""Texts as inputs: tokens and n-grams, by their ids in a vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from chainrule.data import Ragged, Table
from chainrule.data.layout import BAGS, SEQUENCES, Layout, Sizes
from chainrule.errors import DataError
from chainrule.settings import setting
from chainrule.tasks.codec import Fields
from chainrule.tasks.inputs import INPUTS, Inputs
from chainrule.text import Tokenizer, Vocabulary

VOCABULARY = "vocabulary.txt"


@INPUTS.register
@dataclass(frozen=True, kw_only=True)
class Text(Inputs):
    """Texts, split into tokens; each token and n-gram that is frequent enough in the training texts has an id.

    Attributes:
        lowercase: whether upper and lower case are the same.
        ngrams: the longest n-gram that has an entry of its own; 1 for single tokens.
        minimum_count: how often a token must occur in the training texts.
        minimum_ngram_count: how often an n-gram must.
        maximum_size: the most entries a vocabulary may have; None for no limit.
    """

    name: ClassVar[str] = "text"
    layouts: ClassVar[tuple[Layout, ...]] = (BAGS, SEQUENCES)
    files: ClassVar[tuple[str, ...]] = (VOCABULARY,)

    lowercase: bool = setting(True, "upper and lower case are the same", option="--keep-case")
    ngrams: int = setting(2, "longest n-gram with an entry of its own", least=1)
    minimum_count: int = setting(1, "how often a token must occur", least=1, option="--min-count")
    minimum_ngram_count: int = setting(1, "how often an n-gram must occur", least=1, option="--min-ngram-count")
    maximum_size: int | None = setting(None, "most entries of the vocabulary", least=2, option="--max-vocabulary")

    def columns(self) -> dict[str, Any]:
        """Nothing: the text column is named by whoever reads."""
        return {}

    def learn(self, table: Table, reads: Layout) -> tuple[TextCodec, Fields]:
        """The vocabulary of the texts, and their ids.

        Raises:
            DataError: when no token is frequent enough.
        """
        tokens = Tokenizer(lowercase=self.lowercase)(table.texts)
        try:
            vocabulary, encoded = Vocabulary.build_and_encode(
                tokens,
                ngrams=1 if reads == SEQUENCES else self.ngrams,
                minimum_count=self.minimum_count,
                minimum_ngram_count=self.minimum_ngram_count,
                maximum_size=self.maximum_size,
            )
        except DataError as error:
            raise DataError(f"{table.name}: {error}") from error
        codec = TextCodec(vocabulary, self.lowercase, reads)
        return codec, {"ids": Ragged.concatenate(map(codec.laid_out, encoded))}

    def load(self, folder: Path, description: Mapping[str, Any], reads: Layout) -> TextCodec:  # noqa: ARG002
        """The vocabulary of a model folder.

        Raises:
            ModelError: when it is missing or damaged.
        """
        return TextCodec(Vocabulary.load(folder / VOCABULARY), self.lowercase, reads)


class TextCodec:
    """From texts to ids.

    Attributes:
        vocabulary: the tokens and n-grams it knows.
        tokenizer: what splits texts.
        reads: how ids are laid out.
    """

    def __init__(self, vocabulary: Vocabulary, lowercase: bool, reads: Layout) -> None:
        self.vocabulary = vocabulary
        self.tokenizer = Tokenizer(lowercase=lowercase)
        self.reads = reads

    @property
    def sizes(self) -> Sizes:
        """The number of entries."""
        return Sizes(outputs=0, entries=len(self.vocabulary))

    def encode(self, table: Table) -> Fields:
        """The ids of the texts of a table."""
        return {"ids": Ragged.concatenate(map(self.laid_out, self.vocabulary.chunks(self.tokenizer(table.texts))))}

    def laid_out(self, encoded: Ragged) -> Ragged:
        """Ids as the network reads them."""
        return encoded.distinct(without=0) if self.reads == BAGS else encoded

    def files(self) -> dict[str, bytes]:
        """The vocabulary."""
        return {VOCABULARY: self.vocabulary.text().encode()}

    def describe(self) -> dict[str, Any]:
        """The size of the vocabulary."""
        return {"vocabulary": len(self.vocabulary)}
