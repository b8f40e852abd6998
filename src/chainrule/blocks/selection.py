"""What stands between brackets: x[key], and a copy of x with other elements there."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.blocks.indexing import gather
from chainrule.blocks.movement import broadcast_to, iota, reshape, transpose
from chainrule.blocks.points import GatherPoints, SetPoints
from chainrule.blocks.positions import FromStart, Position, range_message
from chainrule.blocks.slicing import Slice
from chainrule.dataclasses import dataclass
from chainrule.errors import DTypeError, IndexRangeError, ShapeError
from chainrule.graph.conversion import as_tensors, promote
from chainrule.graph.leaves import Constant
from chainrule.graph.spec import INT64, Shape, broadcast_shapes, require_integer
from chainrule.graph.tensor import TRACING, Tensor, TensorLike, operation


@dataclass(frozen=True)
class _Selection:
    """What a key selects: first every `step`-th element along each axis, in another shape; then by index tensors.

    Attributes:
        start, step, size: of the slice along each axis.
        shape: the shape of the slice, without axes of a single index and with new ones.
        points: the index tensors, by the axis of that shape.
        place: where the axes of the index tensors stand in the result.
    """

    start: tuple[int, ...]
    step: tuple[int, ...]
    size: tuple[int, ...]
    shape: Shape
    points: dict[int, Tensor]
    place: int

    def of(self, x: Tensor) -> Tensor:
        """The selected elements of a tensor."""
        whole = self.size == x.shape and all(step == 1 for step in self.step)
        sliced = reshape(x if whole else Slice.of(self.start, self.step, self.size)(x), self.shape)
        if not self.points:
            return sliced
        axes = tuple(self.points)
        order = (*axes, *(axis for axis in range(sliced.spec.rank) if axis not in axes))
        first = sliced if order == tuple(range(len(order))) else transpose(sliced, order)
        shape = broadcast_shapes("index", [points.shape for points in self.points.values()])
        positions = [broadcast_to(_position(points, axis, sliced), shape) for axis, points in self.points.items()]
        found = gather(first, *positions) if len(positions) == 1 else GatherPoints()(first, *positions)
        if self.place == 0:
            return found
        count = len(shape)
        before, after = range(count, count + self.place), range(count + self.place, found.spec.rank)
        return transpose(found, (*before, *range(count), *after))


def _is_fixed(x: Tensor) -> bool:
    """Whether the value of a tensor is there and stays the same in later runs."""
    return x.known and (isinstance(x, Constant) or not TRACING.get())


def _position(points: Tensor, axis: int, x: Tensor) -> Tensor:
    """Positions along an axis counted from its start, all of them inside."""
    size = x.shape[axis]
    if _is_fixed(points):
        value = points.numpy()
        outside = (value < -size) | (value >= size)
        if outside.any():
            raise IndexRangeError(range_message(value[outside].flat[0], axis, size))
        return as_tensors([np.where(value < 0, value + size, value)])[0] if (value < 0).any() else points
    if points.dtype.kind == "i":
        points = FromStart.of(axis)(points, x)
    return Position.of(axis)(points, x)


def _read(x: Tensor, key: Any) -> _Selection:
    """What a key selects of a tensor."""
    keys = [part for each in (key if isinstance(key, tuple) else (key,)) for part in _parts(each)]
    taken = builtins.sum(k is not None and k is not Ellipsis for k in keys)
    if taken > x.spec.rank:
        raise ShapeError(f"index: {taken} indices for a tensor of shape {x.shape}, which has {x.spec.rank} axes")
    if not any(k is Ellipsis for k in keys):
        keys.append(Ellipsis)
    dots = next(i for i, k in enumerate(keys) if k is Ellipsis)
    keys[dots : dots + 1] = [slice(None)] * (x.spec.rank - taken)
    if any(k is Ellipsis for k in keys):
        raise ShapeError("index: ... stands twice; expected it once")
    start: list[int] = []
    step: list[int] = []
    size: list[int] = []
    shape: list[int] = []
    points: dict[int, Tensor] = {}
    for k in keys:
        axis = len(start)
        if k is None:
            shape.append(1)
        elif isinstance(k, slice):
            places = range(*k.indices(x.shape[axis]))
            start.append(places.start if len(places) else 0)
            step.append(places.step)
            size.append(len(places))
            shape.append(len(places))
        elif isinstance(k, Tensor | _Mask):
            if isinstance(k, _Mask):
                k.check(x.shape, axis)
                k = k.positions
            points[len(shape)] = k
            start.append(0)
            step.append(1)
            size.append(x.shape[axis])
            shape.append(x.shape[axis])
        elif isinstance(k, int | np.integer) and not isinstance(k, bool):
            if not -x.shape[axis] <= k < x.shape[axis]:
                raise IndexRangeError(f"index: {k} is out of range for axis {axis} of shape {x.shape}")
            start.append(int(k) % x.shape[axis])
            step.append(1)
            size.append(1)
        else:
            raise DTypeError(f"index: expected integers, slices, ..., None or integer tensors, got {k!r}")
    return _Selection(tuple(start), tuple(step), tuple(size), tuple(shape), points, _place(keys))


def _place(keys: Sequence[Any]) -> int:
    """Where the axes of index tensors stand: where they were if they were side by side, else first, as in NumPy."""
    indexed = [i for i, k in enumerate(keys) if k is not None and not isinstance(k, slice)]
    together = indexed == list(range(indexed[0], indexed[-1] + 1)) if indexed else True
    return indexed[0] if indexed and together else 0


@dataclass(frozen=True, eq=False)
class _Mask:
    """The positions along one axis of the places where a mask is true."""

    mask: Shape
    axis: int
    positions: Tensor

    def check(self, shape: Shape, axis: int) -> None:
        """Refuse a mask of another size than the axis of the tensor."""
        if self.mask[self.axis] != shape[axis]:
            raise ShapeError(
                f"index: a mask of shape {self.mask} does not fit a tensor of shape {shape}: axis {axis} has size "
                f"{shape[axis]}, expected {self.mask[self.axis]}"
            )


def _parts(key: Any) -> list[Any]:
    """A part of a key, with index tensors as tensors, and a mask as one index tensor for each of its axes."""
    if not isinstance(key, Tensor | np.ndarray | list):
        return [key]
    if isinstance(key, list) and not key:
        key = np.zeros(0, np.int64)
    (held,) = as_tensors([key])
    if held.dtype.kind != "b":
        require_integer("index", "indices", held.spec)
        return [held]
    if not _is_fixed(held):
        raise DTypeError(
            "index: a boolean mask would give a shape that depends on data, and a traced function has shapes before "
            "it has data; choose values with where, or index eagerly, or give the positions, such as "
            "numpy.flatnonzero(mask)"
        )
    if not held.shape:
        raise ShapeError("index: a mask of a single truth value has no axis; use where")
    positions = as_tensors(np.nonzero(held.numpy()))
    return [_Mask(held.shape, axis, each) for axis, each in enumerate(positions)]


@operation
def index(x: TensorLike, key: Any) -> Tensor:
    """y = x[key], as in NumPy: by integers, slices, `...`, None, integer tensors and boolean masks.

    Several integer tensors are broadcast against each other and select one point each: x[i, j]. Negative indices count
    from the end. The gradient of x[i] for one integer tensor along the first axis is row-sparse.

    Gradient: added up at the places that were read.
    PyTorch: torch.Tensor.__getitem__. NumPy: numpy.ndarray.__getitem__.

    Raises:
        IndexRangeError: for an index out of range.
        ShapeError: for too many indices, or a mask that does not fit.
        DTypeError: for anything else between the brackets, and for a mask without a value in a traced function, as
            the shape of the result would depend on data.

    Example:
        >>> import chainrule
        >>> x = chainrule.tensor([[1, 2, 3], [4, 5, 6]])
        >>> x[:, -1].value, x[[0, 1], [2, 0]].value, x[chainrule.greater(x, 4)].value
        (array([3, 6]), array([3, 4]), array([5, 6]))
    """
    (x,) = as_tensors([x])
    return _read(x, key).of(x)


@operation
def update_at(x: TensorLike, key: Any, value: TensorLike) -> Tensor:
    """y = a copy of x in which y[key] is the value, broadcast; of several values for one element, the last stays.

    Gradient: for x that of all other elements, for the value that of its own.
    PyTorch: torch.index_put. NumPy: numpy.ndarray.__setitem__.

    Args:
        x: any shape.
        key: what may stand between brackets; see `index`.
        value: numbers that are broadcast to the shape of x[key].

    Raises:
        IndexRangeError: see `index`.
        ShapeError: see `index`; also for a value that does not fit.
        DTypeError: see `index`.

    Example:
        >>> import chainrule
        >>> chainrule.update_at([1.0, 2.0, 3.0], [0, -1], 9).value
        array([9., 2., 9.], dtype=float32)
    """
    x, value = promote("update_at", [x, value])
    places = _read(x, key).of(reshape(iota(x.spec.size).astype(INT64), x.shape))
    if broadcast_shapes("update_at", [value.shape, places.shape]) != places.shape:
        raise ShapeError(f"update_at: a value of shape {value.shape} does not fit x[key] of shape {places.shape}")
    values = reshape(broadcast_to(value, places.shape), places.spec.size)
    flat = SetPoints()(reshape(x, x.spec.size), reshape(places, places.spec.size), values)
    return reshape(flat, x.shape)
