"""Subwords: a word's vector from those of its character n-grams, as fastText makes it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: The hash of nothing and the factor of FNV-1a with 32 bits.
START, PRIME = np.uint32(2166136261), np.uint32(16777619)
#: Bytes of words that are hashed at once.
CHUNK = 1 << 22
#: What stands before and after a word, so that its beginning and its end are known as such.
BEGIN, END = b"<", b">"


class Subwords:
    """The mean of the vectors of a word's character n-grams, each of which is a row that its hash gives.

    Args:
        buckets: shape (rows, size): those of n-grams; they may be mapped from a file.
        least: characters of the shortest n-gram; the signs for the beginning and the end of a word count.
        most: characters of the longest.

    Example:
        >>> subwords = Subwords(np.eye(4, dtype="float32"), 3, 4)
        >>> subwords.of("so").round(2)
        array([0.  , 0.67, 0.  , 0.33], dtype=float32)
        >>> subwords.of("") is None
        True

    Source: Bojanowski, Grave, Joulin and Mikolov, Enriching Word Vectors with Subword Information (2017).
    """

    def __init__(self, buckets: np.ndarray, least: int, most: int) -> None:
        self.buckets = buckets
        self.least = least
        self.most = most

    def of(self, word: str) -> np.ndarray | None:
        """The vector of a word, float32 of shape (size,); None for one that is too short to have an n-gram."""
        rows, _ = self.rows([word])
        return np.asarray(self.buckets[rows], np.float32).mean(axis=0) if len(rows) else None

    def rows(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The rows of the n-grams of each word, and where each word's begin: int64 of shape (n,) and (words + 1,)."""
        parts, counts = [np.zeros(0, np.int64)], [np.zeros(1, np.int64)]
        encoded = [BEGIN + word.encode("utf-8", "surrogatepass") + END for word in words]
        start = 0
        while start < len(encoded):
            stop, held = start, 0
            while stop < len(encoded) and (held < CHUNK or stop == start):
                held += len(encoded[stop])
                stop += 1
            rows, each = self._hashed(encoded[start:stop])
            parts.append(rows)
            counts.append(each)
            start = stop
        return np.concatenate(parts), np.cumsum(np.concatenate(counts))

    def _hashed(self, words: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
        """The rows of words' n-grams, word by word, by where they begin and then by length; and how many each has."""
        data = np.frombuffer(b"".join(words), np.uint8)
        lengths = np.fromiter(map(len, words), np.int64, len(words))
        ends = np.cumsum(lengths)
        word_of = np.repeat(np.arange(len(words)), lengths)
        inner = (data & 0xC0) == 0x80  # a byte that goes on with a character
        signed = data.astype(np.int8).astype(np.int32).astype(np.uint32)  # as fastText has it
        starts = np.flatnonzero(~inner)
        place, hashes, sizes = starts.copy(), np.full(len(starts), START), np.zeros(len(starts), np.int64)
        found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        while len(starts):
            hashes = (hashes ^ signed[place]) * PRIME
            place = place + 1
            end = ends[word_of[starts]]
            whole = (place == end) | ~inner[np.minimum(place, len(data) - 1)]
            sizes = sizes + whole
            first = starts == end - lengths[word_of[starts]]
            alone = (sizes == 1) & (first | (place == end))  # the signs of beginning and end
            kept = whole & (sizes >= self.least) & ~alone
            found.append((starts[kept], sizes[kept], hashes[kept]))
            on = (place < end) & ~(whole & (sizes >= self.most))
            starts, place, hashes, sizes = starts[on], place[on], hashes[on], sizes[on]
        begun, size, hashed = (np.concatenate(x) for x in zip(*found, strict=True))
        order = np.lexsort((size, begun))
        rows = (hashed[order] % np.uint32(len(self.buckets))).astype(np.int64)
        return rows, np.bincount(word_of[begun], minlength=len(words))
