"""Arrays of the dtypes that tensors have."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from chainrule.errors import DTypeError, ShapeError, shortened
from chainrule.graph.spec import BOOL, FLOAT32, FLOAT64, INT32, INT64, LARGEST_INTEGER, UINT32, Array

DTYPES = (FLOAT32, FLOAT64, INT64, INT32, UINT32, BOOL)
#: What arrays keep unless asked otherwise; they are nearly all that comes.
KEPT = frozenset(DTYPES) - {FLOAT64}
#: Integers without a sign, by their bytes.
UNSIGNED: dict[int, np.dtype[Any]] = {4: UINT32, 8: np.dtype(np.uint64)}


def as_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """The dtype of this name.

    Raises:
        DTypeError: when there is none.
    """
    try:
        return np.dtype(dtype)
    except TypeError:
        raise DTypeError(f"dtype {shortened(dtype)} is not known; expected one of {_names()}") from None


def _names() -> str:
    return ", ".join(dtype.name for dtype in DTYPES)


def as_array(data: Any, dtype: DTypeLike | None = None) -> Array:
    """Data as an array of a dtype that tensors have; floating-point data is float32 unless asked otherwise."""
    if dtype is None and type(data) is np.ndarray and data.dtype in KEPT:
        return data
    dtype = None if dtype is None else as_dtype(dtype)
    try:
        if isinstance(data, np.ndarray) and dtype is not None and data.dtype != dtype:
            array = converted(data, dtype)
        else:
            array = np.asarray(data, dtype=dtype)
    except OverflowError as error:
        raise DTypeError(f"tensor: a number does not fit its dtype: {error}; choose a wider one") from None
    except (ValueError, TypeError) as error:
        raise ShapeError(f"tensor: expected numbers in a regular array, got data NumPy cannot read: {error}") from None
    if dtype is None and array.dtype.kind == "f":
        array = array.astype(FLOAT32)
    if dtype is None and array.dtype.kind in "iu" and array.dtype not in DTYPES:
        if array.max(initial=0) > LARGEST_INTEGER:
            raise DTypeError(f"tensor: {array.max()} is no number of int64, the widest integer dtype; use a float")
        array = array.astype(INT64)
    if array.dtype not in DTYPES:
        raise DTypeError(f"tensor: dtype {array.dtype} is not supported; expected one of {_names()}")
    return array


def converted(array: Array, dtype: DTypeLike) -> Array:
    """Numbers in another dtype, the same on every processor, which NumPy leaves open where a float becomes an integer.

    It loses its fraction then; what is beyond the dtype becomes its largest or smallest integer, and NaN 0.

    Example:
        >>> converted(np.array([2.7, -2.7, np.nan, np.inf]), "int32")
        array([         2,         -2,          0, 2147483647], dtype=int32)
    """
    array, dtype = np.asarray(array), np.dtype(dtype)
    if array.dtype.kind != "f" or dtype.kind not in "iu":
        return array.astype(dtype)
    limits = np.iinfo(dtype)
    above, below = array >= float(limits.max) + 1, array <= limits.min
    whole = np.where(above | below | np.isnan(array), 0, array).astype(dtype)
    whole[above], whole[below] = limits.max, limits.min
    return whole


def any_outside(indices: Array, limit: int) -> bool:
    """Whether any of these integers is below 0, or not below the limit.

    As a number without a sign, one below 0 is above all limits: the largest tells of both.

    Example:
        >>> any_outside(np.array([0, 2]), 3), any_outside(np.array([0, -1]), 3)
        (False, True)
    """
    if indices.dtype.kind == "i":
        limit = min(limit, 1 << 8 * indices.itemsize - 1)
    return bool(indices.size and np.maximum.reduce(indices.view(UNSIGNED[indices.itemsize]), None) >= limit)


class NumPy:
    """NumPy as `forward` gets it for its `xp`: conversions are `converted`, all else is NumPy's own."""

    astype = staticmethod(converted)

    def __getattr__(self, name: str) -> Any:
        found = getattr(np, name)
        setattr(self, name, found)  # so that it is found at once from now on
        return found


NUMPY = NumPy()
