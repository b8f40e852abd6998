"""Text: a line a word, with its numbers after it; GloVe's, word2vec's and fastText's `.vec` (these with a header).

Lines that are all regular are read by Polars, many at a time. A part of the file in which one is not goes through an
exact reader, which knows words that hold spaces, and says what is wrong in which line.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

import chainrule.polars as pl
from chainrule.data.helper import uses_polars
from chainrule.dataclasses import dataclass
from chainrule.errors import DataError, shortened
from chainrule.vectors.rows import Rows
from chainrule.vectors.vectors import Vectors

#: Bytes that are read at a time.
CHUNK = 1 << 24
#: The longest line; what is longer is no line of a word with its numbers.
LONGEST = 1 << 22
#: More numbers than this a vector of a word does not have.
LARGEST = 100_000
#: The largest number that float32 holds.
LARGEST_NUMBER = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Shape:
    """What the first line of a file tells of the others.

    Attributes:
        size: numbers of a vector.
        separator: between fields.
        count: words, where the first line is a header; None for others.
    """

    size: int
    separator: str
    count: int | None


def read_text(name: str, stream: BinaryIO, words: frozenset[str] | None, encoding: str) -> Vectors:
    """The vectors of a file of text.

    Raises:
        DataError: naming the line that is none of a word and its numbers.
    """
    lines_before, shape = 0, None
    wanted = None if words is None else frozenset(word.split(" ")[0].encode(encoding, "ignore") for word in words)
    for chunk in _chunks(name, stream):
        if shape is None:
            head = [_decoded(name, line, n + 1, encoding) for n, line in enumerate(chunk.split(b"\n", 2)[:2])]
            shape = found_shape(name, head)
            rows = Rows(shape.size, words)
            if shape.count is not None:
                chunk, lines_before = chunk.split(b"\n", 1)[1], 1
        part = _Part(name, chunk, lines_before, shape, encoding)
        lines_before += part.read_into(rows, wanted)
    if shape is None:
        raise DataError(f"{name}: is empty; expected a line for each word")
    found = lines_before - (shape.count is not None)
    if shape.count is not None and found != shape.count:
        raise DataError(
            f"{name}, line 1: the header promises {shape.count:,} words, and {found:,} lines follow. "
            + ("The file is cut off: copy it again" if found < shape.count else "Correct the header, or take it out")
        )
    return Vectors(rows.words, rows.matrix(), remarks=rows.remarks())


def found_shape(name: str, head: list[str]) -> Shape:
    """What the first two lines tell.

    Raises:
        DataError: when the first is neither a header nor a word with its numbers.
    """
    first = head[0].rstrip(" \r\t\n")
    separator = "\t" if "\t" in first else " "
    fields = first.split(separator)
    if len(fields) == 2 and all(x.isascii() and x.isdigit() and len(x) < 12 for x in fields) and len(head) > 1:
        separator = "\t" if "\t" in head[1].rstrip() else " "
        count, size = map(int, fields)
        if not 1 <= size <= LARGEST:
            raise DataError(f"{name}, line 1: the header promises vectors of {size} numbers; expected 1 to {LARGEST}")
        return Shape(size, separator, count)
    size = 0
    while size < len(fields) - 1 and _number(fields[-1 - size]) is not None:
        size += 1
    if not size:
        raise DataError(
            f"{name}, line 1: expected a word and its numbers, or a header of two whole numbers, got {shortened(first)}"
        )
    return Shape(size, separator, None)


def _chunks(name: str, stream: BinaryIO) -> Iterator[bytes]:
    """Whole lines, many at a time, each part ending in the end of a line; a byte order mark is left out."""
    left, first = b"", True
    while data := stream.read(CHUNK):
        if first:
            data, first = data.removeprefix(b"\xef\xbb\xbf"), False
        end = data.rfind(b"\n") + 1
        if end:
            yield left + data[:end]
            left = data[end:]
        else:
            left += data
        if len(left) > max(LONGEST, CHUNK):
            raise DataError(f"{name}: a line of more than {LONGEST:,} bytes; expected lines of a word and its numbers")
    if left:
        yield left + b"\n"


@dataclass
class _Part:
    """Some lines of a file.

    Attributes:
        name: of the file.
        content: the lines.
        before: how many lines came before.
        shape: of the file.
        encoding: of the file.
    """

    name: str
    content: bytes
    before: int
    shape: Shape
    encoding: str

    def read_into(self, rows: Rows, wanted: frozenset[bytes] | None) -> int:
        """Keep what is wanted; the number of lines."""
        separator = self.shape.separator.encode()
        if wanted is None:
            content, count = self.content, self.content.count(b"\n")
        else:
            lines = self.content.split(b"\n")
            count = len(lines) - 1
            kept = [line for line in lines if line[: line.find(separator)] in wanted]
            content = b"\n".join([*kept, b""]) if kept else b""
        read = self._regular(content) if content else ([], np.zeros((0, self.shape.size), np.float32))
        words, vectors = self._exact(wanted) if read is None else read
        rows.add(vectors[rows.chosen(words)])
        return count

    def _regular(self, content: bytes) -> tuple[list[str], np.ndarray] | None:
        """Words and vectors of lines that are all regular; None for others."""
        if self.encoding != "utf-8":
            return None
        if b"\r" in content:
            content = content.replace(b"\r\n", b"\n")
        separator, size = self.shape.separator.encode(), self.shape.size
        first = content[: content.find(b"\n")]
        trailing = first.endswith(separator)
        names = ["word", *map(str, range(size)), *(["end"] if trailing else [])]
        if first.count(separator) != len(names) - 1:
            return None
        return _parsed(content, separator.decode(), size, trailing=trailing)

    def _exact(self, wanted: frozenset[bytes] | None) -> tuple[list[str], np.ndarray]:
        """Words and vectors, line by line."""
        separator = self.shape.separator.encode()
        words, vectors = [], []
        for number, line in enumerate(self.content.split(b"\n")[:-1], start=self.before + 1):
            if wanted is not None and line[: line.find(separator)] not in wanted:
                continue
            word, vector = self._line(_decoded(self.name, line, number, self.encoding), number)
            words.append(word)
            vectors.append(vector)
        return words, np.array(vectors, np.float32).reshape(len(words), self.shape.size)

    def _line(self, line: str, number: int) -> tuple[str, list[float]]:
        where, size = f"{self.name}, line {number}: ", self.shape.size
        line = line.rstrip(f"\r{self.shape.separator}")
        if not line:
            raise DataError(f"{where}is blank; expected a word and its numbers")
        fields = line.split(self.shape.separator)
        further = fields[1 : len(fields) - size]  # the rest of a word that holds spaces, or numbers too many
        if len(fields) <= size or (further and all(_number(x) is not None for x in further)):
            told = "as the header says" if self.shape.count is not None else "as in line 1"
            raise DataError(
                f"{where}expected {size} numbers after the word, {told}, got {len(fields) - 1}. The line is cut, or "
                f"the file is made of two: copy it again, or take the line out"
            )
        vector = []
        for field in fields[-size:]:
            value = _number(field)
            if value is None or not math.isfinite(value) or abs(value) > LARGEST_NUMBER:
                raise DataError(f"{where}expected a number, got {shortened(field)}; correct it, or take the line out")
            vector.append(value)
        return self.shape.separator.join(fields[:-size]), vector


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _decoded(name: str, line: bytes, number: int, encoding: str) -> str:
    try:
        return line.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name}, line {number}: byte 0x{line[error.start]:02X} at {error.start} is not valid {encoding}. If the "
            f"file is in another encoding, name it (--encoding latin-1); if not, take the line out"
        ) from error


@uses_polars
def _parsed(content: bytes, separator: str, size: int, *, trailing: bool) -> tuple[list[str], np.ndarray] | None:
    """Words and vectors of lines that are all regular, with a separator at their ends or without; None for others."""
    numbers = [str(number) for number in range(size)]
    schema = {"word": pl.String, **dict.fromkeys(numbers, pl.Float32), **({"end": pl.String} if trailing else {})}
    try:
        frame = pl.read_csv(io.BytesIO(content), has_header=False, separator=separator, quote_char=None, schema=schema)
    except pl.exceptions.PolarsError:
        return None
    words, columns = frame["word"], frame.select(numbers)
    if len(frame) != content.count(b"\n") or words.null_count() or sum(columns.null_count().row(0)):
        return None
    if trailing and frame["end"].null_count() != len(frame):
        return None
    vectors = columns.to_numpy()
    return (words.to_list(), vectors) if np.isfinite(vectors).all() else None
