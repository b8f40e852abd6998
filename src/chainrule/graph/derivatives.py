"""Derivatives beyond one gradient: Jacobians, Hessians, products with vectors, gradients of single examples.

All of them are compositions of `grad`, so that they are graphs over blocks: compiled and differentiated like any other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from chainrule.errors import ShapeError
from chainrule.graph.autodiff import grad
from chainrule.graph.conversion import as_tensors, tensor
from chainrule.graph.tensor import OPERATIONS, Tensor, TensorLike


def jacobian(output: Tensor, wrt: Tensor) -> Tensor:
    """All partial derivatives of an output: J[i, j] = ∂yᵢ/∂xⱼ, with one gradient for each element of y.

    Args:
        output: y, any shape.
        wrt: x, any shape.

    Returns:
        shape (*y.shape, *x.shape).

    Raises:
        GradientError: see `chainrule.grad`.

    Example:
        >>> import chainrule
        >>> x = chainrule.tensor([1.0, 2.0])
        >>> chainrule.jacobian(x * x.sum(), x).value
        array([[4., 1.],
               [2., 5.]], dtype=float32)
    """
    rows = [grad(output, wrt, one) for one in _units(output)]
    return _stacked(rows, wrt).reshape(*output.shape, *wrt.shape)


def hessian(output: Tensor, wrt: Tensor) -> Tensor:
    """The second derivatives of a scalar: H[i, j] = ∂²L/∂xᵢ∂xⱼ; zeros where the first are constant.

    Args:
        output: L, a scalar.
        wrt: x, any shape.

    Returns:
        shape (*x.shape, *x.shape).

    Raises:
        GradientError: see `chainrule.grad`.
        ShapeError: for an output that is no scalar.

    Example:
        >>> import chainrule
        >>> x = chainrule.tensor([1.0, 2.0])
        >>> chainrule.hessian((x**3).sum(), x).value
        array([[ 6.,  0.],
               [ 0., 12.]], dtype=float32)
    """
    first = grad(output, wrt)
    rows = [grad(first, wrt, one, unused="zeros") for one in _units(first)]
    return _stacked(rows, wrt).reshape(*wrt.shape, *wrt.shape)


def hvp(output: Tensor, wrt: Tensor, vector: TensorLike) -> Tensor:
    """The product of the Hessian of a scalar with a vector, H v = ∂(∂L/∂x · v)/∂x, without the Hessian.

    Args:
        output: L, a scalar.
        wrt: x, any shape.
        vector: v, of the shape of x.

    Raises:
        GradientError: see `chainrule.grad`.
        ShapeError: for an output that is no scalar, or a vector of another shape.

    Example:
        >>> import chainrule
        >>> x = chainrule.tensor([1.0, 2.0])
        >>> chainrule.hvp((x**3).sum(), x, [1.0, 1.0]).value
        array([ 6., 12.], dtype=float32)

    Source: Pearlmutter, Fast Exact Multiplication by the Hessian (1994).
    """
    v = _vector("hvp", vector, wrt)
    return grad((grad(output, wrt) * OPERATIONS["stop_gradient"](v)).sum(), wrt, unused="zeros")


def jvp(output: Tensor, wrt: Tensor, vector: TensorLike) -> Tensor:
    """The derivative of an output along a direction, J v: forward mode, as the gradient of a gradient.

    uᵀ J is linear in u, and the gradient of uᵀ J v with respect to u is J v.

    Args:
        output: y, any shape.
        wrt: x, any shape.
        vector: v, of the shape of x.

    Returns:
        the shape of y.

    Raises:
        GradientError: see `chainrule.grad`.
        ShapeError: for a vector of another shape.

    Example:
        >>> import chainrule
        >>> x = chainrule.tensor([1.0, 2.0])
        >>> chainrule.jvp(x * x.sum(), x, [1.0, 0.0]).value
        array([4., 2.], dtype=float32)
    """
    v = _vector("jvp", vector, wrt)
    u = tensor(np.zeros(output.shape), output.dtype)
    return grad((grad(output, wrt, u) * v).sum(), u, unused="zeros")


def per_example(function: Callable[..., Tensor], wrt: Sequence[Tensor], *batch: TensorLike) -> list[Tensor]:
    """The gradient of each example's loss by itself, as differential privacy and influence need it.

    Args:
        function: takes arrays of one example, with a first axis of 1, and returns its loss, a scalar.
        wrt: parameters.
        batch: arrays whose first axis counts the examples.

    Returns:
        for each parameter, shape (examples, *parameter.shape).

    Raises:
        GradientError: see `chainrule.grad`.
        ShapeError: for arrays of different numbers of examples, or none.

    Example:
        >>> import chainrule
        >>> weight = chainrule.Parameter.of([1.0, 1.0])
        >>> def loss(x, y):
        ...     return (((x * weight).sum(axis=1) - y) ** 2).sum()
        >>> chainrule.per_example(loss, [weight], [[1.0, 0.0], [0.0, 2.0]], [0.0, 0.0])[0].value
        array([[2., 0.],
               [0., 8.]], dtype=float32)
    """
    arrays = as_tensors(batch)
    sizes = {x.shape[0] if x.shape else 0 for x in arrays}
    if len(sizes) != 1 or 0 in sizes:
        shapes = ", ".join(str(x.shape) for x in arrays) or "none"
        raise ShapeError(f"per_example: expected arrays with the same number of examples, at least 1, got {shapes}")
    found = [grad(function(*[x[i : i + 1] for x in arrays]), wrt, unused="zeros") for i in range(*sizes)]
    return [
        _stacked(column, x).reshape(len(found), *x.shape)
        for column, x in zip(zip(*found, strict=True), wrt, strict=True)
    ]


def _units(output: Tensor) -> list[np.ndarray]:
    """For each element of a tensor, the array that is 1 there and 0 elsewhere."""
    size = math.prod(output.shape)
    return list(np.eye(size, dtype=output.dtype).reshape(size, *output.shape))


def _stacked(rows: Sequence[Tensor], wrt: Tensor) -> Tensor:
    """Gradients as the rows of one matrix."""
    if not rows:
        return tensor(np.zeros((0, wrt.spec.size)), wrt.dtype)
    return OPERATIONS["concatenate"]([row.reshape(1, -1) for row in rows], 0)


def _vector(name: str, vector: TensorLike, wrt: Tensor) -> Tensor:
    """A vector of the shape of what it multiplies."""
    found = vector if isinstance(vector, Tensor) else tensor(vector, wrt.dtype)
    if found.shape != wrt.shape:
        raise ShapeError(f"{name}: expected a vector of shape {wrt.shape}, as {wrt.label} has, got {found.shape}")
    return found
