"""How many threads may work on a program; a module of its own, so that to ask loads no LLVM."""

from __future__ import annotations

import os

from chainrule.errors import ConfigurationError, shortened

#: More than any machine has processor cores, and few enough for a machine to start.
MOST_THREADS = 4096


def thread_count(threads: int | None) -> int:
    """As many threads as asked for; by default one for each processor core that this process may use.

    Raises:
        ConfigurationError: for anything but a whole number from 1 to 4,096.
    """
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise ConfigurationError(f"threads: expected a whole number of 1 or more, got {shortened(threads)}")
    if threads > MOST_THREADS:
        raise ConfigurationError(f"threads: expected {MOST_THREADS:,} or fewer, got {shortened(threads)}")
    return threads
