"""The cache: machine code and blueprints on disk, so that what is made once on a machine is not made in every process.

A file of machine code holds the object code of kernels that were compiled together. It has several names (hard links),
one for each of them: the hash of all that the kernel's machine code depends on, which is its text, the source of
`native`, the versions of chainrule and LLVM, and the processor. Blueprints (`native/blueprint.py`) stand in a folder in
that one; as each size has its own, only so many are kept. A file begins with the hash of its content, so a damaged one
is recognised and ignored. It is written under another name first and then renamed, so several processes may use the
folder. Nothing depends on the cache: where it cannot be read or written, kernels are compiled again.

What a file holds is run. So only files are read that belong to this user, or to root, and that nobody else may write;
others are replaced where that is possible.

The folder is `chainrule` in the user's cache folder. The environment variable CHAINRULE_CACHE names another one, in
which `~` is the user's home; if it is empty, nothing is kept.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path


def folder() -> Path | None:
    """The folder that kernels are kept in; None where they are not kept."""
    named = os.environ.get("CHAINRULE_CACHE")
    if named is not None:
        with suppress(RuntimeError):  # a user without a home
            return Path(named).expanduser() if named else None
        return None
    try:
        home = Path.home()
    except RuntimeError:  # a user without a home
        return None
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "chainrule"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "chainrule" / "Cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "chainrule"


def read(name: str) -> tuple[list[str], bytes] | None:
    """All the names of the file of this name, and its object code; None where there is no such file, or a bad one."""
    content = read_sealed(_file(name))
    if content is None:
        return None
    names, _, code = content.partition(b"\0")
    known = names.decode().split()
    return (known, code) if name in known else None


def read_sealed(file: str) -> bytes | None:
    """What was kept in a file; None where there is no such file, or one that is damaged or not to be trusted."""
    place = folder()
    if place is None:
        return None
    try:
        with (place / file).open("rb") as opened:
            if not _trusted(os.fstat(opened.fileno())):
                return None
            content = opened.read()
    except OSError:
        return None
    digest, rest = content[:32], content[32:]
    return rest if hashlib.sha256(rest).digest() == digest else None


def keep(names: Sequence[str], code: bytes) -> None:
    """Keep object code under several names, as far as that is possible."""
    place = folder()
    if place is None:
        return
    content = _sealed(" ".join(names).encode() + b"\0" + code)
    with suppress(OSError):  # the folder is read-only or full, which is no error
        place.mkdir(parents=True, exist_ok=True)
        first, *others = [place / _file(name) for name in names]
        _put(first, partial(_write, content))
        for other in others:
            try:
                _put(other, partial(os.link, first))
            except OSError:  # a file system without links
                _put(other, partial(_write, content))


def keep_sealed(file: str, content: bytes, *, most: int) -> None:
    """Keep a file in a folder of its own, as far as that is possible; of the files there, only the newest."""
    place = folder()
    if place is None:
        return
    target = place / file
    with suppress(OSError):
        target.parent.mkdir(parents=True, exist_ok=True)
        _put(target, partial(_write, _sealed(content)))
        with os.scandir(target.parent) as entries:
            kept = [entry for entry in entries if not entry.name.startswith(".")]
        if len(kept) > most:
            kept.sort(key=lambda entry: entry.stat().st_mtime_ns)
            for entry in kept[: len(kept) - most * 3 // 4]:  # a quarter at once, so that it seldom comes to that
                Path(entry.path).unlink(missing_ok=True)


def _sealed(content: bytes) -> bytes:
    """A content behind its hash."""
    return hashlib.sha256(content).digest() + content


def _trusted(status: os.stat_result) -> bool:
    """Whether a file belongs to this user or to root, and nobody else may write it."""
    if os.name != "posix":  # there the user's cache folder is closed to others
        return True
    return status.st_uid in (os.geteuid(), 0) and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _write(content: bytes, path: Path) -> None:
    """Write a new file, which only this user may change; never one that is there, nor what a link points to."""
    with os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o644), "wb"
    ) as file:
        file.write(content)


def _put(target: Path, make: Callable[[Path], object]) -> None:
    """Make a file under another name, then rename it. Nothing is flushed to disk, as the hash shows what is damaged."""
    beside = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        make(beside)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def _file(name: str) -> str:
    return f"{name}.kernel"
