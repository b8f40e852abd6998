"""fastText's `.bin`: settings, dictionary, and the matrix of words and of the buckets of their character n-grams.

The layout is that of version 12 of the format (`fasttext.cc`, `args.cc`, `dictionary.cc`, `densematrix.cc`); all
numbers are little-endian:

    int32 magic, version; int32 dim, ws, epoch, minCount, neg, wordNgrams, loss, model, bucket, minn, maxn,
    lrUpdateRate; float64 t; int32 size, words, labels; int64 tokens, pruned; for each of size: bytes, a zero,
    int64 count, int8 kind; for each of pruned: int32, int32; uint8 quantised; int64 rows, columns; float32 ...

The vector of a word is the mean of its own row and of those of its n-grams.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.errors import DataError
from chainrule.vectors.rows import Rows, require_finite
from chainrule.vectors.subwords import Subwords
from chainrule.vectors.vectors import Vectors

MAGIC = struct.pack("<i", 793712314)
VERSIONS = (11, 12)
#: The kind of a model that was trained on labels, and that of an entry that is one.
SUPERVISED, LABEL = 3, 1
#: What stands for the end of a line, which has no n-grams.
END_OF_LINE = "</s>"
#: Numbers of rows that are averaged at once.
BLOCK = 1 << 22


def read_fasttext(name: str, path: Path, words: frozenset[str] | None, encoding: str) -> Vectors:
    """The vectors of a model of fastText, and what makes vectors of unknown words: rows that stay in the file.

    Args:
        name: for messages.
        path: of the file, which is mapped into memory.
        words: those that are wanted; None for all.
        encoding: of the words.

    Raises:
        DataError: for a file that is cut off, of another version, or quantised.
    """
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        cursor = _Cursor(name, mapped)
        header = _header(cursor)
        held = _words(cursor, header, encoding)
        shape = _shape(cursor, header, held)
        at = cursor.at
    matrix = np.memmap(path, "<f4", "r", at, shape)
    count = len(held)
    subwords = Subwords(matrix[count:], header.least, header.most) if header.buckets and header.most > 0 else None
    return _made(name, held, matrix, subwords, words)


@dataclass(frozen=True)
class _Header:
    """What a file says of itself.

    Attributes:
        size: numbers of a vector.
        buckets: rows for n-grams.
        least: characters of the shortest n-gram.
        most: characters of the longest; 0 for none.
        entries: words and labels.
        count: words.
        pruned: n-grams that were kept when others were taken out.
    """

    size: int
    buckets: int
    least: int
    most: int
    entries: int
    count: int
    pruned: int


@dataclass
class _Cursor:
    """A place in the file, from which numbers are read."""

    name: str
    data: mmap.mmap
    at: int = 0

    def take(self, layout: str) -> tuple[int, ...]:
        layout = f"<{layout}"
        end = self.at + struct.calcsize(layout)
        if end > len(self.data):
            raise self.cut()
        found = struct.unpack(layout, self.data[self.at : end])
        self.at = end
        return found

    def text(self) -> bytes:
        end = self.data.find(b"\0", self.at, self.at + (1 << 16))
        if end < 0:
            raise self.cut()
        found = self.data[self.at : end]
        self.at = end + 1
        return found

    def cut(self) -> DataError:
        return DataError(f"{self.name}: the file ends too early, at byte {len(self.data):,}. Copy it again")


def _header(cursor: _Cursor) -> _Header:
    _, version = cursor.take("2i")
    if version not in VERSIONS:
        raise DataError(f"{cursor.name}: is of version {version} of fastText's format; expected 11 or 12")
    size, _, _, _, _, _, _, model, buckets, least, most, _, _ = cursor.take("12id")
    if version == VERSIONS[0] and model == SUPERVISED:
        most = 0  # models of that version with labels have no n-grams
    entries, count, labels, _, pruned = cursor.take("3i2q")
    if min(entries, count, labels, buckets) < 0 or size < 1 or entries != count + labels:
        raise DataError(
            f"{cursor.name}: promises {count} words, {labels} labels and {size} numbers a word. Copy it again"
        )
    return _Header(size, buckets, least, most, entries, count, max(pruned, 0))


def _words(cursor: _Cursor, header: _Header, encoding: str) -> list[str]:
    held: list[str] = []
    for number in range(1, header.entries + 1):
        word = cursor.text()
        _, kind = cursor.take("qb")
        if kind != LABEL:
            try:
                held.append(word.decode(encoding))
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{cursor.name}, word {number:,}: {word[:40]!r} is not valid {encoding}. Copy the file again"
                ) from error
    return held


def _shape(cursor: _Cursor, header: _Header, held: list[str]) -> tuple[int, int]:
    """The rows and columns of the matrix that follows."""
    if 8 * header.pruned > len(cursor.data) - cursor.at:
        raise cursor.cut()
    cursor.at += 8 * header.pruned
    (quantised,) = cursor.take("B")
    if quantised:
        raise DataError(
            f"{cursor.name}: is quantised (.ftz): its vectors are only approximately there. Give the model it was made "
            f"from (.bin), or its vectors as text (.vec)"
        )
    rows, columns = cursor.take("2q")
    if columns != header.size or rows != len(held) + header.buckets or len(held) != header.count:
        raise DataError(
            f"{cursor.name}: expected a matrix of {header.count:,} words and {header.buckets:,} buckets by "
            f"{header.size}, got {rows:,} by {columns}. Copy it again"
        )
    if cursor.at + 4 * rows * columns > len(cursor.data):
        raise cursor.cut()
    return rows, columns


def _made(
    name: str, held: list[str], matrix: np.ndarray, subwords: Subwords | None, words: frozenset[str] | None
) -> Vectors:
    """The vectors of the words that are wanted."""
    kept = Rows(matrix.shape[1], words)
    step = max(1, BLOCK // (16 * matrix.shape[1]))
    for start in range(0, len(held), step):
        texts = held[start : start + step]
        chosen = kept.chosen(texts)
        vectors = np.asarray(matrix[start : start + len(texts)][chosen], np.float32)
        if subwords is not None:
            names = ["" if texts[place] == END_OF_LINE else texts[place] for place in chosen.tolist()]
            ids, offsets = subwords.rows(names)
            counts = np.diff(offsets)
            filled = np.flatnonzero(counts)
            sums = np.add.reduceat(subwords.buckets[ids], offsets[:-1][filled], axis=0) if len(filled) else 0
            vectors[filled] += sums
            vectors /= (1 + counts)[:, None].astype(np.float32)
        require_finite(name, [texts[place] for place in chosen.tolist()], vectors)
        kept.add(vectors)
    return Vectors(kept.words, kept.matrix(), subwords=subwords, remarks=kept.remarks())
