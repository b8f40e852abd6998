"""Spec: the shape and the data type of a tensor, without its data."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import DTypeError, ShapeError

Array: TypeAlias = NDArray[Any]
Shape: TypeAlias = tuple[int, ...]
#: Found sooner than `np.ndarray`, as each operation asks for it.
ARRAY = np.ndarray

FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)
INT32 = np.dtype(np.int32)
INT64 = np.dtype(np.int64)
UINT32 = np.dtype(np.uint32)
BOOL = np.dtype(np.bool_)
#: The largest number of int64: the limit of what may be any whole number from 0 on.
LARGEST_INTEGER = 2**63 - 1


class Spec(NamedTuple):
    """Shape and dtype of a tensor: all that a shape rule may know.

    A tuple, as every operation makes, compares or looks up some, and tuples do so in C.

    Example:
        >>> spec = Spec((64, 100), np.dtype("float32"))
        >>> spec, spec.size
        (float32(64, 100), 6400)
    """

    shape: Shape
    dtype: np.dtype[Any] = FLOAT32

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def floating(self) -> bool:
        """Whether the elements are floating-point numbers, the only ones that carry a gradient."""
        return self.dtype.kind == "f"

    def __repr__(self) -> str:
        return f"{self.dtype.name}{self.shape}"


def spec_of(array: Array) -> Spec:
    """The spec of a NumPy array."""
    return Spec(array.shape, array.dtype)


def broadcast_shapes(name: str, shapes: Sequence[Shape]) -> Shape:
    """The common shape of operands, by NumPy's rule: right-aligned sizes are equal or 1.

    Raises:
        ShapeError: naming the operation, the shapes and the first axis (from the right) that does not fit.

    Example:
        >>> broadcast_shapes("add", [(64, 1), (10,)])
        (64, 10)
    """
    if all(shape == shapes[0] for shape in shapes):
        return shapes[0]
    rank = max(len(shape) for shape in shapes)
    result = [1] * rank
    for axis in range(-1, -rank - 1, -1):
        sizes = [shape[axis] for shape in shapes if len(shape) >= -axis]
        distinct = {size for size in sizes if size != 1}
        if len(distinct) > 1:
            listed = " and ".join(str(shape) for shape in shapes)
            raise ShapeError(
                f"{name}: shapes {listed} do not fit together: axis {axis} has sizes "
                f"{' and '.join(map(str, sizes))}; expected equal sizes, or 1 to be repeated"
            )
        result[axis] = distinct.pop() if distinct else 1
    return tuple(result)


def normalize_axis(name: str, axis: int, rank: int) -> int:
    """An axis counted from the left, from one counted from either end.

    Raises:
        ShapeError: when there is no such axis.
    """
    if not -rank <= axis < rank:
        raise ShapeError(
            f"{name}: there is no axis {axis} in a tensor of {rank} axes; "
            + (f"expected {-rank} to {rank - 1}" if rank else "a scalar has none")
        )
    return axis % rank


def require_floating(name: str, *specs: Spec) -> None:
    """Refuse specs that are not floating-point.

    Raises:
        DTypeError: naming the operation and the dtype that came.
    """
    for spec in specs:
        if not spec.floating:
            raise DTypeError(
                f"{name}: expected a floating-point tensor, got {spec.dtype.name}; convert it with .astype('float32')"
            )


def require_numbers(name: str, spec: Spec) -> None:
    """Refuse a spec whose elements are booleans.

    Raises:
        DTypeError: naming the operation.
    """
    if spec.dtype == BOOL:
        raise DTypeError(f"{name}: expected numbers, got bool; convert with .astype('int64')")


def require_integer(name: str, what: str, spec: Spec) -> None:
    """Refuse a spec whose elements are not integers.

    Raises:
        DTypeError: naming the operation, the input and the dtype that came.
    """
    if spec.dtype.kind not in "iu":
        raise DTypeError(f"{name}: expected integer {what}, got {spec.dtype.name}; convert with .astype('int64')")


def reduced_shape(shape: Shape, axis: tuple[int, ...], keepdims: bool) -> Shape:
    """The shape after a reduction over some axes."""
    if keepdims:
        return tuple(1 if i in axis else size for i, size in enumerate(shape))
    return tuple(size for i, size in enumerate(shape) if i not in axis)


def require_rank(name: str, what: str, spec: Spec, ranks: Callable[[int], bool], expected: str) -> None:
    """Refuse a spec with the wrong number of axes.

    Raises:
        ShapeError: naming the operation, the input, what was expected and the shape that came.
    """
    if not ranks(spec.rank):
        raise ShapeError(f"{name}: expected {what} with {expected}, got shape {spec.shape}")


def broadcast_index(index: tuple[Any, ...], shape: Shape) -> tuple[Any, ...]:
    """The index into an input of this shape for an index of the broadcast output."""
    aligned = index[len(index) - len(shape) :]
    return tuple(0 if isinstance(size, int) and size == 1 else i for i, size in zip(aligned, shape, strict=True))
