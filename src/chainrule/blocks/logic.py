"""Truth values: their combinations, questions about single numbers, and whether any or all along an axis are true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.blocks.arithmetic import absolute
from chainrule.blocks.comparison import Comparison, equal, greater, less, not_equal
from chainrule.blocks.reduction import Axis, sum
from chainrule.graph.block import Contributions, Elementwise, Samples, integers, sample
from chainrule.graph.conversion import as_tensors
from chainrule.graph.spec import BOOL
from chainrule.graph.tensor import Tensor, TensorLike, operation


class _Connective(Comparison, abstract=True):
    """The base of functions of two truth values; numbers count as true unless they are 0."""

    commutative = True

    def promote_inputs(self, inputs: Sequence[TensorLike]) -> tuple[Tensor, ...]:
        return tuple(_truth(x) for x in inputs)

    @classmethod
    def samples(cls) -> Samples:
        truths = integers(3, 4, high=2) > 0
        return sample(cls(), truths, integers(4, high=3) > 0), sample(cls(), truths[:0], truths[0])


def _truth(x: TensorLike) -> Tensor:
    """Whether the numbers are not 0."""
    (x,) = as_tensors([x])
    return x if x.dtype == BOOL else not_equal(x, 0)


class LogicalAnd(_Connective):
    """y = a ∧ b, whether both are true; numbers are, unless they are 0. Of booleans it is the operator &.

    Gradient: none.
    PyTorch: torch.logical_and. NumPy: numpy.logical_and.

    Example:
        >>> import chainrule
        >>> chainrule.logical_and([True, True], [False, True]).value
        array([False,  True])
    """

    def forward(self, xp: Any, a: Any, b: Any) -> Any:
        return a & b


class LogicalOr(_Connective):
    """y = a ∨ b, whether at least one is true; numbers are, unless they are 0. Of booleans it is the operator |.

    Gradient: none.
    PyTorch: torch.logical_or. NumPy: numpy.logical_or.

    Example:
        >>> import chainrule
        >>> chainrule.logical_or([False, True], [False, True]).value
        array([False,  True])
    """

    def forward(self, xp: Any, a: Any, b: Any) -> Any:
        return a | b


class LogicalNot(Elementwise):
    """y = ¬x, whether x is false; numbers are, where they are 0. Of booleans it is the operator ~.

    Gradient: none.
    PyTorch: torch.logical_not. NumPy: numpy.logical_not.

    Example:
        >>> import chainrule
        >>> chainrule.logical_not([True, False]).value
        array([False,  True])
    """

    truth = True
    differentiable = False

    def promote_inputs(self, inputs: Sequence[TensorLike]) -> tuple[Tensor, ...]:
        return tuple(_truth(x) for x in inputs)

    def forward(self, xp: Any, x: Any) -> Any:
        return ~x

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (None,)

    @classmethod
    def samples(cls) -> Samples:
        return (sample(cls(), integers(3, 4, high=2) > 0),)


logical_and = operation(LogicalAnd())
logical_or = operation(LogicalOr())
logical_not = operation(LogicalNot())


@operation
def logical_xor(a: TensorLike, b: TensorLike) -> Tensor:
    """y = a ⊻ b, whether just one of them is true; numbers are, unless they are 0. Of booleans it is the operator ^.

    Gradient: none.
    PyTorch: torch.logical_xor. NumPy: numpy.logical_xor.

    Example:
        >>> import chainrule
        >>> chainrule.logical_xor([True, True], [False, True]).value
        array([ True, False])
    """
    return not_equal(_truth(a), _truth(b))


@operation
def isnan(x: TensorLike) -> Tensor:
    """y = whether x is NaN, not a number.

    Gradient: none.
    PyTorch: torch.isnan. NumPy: numpy.isnan.

    Example:
        >>> import chainrule
        >>> chainrule.isnan([1.0, float("nan")]).value
        array([False,  True])
    """
    (x,) = as_tensors([x])
    return not_equal(x, x)


@operation
def isfinite(x: TensorLike) -> Tensor:
    """y = whether x is a number, and no infinity.

    Gradient: none.
    PyTorch: torch.isfinite. NumPy: numpy.isfinite.

    Example:
        >>> import chainrule
        >>> chainrule.isfinite([1.0, float("nan"), float("-inf")]).value
        array([ True, False, False])
    """
    (x,) = as_tensors([x])
    return less(absolute(x), np.inf) if x.spec.floating else equal(x, x)


@operation
def any(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """y = whether any element over the given axes, or all of them, is true; numbers are, unless they are 0.

    Gradient: none.
    PyTorch: torch.any. NumPy: numpy.any.

    Args:
        x: any shape; over an empty axis the answer is no.
        axis: one axis or several; None for all.
        keepdims: keep the reduced axes with size 1.

    Raises:
        ShapeError: for an axis that is not there.

    Example:
        >>> import chainrule
        >>> chainrule.any([[True, False], [False, False]], axis=1).value
        array([ True, False])
    """
    return greater(sum(_truth(x), axis, keepdims), 0)


@operation
def all(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """y = whether all elements over the given axes, or all of them, are true; numbers are, unless they are 0.

    Gradient: none.
    PyTorch: torch.all. NumPy: numpy.all.

    Args:
        x: any shape; over an empty axis the answer is yes.
        axis: one axis or several; None for all.
        keepdims: keep the reduced axes with size 1.

    Raises:
        ShapeError: for an axis that is not there.

    Example:
        >>> import chainrule
        >>> chainrule.all([[True, True], [True, False]], axis=1).value
        array([ True, False])
    """
    return equal(sum(logical_not(x), axis, keepdims), 0)
