"""Tensors made from nothing but a shape: filled with one number, or with numbers in even steps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from chainrule.blocks.casting import cast
from chainrule.blocks.movement import broadcast_to, iota
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.graph.array import as_array
from chainrule.graph.leaves import Constant
from chainrule.graph.spec import FLOAT32, FLOAT64, INT64, Shape, spec_of
from chainrule.graph.tensor import Tensor, operation


@operation
def full(shape: int | Sequence[int], value: float | bool, dtype: DTypeLike | None = None) -> Tensor:
    """y = one number everywhere.

    Gradient: none.
    PyTorch: torch.full. NumPy: numpy.full.

    Args:
        shape: the sizes, or one size.
        value: the number.
        dtype: by default float32, for an integer int64, for a truth value bool.

    Raises:
        ShapeError: for a size below 0, or a value that is no single number.
        DTypeError: for a dtype that is not supported.

    Example:
        >>> import chainrule
        >>> chainrule.full((2, 2), 7).value.tolist()
        [[7, 7], [7, 7]]
    """
    number = as_array(value, dtype)
    if number.shape:
        raise ShapeError(f"full: expected one number, got an array of shape {number.shape}; use broadcast_to")
    return broadcast_to(Constant(spec_of(number), number), _shape("full", shape))


@operation
def zeros(shape: int | Sequence[int], dtype: DTypeLike = FLOAT32) -> Tensor:
    """y = 0 everywhere.

    Gradient: none.
    PyTorch: torch.zeros. NumPy: numpy.zeros.

    Args:
        shape: the sizes, or one size.
        dtype: float32 unless asked otherwise.

    Raises:
        ShapeError: for a size below 0.
        DTypeError: for a dtype that is not supported.

    Example:
        >>> import chainrule
        >>> chainrule.zeros(3).value
        array([0., 0., 0.], dtype=float32)
    """
    return full(_shape("zeros", shape), 0, dtype)


@operation
def ones(shape: int | Sequence[int], dtype: DTypeLike = FLOAT32) -> Tensor:
    """y = 1 everywhere.

    Gradient: none.
    PyTorch: torch.ones. NumPy: numpy.ones.

    Args:
        shape: the sizes, or one size.
        dtype: float32 unless asked otherwise.

    Raises:
        ShapeError: for a size below 0.
        DTypeError: for a dtype that is not supported.

    Example:
        >>> import chainrule
        >>> chainrule.ones(3).value
        array([1., 1., 1.], dtype=float32)
    """
    return full(_shape("ones", shape), 1, dtype)


def _shape(name: str, shape: int | Sequence[int]) -> Shape:
    sizes = (int(shape),) if isinstance(shape, int | np.integer) else tuple(int(size) for size in shape)
    if any(size < 0 for size in sizes):
        raise ShapeError(f"{name}: expected sizes of 0 or more, got {sizes}")
    return sizes


@operation
def arange(start: float, stop: float | None = None, step: float = 1, dtype: DTypeLike | None = None) -> Tensor:
    """y[i] = start + i step, up to stop, which is left out; of one number n it is 0, 1, ... n - 1.

    Gradient: none.
    PyTorch: torch.arange. NumPy: numpy.arange.

    Args:
        start: the first number; the end, where only one number is given.
        stop: the end.
        step: from each number to the next; below 0 for numbers that fall.
        dtype: by default int64 where all three are integers, else float32.

    Raises:
        ConfigurationError: for a step of 0, or a number that is not finite.
        DTypeError: for a dtype that is not supported.

    Example:
        >>> import chainrule
        >>> chainrule.arange(3).value, chainrule.arange(0, 1, 0.25).value
        (array([0, 1, 2]), array([0.  , 0.25, 0.5 , 0.75], dtype=float32))
    """
    if stop is None:
        start, stop = 0, start
    if not all(math.isfinite(x) for x in (start, stop, step)) or step == 0:
        raise ConfigurationError(
            f"arange: expected finite numbers and a step other than 0, got {start}, {stop}, {step}"
        )
    places = iota(max(0, math.ceil((stop - start) / step)))
    whole = all(isinstance(x, int | np.integer) for x in (start, stop, step))
    numbers = places.astype(INT64 if whole else FLOAT64) * step + start
    return cast(numbers, (INT64 if whole else FLOAT32) if dtype is None else dtype)
