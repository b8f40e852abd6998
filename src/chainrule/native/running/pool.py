"""The pool: the threads that help to run the blocks of a program's steps.

A worker is a Python thread that stays inside one native call, without the interpreter's lock. It claims blocks of the
step under way, from the first or from the last one on, by compare-and-exchange. When none is free it spins: it looks
for new ones for some 50 µs, or for up to half a millisecond while a program runs. Then it sleeps. A spinning thread
lets other threads have the processor core once in a while, so that it holds up none of them where there are more
threads than cores.

A process has one pool, which helps one program at a time. A program runs its blocks by itself if the pool is busy, or
if as many programs run as it may have threads. Therefore a step never waits for a worker that has not begun one of its
blocks; and its blocks are the same at any number of threads.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.forks import renewed_in_child
from chainrule.native.running.pool_memory import (
    CLOCK,
    CLOSED,
    DONE_CONDITION,
    LOCK,
    MUTEX,
    POOL_WORDS,
    UNLOCK,
    WAIT,
    WAKE,
    WANTED,
    WORK_CONDITION,
    YIELD,
)


def _routines() -> list[Any]:
    """The system's functions to lock, unlock, wait, wake, yield and read the clock; none without POSIX threads."""
    if os.name != "posix":
        return []
    library = ctypes.CDLL(None)
    names = "mutex_lock", "mutex_unlock", "cond_wait", "cond_broadcast"
    return [*(getattr(library, f"pthread_{name}") for name in names), library.sched_yield, library.clock_gettime]


class Pool:
    """The workers of this process. They start when a program first wants them, and end when the process exits.

    On a system without POSIX threads there are none, and programs run on the threads that call them.

    Attributes:
        address: the address of the memory that native code works on; see `pool_memory`.
        workers: the threads that have started.
    """

    def __init__(self) -> None:
        self._memory = np.zeros(POOL_WORDS + 8, np.int64)
        self.address = -(-self._memory.ctypes.data // 64) * 64
        self._wanted = ctypes.c_int64.from_address(self.address + 8 * WANTED)
        self._routines = _routines()
        self._startable = bool(self._routines)
        self.forget()
        atexit.register(self.end)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=self.close)
        renewed_in_child(self.forget)

    def forget(self) -> None:
        """Begin anew, as the child of a fork must: it has no workers, and no program runs in it."""
        self._lock = threading.Lock()
        self.workers: list[threading.Thread] = []
        self._memory[:] = 0
        for word, routine in zip((LOCK, UNLOCK, WAIT, WAKE, YIELD, CLOCK), self._routines, strict=False):
            self._write(word, ctypes.cast(routine, ctypes.c_void_p).value or 0)
        if self._routines:
            library = ctypes.CDLL(None)
            library.pthread_mutex_init(self._place(MUTEX), None)
            library.pthread_cond_init(self._place(WORK_CONDITION), None)
            library.pthread_cond_init(self._place(DONE_CONDITION), None)

    def _place(self, word: int) -> ctypes.c_void_p:
        """The address of a word of the memory."""
        return ctypes.c_void_p(self.address + 8 * word)

    def _write(self, word: int, value: int) -> None:
        """Write a word of the memory."""
        ctypes.c_int64.from_address(self.address + 8 * word).value = value

    def start(self, work: Callable[[], Callable[[int, int], int]]) -> None:
        """Start as many workers as programs have wanted so far; `work` gives the native code that they run."""
        if self._wanted.value <= len(self.workers) or not self._startable:
            return
        function = work()  # before the pool is locked, as it may have to be compiled, and a fork needs both locks
        with self._lock:
            while self._startable and len(self.workers) < self._wanted.value:
                number = len(self.workers)
                name = f"chainrule-{number + 1}"
                worker = threading.Thread(target=function, args=(self.address, number), name=name, daemon=True)
                try:
                    worker.start()
                except RuntimeError:  # the system gives no more threads; programs run without them, too
                    self._startable = False
                    return
                self.workers.append(worker)

    def close(self) -> None:
        """End the workers. They start again when a program wants them."""
        with self._lock:
            if not self.workers:
                return
            lock, unlock, _, wake, *_ = self._routines
            self._write(CLOSED, 1)
            lock(self._place(MUTEX))
            wake(self._place(WORK_CONDITION))
            unlock(self._place(MUTEX))
            for worker in self.workers:
                worker.join()
            self.workers = []
            self._write(CLOSED, 0)

    def end(self) -> None:
        """Close for good, as an interpreter that exits destroys what its threads need."""
        self._startable = False
        self.close()


POOL = Pool()
