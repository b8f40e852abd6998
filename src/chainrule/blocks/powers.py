"""Powers that have names of their own, made from others."""

from __future__ import annotations

from chainrule.blocks.arithmetic import power
from chainrule.blocks.exponential import sqrt
from chainrule.graph.conversion import as_tensors, promote
from chainrule.graph.tensor import Tensor, TensorLike, operation


@operation
def exp2(x: TensorLike) -> Tensor:
    """y = 2ˣ.

    Gradient: y ln 2.
    PyTorch: torch.exp2. NumPy: numpy.exp2.

    Example:
        >>> import chainrule
        >>> chainrule.exp2([0.0, 3.0]).value
        array([1., 8.], dtype=float32)
    """
    (x,) = promote("exp2", [x], floating=True)
    return power(2, x)


@operation
def square(x: TensorLike) -> Tensor:
    """y = x².

    Gradient: 2x.
    PyTorch: torch.square. NumPy: numpy.square.

    Example:
        >>> import chainrule
        >>> chainrule.square([2.0, -3.0]).value
        array([4., 9.], dtype=float32)
    """
    (x,) = as_tensors([x])
    return x * x


@operation
def reciprocal(x: TensorLike) -> Tensor:
    """y = 1 / x; integers are divided as floating-point numbers.

    Gradient: -y².
    PyTorch: torch.reciprocal. NumPy: numpy.reciprocal.

    Example:
        >>> import chainrule
        >>> chainrule.reciprocal([2.0, -4.0]).value
        array([ 0.5 , -0.25], dtype=float32)
    """
    (x,) = promote("reciprocal", [x], floating=True)
    return 1 / x


@operation
def rsqrt(x: TensorLike) -> Tensor:
    """y = 1 / √x, for x > 0; ∞ at 0 and NaN below.

    Gradient: -y / 2x.
    PyTorch: torch.rsqrt. NumPy: none.

    Example:
        >>> import chainrule
        >>> chainrule.rsqrt([4.0, 0.25]).value
        array([0.5, 2. ], dtype=float32)
    """
    return 1 / sqrt(x)
