"""Rows: what is kept of a file of vectors while it is read, a part at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from chainrule.errors import DataError
from chainrule.shown import listing

#: Words that come twice, as a remark lists them.
LISTED = 5


class Rows:
    """The words that are wanted, each with the first vector that comes for it.

    Args:
        size: numbers of a vector.
        words: those that are wanted; None for all.

    Attributes:
        words: that have come.

    Example:
        >>> rows = Rows(1, ["a", "b"])
        >>> kept = rows.chosen(["b", "c", "b"])
        >>> rows.add(np.array([[1], [2], [3]], "float32")[kept])
        >>> rows.words, rows.matrix().tolist(), rows.remarks()
        (['b'], [[1.0]], ["1 words come twice, of which the first vector is kept: 'b'"])
    """

    def __init__(self, size: int, words: Iterable[str] | None) -> None:
        self.words: list[str] = []
        self._wanted = None if words is None else set(words)
        self._seen: set[str] = set()
        self._twice: list[str] = []
        self._held = np.empty((0, size), np.float32)
        self._filled = 0

    def chosen(self, words: Sequence[str]) -> np.ndarray:
        """Which of the next words are kept, as ascending places; `add` takes their vectors."""
        kept: list[int] = []
        for place, word in enumerate(words):
            if self._wanted is not None and word not in self._wanted:
                continue
            if word in self._seen:
                self._twice.append(word)
                continue
            self._seen.add(word)
            self.words.append(word)
            kept.append(place)
        return np.array(kept, np.int64)

    def add(self, vectors: np.ndarray) -> None:
        """Keep the vectors of the words that were chosen last."""
        end = self._filled + len(vectors)
        if end > len(self._held):  # pages that nothing is written to take no memory
            self._held.resize((max(end, len(self._held) * 3 // 2), self._held.shape[1]), refcheck=False)
        self._held[self._filled : end] = vectors
        self._filled = end

    def matrix(self) -> np.ndarray:
        """All vectors, float32 of shape (words, size)."""
        self._held.resize((self._filled, self._held.shape[1]), refcheck=False)
        return self._held

    def remarks(self) -> list[str]:
        """What is to be said of words that come twice."""
        if not self._twice:
            return []
        shown = listing(dict.fromkeys(self._twice), LISTED)
        return [f"{len(self._twice):,} words come twice, of which the first vector is kept: {shown}"]


def require_finite(name: str, words: Sequence[str], vectors: np.ndarray) -> None:
    """Refuse vectors that hold what is no number.

    Raises:
        DataError: naming the word.
    """
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        word = words[int(finite.argmin())]
        raise DataError(
            f"{name}: the vector of {word[:40]!r} holds an infinity or NaN; take the word out, or copy again"
        )
