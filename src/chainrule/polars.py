"""Polars, loaded when it is first used: predicting a few texts does without it.

    import chainrule.polars as pl

Its threads are not there in a forked process, where most of Polars waits for them for ever. So what may run in one asks
`threads_lost` first, and then does without.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

_lost = False


def loaded() -> bool:
    """Whether it has been used."""
    return "polars" in sys.modules


def threads_lost() -> bool:
    """Whether this process was forked from one that had loaded Polars."""
    return _lost


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("polars"), name)


def _forked() -> None:
    global _lost
    _lost = _lost or loaded()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
