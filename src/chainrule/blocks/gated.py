"""Activations over several numbers: gated halves, the largest of pieces, and sparse probabilities."""

from __future__ import annotations

from collections.abc import Callable

from chainrule.blocks.activation import relu, sigmoid
from chainrule.blocks.arranging import split
from chainrule.blocks.casting import stop_gradient
from chainrule.blocks.comparison import greater, where
from chainrule.blocks.movement import iota, reshape
from chainrule.blocks.reduction import max, sum
from chainrule.blocks.scan import cumsum
from chainrule.blocks.smooth import gelu, silu
from chainrule.blocks.sorting import sort
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.graph.conversion import promote
from chainrule.graph.spec import normalize_axis
from chainrule.graph.tensor import Tensor, TensorLike, operation


@operation
def glu(x: TensorLike, axis: int = -1) -> Tensor:
    """y = a σ(b) for the halves [a, b] of an axis, with the logistic function σ: the gated linear unit.

    Gradient: σ(b) for a, a σ(b) (1 - σ(b)) for b.
    PyTorch: torch.nn.functional.glu. NumPy: none.

    Raises:
        ShapeError: when the axis has an odd size.

    Example:
        >>> import chainrule
        >>> chainrule.glu([[1.0, 2.0, 0.0, 1e4]]).value
        array([[0.5, 2. ]], dtype=float32)

    Source: Dauphin et al., Language Modeling with Gated Convolutional Networks (2017).
    """
    return _gated("glu", sigmoid, x, axis)


@operation
def reglu(x: TensorLike, axis: int = -1) -> Tensor:
    """y = a max(b, 0) for the halves [a, b] of an axis.

    Gradient: max(b, 0) for a; for b a where b > 0, else 0.
    PyTorch: none. NumPy: none.

    Raises:
        ShapeError: when the axis has an odd size.

    Example:
        >>> import chainrule
        >>> chainrule.reglu([[1.0, 2.0, -3.0, 4.0]]).value
        array([[0., 8.]], dtype=float32)

    Source: Shazeer, GLU Variants Improve Transformer (2020), which gates by the other half; the same but for names.
    """
    return _gated("reglu", relu, x, axis)


@operation
def geglu(x: TensorLike, axis: int = -1) -> Tensor:
    """y = a gelu(b) for the halves [a, b] of an axis.

    Gradient: gelu(b) for a, a gelu'(b) for b.
    PyTorch: none. NumPy: none.

    Raises:
        ShapeError: when the axis has an odd size.

    Example:
        >>> import chainrule
        >>> chainrule.geglu([[1.0, 2.0, 0.0, 9.0]]).value
        array([[ 0., 18.]], dtype=float32)

    Source: Shazeer, GLU Variants Improve Transformer (2020); see `reglu`.
    """
    return _gated("geglu", gelu, x, axis)


@operation
def swiglu(x: TensorLike, axis: int = -1) -> Tensor:
    """y = a silu(b) for the halves [a, b] of an axis.

    Gradient: silu(b) for a, a silu'(b) for b.
    PyTorch: none. NumPy: none.

    Raises:
        ShapeError: when the axis has an odd size.

    Example:
        >>> import chainrule
        >>> chainrule.swiglu([[1.0, 2.0, 0.0, 90.0]]).value
        array([[  0., 180.]], dtype=float32)

    Source: Shazeer, GLU Variants Improve Transformer (2020); see `reglu`.
    """
    return _gated("swiglu", silu, x, axis)


@operation
def maxout(x: TensorLike, pieces: int = 2) -> Tensor:
    """y[..., j] = the largest of the `pieces` numbers x[..., j · pieces + k]: a convex function that is learned.

    Gradient: 1 for the largest, shared by equal ones; 0 for the others.
    PyTorch: none. NumPy: none.

    Raises:
        ConfigurationError: for fewer than one piece.
        ShapeError: when the size of the last axis is no multiple of the pieces.

    Example:
        >>> import chainrule
        >>> chainrule.maxout([[1.0, 2.0, -3.0, -4.0]]).value
        array([[ 2., -3.]], dtype=float32)

    Source: Goodfellow et al., Maxout Networks (2013).
    """
    if not isinstance(pieces, int) or pieces < 1:
        raise ConfigurationError(f"maxout: expected a whole number of 1 piece or more, got {pieces}")
    (x,) = promote("maxout", [x], floating=True)
    if not x.shape or x.shape[-1] % pieces:
        raise ShapeError(f"maxout: expected a last axis of a multiple of {pieces}, got shape {x.shape}")
    return max(reshape(x, (*x.shape[:-1], x.shape[-1] // pieces, pieces)), -1)


@operation
def sparsemax(x: TensorLike, axis: int = -1) -> Tensor:
    """y = max(x - τ, 0) with the τ for which y sums to 1: probabilities of which many are exactly 0.

    y is the point of the simplex nearest to x. With the k largest numbers above τ, τ = (their sum - 1) / k.

    Gradient: where y > 0, the gradient minus its mean over these; else 0.
    PyTorch: none. NumPy: none.

    Example:
        >>> import chainrule
        >>> chainrule.sparsemax([1.0, 0.5, -2.0]).value
        array([0.75, 0.25, 0.  ], dtype=float32)

    Source: Martins and Astudillo, From Softmax to Sparsemax (2016).
    """
    (x,) = promote("sparsemax", [x], floating=True)
    axis = normalize_axis("sparsemax", axis, x.spec.rank)
    z = x - stop_gradient(max(x, axis, keepdims=True))  # τ is at least -1 then, and sums keep their digits
    falling = sort(stop_gradient(z), axis, descending=True)
    places = reshape(1 + iota(x.shape[axis]).astype(x.dtype), (-1, *[1] * (x.spec.rank - 1 - axis)))
    largest = greater(1 + places * falling, cumsum(falling, axis))
    count = sum(largest.astype(x.dtype), axis, keepdims=True)
    threshold = (sum(where(largest, falling, 0), axis, keepdims=True) - 1) / count
    above = sum(where(greater(z, threshold), z, 0), axis, keepdims=True)
    return relu(z - (above - 1) / count)


def _gated(name: str, gate: Callable[[Tensor], Tensor], x: TensorLike, axis: int) -> Tensor:
    (x,) = promote(name, [x], floating=True)
    axis = normalize_axis(name, axis, x.spec.rank)
    size = x.shape[axis]
    if size % 2:
        raise ShapeError(f"{name}: expected an even size on axis {axis}, to be halved, got shape {x.shape}")
    a, b = split(x, [size // 2, size // 2], axis)
    return a * gate(b)
