"""Vectors: words and the numbers that stand for them, to compare them by."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, DataError, shortened
from chainrule.forks import once
from chainrule.settings import suggestion
from chainrule.vectors.subwords import Subwords

#: Numbers that are compared at once, so that a memory-mapped matrix never has to be held whole.
BLOCK = 1 << 22
#: Words that are looked at for near ones, the first of the file, which usually are the most frequent.
LOOKED_AT = 20_000


@dataclass(frozen=True)
class Coverage:
    """How many words vectors know.

    Attributes:
        known: words that have a vector.
        composed: further ones whose vector is made of subwords.
        words: all of them.
    """

    known: int
    composed: int
    words: int

    def __str__(self) -> str:
        share = 100 * self.known / max(self.words, 1)
        more = f", and {self.composed:,} more by their subwords" if self.composed else ""
        return f"{self.known:,} of {self.words:,} words ({share:.1f} %){more}"


class Vectors:
    """Words, and a vector of each.

    Args:
        words: distinct texts.
        matrix: shape (words, size), floating-point; it may be mapped from a file.
        subwords: what makes vectors of words that are not there; None where nothing does.
        remarks: what is to be said of the file, a line each.

    Raises:
        DataError: for another number of rows than words, or a word that comes twice.

    Example:
        >>> vectors = Vectors(["king", "queen", "man", "woman"], np.array([[3, 1], [3, 2], [0, 1], [0, 2.0]]))
        >>> vectors
        Vectors(4 words, size 2)
        >>> vectors.neighbours("king", count=1)[0][0]
        'queen'
        >>> vectors.analogy("man", "woman", "king", count=1)[0][0]
        'queen'
        >>> str(vectors.coverage(["king", "cat"]))
        '1 of 2 words (50.0 %)'
    """

    def __init__(
        self,
        words: Sequence[str],
        matrix: np.ndarray,
        *,
        subwords: Subwords | None = None,
        remarks: Sequence[str] = (),
    ) -> None:
        if matrix.ndim != 2 or matrix.dtype.kind != "f" or len(matrix) != len(words) or not matrix.shape[1]:
            raise DataError(
                f"vectors: expected floating-point numbers of shape ({len(words)}, size), got {matrix.dtype} of shape "
                f"{matrix.shape}"
            )
        self.words = words
        self.matrix = matrix
        self.subwords = subwords
        self.remarks = tuple(remarks)
        self.places: Mapping[str, int] = {word: place for place, word in enumerate(words)}
        if len(self.places) != len(words):
            twice = next(word for place, word in enumerate(words) if self.places[word] != place)
            raise DataError(f"vectors: the word {shortened(twice)} comes twice; leave one out")

    @property
    def size(self) -> int:
        """The numbers that stand for a word."""
        return int(self.matrix.shape[1])

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        """Whether the word has a vector of its own."""
        return word in self.places

    def __getitem__(self, word: str) -> np.ndarray:
        """The vector of a word, float32 of shape (size,); of an unknown one, that of its subwords, if there are any.

        Raises:
            ConfigurationError: for a word without a vector, with near ones.
        """
        place = self.places.get(word)
        if place is not None:
            return np.asarray(self.matrix[place], np.float32)
        composed = None if self.subwords is None else self.subwords.of(word)
        if composed is None:
            near = suggestion(word, [*self.words[:LOOKED_AT]])
            raise ConfigurationError(f"no vector of the word {shortened(word)}{near}")
        return composed

    def coverage(self, words: Iterable[str]) -> Coverage:
        """How many of some words have a vector."""
        held = list(words)
        unknown = [word for word in held if word not in self.places]
        composed = 0 if self.subwords is None else sum(self.subwords.of(word) is not None for word in unknown)
        return Coverage(len(held) - len(unknown), composed, len(held))

    def similarity(self, first: str, second: str) -> float:
        """The cosine of the angle between two words, from -1 to 1: a · b / (‖a‖ ‖b‖); 0 where one of them is 0.

        Raises:
            ConfigurationError: for a word without a vector.
        """
        return float(_unit(self[first]) @ _unit(self[second]))

    def neighbours(
        self, word: str | np.ndarray, count: int = 10, without: Iterable[str] = ()
    ) -> list[tuple[str, float]]:
        """The words whose vectors point most nearly in the same direction, with the cosines, the nearest first.

        Args:
            word: a word, which is none of its own neighbours, or a vector of shape (size,).
            count: how many.
            without: words that are left out.

        Raises:
            ConfigurationError: for a word without a vector, or a count below 1.
        """
        if count < 1:
            raise ConfigurationError(f"count: expected a whole number of 1 or more, got {count}")
        target = _unit(self[word] if isinstance(word, str) else np.asarray(word, np.float32))
        left_out = {*without, *([word] if isinstance(word, str) else [])}
        cosines = np.empty(len(self), np.float32)
        for rows in self._blocks():
            with np.errstate(invalid="ignore", divide="ignore"):
                cosines[rows] = np.asarray(self.matrix[rows], np.float32) @ target / self._norms[rows]
        places = [place for name in left_out if (place := self.places.get(name)) is not None]
        cosines[places] = -np.inf
        cosines[np.isnan(cosines)] = -np.inf  # vectors of length 0 have no direction
        count = min(count, int((cosines > -np.inf).sum()))
        best = np.argpartition(-cosines, count - 1)[:count] if count else np.zeros(0, np.int64)
        order = sorted(best.tolist(), key=lambda place: (-cosines[place], place))
        return [(self.words[place], float(cosines[place])) for place in order]

    def analogy(self, a: str, b: str, c: str, count: int = 10) -> list[tuple[str, float]]:
        """What is to c as b is to a: the words nearest to b̂ − â + ĉ, for vectors of length 1, without these three.

        Raises:
            ConfigurationError: for a word without a vector.

        Source: Mikolov, Yih and Zweig, Linguistic Regularities in Continuous Space Word Representations (2013).
        """
        target = _unit(self[b]) - _unit(self[a]) + _unit(self[c])
        return self.neighbours(target, count, without=(a, b, c))

    def plane(self, words: Sequence[str]) -> np.ndarray:
        """Words as points of the plane that keeps most of their differences, shape (words, 2).

        The first two principal components of their vectors; each axis points to where its largest number is positive.

        Raises:
            ConfigurationError: for a word without a vector, or fewer than two words.

        Source: Pearson, On Lines and Planes of Closest Fit to Systems of Points in Space (1901).
        """
        if len(words) < 2:
            raise ConfigurationError(f"a map takes two words or more, got {len(words)}")
        held = np.array([self[word] for word in words], np.float64)
        held -= held.mean(axis=0)
        left, lengths, _ = np.linalg.svd(held, full_matrices=False)
        points = np.zeros((len(words), 2))
        axes = min(2, len(lengths))
        points[:, :axes] = left[:, :axes] * lengths[:axes]
        largest = points[np.abs(points).argmax(axis=0), [0, 1]]
        return np.asarray(points * np.where(largest < 0, -1, 1))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file that others read: see `write_vectors`."""
        from chainrule.vectors.write import write_vectors

        write_vectors(self, path)

    @once
    def _norms(self) -> np.ndarray:
        """The length of each vector."""
        norms = np.empty(len(self), np.float32)
        for rows in self._blocks():
            norms[rows] = np.linalg.norm(np.asarray(self.matrix[rows], np.float32), axis=1)
        return norms

    def _blocks(self) -> Iterable[slice]:
        """Rows that are compared at once."""
        rows = max(1, BLOCK // self.size)
        return (slice(start, start + rows) for start in range(0, len(self), rows))

    def __repr__(self) -> str:
        return f"Vectors({len(self):,} words, size {self.size})"


def _unit(vector: np.ndarray) -> np.ndarray:
    """A vector of length 1 in its direction; 0 as it is."""
    norm = np.linalg.norm(vector)
    return vector / norm if norm else vector
