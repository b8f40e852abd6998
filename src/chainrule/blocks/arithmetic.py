"""Arithmetic: the elementwise blocks behind the operators of tensors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.blocks.comparison import equal, greater, less, where
from chainrule.blocks.exponential import log
from chainrule.errors import ChainruleError, DTypeError
from chainrule.graph.accuracy import EXTREMES, Accuracy
from chainrule.graph.array import NUMPY
from chainrule.graph.block import Contributions, Elementwise, Samples, integers, sample
from chainrule.graph.conversion import promote
from chainrule.graph.spec import LARGEST_INTEGER, Shape, require_numbers
from chainrule.graph.tensor import Tensor, TensorLike, operation


class Identity(Elementwise):
    """y = x.

    Gradient: 1.
    PyTorch: torch.clone. NumPy: numpy.copy.

    Example:
        >>> import chainrule
        >>> chainrule.identity([1.0, 2.0]).value
        array([1., 2.], dtype=float32)
    """

    hands_on = True

    def forward(self, xp: Any, x: Any) -> Any:
        return x

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (gradient,)


class Add(Elementwise):
    """y = a + b, broadcast.

    Gradient: 1 for a, 1 for b.
    PyTorch: torch.add. NumPy: numpy.add.

    Example:
        >>> import chainrule
        >>> chainrule.add([1.0, 2.0], 3).value
        array([4., 5.], dtype=float32)
    """

    commutative = True

    def forward(self, xp: Any, a: Any, b: Any) -> Any:
        return a + b

    def backward(self, gradient: Tensor, output: Tensor, a: Tensor, b: Tensor) -> Contributions:
        return gradient, gradient

    @classmethod
    def samples(cls) -> Samples:
        return *super().samples(), sample(cls(), integers(4, high=9), integers(4, high=5))


class Subtract(Elementwise):
    """y = a - b, broadcast.

    Gradient: 1 for a, -1 for b.
    PyTorch: torch.sub. NumPy: numpy.subtract.

    Raises:
        DTypeError: for booleans.

    Example:
        >>> import chainrule
        >>> chainrule.subtract([1.0, 2.0], 3).value
        array([-2., -1.], dtype=float32)
    """

    numeric = True

    def forward(self, xp: Any, a: Any, b: Any) -> Any:
        return a - b

    def backward(self, gradient: Tensor, output: Tensor, a: Tensor, b: Tensor) -> Contributions:
        return gradient, -gradient


class Multiply(Elementwise):
    """y = a b, elementwise and broadcast.

    Gradient: b for a, a for b.
    PyTorch: torch.mul. NumPy: numpy.multiply.

    Example:
        >>> import chainrule
        >>> chainrule.multiply([1.0, 2.0], 3).value
        array([3., 6.], dtype=float32)
    """

    commutative = True

    def forward(self, xp: Any, a: Any, b: Any) -> Any:
        return a * b

    def backward(self, gradient: Tensor, output: Tensor, a: Tensor, b: Tensor) -> Contributions:
        return gradient * b, gradient * a


class Divide(Elementwise):
    """y = a / b, elementwise and broadcast; integers are divided as floating-point numbers.

    Gradient: 1 / b for a, -y / b for b.
    PyTorch: torch.div. NumPy: numpy.divide.

    Example:
        >>> import chainrule
        >>> chainrule.divide([1.0, 2.0], 4).value
        array([0.25, 0.5 ], dtype=float32)
    """

    floating = True
    domain = ((-2.0, 2.0), (0.5, 2.0))

    def forward(self, xp: Any, a: Any, b: Any) -> Any:
        return a / b

    def backward(self, gradient: Tensor, output: Tensor, a: Tensor, b: Tensor) -> Contributions:
        share = gradient / b
        return share, -share * output


class Negative(Elementwise):
    """y = -x.

    Gradient: -1.
    PyTorch: torch.neg. NumPy: numpy.negative.

    Raises:
        DTypeError: for booleans.

    Example:
        >>> import chainrule
        >>> chainrule.negative([1.0, -2.0]).value
        array([-1.,  2.], dtype=float32)
    """

    numeric = True

    def forward(self, xp: Any, x: Any) -> Any:
        return -x

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (-gradient,)


class Power(Elementwise):
    """y = aᵇ for a base a and an exponent b, elementwise and broadcast.

    Its gradient is b aᵇ⁻¹ for a and aᵇ ln a for b; the latter counts as 0 where a ≤ 0, where ln a is not defined,
    and the former as 0 where b = 0.
    Loses digits: b - 1 is rounded, which moves b aᵇ⁻¹ by up to |ln a| / 2 units in the last place: by 18 at a = 10⁻³⁰
    and b = 0.3.

    Gradient: b aᵇ⁻¹ for a, y ln a for b.
    PyTorch: torch.pow. NumPy: numpy.power.

    Example:
        >>> import chainrule
        >>> chainrule.power([1.0, -2.0], 3).value
        array([ 1., -8.], dtype=float32)
    """

    floating = True
    domain = ((0.5, 2.0), (-2.0, 2.0))
    extremes = (
        (*EXTREMES, 0.3, -2.0, 3.0),
        (0.0, 0.3, 1.0, 1.7, 3.0, 30.0, 300.0, math.inf, -0.0, -1.0, -2.0, -30.0, -300.0, -math.inf, math.nan),
    )
    gradient_accuracy = Accuracy(ulps=20)

    def forward(self, xp: Any, base: Any, exponent: Any) -> Any:
        y = xp.power(base, exponent)
        if xp is NUMPY and base.dtype.kind == "f" and (exponent == 0.5).any():
            # NumPy sometimes takes the square root instead, which is -0 at -0 and NaN at -∞. A power is 0 and ∞ there.
            special = (exponent == 0.5) & ((base == 0) | xp.isinf(base))
            y = xp.where(special, xp.absolute(base), y)
        return y

    def backward(self, gradient: Tensor, output: Tensor, base: Tensor, exponent: Tensor) -> Contributions:
        slope = where(equal(exponent, 0), 0, exponent * power(base, where(equal(exponent, 0), 1, exponent - 1)))
        positive = greater(base, 0)
        return gradient * slope, gradient * where(positive, output * log(where(positive, base, 1)), 0)


class IntegerPower(Elementwise):
    """y = aᵇ of integers, for b ≥ 0; a product that does not fit its dtype keeps its low bits, as in NumPy."""

    differentiable = False
    numeric = True
    index_input = 1

    def limit(self, shape: Shape, *shapes: Shape) -> int:
        return LARGEST_INTEGER

    def range_error(self, index: int, limit: int) -> ChainruleError:
        return DTypeError(
            f"power: exponent {index} of an integer; expected 0 or more, as integers have no fractions; "
            f"convert the base with .astype('float32')"
        )

    def forward(self, xp: Any, base: Any, exponent: Any) -> Any:
        return xp.power(base, exponent)

    def backward(self, gradient: Tensor, output: Tensor, base: Tensor, exponent: Tensor) -> Contributions:
        return None, None

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls(), integers(2, 3, low=-3, high=4), integers(3, high=6)),
            sample(cls(), integers(4, high=9), np.array(2)),
        )


class Absolute(Elementwise):
    """y = |x|; its gradient is the sign of x, 0 at 0.

    Gradient: the sign of x.
    PyTorch: torch.abs. NumPy: numpy.absolute.

    Example:
        >>> import chainrule
        >>> chainrule.absolute([1.0, -2.0]).value
        array([1., 2.], dtype=float32)
    """

    def forward(self, xp: Any, x: Any) -> Any:
        return xp.absolute(x)

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (gradient * sign(x),)


class Sign(Elementwise):
    """y = 1 where x > 0, -1 where x < 0, else x itself (0, or NaN); its gradient is 0 everywhere.

    Gradient: 0.
    PyTorch: torch.sign. NumPy: numpy.sign.

    Raises:
        DTypeError: for booleans.

    Example:
        >>> import chainrule
        >>> chainrule.sign([3.0, -2.0, 0.0]).value
        array([ 1., -1.,  0.], dtype=float32)
        >>> x = chainrule.tensor([3.0, -2.0, 0.0])
        >>> chainrule.grad(chainrule.sign(x).sum(), x).value
        array([0., 0., 0.], dtype=float32)
    """

    numeric = True

    def forward(self, xp: Any, x: Any) -> Any:
        return xp.where(x > 0, 1, -xp.where(x < 0, 1, -x))  # no -1 is written, as unsigned dtypes have none

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (where(False, gradient, 0),)  # not a product with 0, which would be NaN for an infinite gradient


class Maximum(Elementwise):
    """y = max(a, b), elementwise and broadcast; NaN where either is.

    Where a and b are equal, each receives half the gradient; where one is NaN, neither receives any. NumPy leaves open
    which of 0 and -0 it returns, and so does this block.

    Gradient: 1 for the larger, a half for each of two equal ones.
    PyTorch: torch.maximum. NumPy: numpy.maximum.

    Example:
        >>> import chainrule
        >>> chainrule.maximum([1.0, -2.0], 0).value
        array([1., 0.], dtype=float32)
    """

    commutative = True

    def forward(self, xp: Any, a: Any, b: Any) -> Any:
        return xp.maximum(a, b)

    def backward(self, gradient: Tensor, output: Tensor, a: Tensor, b: Tensor) -> Contributions:
        return _share(gradient, greater(a, b), equal(a, b)), _share(gradient, less(a, b), equal(a, b))


class Minimum(Elementwise):
    """y = min(a, b), elementwise and broadcast; NaN where either is.

    Where a and b are equal, each receives half the gradient; where one is NaN, neither receives any. NumPy leaves open
    which of 0 and -0 it returns, and so does this block.

    Gradient: 1 for the smaller, a half for each of two equal ones.
    PyTorch: torch.minimum. NumPy: numpy.minimum.

    Example:
        >>> import chainrule
        >>> chainrule.minimum([1.0, -2.0], 0).value
        array([ 0., -2.], dtype=float32)
    """

    commutative = True

    def forward(self, xp: Any, a: Any, b: Any) -> Any:
        return xp.minimum(a, b)

    def backward(self, gradient: Tensor, output: Tensor, a: Tensor, b: Tensor) -> Contributions:
        return _share(gradient, less(a, b), equal(a, b)), _share(gradient, greater(a, b), equal(a, b))


@operation
def power(base: TensorLike, exponent: TensorLike) -> Tensor:
    """y = aᵇ for a base a and an exponent b, elementwise and broadcast.

    Its gradient is b aᵇ⁻¹ for a and aᵇ ln a for b; the latter counts as 0 where a ≤ 0, where ln a is not defined, and
    the former as 0 where b = 0. Integers stay integers.

    Gradient: b aᵇ⁻¹ for a, y ln a for b.
    PyTorch: torch.pow. NumPy: numpy.power.

    Raises:
        DTypeError: for booleans, and for integers with an exponent below 0.

    Example:
        >>> import chainrule
        >>> chainrule.power([1.0, -2.0], 3).value
        array([ 1., -8.], dtype=float32)
    """
    tensors = promote("power", [base, exponent])
    require_numbers("power", tensors[0].spec)
    return Power.of()(*tensors) if tensors[0].spec.floating else IntegerPower.of()(*tensors)


def _share(gradient: Tensor, chosen: Tensor, tied: Tensor) -> Tensor:
    return where(chosen, gradient, where(tied, gradient * 0.5, 0))


identity = operation(Identity())
add = operation(Add())
subtract = operation(Subtract())
multiply = operation(Multiply())
divide = operation(Divide())
negative = operation(Negative())
absolute = operation(Absolute())
sign = operation(Sign())
maximum = operation(Maximum())
minimum = operation(Minimum())
