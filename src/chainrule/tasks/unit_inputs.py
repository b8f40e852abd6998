"""Units as inputs: texts cut into characters, bytes, words or subwords, from which they can be put together again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from chainrule.data import Table
from chainrule.data.layout import SEQUENCES, Layout, Sizes
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, DataError, ModelError
from chainrule.settings import SettingError, setting
from chainrule.tasks.codec import Fields, TextPart
from chainrule.tasks.inputs import INPUTS, Inputs
from chainrule.text.pieces import UNSEEN, Bytes, Characters, Pieces, Words, listed_of_file
from chainrule.text.subword_pieces import SUBWORDS, Subwords

TOKENIZER = "tokenizer.json"

#: Kinds of pieces that are listed.
LISTED = {kind.unit: kind for kind in (Characters, Words)}
CHARACTERS, BYTES = Characters.unit, Bytes.unit
UNITS = (*LISTED, BYTES, *SUBWORDS)
#: The most entries of a vocabulary of subwords, and of one of words, unless told otherwise.
SUBWORD_ENTRIES, WORD_ENTRIES = 4096, 50_000


@INPUTS.register
@dataclass(frozen=True, kw_only=True)
class Units(Inputs):
    """Texts as sequences of units, from which they can be put together again, blanks and capitals included.

    Attributes:
        unit: "characters"; "words", each with the blank before it; "bytes" of UTF-8; or subwords, which the library
            `tokenizers` finds: "bpe", "wordpiece" or "unigram". Bytes and subwords can write every text; a character or
            word that was not learned is unknown.
        minimum_count: how often a character or a word must occur in the training texts.
        maximum_size: the most entries of the vocabulary; None for 4,096 of subwords, 50,000 of words, and all
            characters.
    """

    name: ClassVar[str] = "units"
    layouts: ClassVar[tuple[Layout, ...]] = (SEQUENCES,)
    usual: ClassVar[bool] = False
    files: ClassVar[tuple[str, ...]] = (TOKENIZER,)

    unit: str = setting(CHARACTERS, "what a text is a sequence of", choices=UNITS)
    minimum_count: int = setting(1, "how often a token must occur", least=1, option="--min-count")
    maximum_size: int | None = setting(None, "most entries of the vocabulary", least=2, option="--max-vocabulary")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.unit not in LISTED and self.minimum_count != 1:
            raise SettingError(self.name, "minimum_count", f"is of characters and words, and the unit is {self.unit}")
        if self.unit == BYTES and self.maximum_size is not None:
            raise SettingError(self.name, "maximum_size", f"must be left out with the unit {BYTES}, of which all count")

    def columns(self) -> dict[str, Any]:
        """Nothing: the text column is named by whoever reads."""
        return {}

    def learn(self, table: Table, reads: Layout) -> tuple[UnitsCodec, Fields]:
        """The pieces of the texts, and their ids.

        Raises:
            ConfigurationError: where more than ids is read, as by filters over characters.
            DataError: when no piece is frequent enough.
        """
        if reads not in self.layouts:
            raise ConfigurationError(
                f"{self.name} inputs give {SEQUENCES.name}, and {reads.name} are read; filters over the characters of "
                f"tokens (--character-filters) are of words alone"
            )
        texts = table.texts.to_list()
        try:
            codec = UnitsCodec(self._learned(texts))
        except DataError as error:
            raise DataError(f"{table.name}: {error}") from error
        return codec, codec.encode_few(texts)

    def _learned(self, texts: Sequence[str]) -> Pieces:
        if self.unit == BYTES:
            return Bytes()
        if self.unit in SUBWORDS:
            return Subwords.learn(texts, self.unit, self.maximum_size or SUBWORD_ENTRIES)
        most = WORD_ENTRIES if self.maximum_size is None and self.unit == Words.unit else self.maximum_size
        return LISTED[self.unit].learn(texts, minimum_count=self.minimum_count, maximum_size=most)

    def load(self, folder: Path, description: Mapping[str, Any], reads: Layout) -> UnitsCodec:  # noqa: ARG002
        """The pieces of a model folder.

        Raises:
            ModelError: when the file is missing or damaged, or is that of another model.
            ConfigurationError: when the library that subwords need is missing.
        """
        path = folder / TOKENIZER
        try:
            content = path.read_bytes()
            codec = UnitsCodec(self._of_file(content))
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error
        except ModelError as error:
            raise ModelError(f"{path}: {error}; copy the folder again") from error
        described = codec.describe()
        if described != {key: description.get(key) for key in described}:
            raise ModelError(f"{path}: is the tokenizer of another model, of {len(codec.pieces):,} entries")
        return codec

    def _of_file(self, content: bytes) -> Pieces:
        if self.unit in SUBWORDS:
            return Subwords.of_file(content, self.unit)
        try:
            held = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise ModelError("is no list of pieces") from error
        return Bytes() if self.unit == BYTES else listed_of_file(held, LISTED[self.unit])


class UnitsCodec(TextPart):
    """From texts to the ids of their pieces, and back.

    Attributes:
        pieces: what a text is cut into.
    """

    remarks: tuple[str, ...] = ()

    def __init__(self, pieces: Pieces) -> None:
        self.pieces = pieces

    @property
    def sizes(self) -> Sizes:
        """The number of ids."""
        return Sizes(outputs=0, entries=len(self.pieces))

    def encode(self, table: Table) -> Fields:
        """The ids of the texts of a table."""
        return self.encode_few(table.texts.to_list())

    def encode_few(self, texts: Sequence[str]) -> Fields:
        """The ids of texts."""
        return {"ids": self.pieces.encode(texts)}

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids."""
        return self.pieces.decode(ids)

    def unseen(self, text: str) -> list[str]:
        """The pieces of a text that were not learned, each once."""
        ids = self.pieces.ids(text)
        return list(dict.fromkeys(x for x, i in zip(self.pieces.cut(text), ids, strict=True) if i == UNSEEN))

    def files(self) -> dict[str, bytes]:
        """The pieces."""
        return {TOKENIZER: self.pieces.file()}

    def describe(self) -> dict[str, Any]:
        """The unit, the size of the vocabulary, and what tells its pieces from all others."""
        digest = hashlib.sha256(self.pieces.file()).hexdigest()
        return {"unit": self.pieces.unit, "vocabulary": len(self.pieces), "pieces": digest}
