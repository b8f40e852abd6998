"""Long sums keep their digits: they are made in blocks, on NumPy and in generated loops.

A running sum rounds each time that a number is added, and the larger it is, the more it loses: of the sum of a million
numbers in float32, the third digit. So at most `BLOCK` numbers are added one after another. The sums of blocks are
added up apart, and so again, level upon level: the error grows with the logarithm of the length. A sum of no more than
a block's numbers is added as it always was. Where a block begins follows from the shapes alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.graph.spec import FLOAT32, Array, Spec

#: How many numbers are added to one running sum. A power of two.
BLOCK = 256
#: How many sums of a level make one of the level above, and how many levels there are above the blocks: beyond
#: BLOCK · FAN ** LEVELS, 67 million numbers, the uppermost sum runs on. A power of two.
FAN, LEVELS = 64, 3
#: A block of terms that belong to several sums, in an order that data decides, has so many for each sum at least.
TERMS_A_SUM = 16


def sum_in_blocks(x: Array, axes: Sequence[int], keepdims: bool) -> Array:
    """Σ x over some axes of an array of floating-point numbers.

    NumPy itself adds in blocks (pairwise) where the axes lie together in memory, and else one after another.
    """
    if x.size > BLOCK and not _together(x, axes) and math.prod(x.shape[axis] for axis in axes) > BLOCK:
        for axis in axes:
            while x.shape[axis] > BLOCK:
                x = _sums_of_blocks(x, axis)
            x = np.sum(x, axis=axis, keepdims=True)
    return np.asarray(np.add.reduce(x, tuple(axes), None, None, keepdims))  # type: ignore[call-overload]


def _together(x: Array, axes: Sequence[int]) -> bool:
    """Whether axes lie together in memory."""
    return x.flags.c_contiguous and tuple(axes) == tuple(range(x.ndim - len(axes), x.ndim))


def _sums_of_blocks(x: Array, axis: int) -> Array:
    """Sums of `BLOCK` elements each along an axis; the elements that remain come behind them as they are.

    A block is not of neighbours: its elements are as far apart as there are blocks, as NumPy then adds long rows.
    """
    blocks = x.shape[axis] // BLOCK
    before, after, cut = x.shape[:axis], x.shape[axis + 1 :], (slice(None),) * axis
    full, rest = x[(*cut, slice(blocks * BLOCK))], x[(*cut, slice(blocks * BLOCK, None))]
    return np.concatenate([full.reshape(*before, BLOCK, blocks, *after).sum(axis), rest], axis)


def levels_of(sums: Spec) -> Spec:
    """The spec of the memory that `SumInMemory` needs for sums of a spec."""
    return Spec((LEVELS, *sums.shape), sums.dtype)


def sum_by_place(x: Array, places: Array, size: int) -> Array:
    """y[p] = the sum of the elements of x whose place is p, for p below the size."""
    if x.dtype == FLOAT32 and x.size > max(BLOCK, TERMS_A_SUM * size):
        return np.bincount(places.ravel(), x.ravel(), size).astype(FLOAT32)  # in float64
    y = np.zeros(size, x.dtype)
    np.add.at(y, places.ravel(), x.ravel())
    return y


class SumInMemory:
    """In a generated loop, sums that are held in memory, such as a row of them, and are made in blocks.

    The loop adds to `sums`, says when a block is full and more is to come, and finishes in the end.

    Attributes:
        nest: the loop nest.
        cells: adds loops over the sums to the nest; it is called with what to do at an index.
        sums: the sums.
        levels: memory for the sums of blocks, of the spec that `levels_of` gives; all zeros before and after.
    """

    def __init__(self, nest: Any, cells: Callable[[Callable[[Any], None]], None], sums: Any, levels: Any) -> None:
        self.nest, self.cells, self.sums, self.levels = nest, cells, sums, levels

    def block_done(self, condition: Any, blocks: Any) -> None:
        """Where a condition holds, so many blocks have been added: move the sums of the last one up to the levels."""

        def carry() -> None:
            self._move(self.sums, (), self.levels, (0,))
            self.nest.loop(LEVELS, upward, 1)

        def upward(level: Any) -> None:
            fan = self.nest.whole(1) << (level * (FAN.bit_length() - 1))
            self.nest.when(
                (blocks & (fan - 1)) == 0, lambda: self._move(self.levels, (level - 1,), self.levels, (level,))
            )

        self.nest.when(condition, carry, seldom=True)

    def finish(self, condition: Any) -> None:
        """Where a condition holds, blocks have been done: add the levels to the sums."""

        def collect() -> None:
            self.nest.loop(LEVELS, lambda level: self._move(self.levels, (level,), self.sums, ()))

        self.nest.when(condition, collect, seldom=True)

    def _move(self, source: Any, level: tuple[Any, ...], target: Any, target_level: tuple[Any, ...]) -> None:
        """Add sums to others, and make them zero."""
        zero = self.nest.number(0, self.sums.spec.dtype)

        def cell(index: Any) -> None:
            here, there = (*level, *index), (*target_level, *index)
            target.store(self.nest, there, target(there) + source(here))
            source.store(self.nest, here, zero)

        self.cells(cell)
