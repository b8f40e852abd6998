"""Forks: the child of a fork has a copy of all memory, but only the one thread that forked.

A lock that another thread held at that moment would be held in the child for ever. So no other thread may hold one
while the process forks (`held_over_forks`), or the child must get a new one (`renewed_in_child`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Generic, TypeVar, overload

Instance = TypeVar("Instance")
Value = TypeVar("Value")


#: Held while modules or machine code are loaded: Python and LLVM have locks of their own for that, and keep them.
LOADING = threading.RLock()
_held_over_forks: list[AbstractContextManager[object]] = [LOADING]
_held_now: list[AbstractContextManager[object]] = []


def held_over_forks(lock: AbstractContextManager[object]) -> None:
    """Have each fork wait until no other thread holds a lock, which must be one that can be acquired several times."""
    _held_over_forks.append(lock)


def _hold() -> None:
    for lock in _held_over_forks:  # while this waits for the first, the thread that has it may add others
        lock.__enter__()
        _held_now.append(lock)


def _release() -> None:
    while _held_now:
        _held_now.pop().__exit__(None, None, None)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_release)


def renewed_in_child(renew: Callable[[], object]) -> None:
    """Have the child of each fork begin by calling a function."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=renew)


class once(Generic[Instance, Value]):  # noqa: N801  (it is written like `property`)
    """A property that is computed once. Python's own, `functools.cached_property`, has a lock before version 3.12."""

    def __init__(self, function: Callable[[Instance], Value]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> once[Instance, Value]: ...
    @overload
    def __get__(self, instance: Instance, owner: type) -> Value: ...
    def __get__(self, instance: Instance | None, owner: type) -> once[Instance, Value] | Value:
        if instance is None:
            return self
        value = self.function(instance)
        vars(instance)[self.function.__name__] = value  # Python finds this one first from now on
        return value
