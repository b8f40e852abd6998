"""From Python data to tensors: dtypes, arrays, and the common dtype of several inputs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from chainrule.errors import DTypeError
from chainrule.graph.array import DTYPES, KEPT, as_array
from chainrule.graph.leaves import Constant
from chainrule.graph.spec import ARRAY, FLOAT32, Array, Spec, spec_of
from chainrule.graph.tensor import OPERATIONS, Tensor, TensorLike

#: The specs of single numbers.
NUMBERS = {dtype: Spec((), dtype) for dtype in DTYPES}


def number(x: float, dtype: np.dtype[Any]) -> Tensor:
    """A Python number, as it meets floating-point tensors of a dtype."""
    if not x:  # 0.0 and -0.0 are one key
        return Constant(NUMBERS[dtype], np.asarray(x, dtype))
    spec, array = _number(x, dtype)
    return Constant(spec, array)


def with_numbers(inputs: Sequence[TensorLike], dtype: np.dtype[Any]) -> tuple[Tensor, ...]:
    """Tensors and Python numbers, these as tensors of a floating-point dtype."""
    if len(inputs) == 2:  # written out, as a list of two takes as long again
        a, b = inputs
        return (
            a if isinstance(a, Tensor) else number(a, dtype),  # type: ignore[arg-type]
            b if isinstance(b, Tensor) else number(b, dtype),  # type: ignore[arg-type]
        )
    return tuple([x if isinstance(x, Tensor) else number(x, dtype) for x in inputs])  # type: ignore[arg-type]


@lru_cache(maxsize=1024, typed=True)  # equations are full of the same few numbers
def _number(x: float, dtype: np.dtype[Any]) -> tuple[Spec, Array]:
    if type(x) is int:
        as_array(x)  # which refuses one that is too large for any integer dtype
    array = np.asarray(x, dtype)
    array.flags.writeable = False
    return NUMBERS[dtype], array


def tensor(data: TensorLike, dtype: DTypeLike | None = None, *, name: str | None = None) -> Tensor:
    """A tensor that holds data: a number, nested lists or a NumPy array.

    Floating-point data becomes float32 unless `dtype` asks for float64; integers stay integers.
    Only floating-point tensors carry a gradient.

    Args:
        data: the numbers. Arrays and values of other tensors are copied, so that who writes into them changes no graph.
        dtype: float32, float64, int32, int64, uint32 or bool.
        name: a label for messages and drawings.

    Raises:
        ShapeError: for data that is not a regular array of numbers.
        DTypeError: for a dtype that is not supported.

    Example:
        >>> tensor([[1, 2], [3, 4]], dtype="float64").dtype
        dtype('float64')
    """
    if isinstance(data, Tensor):
        data, dtype = data.numpy(), dtype or data.dtype
    array = _copied(data, as_array(data, dtype))
    return Tensor(spec_of(array), array, name=name)


def as_tensors(inputs: Sequence[TensorLike]) -> tuple[Tensor, ...]:
    """The inputs as tensors, each with its own dtype; data becomes constants."""
    for x in inputs:
        if not isinstance(x, Tensor):
            return tuple([x if isinstance(x, Tensor) else _constant(x, as_array(x)) for x in inputs])
    return tuple(inputs)  # type: ignore[arg-type]


def promote(name: str, inputs: Sequence[TensorLike], *, floating: bool = False) -> tuple[Tensor, ...]:
    """The inputs as tensors of one common dtype.

    Numbers and arrays take the dtype of the tensors they meet; integers and booleans meet a floating-point
    tensor as its dtype. float32 and float64 tensors do not mix: a float64 that slips in would silently
    double the cost of everything after it.

    Args:
        name: the operation, for messages.
        inputs: tensors and data.
        floating: make integers floating-point (for operations such as exp).

    Raises:
        DTypeError: for tensors of float32 and float64 together, and for a Python number that the dtype of the integer
            tensors does not hold.
    """
    common: np.dtype[Any] | None = None
    for x in inputs:
        if isinstance(x, Tensor):
            dtype = x.spec.dtype
        elif type(x) is ARRAY and x.dtype in KEPT:
            dtype = x.dtype
        else:
            break
        if common is not None and dtype is not common:
            break
        common = dtype
    else:
        if common is not None and (common.kind == "f" or not floating):
            return as_tensors(inputs)  # nearly always: tensors and arrays of one dtype
    # Of these, only dtypes matter; a number that is too large for float32 may be right for a float64 tensor.
    arrays = [x if isinstance(x, Tensor) else as_array(0.0 if isinstance(x, float) else x) for x in inputs]
    kinds = {x.dtype for x in arrays if isinstance(x, Tensor) and x.dtype.kind == "f"}
    if len(kinds) > 1:
        raise DTypeError(f"{name}: float32 and float64 tensors do not mix; convert one with .astype(...)")
    if kinds:
        dtype = kinds.pop()
    elif floating or any(x.dtype.kind == "f" for x in arrays):
        dtype = FLOAT32
    else:
        held = [x.dtype for x in arrays if isinstance(x, Tensor)]
        written = [x for x in inputs if not isinstance(x, Tensor)]
        # A Python integer takes the dtype of the integer tensors it meets (uint32 stays uint32).
        weak = all(isinstance(x, int) and not isinstance(x, bool) for x in written) and any(
            d.kind in "iu" for d in held
        )
        dtype = np.result_type(*(held if weak else [x.dtype for x in arrays]))
        if dtype not in DTYPES:
            raise DTypeError(
                f"{name}: {' and '.join(d.name for d in held)} tensors do not mix; convert one with .astype(...)"
            )
    return tuple(_with_dtype(name, x, raw, dtype) for x, raw in zip(arrays, inputs, strict=True))


def _with_dtype(name: str, x: Tensor | Array, raw: TensorLike, dtype: np.dtype[Any]) -> Tensor:
    if isinstance(x, Tensor):
        return x if x.dtype == dtype else OPERATIONS["cast"](x, dtype)
    try:
        return _constant(raw, np.asarray(raw, dtype=dtype))
    except OverflowError:
        raise DTypeError(
            f"{name}: {raw} is no number of the {dtype.name} tensor beside it; convert that with .astype('int64')"
        ) from None


def _constant(raw: TensorLike, array: Array) -> Tensor:
    constant = Constant(spec_of(array), _copied(raw, array))
    if isinstance(raw, np.ndarray):
        constant.source = raw
    return constant


def _copied(raw: TensorLike, array: Array) -> Array:
    """The array that data became, in memory that nobody else writes into."""
    shared = array is raw or (isinstance(raw, np.ndarray) and np.may_share_memory(raw, array))
    return array.copy() if shared else array
