"""The gradient checker: reverse-mode gradients against central differences in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.errors import GradientError
from chainrule.graph.autodiff import grad
from chainrule.graph.conversion import tensor
from chainrule.graph.spec import FLOAT64, Array
from chainrule.graph.tensor import Tensor

Function = Callable[..., Tensor]
EPSILON = float(np.finfo(FLOAT64).eps)
#: Second derivatives of larger inputs are compared along so many directions, and not element by element.
DIRECTIONS = 4


def numerical_gradient(function: Function, inputs: Sequence[Array], position: int, vector: Array) -> Array:
    """vᵀ ∂f/∂x by central differences: (f(x + h) - f(x - h)) / 2h, one element at a time.

    Args:
        function: takes tensors, returns one.
        inputs: arrays for the tensors; floating-point ones in float64.
        position: which input to differentiate with respect to.
        vector: v, of the shape of the output.

    Example:
        >>> import numpy as np
        >>> numerical_gradient(lambda x: x * x, [np.array(3.0)], 0, np.array(1.0)).round(6).item()
        6.0
    """
    return _differences(function, inputs, position, vector)[0]


def _differences(function: Function, inputs: Sequence[Array], position: int, vector: Array) -> tuple[Array, Array]:
    """vᵀ ∂f/∂x by central differences, and how far the rounding of f may have moved each element of it.

    The step is a millionth of the element, or of a tenth of the largest element where that is more.
    """
    x = np.array(inputs[position], dtype=FLOAT64)
    result, rounding = np.zeros_like(x), np.zeros_like(x)
    largest = float(np.abs(x).max(initial=0.0))
    for place in np.ndindex(x.shape):
        step = 1e-6 * (max(abs(float(x[place])), largest / 10) or 1.0)
        sides = []
        for sign in (1, -1):
            moved = x.copy()
            moved[place] += sign * step
            given = [moved if i == position else array for i, array in enumerate(inputs)]
            sides.append(function(*map(_leaf, given)).numpy().astype(FLOAT64) * vector)
        result[place] = (sides[0].sum() - sides[1].sum()) / (2 * step)
        rounding[place] = 4 * EPSILON * np.abs(sides).sum() / (2 * step)
    return result, rounding


def check_gradient(function: Function, *inputs: Any, second: bool = True, tolerance: float = 1e-6) -> None:
    """Check a function's gradient, and the gradient of its gradient, against central differences in float64.

    Every floating-point input is checked, along a fixed vector over the output.

    Args:
        function: takes tensors, returns one.
        inputs: numbers or arrays; floating-point ones are taken in float64, and differentiated.
        second: check second derivatives too.
        tolerance: the error allowed, relative to the gradient's largest element. What differences lose because the
            function's value is rounded is allowed beside it.

    Raises:
        GradientError: naming the input, the element, and what autodiff and differences give there.

    Example:
        >>> import chainrule
        >>> check_gradient(lambda x: chainrule.exp(x) * x, [0.5, -1.0])
    """
    arrays = [np.array(x, dtype=FLOAT64) if np.asarray(x).dtype.kind == "f" else np.asarray(x) for x in inputs]
    leaves = [_leaf(x) for x in arrays]
    output = function(*leaves)
    vector = _vector(output.shape)
    wanted = [i for i, x in enumerate(arrays) if x.dtype.kind == "f"]
    found = grad(output, [leaves[i] for i in wanted], vector)
    for i, gradient in zip(wanted, found, strict=True):
        expected = _differences(function, arrays, i, vector)
        _compare(f"gradient with respect to input {i}", gradient.numpy(), *expected, tolerance)
    if second:
        for i in wanted:
            _check_second(function, arrays, i, vector, tolerance)


def _check_second(function: Function, arrays: Sequence[Array], position: int, vector: Array, tolerance: float) -> None:
    def first(*tensors: Tensor) -> Tensor:
        return grad(function(*tensors), tensors[position], vector)

    leaves = [_leaf(x) for x in arrays]
    gradient = first(*leaves)
    weights = _vector(gradient.shape)
    for i, x in enumerate(arrays):
        if x.dtype.kind != "f":
            continue
        try:
            found = grad(gradient, leaves[i], weights).numpy()
        except GradientError:  # the gradient does not depend on the input, so its derivative is zero
            found = np.zeros_like(x)
        what = f"second derivative with respect to inputs {position} and {i}"
        if x.size <= DIRECTIONS:
            _compare(what, found, *_differences(first, arrays, i, weights), 10 * tolerance)
        else:
            _compare_along(what, found, first, arrays, i, weights, 10 * tolerance)


def _compare_along(
    what: str, found: Array, function: Function, arrays: Sequence[Array], position: int, vector: Array, tolerance: float
) -> None:
    """Compare along `DIRECTIONS` directions, along which one element that is wrong shows, too: it takes less time."""
    x = arrays[position]
    steps = 1e-6 * (np.maximum(np.abs(x), np.abs(x).max() / 10) if x.any() else np.ones_like(x))
    for number in range(DIRECTIONS):
        direction = steps * _vector(x.shape, number)
        sides = [
            function(*map(_leaf, [x + sign * direction if i == position else y for i, y in enumerate(arrays)])).numpy()
            for sign in (1, -1)
        ]
        sides = [side.astype(FLOAT64) * vector for side in sides]
        expected = (sides[0].sum() - sides[1].sum()) / 2
        slope = float((found * direction).sum())
        allowed = tolerance * float(np.abs(found * direction).sum()) + 2 * EPSILON * np.abs(sides).sum()
        if not abs(slope - expected) <= allowed:
            raise GradientError(
                f"{what}: along direction {number} autodiff gives {slope:.9g}, central differences {expected:.9g}; "
                f"allowed error {allowed:.1g}"
            )


def _leaf(array: Array) -> Tensor:
    return tensor(array, dtype=array.dtype)


def _vector(shape: tuple[int, ...], number: int = 0) -> Array:
    """A fixed vector whose elements have no symmetry, so that errors do not cancel; another one for each number."""
    return np.cos(np.arange(int(np.prod(shape)), dtype=FLOAT64) * (1.7 + number) + 0.4).reshape(shape)


def _compare(what: str, found: Array, expected: Array, rounding: Array, tolerance: float) -> None:
    if found.shape != expected.shape:
        raise GradientError(f"{what}: expected shape {expected.shape}, got {found.shape}")
    error = np.abs(found - expected)
    allowed = tolerance * float(np.abs(expected).max(initial=0.0)) + rounding
    if not (error <= allowed).all():
        place = np.unravel_index(np.argmax(np.where(np.isnan(error), np.inf, error - allowed)), error.shape)
        raise GradientError(
            f"{what}: at {tuple(map(int, place))} autodiff gives {found[place]:.9g}, "
            f"central differences {expected[place]:.9g}; allowed error {allowed[place]:.1g}"
        )
