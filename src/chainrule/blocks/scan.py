"""Scans: each element of the output is made from the one before it and from an element of the input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.blocks.comparison import equal
from chainrule.blocks.movement import broadcast_to, expand, iota, reshape, transpose
from chainrule.blocks.reduction import Axis, axes_of
from chainrule.blocks.slicing import Slice, Unslice
from chainrule.dataclasses import dataclass
from chainrule.errors import ShapeError
from chainrule.graph.block import (
    Block,
    Contributions,
    Element,
    Index,
    Reduction,
    Samples,
    integers,
    real,
    sample,
)
from chainrule.graph.conversion import as_tensors
from chainrule.graph.spec import FLOAT64, INT64, Spec, normalize_axis, reduced_shape
from chainrule.graph.tensor import Tensor, TensorLike, operation


@dataclass(frozen=True, repr=False)
class CumulativeSum(Block):
    """y[i] = Σ_{j ≤ i} x[j] along an axis, or Σ_{j ≥ i} x[j] from its end; float32 is added up as float64."""

    name = "cumsum"
    axis: int
    from_end: bool = False

    def infer(self, x: Spec) -> Spec:
        return Spec(x.shape, x.dtype if x.floating else INT64)

    def forward(self, xp: Any, x: Any) -> Any:
        wide = FLOAT64 if x.dtype.kind == "f" else INT64
        turned = xp.flip(x, self.axis) if self.from_end else x
        sums = xp.cumsum(turned, axis=self.axis, dtype=wide)
        return (xp.flip(sums, self.axis) if self.from_end else sums).astype(x.dtype if x.dtype.kind == "f" else wide)

    def loops(self, nest: Any, y: Any, x: Element) -> None:
        wide = FLOAT64 if y.spec.floating else INT64
        size = y.shape[self.axis]

        def line(index: Index) -> None:
            total = nest.declare(nest.number(0, wide))

            def step(i: Any) -> None:
                place = (*index[: self.axis], size - 1 - i if self.from_end else i, *index[self.axis :])
                nest.assign(total, total.get() + nest.xp.astype(x(place), wide))
                y.store(nest, place, nest.xp.astype(total.get(), y.spec.dtype))

            nest.loop(size, step)

        nest.nest(_without(y.shape, self.axis), line, parallel=0 if len(y.shape) > 1 else None)

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (CumulativeSum(self.axis, not self.from_end)(gradient),)

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls(0), real(5)),
            sample(cls(1, from_end=True), real(2, 3, 2)),
            sample(cls(0), real(3, 0)),
            sample(cls(0), integers(2, 3, high=9)),
        )


@dataclass(frozen=True, repr=False)
class Recurrence(Block):
    """y[i] = a[i] y[i - 1] + b[i] along an axis, or a[i] y[i + 1] + b[i] from its end, where y is 0 before the first.

    With r the same recurrence the other way round, of the next factors and the gradient g, r[i] = a[i + 1] r[i + 1] +
    g[i], the gradient is r for b, and r[i] y[i - 1] for a.
    """

    axis: int
    from_end: bool = False

    def infer(self, a: Spec, b: Spec) -> Spec:
        if a != b:
            raise ShapeError(f"recurrence: expected factors and summands of one shape and dtype, got {a} and {b}")
        return a

    def forward(self, xp: Any, a: Any, b: Any) -> Any:
        y = xp.empty_like(b, order="C")
        factors, summands, results = (xp.moveaxis(x, self.axis, 0) for x in (a, b, y))
        order = range(len(results))[:: -1 if self.from_end else 1]
        before = 0
        for i in order:
            before = results[i] = factors[i] * before + summands[i]
        return y

    def loops(self, nest: Any, y: Any, a: Element, b: Element) -> None:
        size = y.shape[self.axis]

        def line(index: Index) -> None:
            before = nest.declare(nest.number(0, y.spec.dtype))

            def step(i: Any) -> None:
                place = (*index[: self.axis], size - 1 - i if self.from_end else i, *index[self.axis :])
                product = nest.declare(a(place) * before.get())  # rounded by itself, as NumPy does
                nest.assign(before, product.get() + b(place))
                y.store(nest, place, before.get())

            nest.loop(size, step)

        nest.nest(_without(y.shape, self.axis), line, parallel=0 if len(y.shape) > 1 else None)

    def backward(self, gradient: Tensor, output: Tensor, a: Tensor, b: Tensor) -> Contributions:
        following = _moved(a, self.axis, back=not self.from_end)
        returned = Recurrence(self.axis, not self.from_end)(following, gradient)
        return returned * _moved(output, self.axis, back=self.from_end), returned

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls(0), real(5), real(5, low=-1, high=1)),
            sample(cls(1, from_end=True), real(2, 3, 2), real(2, 3, 2, low=-1, high=1)),
            sample(cls(0), real(3, 0), real(3, 0)),
        )


def _without(shape: tuple[Any, ...], axis: int) -> tuple[Any, ...]:
    return (*shape[:axis], *shape[axis + 1 :])


def _moved(x: Tensor, axis: int, *, back: bool) -> Tensor:
    """The elements one place further on along an axis, or one place back; the place that becomes free is 0."""
    if x.shape[axis] == 0:
        return x
    first, step = (0,) * x.spec.rank, (1,) * x.spec.rank
    size = (*x.shape[:axis], x.shape[axis] - 1, *x.shape[axis + 1 :])
    later = tuple(int(i == axis) for i in range(x.spec.rank))
    kept = Slice(later if back else first, step, size)(x)
    return Unslice(first if back else later, step, x.shape)(kept)


@dataclass(frozen=True, repr=False)
class Prod(Reduction):
    """y = Π x over some axes; integers and booleans are multiplied as int64."""

    keeps_digits = False
    axis: tuple[int, ...]
    keepdims: bool = False

    def infer(self, x: Spec) -> Spec:
        return Spec(reduced_shape(x.shape, self.axis, self.keepdims), x.dtype if x.floating else INT64)

    def forward(self, xp: Any, x: Any) -> Any:
        return xp.prod(x, axis=self.axis, keepdims=self.keepdims, dtype=None if x.dtype.kind == "f" else INT64)

    def start(self, dtype: np.dtype[Any]) -> Any:
        return dtype.type(1)

    def combine(self, xp: Any, accumulated: Any, element: Any) -> Any:
        return accumulated * element

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        kept = tuple(i for i in range(x.spec.rank) if i not in self.axis)
        rows = transpose(x, (*kept, *self.axis))
        shape = tuple(x.shape[i] for i in kept)
        lines = reshape(rows, (*shape, math.prod(x.shape[i] for i in self.axis)))
        # Each slope is the product of all others, and not y / x, which has no value where x is 0.
        others = _product_before(lines, from_end=False) * _product_before(lines, from_end=True)
        slopes = reshape(others * expand(reshape(gradient, shape), -1), rows.shape)
        order = (*kept, *self.axis)
        return (transpose(slopes, tuple(order.index(i) for i in range(x.spec.rank))),)

    @classmethod
    def samples(cls) -> Samples:
        with_zeros = np.array([[1.5, 0.0, -2.0], [0.0, 0.0, 3.0]])
        return (
            sample(cls((0, 1)), real(2, 3)),
            sample(cls((1,)), real(2, 3, 2)),
            sample(cls((0,), keepdims=True), real(2, 3)),
            sample(cls(()), real(2, 3)),
            sample(cls((1,)), with_zeros),
            sample(cls((1,)), real(2, 0)),
            sample(cls((0,)), integers(4, low=1, high=3)),
        )


def _product_before(x: Tensor, *, from_end: bool) -> Tensor:
    """The product of all elements before each one along the last axis; from its end, of all after it."""
    axis, size = x.spec.rank - 1, x.shape[-1]
    if size == 0:
        return x
    place = iota(size).astype(INT64)
    first = equal(place, size - 1 if from_end else 0)
    start = broadcast_to(first.astype(x.dtype), x.shape)
    return Recurrence(axis, from_end)(_moved(x, axis, back=from_end), start)


@operation
def cumsum(x: TensorLike, axis: int = -1) -> Tensor:
    """y[i] = Σ_{j ≤ i} x[j] along an axis.

    Gradient: Σ_{j ≥ i} g[j] along the axis, for the gradient g of y.
    PyTorch: torch.cumsum. NumPy: numpy.cumsum.

    Args:
        x: shape with at least one axis; integers and booleans are summed as int64, and float32 as float64.
        axis: where the elements are added up along.

    Raises:
        ShapeError: for an axis that is not there.

    Example:
        >>> import chainrule
        >>> chainrule.cumsum([1.0, 2.0, 3.0]).value
        array([1., 3., 6.], dtype=float32)
    """
    (x,) = as_tensors([x])
    return CumulativeSum(normalize_axis("cumsum", axis, x.spec.rank))(x)


@operation
def prod(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """y = Π x over the given axes, or all; 1 over an empty axis.

    Gradient: the product of all other elements, also where some are 0.
    PyTorch: torch.prod. NumPy: numpy.prod.

    Args:
        x: any shape; integers and booleans are multiplied as int64.
        axis: one axis or several; None for all.
        keepdims: keep the reduced axes with size 1.

    Raises:
        ShapeError: for an axis that is not there.

    Example:
        >>> import chainrule
        >>> chainrule.prod([[1.0, 2.0], [3.0, 4.0]], axis=0).value
        array([3., 8.], dtype=float32)
    """
    (x,) = as_tensors([x])
    return Prod(axes_of("prod", axis, x.spec.rank), keepdims)(x)
