"""Writing word vectors, in formats that others read."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import chainrule.polars as pl
from chainrule.array_file import Part, file_parts
from chainrule.data.helper import uses_polars
from chainrule.errors import ConfigurationError, DataError, shortened
from chainrule.files import write_file
from chainrule.vectors.vectors import Vectors

#: Words that are written at once.
BLOCK = 1 << 13


def write_vectors(vectors: Vectors, path: str | os.PathLike[str]) -> None:
    """Write words and vectors, in the format that the end of the file's name says.

    `.txt` and `.vec`: word2vec's text, with a header; `.bin`: word2vec's binary; both as gensim reads and writes them.
    `.safetensors`: float32 under "vectors", and under "words" the words in UTF-8, a line each. Numbers are written so
    that they are read back to the same bits. Vectors of subwords are not written.

    Raises:
        ConfigurationError: for another end of the name.
        DataError: for a word that the format has no place for: one with a space or a line break.
        StorageError: when the file cannot be written; an old one stays.

    Example:
        >>> import tempfile
        >>> from chainrule.vectors import read_vectors
        >>> place = Path(tempfile.mkdtemp()) / "vectors.txt"
        >>> write_vectors(Vectors(["so", "good"], np.array([[0.1, 0.2], [0.3, 0.4]])), place)
        >>> place.read_text().splitlines()
        ['2 2', 'so 0.1 0.2', 'good 0.3 0.4']
    """
    place = Path(path)
    require_format(place)
    for word in vectors.words:
        if not word or "\n" in word or (" " in word and place.suffix != ".safetensors"):
            raise DataError(
                f"{place}: the word {shortened(word)} holds what stands between words, or nothing; leave it out"
            )
    write_file(place, WRITERS[place.suffix](vectors))


def require_format(place: Path) -> None:
    """Refuse a name whose end says no format that can be written.

    Raises:
        ConfigurationError: naming those that can.
    """
    if place.suffix not in WRITERS:
        raise ConfigurationError(
            f"{place}: expected a name that ends in {', '.join(WRITERS)}, which says the format of the vectors"
        )


def _blocks(vectors: Vectors) -> Iterator[tuple[list[str], np.ndarray]]:
    for start in range(0, len(vectors), BLOCK):
        rows = np.asarray(vectors.matrix[start : start + BLOCK], "<f4")
        yield list(vectors.words[start : start + BLOCK]), rows


def _text(vectors: Vectors) -> Iterator[Part]:
    yield f"{len(vectors)} {vectors.size}\n".encode()
    for words, rows in _blocks(vectors):
        yield _lines(words, rows)


@uses_polars
def _lines(words: list[str], rows: np.ndarray) -> bytes:
    """Words and their numbers, a line each."""
    frame = pl.DataFrame({"word": words, **{str(n): column for n, column in enumerate(rows.T)}})
    content = io.BytesIO()
    frame.write_csv(content, include_header=False, separator=" ", quote_style="never")
    return content.getvalue()


def _binary(vectors: Vectors) -> Iterator[Part]:
    yield f"{len(vectors)} {vectors.size}\n".encode()
    for words, rows in _blocks(vectors):
        yield b"".join(word.encode() + b" " + row.tobytes() for word, row in zip(words, rows, strict=True))


def _safetensors(vectors: Vectors) -> Iterator[Part]:
    text = np.frombuffer("\n".join(vectors.words).encode(), np.uint8)
    return file_parts({"vectors": np.asarray(vectors.matrix, np.float32), "words": text})


#: Who writes each format, by the end of the file's name.
WRITERS = {".txt": _text, ".vec": _text, ".bin": _binary, ".safetensors": _safetensors}
