"""Slots: the distinct values among integers, numbered in the order in which they first appear."""

from __future__ import annotations

from dataclasses import field
from typing import Any

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.errors import ChainruleError, IndexRangeError, ShapeError
from chainrule.graph.block import (
    Block,
    Contributions,
    Element,
    Samples,
    integers,
    sample,
)
from chainrule.graph.spec import INT32, INT64, Shape, Spec, require_integer, require_rank
from chainrule.graph.tensor import Tensor, TensorLike, operation

#: The slots of so many positions further on are prefetched, as positions are read in order and lead anywhere in memory.
PREFETCHED_POSITIONS = 16
INT32_MAX = 2**31 - 1


@dataclass(frozen=True, repr=False)
class FirstSlots(Block):
    """y[i] = the slot of x[i], when distinct values get the slots 0, 1, ... in order of first appearance."""

    differentiable = False
    index_input = 0
    size: int
    #: The operation that asked for the slots; messages name it.
    reader: str = field(default="first_slots", repr=False)

    def limit(self, shape: Shape, x: Shape) -> Any:
        return self.size

    def range_error(self, index: int, limit: int) -> ChainruleError:
        return IndexRangeError(f"{self.reader}: index {index} is out of range; expected 0 to {limit - 1}")

    def infer(self, x: Spec) -> Spec:
        require_integer("first_slots", "values", x)
        require_rank("first_slots", "values", x, lambda rank: rank == 1, "one axis")
        return Spec(x.shape, INT64)

    def forward(self, xp: Any, x: Any) -> Any:
        _, first, inverse = np.unique(x, return_index=True, return_inverse=True)
        slots = np.empty(len(first), np.int64)
        slots[np.argsort(first)] = np.arange(len(first))
        return slots[inverse]

    def scratch(self, x: Spec) -> Spec:
        return Spec((self.size,), INT32 if x.size <= INT32_MAX else INT64)

    def loops(self, nest: Any, y: Any, seen: Any, x: Element) -> None:
        count = nest.declare(nest.number(0, seen.spec.dtype))

        def give(i: Any) -> None:
            ahead, place = nest.xp.minimum(i + PREFETCHED_POSITIONS, x.shape[0] - 1), (x((i,)),)
            seen.prefetch(nest, (x((ahead,)),))
            held = nest.declare(seen(place))
            # A new value takes the next slot. There is no branch, as no processor could predict it.
            nest.assign(count, count.get() + nest.xp.astype(held.get() == 0, seen.spec.dtype))
            nest.assign(held, nest.xp.where(held.get() == 0, count.get(), held.get()))
            seen.store(nest, place, held.get())
            y.store(nest, (i,), held.get() - 1)

        nest.loop(x.shape[0], give)
        nest.loop(x.shape[0], lambda i: seen.store(nest, (x((i,)),), nest.number(0, seen.spec.dtype)))

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (None,)

    @classmethod
    def samples(cls) -> Samples:
        return sample(cls(4), integers(7, high=4)), sample(cls(4), integers(0, high=4))


@dataclass(frozen=True, repr=False)
class Distinct(Block):
    """y = the distinct values of x by their slots, then `fill` up to the size of x."""

    differentiable = False
    index_input = 1
    fill: int

    def limit(self, shape: Shape, x: Shape, slots: Shape) -> Any:
        return shape[0]

    def infer(self, x: Spec, slots: Spec) -> Spec:
        require_integer("distinct", "values", x)
        require_integer("distinct", "slots", slots)
        if x.rank != 1 or x.shape != slots.shape:
            raise ShapeError(f"distinct: expected a slot a value, got values {x.shape} and slots {slots.shape}")
        return x

    def forward(self, xp: Any, x: Any, slots: Any) -> Any:
        y = xp.full(x.shape, self.fill, dtype=x.dtype)
        y[slots] = x
        return y

    def loops(self, nest: Any, y: Any, x: Element, slots: Element) -> None:
        nest.loop(y.shape[0], lambda i: y.store(nest, (i,), nest.number(self.fill, y.spec.dtype)))
        nest.loop(y.shape[0], lambda i: y.store(nest, (slots((i,)),), x((i,))))

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor, slots: Tensor) -> Contributions:
        return None, None

    @classmethod
    def samples(cls) -> Samples:
        empty = integers(0, high=4)
        return sample(cls(4), np.array([3, 1, 3, 2]), np.array([0, 1, 0, 2])), sample(cls(4), empty, empty)


@operation
def first_slots(x: TensorLike, size: int, *, reader: str = "first_slots") -> Tensor:
    """y[i] = the slot of x[i], when distinct values get the slots 0, 1, ... in order of first appearance.

    Gradient: none.
    PyTorch: none. NumPy: none.

    Args:
        x: shape (n,), integers in 0 ... size - 1.
        size: one more than the largest value there may be.
        reader: the operation that asks for the slots; messages name it.

    Raises:
        DTypeError: when x does not hold integers.
        ShapeError: when x has not one axis.
        IndexRangeError: for a value outside the range.

    Example:
        >>> import chainrule
        >>> chainrule.first_slots([3, 1, 3], size=4).value
        array([0, 1, 0])
    """
    return FirstSlots(size, reader)(x)


@operation
def distinct(x: TensorLike, slots: TensorLike, fill: int) -> Tensor:
    """The distinct values of x by the slots that `first_slots` gave them, then `fill` up to the size of x.

    Gradient: none.
    PyTorch: none. NumPy: none.

    Raises:
        DTypeError: when x or the slots do not hold integers.
        ShapeError: when there is not one slot a value.

    Example:
        >>> import chainrule
        >>> chainrule.distinct([3, 1, 3], chainrule.first_slots([3, 1, 3], size=4), fill=9).value
        array([3, 1, 9])
    """
    return Distinct(fill)(x, slots)
