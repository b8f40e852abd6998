"""Writing so that a file or folder is there whole or not at all: beside its place first, then renamed."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chainrule.errors import StorageError


def write_file(
    path: str | os.PathLike[str], data: bytes | str | Iterable[bytes | memoryview], *, flush: bool = True
) -> None:
    """Write a file whole, replacing one that is there.

    Args:
        path: where to; its folder must be there.
        data: text, bytes, or parts of these bytes, which are taken one at a time.
        flush: wait until it is on the disk, so that a power failure leaves either file whole.

    Raises:
        StorageError: when it cannot be written (a missing folder, a full disk, a forbidden place); the old file stays.

    Example:
        >>> folder = Path(tempfile.mkdtemp())
        >>> write_file(folder / "notes.txt", "all of it")
        >>> (folder / "notes.txt").read_text()
        'all of it'
    """
    target = Path(path)
    if not _is_folder(target.parent):
        raise StorageError(f"cannot write {target}: there is no folder {target.parent}; make it first")
    if _is_folder(target):
        raise StorageError(f"cannot write {target}: it is a folder; give the name of a file in it")
    beside = target.with_name(f".{target.name}.{os.getpid()}.partial")
    data = data.encode() if isinstance(data, str) else data
    try:
        with beside.open("wb") as stream:
            for part in [data] if isinstance(data, bytes) else data:
                stream.write(part)
            if flush:
                stream.flush()
                os.fsync(stream.fileno())
        beside.replace(target)
    except (OSError, ValueError) as error:  # ValueError for a name that none can be
        reason = getattr(error, "strerror", None) or error
        raise StorageError(f"cannot write {target}: {reason}; what was there is unchanged") from error
    finally:
        with suppress(OSError, ValueError):
            beside.unlink(missing_ok=True)


@contextmanager
def new_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A folder to fill, which takes its place when the block ends without an error, and else is gone.

    Raises:
        StorageError: when something is there already, or the folder cannot be made.

    Example:
        >>> place = Path(tempfile.mkdtemp()) / "result"
        >>> with new_folder(place) as folder:
        ...     write_file(folder / "a.txt", "a")
        >>> [file.name for file in place.iterdir()]
        ['a.txt']
    """
    target = Path(path)
    refuse_existing(target)
    try:
        beside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
        beside.chmod(0o755)
    except OSError as error:
        raise StorageError(f"cannot make a folder in {target.parent}: {error.strerror or error}") from error
    try:
        yield beside
        move_folder(beside, target)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


class Lock:
    """A file that one process at a time holds; the system lets go of it when the process ends, however it ends.

    A file system without locks gives none, and nobody is kept out.

    Raises:
        StorageError: when the file cannot be made.
        BlockingIOError: when another holds it.

    Example:
        >>> place = Path(tempfile.mkdtemp()) / "lock"
        >>> lock = Lock(place)
        >>> Lock(place)
        Traceback (most recent call last):
        BlockingIOError: ...lock is held already
        >>> lock.release()
        >>> Lock(place).release()
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StorageError(f"cannot make {path}: {error.strerror or error}") from error
        if not _hold(self._file) or not _is_at(self._file, path):
            self.release()
            raise BlockingIOError(f"{path} is held already")

    def release(self) -> None:
        """Let others hold it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def is_locked(path: Path) -> bool:
    """Whether another holds a `Lock` of this file; nobody does where there is none."""
    try:
        if path.is_file():
            Lock(path).release()
    except BlockingIOError:
        return True
    except OSError:  # what cannot be looked at is left to whoever wants to write there
        return False
    return False


def _is_at(file: int, path: Path) -> bool:
    """Whether an open file is still the one of this name; whoever held the lock may have removed it at the end."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except OSError:
        return False


def _hold(file: int) -> bool:
    """Lock an open file; False where another has."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return not isinstance(error, BlockingIOError)
    return True


def move_folder(source: Path, target: Path) -> None:
    """Give a finished folder its name.

    Raises:
        StorageError: when something has that name already.
    """
    refuse_existing(target)
    try:
        source.rename(target)
    except OSError as error:
        raise StorageError(f"cannot rename {source} to {target}: {error.strerror or error}") from error


def refuse_existing(target: Path) -> None:
    """Refuse a place that is taken: nothing is overwritten silently.

    Raises:
        StorageError: when something is there, or there is no folder to put it into.
    """
    if os.path.lexists(target):
        raise StorageError(f"{target} exists already and is left as it is; choose another name or remove it first")
    if not _is_folder(target.parent):
        raise StorageError(f"cannot make {target}: there is no folder {target.parent}; make it first")


def _is_folder(path: Path) -> bool:
    """Whether it is a folder; a name that cannot be one, as it is too long, is none."""
    try:
        return path.is_dir()
    except OSError:
        return False
