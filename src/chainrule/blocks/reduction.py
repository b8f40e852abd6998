"""Reductions over axes: sum, max, mean, argmax, and the stable softmax family built on them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from chainrule.blocks.arithmetic import maximum, minimum
from chainrule.blocks.casting import stop_gradient
from chainrule.blocks.comparison import equal
from chainrule.blocks.exponential import exp, log
from chainrule.blocks.movement import broadcast_to, reshape
from chainrule.dataclasses import dataclass
from chainrule.errors import ShapeError
from chainrule.graph.block import (
    Block,
    Contributions,
    Element,
    Index,
    Movement,
    Reduction,
    Samples,
    integers,
    real,
    sample,
)
from chainrule.graph.conversion import as_tensors, promote
from chainrule.graph.spec import INT64, Shape, Spec, normalize_axis, reduced_shape
from chainrule.graph.sums import sum_in_blocks
from chainrule.graph.tensor import Tensor, TensorLike, operation

Axis = int | Sequence[int] | None


def axes_of(name: str, axis: Axis, rank: int) -> tuple[int, ...]:
    """The axes as sorted positions from the left: from None (all), one axis or several."""
    return _axes_of(name, axis if axis is None or isinstance(axis, int | np.integer) else tuple(axis), rank)


@lru_cache(maxsize=1024)  # a loop asks for the same ones in every step
def _axes_of(name: str, axis: int | tuple[int, ...] | None, rank: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(rank))
    chosen = [normalize_axis(name, i, rank) for i in (axis if isinstance(axis, tuple) else [axis])]
    if len(set(chosen)) != len(chosen):
        raise ShapeError(f"{name}: axis {axis} names an axis twice; expected each once")
    return tuple(sorted(chosen))


def _kept(reduced: Tensor, x: Tensor, axis: tuple[int, ...]) -> Tensor:
    """The reduced tensor with the reduced axes restored at size 1, so that it broadcasts against x; a scalar does."""
    return reduced if reduced.spec.rank == 0 else reshape(reduced, reduced_shape(x.shape, axis, keepdims=True))


@dataclass(frozen=True, repr=False)
class Sum(Reduction):
    """y = Σ x over some axes; integers and booleans are summed as int64."""

    axis: tuple[int, ...]
    keepdims: bool = False

    def infer(self, x: Spec) -> Spec:
        return Spec(reduced_shape(x.shape, self.axis, self.keepdims), x.dtype if x.floating else INT64)

    def forward(self, xp: Any, x: Any) -> Any:
        if x.dtype.kind == "f":
            return sum_in_blocks(x, self.axis, self.keepdims)
        return xp.sum(x, axis=self.axis, keepdims=self.keepdims, dtype=INT64)

    def start(self, dtype: np.dtype[Any]) -> Any:
        return dtype.type(0)

    def combine(self, xp: Any, accumulated: Any, element: Any) -> Any:
        return accumulated + element

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (broadcast_to(_kept(gradient, x, self.axis), x.shape),)

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls((0, 1)), real(2, 3)),
            sample(cls((1,)), real(2, 3, 2)),
            sample(cls((0,), keepdims=True), real(2, 3)),
            sample(cls(()), real(2, 3)),
            sample(cls((1,)), real(2, 0)),
            sample(cls((0,)), integers(4, high=3)),
        )


@dataclass(frozen=True, repr=False)
class Max(Reduction):
    """y = max x over some axes; elements that are equally the largest share the gradient."""

    extreme: ClassVar[str] = "maximum"
    axis: tuple[int, ...]
    keepdims: bool = False

    def infer(self, x: Spec) -> Spec:
        for i in self.axis:
            if x.shape[i] == 0:
                raise ShapeError(
                    f"{self.name}: axis {i} of shape {x.shape} is empty, and an empty axis has no {self.extreme}"
                )
        return super().infer(x)

    def forward(self, xp: Any, x: Any) -> Any:
        return xp.maximum.reduce(x, self.axis, None, None, self.keepdims)

    def start(self, dtype: np.dtype[Any]) -> Any:
        return (
            dtype.type(-np.inf)
            if dtype.kind == "f"
            else dtype.type(False if dtype.kind == "b" else np.iinfo(dtype).min)
        )

    def combine(self, xp: Any, accumulated: Any, element: Any) -> Any:
        return xp.maximum(accumulated, element)

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        largest = equal(x, _kept(output, x, self.axis)).astype(x.dtype)
        share = _kept(gradient, x, self.axis) / sum(largest, self.axis, keepdims=True)
        return (largest * share,)

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls((0, 1)), real(2, 3)),
            sample(cls((1,)), real(2, 3, 2)),
            sample(cls((0,), keepdims=True), real(2, 3)),
            sample(cls((0,)), integers(4, high=9)),
        )


@dataclass(frozen=True, repr=False)
class Argmax(Block):
    """y = the position of the largest element along an axis, the first of several; it has no gradient."""

    differentiable = False
    extreme: ClassVar[str] = "maximum"
    axis: int

    def infer(self, x: Spec) -> Spec:
        if x.shape[self.axis] == 0:
            raise ShapeError(
                f"{self.name}: axis {self.axis} of shape {x.shape} is empty, and an empty axis has no {self.extreme}"
            )
        return Spec(reduced_shape(x.shape, (self.axis,), keepdims=False), INT64)

    def forward(self, xp: Any, x: Any) -> Any:
        return xp.argmax(x, axis=self.axis)

    def better(self, a: Any, b: Any) -> Any:
        """Whether a number is to be taken in place of another."""
        return a > b

    def loops(self, nest: Any, y: Any, x: Element) -> None:
        def line(index: Index) -> None:
            def at(i: Any) -> Any:
                return x((*index[: self.axis], i, *index[self.axis :]))

            best, place = nest.declare(at(nest.whole(0))), nest.declare(nest.whole(0))

            def compare(i: Any) -> None:
                def take() -> None:
                    nest.assign(best, at(i))
                    nest.assign(place, i)

                # As in NumPy, NaN is taken before any number, and of several NaN the first.
                nest.when(self.better(at(i), best.get()) | ((at(i) != at(i)) & (best.get() == best.get())), take)

            nest.loop(x.shape[self.axis], compare, 1)
            y.store(nest, index, place.get())

        nest.nest(y.shape, line, parallel=0)

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (None,)

    @classmethod
    def samples(cls) -> Samples:
        return sample(cls(1), real(2, 3)), sample(cls(0), integers(5, 2, high=3))


@dataclass(frozen=True, repr=False)
class Size(Movement):
    """y = the number of elements of x along some axes, as a number of x's dtype.

    With it, 1/n is a function of the size in the graph. As a number it would differ from batch to batch, and so would
    the graph.
    """

    differentiable = False
    axis: tuple[int, ...]

    def infer(self, x: Spec) -> Spec:
        return Spec((), x.dtype)

    def forward(self, xp: Any, x: Any) -> Any:
        return xp.asarray(math.prod([x.shape[i] for i in self.axis]), dtype=x.dtype)

    def element(self, xp: Any, index: Index, shape: Shape, x: Element) -> Any:
        count = 1
        for i in self.axis:
            count = count * x.shape[i]
        return count

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (None,)

    @classmethod
    def samples(cls) -> Samples:
        return sample(cls((0, 2)), real(2, 3, 4)), sample(cls(()), real(2))


@operation
def sum(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """y = Σ x over the given axes, or all.

    Gradient: 1.
    PyTorch: torch.sum. NumPy: numpy.sum.

    Args:
        x: any shape; integers and booleans are summed as int64.
        axis: one axis or several; None for all.
        keepdims: keep the summed axes with size 1.

    Raises:
        ShapeError: for an axis that is not there.

    Example:
        >>> import chainrule
        >>> chainrule.sum([[1.0, 2.0], [3.0, 4.0]], axis=0).value
        array([4., 6.], dtype=float32)
    """
    (x,) = as_tensors([x])
    return Sum.of(axes_of("sum", axis, x.spec.rank), keepdims)(x)


@operation
def max(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """y = the largest element over the given axes, or all; ties share the gradient equally.

    Gradient: 1 for the largest element, shared by equal ones.
    PyTorch: torch.amax. NumPy: numpy.max.

    Args:
        x: any shape; the reduced axes are not empty.
        axis: one axis or several; None for all.
        keepdims: keep the reduced axes with size 1.

    Raises:
        ShapeError: for an axis that is not there or is empty.

    Example:
        >>> import chainrule
        >>> chainrule.max([[1.0, 2.0], [3.0, 0.0]], axis=1).value
        array([2., 3.], dtype=float32)
    """
    (x,) = as_tensors([x])
    return Max.of(axes_of("max", axis, x.spec.rank), keepdims)(x)


@operation
def mean(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """y = Σ x / n over the given axes, or all; NaN over an empty axis.

    Gradient: 1 / n.
    PyTorch: torch.mean. NumPy: numpy.mean.

    Args:
        x: any shape; integers are averaged as float32.
        axis: one axis or several; None for all.
        keepdims: keep the averaged axes with size 1.

    Raises:
        ShapeError: for an axis that is not there.

    Example:
        >>> import chainrule
        >>> chainrule.mean([[1.0, 2.0], [3.0, 4.0]], axis=0).value
        array([2., 3.], dtype=float32)
    """
    (x,) = promote("mean", [x], floating=True)
    axes = axes_of("mean", axis, x.spec.rank)
    return Sum.of(axes, keepdims)(x) / Size.of(axes)(x)


@operation
def argmax(x: TensorLike, axis: int = -1) -> Tensor:
    """The position (int64) of the largest element along an axis; the first of several.

    Gradient: none.
    PyTorch: torch.argmax. NumPy: numpy.argmax.

    Raises:
        ShapeError: for an axis that is not there or is empty.

    Example:
        >>> import chainrule
        >>> chainrule.argmax([[1.0, 2.0], [3.0, 0.0]]).value
        array([1, 0])
    """
    (x,) = as_tensors([x])
    return Argmax.of(normalize_axis("argmax", axis, x.spec.rank))(x)


@operation
def logsumexp(x: TensorLike, axis: int = -1, keepdims: bool = False) -> Tensor:
    """y = ln Σ eˣ along an axis, shifted by the largest element so that nothing overflows.

    Gradient: softmax of x.
    PyTorch: torch.logsumexp. NumPy: none.

    Raises:
        ShapeError: for an axis that is not there or is empty.

    Example:
        >>> import chainrule
        >>> chainrule.logsumexp([1e4, 1e4]).value
        array(10000.693, dtype=float32)
    """
    (x,) = promote("logsumexp", [x], floating=True)
    axes = axes_of("logsumexp", axis, x.spec.rank)
    largest = stop_gradient(max(x, axes, keepdims=True))
    limit = float(np.finfo(x.dtype).max)
    largest = minimum(maximum(largest, -limit), limit)  # ∞ - ∞ would be NaN; beside ∞ all else still counts as 0
    result = log(sum(exp(x - largest), axes, keepdims=True)) + largest
    return reshape(result, reduced_shape(x.shape, axes, keepdims))


@operation
def log_softmax(x: TensorLike, axis: int = -1) -> Tensor:
    """y = x - ln Σ eˣ along an axis: the logarithm of softmax, finite wherever x is.

    Gradient: g - softmax(x) Σ g, for the gradient g of y.
    PyTorch: torch.log_softmax. NumPy: none.

    Raises:
        ShapeError: for an axis that is not there or is empty.

    Example:
        >>> import chainrule
        >>> chainrule.log_softmax([1e4, 0.0]).value
        array([     0., -10000.], dtype=float32)
    """
    (x,) = promote("log_softmax", [x], floating=True)
    shifted, total = log_softmax_parts(x, axis)
    return shifted - total


def log_softmax_parts(x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """What `log_softmax` is the difference of: x less its largest element, and ln Σ e of that along the axis.

    Who needs it at few places takes the difference there alone, and the gradient is not added up along the axis.
    """
    shifted = x - stop_gradient(max(x, axis, keepdims=True))
    return shifted, log(sum(exp(shifted), axis, keepdims=True))


@operation
def softmax(x: TensorLike, axis: int = -1) -> Tensor:
    """y = eˣ / Σ eˣ along an axis: positive numbers that sum to 1.

    Gradient: y (g - Σ g y), for the gradient g of y.
    PyTorch: torch.softmax. NumPy: none.

    Raises:
        ShapeError: for an axis that is not there or is empty.

    Example:
        >>> import chainrule
        >>> chainrule.softmax([1.0, 1.0, -1e4]).value
        array([0.5, 0.5, 0. ], dtype=float32)
    """
    (x,) = promote("softmax", [x], floating=True)
    exponentials = exp(x - stop_gradient(max(x, axis, keepdims=True)))
    return exponentials / sum(exponentials, axis, keepdims=True)
