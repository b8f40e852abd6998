"""Reading: which format a file of word vectors is in, by what it holds, and who reads it."""

from __future__ import annotations

import lzma
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chainrule.data.compression import compression_of, decompressing
from chainrule.data.decoding import CONTROLS, require_encoding
from chainrule.errors import ChainruleError, DataError
from chainrule.vectors.formats.arrays import read_npy, read_npz, read_safetensors
from chainrule.vectors.formats.fasttext import MAGIC, read_fasttext
from chainrule.vectors.formats.text import found_shape, read_text
from chainrule.vectors.formats.word2vec import read_word2vec
from chainrule.vectors.vectors import Vectors

#: Bytes that tell the format.
HEAD = 1 << 16
#: The share of control characters above which what follows a header are no digits.
MOST_CONTROLS = 0.01
#: What there are readers for.
KNOWN = (
    "GloVe's or word2vec's text, fastText's .vec or .bin, word2vec's binary, .safetensors, .npy or .npz, any of them "
    "with .gz, .bz2, .xz or .zst"
)


def read_vectors(
    path: str | os.PathLike[str], *, words: Iterable[str] | None = None, encoding: str = "utf-8"
) -> Vectors:
    r"""Word vectors from a file, whose format is found by what it holds.

    Files are read a part at a time, or mapped into memory: where only some words are wanted, memory is taken for these
    alone, however large the file is, and the other lines are not looked at.

    Args:
        path: of the file.
        words: those that are wanted; None for all.
        encoding: of the words.

    Raises:
        DataError: for a file that is not there, of no known format, damaged or cut off; the message names the line.
        ConfigurationError: where the library for `.zst` is missing.

    Example:
        >>> import tempfile
        >>> place = Path(tempfile.mkdtemp()) / "vectors.txt"
        >>> _ = place.write_text("so 0.1 0.2\ngood 0.3 0.4\n")
        >>> read_vectors(place), read_vectors(place, words=["good"]).words
        (Vectors(2 words, size 2), ['good'])
    """
    place, name = Path(path), str(path)
    require_encoding(encoding)
    wanted = None if words is None else frozenset(words)
    with _refused(name):
        with decompressing(place) as stream:
            head = stream.read(HEAD)
        kind = _format(name, head)
        if kind in STREAMED:
            with decompressing(place) as stream:
                return STREAMED[kind](name, stream, wanted, encoding)
        compression = compression_of(_head_of(place), place.suffix.lower())
        if compression:
            raise DataError(f"{name}: decompress it first: a file of this kind ({kind}) is mapped into memory as it is")
        return MAPPED[kind](name, place, wanted, encoding)


STREAMED = {"text": read_text, "word2vec": read_word2vec}
MAPPED = {"npy": read_npy, "npz": read_npz, "safetensors": read_safetensors, "fastText .bin": read_fasttext}


def _head_of(place: Path) -> bytes:
    with place.open("rb") as stream:
        return stream.read(16)


def _format(name: str, head: bytes) -> str:
    """The name of the format of a file that begins so.

    Raises:
        DataError: when it is none that is known.
    """
    if not head:
        raise DataError(f"{name}: is empty; expected word vectors: {KNOWN}")
    if head.startswith(b"\x93NUMPY"):
        return "npy"
    if head.startswith(b"PK\x03\x04"):
        return "npz"
    if head.startswith(MAGIC):
        return "fastText .bin"
    if head[8:9] == b"{" and struct.unpack("<Q", head[:8])[0] < 1 << 30:
        return "safetensors"
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        raise DataError(
            f"{name}: is a pickle of Python, which is never read, as reading one can run any program. Save the vectors "
            f"otherwise; in gensim: vectors.save_word2vec_format('vectors.bin', binary=True)"
        )
    first, _, rest = head.partition(b"\n")
    try:
        shape = found_shape(name, [first.decode("latin-1"), "x"])
    except DataError as error:
        if _controls(head) > MOST_CONTROLS:
            raise DataError(f"{name}: is no file of word vectors: expected {KNOWN}") from error
        raise DataError(f"{error}. Expected word vectors: {KNOWN}") from error
    return "word2vec" if shape.count is not None and _controls(rest) > MOST_CONTROLS else "text"


def _controls(data: bytes) -> float:
    """The share of control characters."""
    return len(CONTROLS.findall(data.decode("latin-1"))) / max(len(data), 1)


@contextmanager
def _refused(name: str) -> Iterator[None]:
    """Make whatever reading raises an error that names the file."""
    try:
        yield
    except ChainruleError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"{name}: no such file (looked in {Path(name).absolute().parent})") from error
    except IsADirectoryError as error:
        raise DataError(f"{name}: is a directory; name a file inside it") from error
    except (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error) as error:
        raise DataError(
            f"{name}: cannot be read: {getattr(error, 'strerror', None) or error}. Copy it again"
        ) from error
