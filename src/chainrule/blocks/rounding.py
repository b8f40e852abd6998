"""Rounding to whole numbers, and division with a remainder."""

from __future__ import annotations

import math
from typing import Any

from chainrule.blocks.casting import cast
from chainrule.blocks.comparison import equal, where
from chainrule.graph.accuracy import EXTREMES
from chainrule.graph.block import Contributions, Elementwise
from chainrule.graph.conversion import as_tensors, promote
from chainrule.graph.spec import INT64, UINT32
from chainrule.graph.tensor import Tensor, TensorLike, operation

#: Divisors that are not so small that the slope of a quotient, by differences, is that of many steps.
DIVISORS = (0.0, 0.3, 1.0, 8.0, 300.0, math.inf, -0.0, -0.3, -1.0, -8.0, -300.0, -math.inf, math.nan)


class _Step(Elementwise, abstract=True):
    """The base of blocks whose output stays the same while the input changes a little: the gradient is 0."""

    def backward(self, gradient: Tensor, output: Tensor, *inputs: Tensor) -> Contributions:
        # Not a product with 0, which would be NaN for an infinite gradient.
        return [where(False, gradient, 0) for _ in inputs]


class Floor(_Step):
    """y = ⌊x⌋, the largest whole number that is not above x."""

    def forward(self, xp: Any, x: Any) -> Any:
        return xp.floor(x)


class Ceil(_Step):
    """y = ⌈x⌉, the smallest whole number that is not below x."""

    def forward(self, xp: Any, x: Any) -> Any:
        return -xp.floor(-x)


class Round(_Step):
    """y = the whole number nearest to x, of two equally near ones the even one."""

    def forward(self, xp: Any, x: Any) -> Any:
        return xp.rint(x)


class FloorDivide(_Step):
    """y = ⌊a / b⌋."""

    domain = ((-8.0, 8.0), (0.5, 2.0))
    extremes = (EXTREMES, DIVISORS)

    def forward(self, xp: Any, a: Any, b: Any) -> Any:
        return a // b


class Remainder(Elementwise):
    """y = a - b ⌊a / b⌋."""

    domain = ((-8.0, 8.0), (0.5, 2.0))
    extremes = (EXTREMES, DIVISORS)

    def forward(self, xp: Any, a: Any, b: Any) -> Any:
        return a % b

    def backward(self, gradient: Tensor, output: Tensor, a: Tensor, b: Tensor) -> Contributions:
        return gradient, -gradient * floor_divide(a, b)


_floor, _ceil, _round, _floor_divide, _remainder = Floor(), Ceil(), Round(), FloorDivide(), Remainder()


@operation
def floor(x: TensorLike) -> Tensor:
    """y = ⌊x⌋, the largest whole number that is not above x; integers stay as they are.

    Gradient: 0.
    PyTorch: torch.floor. NumPy: numpy.floor.

    Example:
        >>> import chainrule
        >>> chainrule.floor([1.5, -1.5]).value
        array([ 1., -2.], dtype=float32)
    """
    (x,) = as_tensors([x])
    return _floor(x) if x.spec.floating else x


@operation
def ceil(x: TensorLike) -> Tensor:
    """y = ⌈x⌉, the smallest whole number that is not below x; integers stay as they are.

    Gradient: 0.
    PyTorch: torch.ceil. NumPy: numpy.ceil.

    Example:
        >>> import chainrule
        >>> chainrule.ceil([1.5, -1.5]).value
        array([ 2., -1.], dtype=float32)
    """
    (x,) = as_tensors([x])
    return _ceil(x) if x.spec.floating else x


@operation
def round(x: TensorLike) -> Tensor:
    """y = the whole number nearest to x, of two equally near ones the even one; integers stay as they are.

    Gradient: 0.
    PyTorch: torch.round. NumPy: numpy.rint.

    Example:
        >>> import chainrule
        >>> chainrule.round([1.4, 1.6, 2.5]).value
        array([1., 2., 2.], dtype=float32)
    """
    (x,) = as_tensors([x])
    return _round(x) if x.spec.floating else x


@operation
def floor_divide(a: TensorLike, b: TensorLike) -> Tensor:
    """y = ⌊a / b⌋, elementwise and broadcast: the operator //.

    A number divided by 0 is as in NumPy: infinite or NaN, and 0 for integers.

    Gradient: 0.
    PyTorch: torch.floor_divide. NumPy: numpy.floor_divide.

    Example:
        >>> import chainrule
        >>> chainrule.floor_divide([7, -7], 2).value
        array([ 3, -4])
    """
    return _divided("floor_divide", a, b)[0]


@operation
def remainder(a: TensorLike, b: TensorLike) -> Tensor:
    """y = a - b ⌊a / b⌋, elementwise and broadcast: the operator %. It has the sign of b.

    A remainder of a division by 0 is as in NumPy: NaN, and 0 for integers.

    Gradient: 1 for a, -⌊a / b⌋ for b.
    PyTorch: torch.remainder. NumPy: numpy.remainder.

    Example:
        >>> import chainrule
        >>> chainrule.remainder([7, -7], 2).value
        array([1, 1])
    """
    return _divided("remainder", a, b)[1]


def _divided(name: str, a: TensorLike, b: TensorLike) -> tuple[Tensor, Tensor]:
    """Quotient and remainder."""
    a, b = promote(name, [a, b])
    if a.spec.floating:
        return _floor_divide(a, b), _remainder(a, b)
    if a.dtype.kind == "b":
        a, b = cast(a, INT64), cast(b, INT64)
    if a.dtype == UINT32:
        quotient, rest = _divided(name, cast(a, INT64), cast(b, INT64))
        return cast(quotient, UINT32), cast(rest, UINT32)
    # Processors stop at a division by 0, and at that of the lowest integer by -1, which has no place among integers.
    zero, opposite = equal(b, 0), equal(b, -1)
    divisor = where(zero, 1, where(opposite, 1, b))
    quotient = where(zero, 0, where(opposite, -a, _floor_divide(a, divisor)))
    return quotient, where(zero, 0, where(opposite, 0, _remainder(a, divisor)))
