"""Compressed files: `.gz`, `.bz2`, `.xz` and `.zst`, by the end of their names or by their first bytes."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from chainrule.errors import ConfigurationError, DataError


def _zstandard() -> Any:
    """Python has it from 3.14 on; before that, the library is the same code for older versions."""
    try:
        from compression import zstd
    except ImportError:
        from backports import zstd
    return zstd


def _from_zstandard(data: bytes) -> bytes:
    content: bytes = _zstandard().decompress(data)
    return content


def _missing(name: str) -> ConfigurationError:
    return ConfigurationError(f"{name}: reading .zst files needs a library: pip install 'chainrule[zstd]'")


#: How each kind of compressed file is read, by the end of its name.
DECOMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
    ".zst": _from_zstandard,
}

#: What files of each kind begin with; no text begins so.
MARKS = {b"\x1f\x8b\x08": ".gz", b"1AY&SY": ".bz2", b"\xfd7zXZ\x00": ".xz", b"\x28\xb5\x2f\xfd": ".zst"}


def compression_of(data: bytes, suffix: str) -> str:
    """How a file is compressed, as the end of a name says it; "" where it is not.

    Args:
        data: what it begins with, or all of it.
        suffix: the end of its name; another than those of compressed files leaves it to the first bytes.
    """
    if suffix in DECOMPRESSORS:
        return suffix
    after_size = 4  # a .bz2 file begins with "BZh" and a digit for the size of its blocks
    marks = (data, data[after_size:] if data.startswith(b"BZh") else b"")
    return next((kind for mark, kind in MARKS.items() if any(x.startswith(mark) for x in marks)), "")


def decompressing(path: Path) -> BinaryIO:
    """A file to read bytes from as they come, decompressed if it is compressed: a large one is never held whole.

    What is damaged or cut off raises when it is read, each kind an error of its own.

    Raises:
        OSError: when it cannot be opened.
        ConfigurationError: where the library for `.zst` is missing.
    """
    with path.open("rb") as stream:
        kind = compression_of(stream.read(16), path.suffix.lower())
    openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    if kind == ".zst":
        try:
            openers[kind] = _zstandard().open
        except ImportError as error:
            raise _missing(str(path)) from error
    opened: BinaryIO = openers[kind](path, "rb") if kind else path.open("rb")
    return opened


def decompressed(data: bytes, suffix: str, name: str) -> bytes:
    """The content of a file, decompressed where its name or its first bytes say that it is compressed.

    Args:
        data: the content as it is stored.
        suffix: the end of the file's name; another than those of compressed files leaves it to the first bytes.
        name: for messages.

    Raises:
        DataError: a file that is damaged, cut off, or not compressed.
        ConfigurationError: where the library for `.zst` is missing.
    """
    suffix = compression_of(data, suffix)
    if not suffix:
        return data
    if not data:
        raise DataError(f"{name}: not a whole {suffix} file: it is empty. Write or copy it again")
    try:
        return DECOMPRESSORS[suffix](data)
    except ImportError as error:
        raise _missing(name) from error
    except MemoryError:
        raise
    except Exception as error:
        raise DataError(
            f"{name}: not a whole {suffix} file: {str(error) or 'it ends too early'}. Write or copy it again"
        ) from error
