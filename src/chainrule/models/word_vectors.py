"""Embeddings that start from word vectors of a file: which rows do, and whether training changes them."""

from __future__ import annotations

import re
from abc import ABC
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import numpy as np

from chainrule.blocks import expand, gather, where
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, SettingError, shortened
from chainrule.graph.leaves import Mutable
from chainrule.graph.spec import FLOAT32
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.models.learner import Learner, Network
from chainrule.nn import EmbeddingBag, Initializer, Normal
from chainrule.settings import setting

if TYPE_CHECKING:
    from chainrule.vectors import Vectors

FROZEN, TUNED = "frozen", "tuned"
RANDOM, ZERO, SUBWORD = UNKNOWN_WORDS = ("random", "zero", "subword")
#: The root mean square of the numbers that embeddings from a file have, times the scale of the network.
SPREAD = 0.2


@dataclass(frozen=True, kw_only=True)
class Vectored(Learner, ABC):
    """A learner whose embeddings of words may start from the vectors of a file.

    Attributes:
        vectors: the file, of any format that `read_vectors` reads; None for embeddings that are drawn.
        vectors_training: "tuned" where training changes them, "frozen" where it leaves those from the file as they are,
            or after how many epochs it begins to change them.
        unknown_words: what words without a vector start from: "random" numbers that vary as much as those of the file,
            "zero", or "subword": the mean of the vectors of their subwords, which fastText's `.bin` files have.
    """

    vectors: str | None = setting(None, "file of word vectors that embeddings of words start from", metavar="FILE")
    vectors_training: str = setting(
        TUNED, "whether vectors from the file change: frozen, tuned, or after how many epochs", metavar="WHEN"
    )
    unknown_words: str = setting(ZERO, "what words without a vector start from", choices=UNKNOWN_WORDS)

    def __post_init__(self) -> None:
        super().__post_init__()
        when = self.vectors_training
        if when not in (FROZEN, TUNED) and not re.fullmatch("[0-9]{1,6}", when):
            expected = f"must be frozen, tuned or a whole number of epochs, got {shortened(when)}"
            raise SettingError(self.name, "vectors_training", expected)

    @property
    def frozen_epochs(self) -> int | None:
        """Passes before vectors from the file change; None for never."""
        return None if self.vectors_training == FROZEN else int(self.vectors_training.replace(TUNED, "0"))

    def start(self, entries: Sequence[str]) -> tuple[Self, Start | None]:
        """The learner with the size of the vectors, and what its embeddings start from; None where they are drawn.

        Args:
            entries: of the vocabulary, by their ids.

        Raises:
            ConfigurationError: for subwords that the file does not have, or vectors that know none of the words.
            DataError: for a file that cannot be read.
        """
        if self.vectors is None:
            return self, None
        words = {entry: n for n, entry in enumerate(entries) if n and " " not in entry and not entry.startswith("##")}
        from chainrule.vectors import read_vectors  # it loads readers that a learner without vectors does without

        vectors = read_vectors(self.vectors, words=words)
        if not len(vectors):
            raise ConfigurationError(f"vectors: {self.vectors} has a vector of none of the {len(words):,} words")
        if self.unknown_words == SUBWORD and vectors.subwords is None:
            raise ConfigurationError(
                f"unknown_words: {self.vectors} has no vectors of subwords, which fastText's .bin files have; take "
                f"random or zero"
            )
        return replace(self, dim=vectors.size), Start(vectors, words, self.unknown_words)  # type: ignore[call-arg]


class Start:
    """What embeddings start from.

    Args:
        vectors: of the words that a file knows.
        words: of the vocabulary, with their ids.
        unknown: what the others get, one of `UNKNOWN_WORDS`.

    Attributes:
        known: ids of the words with a vector.
    """

    def __init__(self, vectors: Vectors, words: dict[str, int], unknown: str) -> None:
        self._vectors = vectors
        self._words = words
        self._unknown = unknown
        self._spread = float(np.sqrt(np.mean(np.square(vectors.matrix, dtype=np.float64)))) or 1.0
        self.known = np.array([words[word] for word in vectors.words], np.int64)

    @property
    def remarks(self) -> list[str]:
        """How many words the file knows, and what was found in it."""
        subwords = self._unknown == SUBWORD
        coverage = self._vectors.coverage(self._words)
        if not subwords:
            coverage = replace(coverage, composed=0)
        return [f"vectors: the file has those of {coverage} of the vocabulary", *self._vectors.remarks]

    def fill(self, table: np.ndarray, scale: float, generator: np.random.Generator) -> None:
        """Write the first embeddings into a table.

        Args:
            table: shape (entries, size).
            scale: what a sum of embeddings is multiplied by.
            generator: where those of unknown words are drawn from.
        """
        factor = SPREAD / (scale * self._spread)
        table[self.known] = self._vectors.matrix * factor
        unknown = {word: n for word, n in self._words.items() if word not in self._vectors}
        rows = np.array(list(unknown.values()), np.int64)
        drawn = Normal(deviation=SPREAD / scale)((len(rows), table.shape[1]), generator, table.dtype)
        table[rows] = 0 if self._unknown == ZERO else drawn
        if self._unknown == SUBWORD and self._vectors.subwords is not None:
            for word, n in unknown.items():
                composed = self._vectors.subwords.of(word)
                if composed is not None:
                    table[n] = composed * factor


class PartlyFrozenBag(EmbeddingBag):
    """A sum of embeddings, some rows of which no gradient reaches.

    Args:
        entries: rows of the table.
        size: numbers of a row.
        generator: where the table is drawn from.
        initializer: how.

    Attributes:
        free: 1 for rows that learn and 0 for frozen ones, shape (entries,).
    """

    free: Mutable

    def __init__(self, entries: int, size: int, *, generator: np.random.Generator, initializer: Initializer) -> None:
        super().__init__(entries, size, mode="sum", generator=generator, initializer=initializer)
        self.free = Mutable.of(np.ones(entries), name="free", dtype=FLOAT32)

    def rows(self, ids: TensorLike) -> Tensor:
        """E[ids]; from frozen rows, no gradient goes back."""
        rows = super().rows(ids)
        free = expand(gather(self.free, ids), 1)
        return where(free > 0, rows, rows.detach())


class VectoredNetwork(Network):
    """A network whose embeddings may start from word vectors.

    Attributes:
        embeddings: of words and n-grams.
        scale: what a sum of them is multiplied by.
        frozen_epochs: passes before vectors from a file change; None for never.
    """

    embeddings: EmbeddingBag
    scale: float = 1.0
    frozen_epochs: int | None = 0

    def embed(
        self, learner: Vectored, entries: int, size: int, generator: np.random.Generator, initializer: Initializer
    ) -> None:
        """Draw the embeddings; some that no gradient reaches, where the learner has vectors frozen."""
        self.frozen_epochs = 0 if learner.vectors is None else learner.frozen_epochs
        if self.frozen_epochs == 0:
            self.embeddings = EmbeddingBag(entries, size, mode="sum", generator=generator, initializer=initializer)
        else:
            self.embeddings = PartlyFrozenBag(entries, size, generator=generator, initializer=initializer)

    def start_from(self, start: Start, generator: np.random.Generator) -> None:
        """Take over the vectors of words."""
        table = self.embeddings.table.numpy().copy()
        start.fill(table, self.scale, generator)
        self.embeddings.table.assign(table)
        if isinstance(self.embeddings, PartlyFrozenBag):
            free = np.ones(len(table), FLOAT32)
            free[start.known] = 0
            self.embeddings.free.assign(free)

    def pass_begins(self, passes: int) -> None:
        """Let the vectors change from the pass on at which they are to."""
        tuned = self.frozen_epochs is not None and passes >= self.frozen_epochs
        if tuned and isinstance(self.embeddings, PartlyFrozenBag):
            self.embeddings.free.assign(np.ones(self.embeddings.free.shape, FLOAT32))
