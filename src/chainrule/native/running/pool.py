"""Threads that work off the blocks of a program's steps.

A worker is a Python thread parked inside one native call, without the interpreter's lock. It takes blocks of the step
that is under way, from its first or from its last on, by exchanging an atomic number. When there are none left it looks
for new ones for some fifty microseconds, while a program is under way for up to half a millisecond, and then sleeps.
Who looks lets other threads have the processor core now and then, so that one that is busy is not held up where there
are more threads than cores.

There is one pool in a process, and it helps one program at a time: a program that finds it busy, or as many programs
under way as it may have threads, works off its blocks itself. So the blocks of a step are the same at any number of
threads, and a step never waits for a worker that has not begun one of them.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.native.running.driver import (
    CLOCK,
    CLOSED,
    FINISHED,
    LOCK,
    MUTEX,
    UNLOCK,
    WAIT,
    WAKE,
    WANTED,
    WORDS,
    WORK,
    YIELD,
)


def _routines() -> list[Any]:
    """The system's functions to lock, unlock, wait, wake, yield and tell the time; none without POSIX threads."""
    if os.name != "posix":
        return []
    library = ctypes.CDLL(None)
    names = "mutex_lock", "mutex_unlock", "cond_wait", "cond_broadcast"
    return [*(getattr(library, f"pthread_{name}") for name in names), library.sched_yield, library.clock_gettime]


class Pool:
    """The workers of this process. They start when a program first has something for them, and end at its exit.

    Without POSIX threads there are none, and programs run on the threads that call them.

    Attributes:
        address: of the memory that native code works on.
    """

    def __init__(self) -> None:
        self._memory = np.zeros(WORDS + 8, np.int64)
        self.address = -(-self._memory.ctypes.data // 64) * 64
        self._wanted = ctypes.c_int64.from_address(self.address + 8 * WANTED)
        self._routines = _routines()
        self._startable = bool(self._routines)
        self.forget()
        atexit.register(self.end)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=self.close, after_in_child=self.forget)

    def forget(self) -> None:
        """Begin anew, as the child of a fork must: it has no workers, and nothing that was under way."""
        self._lock = threading.Lock()
        self.workers: list[threading.Thread] = []
        self._memory[:] = 0
        for word, routine in zip((LOCK, UNLOCK, WAIT, WAKE, YIELD, CLOCK), self._routines, strict=False):
            self._write(word, ctypes.cast(routine, ctypes.c_void_p).value or 0)
        if self._routines:
            library = ctypes.CDLL(None)
            library.pthread_mutex_init(self._place(MUTEX), None)
            library.pthread_cond_init(self._place(WORK), None)
            library.pthread_cond_init(self._place(FINISHED), None)

    def _place(self, word: int) -> ctypes.c_void_p:
        return ctypes.c_void_p(self.address + 8 * word)

    def _write(self, word: int, value: int) -> None:
        ctypes.c_int64.from_address(self.address + 8 * word).value = value

    def start(self, work: Callable[[], Callable[[int, int], int]]) -> None:
        """Start the workers that programs have wanted so far; `work` gives the native code that they run."""
        if self._wanted.value <= len(self.workers) or not self._startable:
            return
        with self._lock:
            while self._startable and len(self.workers) < self._wanted.value:
                number = len(self.workers)
                name = f"chainrule-{number + 1}"
                worker = threading.Thread(target=work(), args=(self.address, number), name=name, daemon=True)
                try:
                    worker.start()
                except RuntimeError:  # the system has no more threads to give: programs run all the same
                    self._startable = False
                    return
                self.workers.append(worker)

    def close(self) -> None:
        """Let the workers end. They start again when a program has something for them."""
        with self._lock:
            if not self.workers:
                return
            lock, unlock, _, wake, *_ = self._routines
            self._write(CLOSED, 1)
            lock(self._place(MUTEX))
            wake(self._place(WORK))
            unlock(self._place(MUTEX))
            for worker in self.workers:
                worker.join()
            self.workers = []
            self._write(CLOSED, 0)

    def end(self) -> None:
        """Close for good: an interpreter that exits takes away what its threads run on."""
        self._startable = False
        self.close()


POOL = Pool()
