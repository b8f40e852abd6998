"""word2vec's binary format: a header, and for each word its bytes, a space, and its numbers as float32."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from chainrule.errors import DataError
from chainrule.vectors.formats.text import found_shape
from chainrule.vectors.rows import Rows, require_finite
from chainrule.vectors.vectors import Vectors

#: Bytes that are read at a time.
CHUNK = 1 << 24
#: The longest word, in bytes.
LONGEST = 1 << 16


def read_word2vec(name: str, stream: BinaryIO, words: frozenset[str] | None, encoding: str) -> Vectors:
    """The vectors of a binary file; a line break after each vector may be there or not.

    Raises:
        DataError: for one that is cut off, or holds what is no word.
    """
    shape = found_shape(name, [stream.readline(100).decode("latin-1"), "x"])
    count = shape.count or 0  # a header has one
    width, left, done = 4 * shape.size, count, b""
    rows = Rows(shape.size, words)
    while left:
        data = stream.read(CHUNK)
        if not data:
            raise DataError(
                f"{name}: the header promises {count:,} words of {shape.size} numbers, and the file ends after "
                f"{count - left:,}. Copy it again"
            )
        data = done + data
        names: list[bytes] = []
        starts: list[int] = []
        end = 0
        while len(names) < left:
            begin = end + 1 if data[end : end + 1] == b"\n" else end
            space = data.find(b" ", begin, begin + LONGEST)
            if space < 0 and len(data) - begin > LONGEST:
                raise DataError(f"{name}: word {count - left + len(names) + 1:,} does not end. Copy the file again")
            if space < 0 or space + 1 + width > len(data):
                break
            names.append(data[begin:space])
            starts.append(space + 1)
            end = space + 1 + width
        first, left, done = count - left, left - len(names), data[end:]
        if not names:
            continue
        texts = [_decoded(name, word, first + n, encoding) for n, word in enumerate(names, start=1)]
        kept = rows.chosen(texts)
        windows = np.lib.stride_tricks.sliding_window_view(np.frombuffer(data, np.uint8), width)
        vectors = windows[np.array(starts)[kept]].view("<f4").astype(np.float32, copy=False)
        require_finite(name, [texts[place] for place in kept.tolist()], vectors)
        rows.add(vectors)
    if done.strip() or stream.read(CHUNK).strip():
        raise DataError(f"{name}: more follows after the {count:,} words that the header promises. Copy it again")
    return Vectors(rows.words, rows.matrix(), remarks=rows.remarks())


def _decoded(name: str, word: bytes, number: int, encoding: str) -> str:
    try:
        return word.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name}, word {number:,}: byte 0x{word[error.start]:02X} is not valid {encoding}. If the file is in "
            f"another encoding, name it (--encoding latin-1); if not, it is damaged"
        ) from error
