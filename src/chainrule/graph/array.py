"""Arrays of the dtypes that tensors have."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from chainrule.errors import DTypeError, ShapeError, shortened
from chainrule.graph.spec import BOOL, FLOAT32, FLOAT64, INT32, INT64, UINT32, Array

DTYPES = (FLOAT32, FLOAT64, INT64, INT32, UINT32, BOOL)


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
    dtype = None if dtype is None else as_dtype(dtype)
    try:
        array = np.asarray(data, dtype=dtype)
    except (ValueError, TypeError) as error:
        raise ShapeError(f"tensor: expected numbers in a regular array, got data NumPy cannot read: {error}") from None
    if dtype is None and array.dtype.kind == "f":
        array = array.astype(FLOAT32)
    if dtype is None and array.dtype.kind in "iu" and array.dtype not in DTYPES:
        array = array.astype(INT64)
    if array.dtype not in DTYPES:
        raise DTypeError(f"tensor: dtype {array.dtype} is not supported; expected one of {_names()}")
    return array
