"""Sources: what a user names to read from (files, patterns, standard input), opened and decompressed."""

from __future__ import annotations

import glob
import io
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from chainrule.data.compression import DECOMPRESSORS, decompressed
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, DataError, shortened
from chainrule.forks import once

#: What stands for standard input in the place of a file.
STANDARD_INPUT = "-"

#: A place to read from, or several.
Places = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


@dataclass(frozen=True)
class Source:
    """A file, or standard input.

    Attributes:
        name: for messages.
        path: of the file; None for standard input.
    """

    name: str
    path: Path | None

    @property
    def suffix(self) -> str:
        """The end of the name that tells the format, in lower case; that of a compressed file is left out."""
        return self._suffixes[0]

    @once
    def content(self) -> bytes:
        """The whole content, decompressed."""
        if self.path is not None:
            return decompressed(self.path.read_bytes(), self._suffixes[1], self.name)
        if sys.stdin is None:
            raise DataError("standard input is closed; give a file, or send a table to it")
        return decompressed(sys.stdin.buffer.read(), "", self.name)

    @property
    def stored(self) -> Path | bytes:
        """The file, for libraries that read parts of it; the content where it is compressed, or came through a pipe."""
        return self.path if self.path is not None and self.path.is_file() and not self._suffixes[1] else self.content

    @property
    def _suffixes(self) -> tuple[str, str]:
        """The ends of the name for the format and for the compression, each empty where there is none."""
        path = self.path or Path()
        last = path.suffix.lower()
        return (Path(path.stem).suffix.lower(), last) if last in DECOMPRESSORS else (last, "")


def sources_of(place: str) -> Iterator[Source]:
    """What stands behind a place: a file, the files of a pattern in the order of their names, or standard input.

    Raises:
        DataError: for a URL, a folder, a file that is not there or a pattern that no file matches.
    """
    if place == STANDARD_INPUT:
        yield Source("standard input", None)
        return
    if re.match(r"[A-Za-z][A-Za-z0-9+.\-]+://", place):
        raise DataError(f"{shortened(place)} is a URL; download it, and give the name of the file")
    path = Path(place)
    if path.is_dir():
        raise DataError(f"{path}: is a directory; name a file inside it, or several with a pattern: '{path}/*.csv'")
    if path.exists():
        yield Source(place, path)
    elif glob.has_magic(place):
        matches = glob.glob(place, recursive=True)  # noqa: PTH207  (it may be absolute)
        found = sorted(match for match in matches if Path(match).is_file())
        if not found:
            raise DataError(f"{place}: no file matches this pattern (looked from {Path().absolute()})")
        yield from (Source(match, Path(match)) for match in found)
    else:
        raise DataError(f"{path}: no such file (looked in {path.absolute().parent})")


def listed(places: Places) -> list[str]:
    """One place or several as a list of texts.

    Raises:
        ConfigurationError: where there is none.
    """
    each = [places] if isinstance(places, str | os.PathLike) else list(places)
    if not each:
        raise ConfigurationError("expected a file to read, or several; got an empty list")
    return [os.fspath(place) for place in each]


def opened(path: str) -> BinaryIO:
    """A file to read bytes from as they come; the content of one that is compressed."""
    source = Source(path, Path(path))
    return io.BytesIO(source.stored) if isinstance(source.stored, bytes) else source.stored.open("rb")
