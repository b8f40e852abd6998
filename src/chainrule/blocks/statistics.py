"""The spread of numbers: variance and standard deviation."""

from __future__ import annotations

from chainrule.blocks.arithmetic import maximum
from chainrule.blocks.comparison import greater, where
from chainrule.blocks.exponential import sqrt
from chainrule.blocks.reduction import Axis, Size, axes_of, mean, sum
from chainrule.graph.conversion import promote
from chainrule.graph.tensor import Tensor, TensorLike, operation


@operation
def var(x: TensorLike, axis: Axis = None, keepdims: bool = False, *, correction: float = 0) -> Tensor:
    """y = Σ (x - mean x)² / (n - correction) over the given axes, or all; NaN over an empty axis.

    Gradient: 2 (x - mean x) / (n - correction).
    PyTorch: torch.var. NumPy: numpy.var.

    Args:
        x: any shape; integers count as float32.
        axis: one axis or several; None for all.
        keepdims: keep the reduced axes with size 1.
        correction: 0 for the variance of the numbers (as in NumPy), 1 for an unbiased estimate of that of what they
            were drawn from (PyTorch's default). As in both, n - correction counts as 0 where it is below.

    Raises:
        ShapeError: for an axis that is not there.

    Example:
        >>> import chainrule
        >>> chainrule.var([1.0, 3.0]).item(), chainrule.var([1.0, 3.0], correction=1).item()
        (1.0, 2.0)
    """
    (x,) = promote("var", [x], floating=True)
    axes = axes_of("var", axis, x.spec.rank)
    deviation = x - mean(x, axes, keepdims=True)
    return sum(deviation * deviation, axes, keepdims) / maximum(Size.of(axes)(x) - correction, 0)


@operation
def std(x: TensorLike, axis: Axis = None, keepdims: bool = False, *, correction: float = 0) -> Tensor:
    """y = √ Σ (x - mean x)² / (n - correction) over the given axes, or all; NaN over an empty axis.

    Gradient: (x - mean x) / y (n - correction), and 0 where y is 0.
    PyTorch: torch.std. NumPy: numpy.std.

    Args:
        x: any shape; integers count as float32.
        axis: one axis or several; None for all.
        keepdims: keep the reduced axes with size 1.
        correction: see `var`.

    Raises:
        ShapeError: for an axis that is not there.

    Example:
        >>> import chainrule
        >>> chainrule.std([1.0, 3.0]).item()
        1.0
    """
    variance = var(x, axis, keepdims, correction=correction)
    spread = greater(variance, 0)
    # Where all numbers are equal the root has no slope, and the variance, which is 0 or NaN there, stands for it.
    return where(spread, sqrt(where(spread, variance, 1)), variance)
