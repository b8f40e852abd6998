"""Hashed n-grams: rows that n-grams share by a hash of their tokens, so that none of them is counted or listed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.text.keys import SPREAD
from chainrule.text.ngrams import begins_ngram

#: Keeps the lower 64 bits.
MASK = 2**64 - 1

#: One number, or many of uint64, which wraps by itself.
Numbers = TypeVar("Numbers", int, np.ndarray)


@dataclass(frozen=True)
class HashedNgrams:
    """The n-grams of known tokens, from n = 2 to `longest`, each in one of so many rows.

    The row of an n-gram is h(i₁, ..., iₙ) mod `rows`, with the ids i of its tokens and

        h(i₁) = i₁,    h(i₁, ..., iₙ) = mixed(h(i₁, ..., iₙ₋₁) g + iₙ) mod 2⁶⁴,    g = 2⁶⁴ / golden ratio

    This is arithmetic of whole numbers, the same on every machine. n-grams that meet in a row share its weights.

    Args:
        longest: the largest n.
        rows: how many there are.

    Example:
        >>> hashed = HashedNgrams(longest=2, rows=1000)
        >>> hashed.of([1, 2, 0, 1, 2], first=50)  # 0 is an unknown token; the first of the rows is row 50
        [160, 160]

    Source: Weinberger, Dasgupta, Langford, Smola and Attenberg, Feature Hashing for Large Scale Multitask Learning
    (2009), and Joulin, Grave, Bojanowski and Mikolov, Bag of Tricks for Efficient Text Classification (2017).
    Deviations: no signs, and ids of tokens are hashed instead of their characters.
    """

    longest: int
    rows: int

    def of(self, ids: Sequence[int], first: int) -> list[int]:
        """The rows of the n-grams of one text, by rising n, in plain Python.

        Args:
            ids: of its tokens, 0 for one that is not known.
            first: what is added to a row.
        """
        found, hashes = list[int](), list(ids)
        for order in range(2, self.longest + 1):
            hashes = [
                _with_last(before, last) if before and last else 0
                for before, last in zip(hashes, ids[order - 1 :], strict=False)
            ]
            found += [first + value % self.rows for value in hashes if value]
        return found

    def columns(self, ids: np.ndarray, offsets: np.ndarray, first: int) -> Iterator[np.ndarray]:
        """What `of` gives, of many texts: for each n and each token, the row of the n-gram that begins there, or 0.

        Args:
            ids: for each token its id, or 0, int32.
            offsets: where each text begins.
            first: what is added to a row; above 0.
        """
        hashes, lasts = ids.astype(np.uint64), ids.astype(np.uint64)
        for order in range(2, self.longest + 1):
            places = np.flatnonzero(begins_ngram(hashes, ids, offsets, order))
            values = _with_last(hashes[places], lasts[places + order - 1])
            hashes[:] = 0
            hashes[places] = values
            column = np.zeros(len(ids), np.int32)
            column[places] = np.where(values, first + values % self.rows, 0)
            yield column


def _with_last(before: Numbers, last: Numbers) -> Numbers:
    """The hash of an n-gram, from that of the (n-1)-gram it begins with and the id of its last token."""
    return _mixed((before * SPREAD + last) & MASK)


def _mixed(value: Numbers) -> Numbers:
    """A number of 64 bits, each of which depends on all those of `value`; different for different values.

    Source: Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators (2014), `mix64variant13`.
    """
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    mixed: Numbers = value ^ (value >> 31)
    return mixed
