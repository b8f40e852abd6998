"""Choices made from `where`: numbers kept within limits, and the triangles of matrices."""

from __future__ import annotations

from collections.abc import Callable

from chainrule.blocks.comparison import greater, greater_equal, less, less_equal, where
from chainrule.blocks.logic import isnan, logical_or
from chainrule.blocks.movement import iota, reshape
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.graph.conversion import as_tensors, promote
from chainrule.graph.spec import INT64
from chainrule.graph.tensor import Tensor, TensorLike, operation


@operation
def clamp(x: TensorLike, low: TensorLike | None = None, high: TensorLike | None = None) -> Tensor:
    """y = min(max(x, low), high), elementwise and broadcast; NaN where x or a limit is.

    Gradient: 1 for x within the limits, these included; for a limit 1 where it is taken.
    PyTorch: torch.clamp. NumPy: numpy.clip.

    Args:
        x: any shape.
        low: the least that y may be; None for no such limit.
        high: the most that y may be; None for no such limit. Where low is above high, y is high.

    Raises:
        ConfigurationError: without any limit.

    Example:
        >>> import chainrule
        >>> chainrule.clamp([-2.0, 0.5, 3.0], 0, 1).value
        array([0. , 0.5, 1. ], dtype=float32)
    """
    if low is None and high is None:
        raise ConfigurationError("clamp: expected a limit, got none; give low, high or both")
    limits = [limit for limit in (low, high) if limit is not None]
    y, *held = promote("clamp", [x, *limits])
    if low is not None:
        least = held.pop(0)
        y = where(logical_or(less(y, least), isnan(least)), least, y)
    if high is not None:
        most = held.pop(0)
        y = where(logical_or(greater(y, most), isnan(most)), most, y)
    return y


@operation
def tril(x: TensorLike, diagonal: int = 0) -> Tensor:
    """y = the lower triangle of each matrix and 0 above it: y[i, j] = x[i, j] where j - i ≤ diagonal.

    Gradient: 1 in the triangle, 0 above it.
    PyTorch: torch.tril. NumPy: numpy.tril.

    Args:
        x: shape (..., n, m).
        diagonal: how many diagonals above the main one are kept, too; fewer where it is negative.

    Raises:
        ShapeError: when x has fewer than two axes.

    Example:
        >>> import chainrule
        >>> chainrule.tril([[1, 2], [3, 4]]).value.tolist()
        [[1, 0], [3, 4]]
    """
    return _triangle("tril", x, diagonal, less_equal)


@operation
def triu(x: TensorLike, diagonal: int = 0) -> Tensor:
    """y = the upper triangle of each matrix and 0 below it: y[i, j] = x[i, j] where j - i ≥ diagonal.

    Gradient: 1 in the triangle, 0 below it.
    PyTorch: torch.triu. NumPy: numpy.triu.

    Args:
        x: shape (..., n, m).
        diagonal: how many diagonals are left out from the main one on; further ones are kept where it is negative.

    Raises:
        ShapeError: when x has fewer than two axes.

    Example:
        >>> import chainrule
        >>> chainrule.triu([[1, 2], [3, 4]]).value.tolist()
        [[1, 2], [0, 4]]
    """
    return _triangle("triu", x, diagonal, greater_equal)


def _triangle(name: str, x: TensorLike, diagonal: int, kept: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    (x,) = as_tensors([x])
    if x.spec.rank < 2:
        raise ShapeError(f"{name}: expected a matrix or several, got shape {x.shape}")
    rows, columns = (iota(size).astype(INT64) for size in x.shape[-2:])
    return where(kept(columns, reshape(rows, (-1, 1)) + diagonal), x, 0)
