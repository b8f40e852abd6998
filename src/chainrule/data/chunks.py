"""Chunks: long data worked on piece by piece, so that what is in between fits into the processor's cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np

import chainrule.polars as pl

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The function's results for the items, in their order, worked out by as many threads as Polars has.

    It pays for functions that spend their time in Polars, which lets other threads run meanwhile.

    Example:
        >>> list(in_threads(len, ["so", "good"]))
        [2, 4]
    """
    held = list(items)
    threads = min(len(held), pl.thread_pool_size())
    if threads < 2:
        yield from map(function, held)
        return
    from concurrent.futures import ThreadPoolExecutor  # it loads logging, which few texts need not wait for

    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(function, held)


def chunks(offsets: np.ndarray, size: int) -> Iterator[tuple[int, int]]:
    """Runs of rows, start and stop, of at most `size` items, or of one row with more.

    Args:
        offsets: where each row begins, int64 of shape (rows + 1,), ascending from 0.
        size: items in a chunk.

    Example:
        >>> list(chunks(np.array([0, 2, 4, 9, 9, 10]), 4))
        [(0, 2), (2, 3), (3, 5)]
    """
    start, rows = 0, len(offsets) - 1
    while start < rows:
        stop = max(start + 1, int(np.searchsorted(offsets, offsets[start] + size, "right")) - 1)
        yield start, stop
        start = stop


def offsets_of(lengths: np.ndarray) -> np.ndarray:
    """Where rows of these lengths begin and the last ends, int64 of shape (rows + 1,)."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets
