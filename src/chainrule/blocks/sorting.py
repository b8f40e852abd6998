"""Sorting along an axis: the order, the sorted numbers, and the largest few."""

from __future__ import annotations

from functools import reduce
from operator import mul
from typing import Any

import numpy as np

from chainrule.blocks.along_axis import TakeAlongAxis
from chainrule.dataclasses import dataclass
from chainrule.errors import ShapeError
from chainrule.graph.block import Block, Contributions, Element, Index, Samples, integers, real, sample
from chainrule.graph.conversion import as_tensors
from chainrule.graph.spec import INT64, Spec, normalize_axis
from chainrule.graph.tensor import Tensor, TensorLike, operation

#: Runs are merged so often at most, as each time they become twice as long.
MOST_MERGES = 62
#: How often they are merged in lines of usual length, for an estimate of the work.
USUAL_MERGES = 8


@dataclass(frozen=True, repr=False)
class Argsort(Block):
    """y = the positions of the elements along an axis in the order of their size; equal ones stay in their order.

    NaN counts as larger than any number, as in NumPy. Loops merge neighbouring runs, which become twice as long each
    time (merge sort).
    """

    differentiable = False
    axis: int
    descending: bool = False

    def infer(self, x: Spec) -> Spec:
        return Spec(x.shape, INT64)

    def forward(self, xp: Any, x: Any) -> Any:
        if not self.descending:
            return xp.argsort(x, axis=self.axis, kind="stable")
        turned = xp.argsort(xp.flip(x, self.axis), axis=self.axis, kind="stable")
        return x.shape[self.axis] - 1 - xp.flip(turned, self.axis)

    def scratch(self, x: Spec) -> Spec:
        return Spec(x.shape, INT64)

    def loops(self, nest: Any, y: Any, merged: Any, x: Element) -> None:
        size = y.shape[self.axis]

        def line(index: Index) -> None:
            def at(i: Any) -> Index:
                return (*index[: self.axis], i, *index[self.axis :])

            def merge(width: Any, run: Any) -> None:
                start = run * width * 2
                middle = nest.declare(nest.xp.minimum(start + width, size))
                end = nest.declare(nest.xp.minimum(start + width * 2, size))
                left, right = nest.declare(start), nest.declare(middle.get())

                def take(k: Any) -> None:
                    a = nest.declare(y(at(nest.xp.minimum(left.get(), size - 1))))
                    b = nest.declare(y(at(nest.xp.minimum(right.get(), size - 1))))
                    first = self.keeps_order(x(at(a.get())), x(at(b.get()))) | (right.get() >= end.get())
                    from_left = nest.declare(nest.xp.astype(first & (left.get() < middle.get()), INT64))
                    merged.store(nest, at(k), nest.xp.where(from_left.get() == 1, a.get(), b.get()))
                    nest.assign(left, left.get() + from_left.get())
                    nest.assign(right, right.get() + 1 - from_left.get())

                nest.loop(end.get(), take, start, total=reduce(mul, y.shape) * USUAL_MERGES)

            nest.loop(size, lambda i: y.store(nest, at(i), i))
            width = nest.declare(nest.whole(1))

            def merge_all() -> None:
                runs = nest.declare((size + width.get() * 2 - 1) // (width.get() * 2))
                nest.loop(runs.get(), lambda run: merge(width.get(), run))
                nest.loop(size, lambda i: y.store(nest, at(i), merged(at(i))))
                nest.assign(width, width.get() * 2)

            nest.loop(MOST_MERGES, lambda _: nest.when(width.get() < size, merge_all))
            nest.loop(size, lambda i: merged.store(nest, at(i), nest.whole(0)))

        kept = (*y.shape[: self.axis], *y.shape[self.axis + 1 :])
        nest.nest(kept, line, parallel=0 if kept else None)

    def keeps_order(self, a: Any, b: Any) -> Any:
        """Whether an element may stay before a later one."""
        return (a >= b) | (a != a) if self.descending else (a <= b) | (b != b)

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (None,)

    @classmethod
    def samples(cls) -> Samples:
        missing = np.array([[2.0, np.nan, -1.0, np.nan, 2.0, 0.0, -0.0]])
        return (
            sample(cls(0), real(9)),
            sample(cls(1, descending=True), real(2, 5, 2)),
            sample(cls(1), missing),
            sample(cls(1, descending=True), missing),
            sample(cls(0), integers(6, 2, high=3)),
            sample(cls(0, descending=True), integers(7, high=2) > 0),
            sample(cls(0), real(0, 2)),
        )


@operation
def argsort(x: TensorLike, axis: int = -1, descending: bool = False) -> Tensor:
    """y = the positions (int64) of the elements along an axis in the order of their size; equal ones stay in theirs.

    Gradient: none.
    PyTorch: torch.argsort. NumPy: numpy.argsort.

    Args:
        x: shape with at least one axis; NaN counts as larger than any number.
        axis: where the elements are ordered along.
        descending: the largest first.

    Raises:
        ShapeError: for an axis that is not there.

    Example:
        >>> import chainrule
        >>> chainrule.argsort([3.0, 1.0, 2.0]).value
        array([1, 2, 0])
    """
    (x,) = as_tensors([x])
    return Argsort(normalize_axis("argsort", axis, x.spec.rank), descending)(x)


@operation
def sort(x: TensorLike, axis: int = -1, descending: bool = False) -> Tensor:
    """y = the elements along an axis in the order of their size.

    Gradient: that of each element, moved back to where it came from.
    PyTorch: torch.sort. NumPy: numpy.sort.

    Args:
        x: shape with at least one axis; NaN counts as larger than any number.
        axis: where the elements are ordered along.
        descending: the largest first.

    Raises:
        ShapeError: for an axis that is not there.

    Example:
        >>> import chainrule
        >>> chainrule.sort([3.0, 1.0, 2.0]).value
        array([1., 2., 3.], dtype=float32)
    """
    (x,) = as_tensors([x])
    place = normalize_axis("sort", axis, x.spec.rank)
    return TakeAlongAxis(place)(x, Argsort(place, descending)(x))


@operation
def topk(x: TensorLike, k: int, axis: int = -1, largest: bool = True) -> tuple[Tensor, Tensor]:
    """y, i = the k largest elements along an axis, the largest first, and their positions (int64).

    Gradient: that of each element, moved back to where it came from.
    PyTorch: torch.topk. NumPy: none.

    Args:
        x: shape with at least one axis; NaN counts as larger than any number.
        k: how many, at most the size of the axis.
        axis: where the elements are compared along.
        largest: if not, the smallest k, the smallest first. Of equal ones the first are taken.

    Raises:
        ShapeError: for an axis that is not there, or shorter than k.

    Example:
        >>> import chainrule
        >>> values, positions = chainrule.topk([3.0, 1.0, 2.0], 2)
        >>> values.value.tolist(), positions.value.tolist()
        ([3.0, 2.0], [0, 2])
    """
    (x,) = as_tensors([x])
    place = normalize_axis("topk", axis, x.spec.rank)
    if not 0 <= k <= x.shape[place]:
        raise ShapeError(f"topk: expected k from 0 to {x.shape[place]}, the size of axis {axis} of {x.shape}, got {k}")
    positions = Argsort(place, largest)(x)[(slice(None),) * place + (slice(k),)]
    return TakeAlongAxis(place)(x, positions), positions
