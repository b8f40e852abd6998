"""Python's search for unreachable objects, put off while many objects are made that stay."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def search_put_off() -> Iterator[None]:
    """Have Python not look for garbage: traces and lowering make some 100,000 objects at once, of which most stay.

    Threads that do so at once may end this for each other, which costs time and nothing else.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
