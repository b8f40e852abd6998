"""Machine code on disk, so that a kernel is compiled once for a machine and not once for every process.

A file holds the object code of one kernel under the hash of all it depends on: the kernel's text, the versions of
chainrule and LLVM, and the processor. It begins with the hash of its content, so a damaged one is found and ignored.
Files are written beside their place and renamed, so processes may share the folder. Nothing depends on the cache:
where it cannot be read or written, kernels are compiled again.

The folder is `chainrule` in the user's cache folder; the environment variable CHAINRULE_CACHE names another, or none
at all when it is empty.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

from chainrule.errors import StorageError
from chainrule.files import write_file


def folder() -> Path | None:
    """Where kernels are kept; None when they are not."""
    named = os.environ.get("CHAINRULE_CACHE")
    if named is not None:
        return Path(named) if named else None
    try:
        home = Path.home()
    except RuntimeError:  # a user without a home
        return None
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "chainrule"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "chainrule" / "Cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "chainrule"


def read(key: str) -> bytes | None:
    """The object code that was kept under a key, or None."""
    place = folder()
    if place is None:
        return None
    try:
        content = (place / _name(key)).read_bytes()
    except OSError:
        return None
    digest, code = content[:32], content[32:]
    return code if hashlib.sha256(code).digest() == digest else None


def keep(key: str, code: bytes) -> None:
    """Keep object code under a key, if that is possible."""
    place = folder()
    if place is None:
        return
    try:
        place.mkdir(parents=True, exist_ok=True)
        write_file(place / _name(key), hashlib.sha256(code).digest() + code)
    except (OSError, StorageError):  # read-only or full: it is only a cache
        return


def _name(key: str) -> str:
    return f"{hashlib.sha256(key.encode()).hexdigest()}.kernel"
