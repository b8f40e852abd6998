"""Movements: the same elements in another place. Each declares the index map a generated loop reads through."""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.errors import DTypeError, IndexRangeError, ShapeError
from chainrule.graph.block import (
    Contributions,
    Element,
    Index,
    Movement,
    Samples,
    broadcast_index,
    real,
    sample,
)
from chainrule.graph.spec import UINT32, Shape, Spec, broadcast_shapes, normalize_axis
from chainrule.graph.tensor import OPERATIONS, Tensor, TensorLike, as_tensors, operation, promote


def _is_one(size: Any) -> bool:
    return isinstance(size, int) and size == 1


@dataclass(frozen=True, repr=False)
class Reshape(Movement):
    """y = the elements of x, in the same order, in another shape of the same size."""

    shape: Shape
    #: Whether only axes of size 1 come and go, so that an index is found without a division.
    aligned: bool = False

    def infer(self, x: Spec) -> Spec:
        if math.prod(self.shape) != x.size:
            raise ShapeError(
                f"reshape: shape {x.shape} has {x.size} elements, and {self.shape} {math.prod(self.shape)}"
            )
        return Spec(self.shape, x.dtype)

    def forward(self, xp: Any, x: Any) -> Any:
        return xp.reshape(x, self.shape)

    def element(self, xp: Any, index: Index, shape: Shape, x: Element) -> Any:
        if self.aligned:
            rest = iter([i for i, size in zip(index, shape, strict=True) if not _is_one(size)])
            return x(tuple(0 if _is_one(size) else next(rest) for size in x.shape))
        position = 0
        for i, size in zip(index, shape, strict=True):
            position = position * size + i
        long = [axis for axis, size in enumerate(x.shape) if not (isinstance(size, int) and size == 1)]
        source: list[Any] = [0] * len(x.shape)
        for axis in reversed(long[1:]):
            source[axis], position = position % x.shape[axis], position // x.shape[axis]
        if long:
            source[long[0]] = position  # what is left; most often there is one such axis, and no division then
        return x(tuple(source))

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (reshape(gradient, x.shape),)

    def __repr__(self) -> str:
        return f"reshape(shape={self.shape})"

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls((3, 4)), real(2, 6)),
            sample(cls(()), real(1, 1)),
            sample(cls((0, 5)), real(3, 0)),
            sample(cls((2, 1, 3), True), real(1, 2, 3)),
            sample(cls((1,), True), real(1, 1)),
        )


@dataclass(frozen=True, repr=False)
class Transpose(Movement):
    """y = x with its axes in another order: axis i of y is axis `axes[i]` of x."""

    axes: tuple[int, ...]

    def infer(self, x: Spec) -> Spec:
        if sorted(self.axes) != list(range(x.rank)):
            raise ShapeError(f"transpose: axes {self.axes} are not an order of the {x.rank} axes of shape {x.shape}")
        return Spec(tuple(x.shape[i] for i in self.axes), x.dtype)

    def forward(self, xp: Any, x: Any) -> Any:
        return xp.transpose(x, self.axes)

    def element(self, xp: Any, index: Index, shape: Shape, x: Element) -> Any:
        return x(tuple(index[self.axes.index(i)] for i in range(len(self.axes))))

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (transpose(gradient, tuple(self.axes.index(i) for i in range(len(self.axes)))),)

    @classmethod
    def samples(cls) -> Samples:
        return sample(cls((1, 0)), real(2, 3)), sample(cls((2, 0, 1)), real(2, 3, 4))


@dataclass(frozen=True, repr=False)
class Broadcast(Movement):
    """y = x repeated along new axes on the left, and along its axes of size 1."""

    shape: Shape

    def infer(self, x: Spec) -> Spec:
        if broadcast_shapes("broadcast_to", [x.shape, self.shape]) != self.shape:
            raise ShapeError(f"broadcast_to: shape {x.shape} cannot be repeated to {self.shape}")
        return Spec(self.shape, x.dtype)

    def forward(self, xp: Any, x: Any) -> Any:
        return xp.broadcast_to(x, self.shape)

    def element(self, xp: Any, index: Index, shape: Shape, x: Element) -> Any:
        return x(broadcast_index(index, x.shape))

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (gradient,)

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls((2, 3)), real(3)),
            sample(cls((4, 2, 3)), real(2, 1)),
            sample(cls((2, 0)), real(2, 1)),
        )


@dataclass(frozen=True, repr=False)
class Slice(Movement):
    """y = every `step`-th element of x from `start`, along each axis; `size` elements of it."""

    start: tuple[int, ...]
    step: tuple[int, ...]
    size: tuple[int, ...]

    def infer(self, x: Spec) -> Spec:
        if x.rank != len(self.size):
            raise ShapeError(f"slice: shape {x.shape} has {x.rank} axes; expected {len(self.size)}")
        for axis, (start, step, size, whole) in enumerate(zip(self.start, self.step, self.size, x.shape, strict=True)):
            if size and not (0 <= start < whole and 0 <= start + step * (size - 1) < whole):
                raise ShapeError(f"slice: axis {axis} of shape {x.shape} is too short")
        return Spec(self.size, x.dtype)

    def forward(self, xp: Any, x: Any) -> Any:
        return x[self.region()]

    def region(self) -> tuple[slice, ...]:
        """The slices that select the elements."""
        ends = [a + s * n for a, s, n in zip(self.start, self.step, self.size, strict=True)]
        return tuple(
            slice(a, end if end >= 0 else None, s) if n else slice(0, 0)
            for a, end, s, n in zip(self.start, ends, self.step, self.size, strict=True)
        )

    def element(self, xp: Any, index: Index, shape: Shape, x: Element) -> Any:
        return x(tuple(a + s * i for a, s, i in zip(self.start, self.step, index, strict=True)))

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (Unslice(self.start, self.step, x.shape)(gradient),)

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls((1, 0), (1, 2), (2, 2)), real(4, 3)),
            sample(cls((3, 2), (-1, -2), (4, 2)), real(4, 3)),
            sample(cls((0,), (1,), (0,)), real(3)),
        )


@dataclass(frozen=True, repr=False)
class Unslice(Movement):
    """y = zeros of a shape, with x at every `step`-th place from `start`: the transpose of `Slice`."""

    start: tuple[int, ...]
    step: tuple[int, ...]
    shape: Shape

    def infer(self, x: Spec) -> Spec:
        if x.rank != len(self.shape):
            raise ShapeError(f"unslice: shape {x.shape} has {x.rank} axes; expected {len(self.shape)}")
        for axis, (start, step, size, whole) in enumerate(zip(self.start, self.step, x.shape, self.shape, strict=True)):
            if size and not 0 <= start + step * (size - 1) < whole:
                raise ShapeError(f"unslice: axis {axis} of shape {x.shape} does not fit into shape {self.shape}")
        return Spec(self.shape, x.dtype)

    def forward(self, xp: Any, x: Any) -> Any:
        y = xp.zeros(self.shape, x.dtype)
        y[Slice(self.start, self.step, x.shape).region()] = x
        return y

    def element(self, xp: Any, index: Index, shape: Shape, x: Element) -> Any:
        source, inside = [], True
        for i, start, step, size in zip(index, self.start, self.step, x.shape, strict=True):
            offset = (i - start) * (1 if step > 0 else -1)
            place = offset // abs(step)
            inside = inside & (offset >= 0) & (offset % abs(step) == 0) & (place < size)
            source.append(xp.minimum(xp.maximum(place, 0), xp.maximum(size - 1, 0)))
        return xp.where(inside, x(tuple(source)), 0)

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (Slice(self.start, self.step, x.shape)(gradient),)

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls((1, 0), (1, 2), (4, 3)), real(2, 2)),
            sample(cls((3, 2), (-1, -2), (4, 3)), real(4, 2)),
        )


@dataclass(frozen=True, repr=False)
class Concatenate(Movement):
    """y = the inputs one after another along an axis."""

    axis: int

    def prepare(self, inputs: Sequence[TensorLike]) -> tuple[Tensor, ...]:
        return promote(self.name, inputs)

    def infer(self, *specs: Spec) -> Spec:
        first = specs[0].shape
        for spec in specs:
            rest = spec.shape[: self.axis] + spec.shape[self.axis + 1 :]
            if rest != first[: self.axis] + first[self.axis + 1 :] or spec.rank != len(first):
                listed = ", ".join(str(s.shape) for s in specs)
                raise ShapeError(f"concatenate: shapes {listed} differ on an axis other than {self.axis}")
        total = builtins.sum(spec.shape[self.axis] for spec in specs)
        return Spec((*first[: self.axis], total, *first[self.axis + 1 :]), specs[0].dtype)

    def forward(self, xp: Any, *inputs: Any) -> Any:
        return xp.concatenate(inputs, axis=self.axis)

    def element(self, xp: Any, index: Index, shape: Shape, *inputs: Element) -> Any:
        result, start = None, 0
        for x in inputs:
            if isinstance(x.shape[self.axis], int) and x.shape[self.axis] == 0:
                continue
            place = index[self.axis] - start
            held = xp.minimum(xp.maximum(place, 0), x.shape[self.axis] - 1)
            value = x((*index[: self.axis], held, *index[self.axis + 1 :]))
            result = value if result is None else xp.where(place >= 0, value, result)
            start = start + x.shape[self.axis]
        return result

    def backward(self, gradient: Tensor, output: Tensor, *inputs: Tensor) -> Contributions:
        parts, start = [], 0
        for x in inputs:
            starts = [0] * x.spec.rank
            starts[self.axis] = start
            parts.append(Slice(tuple(starts), (1,) * x.spec.rank, x.shape)(gradient))
            start += x.shape[self.axis]
        return parts

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls(0), real(2, 3), real(1, 3), real(3, 3, low=0, high=1)),
            sample(cls(1), real(2, 3), real(2, 0), real(2, 2, low=0, high=1)),
        )


@dataclass(frozen=True, repr=False)
class Iota(Movement):
    """y = 0, 1, 2, ... (uint32), counted through a whole shape in row order."""

    differentiable = False
    shape: Shape

    def infer(self) -> Spec:
        return Spec(self.shape, UINT32)

    def forward(self, xp: Any) -> Any:
        return xp.reshape(xp.arange(math.prod(self.shape), dtype=UINT32), self.shape)

    def element(self, xp: Any, index: Index, shape: Shape) -> Any:
        position = 0
        for i, size in zip(index, shape, strict=True):
            position = position * size + i
        return position

    def backward(self, gradient: Tensor, output: Tensor) -> Contributions:
        return ()

    @classmethod
    def samples(cls) -> Samples:
        return sample(cls((2, 3))), sample(cls(()))


@operation
def reshape(x: TensorLike, shape: int | Sequence[int]) -> Tensor:
    """The same elements in the same (row) order, in another shape; one size may be -1, for what remains.

    Raises:
        ShapeError: when the sizes do not multiply to the number of elements.

    Example:
        >>> import chainrule
        >>> chainrule.reshape([1, 2, 3, 4], (2, -1)).value.tolist()
        [[1, 2], [3, 4]]
    """
    (x,) = as_tensors([x])
    sizes = [shape] if isinstance(shape, int) else [int(n) for n in shape]
    if sizes.count(-1) == 1:
        known = -math.prod(sizes)
        if known <= 0 or x.spec.size % known:
            raise ShapeError(f"reshape: shape {x.shape} has {x.spec.size} elements, which {tuple(sizes)} cannot hold")
        sizes[sizes.index(-1)] = x.spec.size // known
    if any(n < 0 for n in sizes):
        raise ShapeError(f"reshape: expected sizes of 0 or more and at most one -1, got {tuple(sizes)}")
    if tuple(sizes) == x.shape:
        return x
    aligned = [n for n in sizes if n != 1] == [n for n in x.shape if n != 1]
    return Reshape(tuple(sizes), aligned)(x)


@operation
def transpose(x: TensorLike, axes: Sequence[int] | None = None) -> Tensor:
    """The tensor with its axes in another order, reversed unless given.

    Args:
        x: any shape.
        axes: axis i of the result is axis `axes[i]` of x.

    Raises:
        ShapeError: when the axes are not an order of x's axes.

    Example:
        >>> import chainrule
        >>> chainrule.transpose([[1, 2], [3, 4]]).value.tolist()
        [[1, 3], [2, 4]]
    """
    (x,) = as_tensors([x])
    rank = x.spec.rank
    order = reversed(range(rank)) if axes is None else [normalize_axis("transpose", i, rank) for i in axes]
    return Transpose(tuple(order))(x)


@operation
def broadcast_to(x: TensorLike, shape: Sequence[int]) -> Tensor:
    """The tensor repeated to a shape, by the broadcasting rule.

    Raises:
        ShapeError: when the shapes do not fit.

    Example:
        >>> import chainrule
        >>> chainrule.broadcast_to([1, 2], (2, 2)).value.tolist()
        [[1, 2], [1, 2]]
    """
    (x,) = as_tensors([x])
    return x if tuple(shape) == x.shape else Broadcast(tuple(shape))(x)


@operation
def concatenate(tensors: Sequence[TensorLike], axis: int = 0) -> Tensor:
    """The tensors one after another along an axis.

    Raises:
        ShapeError: when there is none, or they differ on another axis.

    Example:
        >>> import chainrule
        >>> chainrule.concatenate([[1, 2], [3]]).value
        array([1, 2, 3])
    """
    if not tensors:
        raise ShapeError("concatenate: expected at least one tensor, got none")
    held = promote("concatenate", list(tensors))
    return Concatenate(normalize_axis("concatenate", axis, held[0].spec.rank))(*held)


@operation
def stack(tensors: Sequence[TensorLike], axis: int = 0) -> Tensor:
    """The tensors, all of one shape, one after another along a new axis.

    Raises:
        ShapeError: when there is none, or their shapes differ.

    Example:
        >>> import chainrule
        >>> chainrule.stack([[1, 2], [3, 4]], axis=1).value.tolist()
        [[1, 3], [2, 4]]
    """
    if not tensors:
        raise ShapeError("stack: expected at least one tensor, got none")
    held = promote("stack", list(tensors))
    if any(x.shape != held[0].shape for x in held):
        raise ShapeError(f"stack: expected tensors of one shape, got {', '.join(str(x.shape) for x in held)}")
    place = normalize_axis("stack", axis, held[0].spec.rank + 1)
    return concatenate([expand(x, place) for x in held], place)


@operation
def expand(x: TensorLike, axis: int) -> Tensor:
    """The tensor with a new axis of size 1, which will stand at position `axis`.

    Raises:
        ShapeError: for a position outside the result.

    Example:
        >>> import chainrule
        >>> chainrule.expand([1, 2], 1).shape
        (2, 1)
    """
    (x,) = as_tensors([x])
    place = normalize_axis("expand", axis, x.spec.rank + 1)
    return reshape(x, (*x.shape[:place], 1, *x.shape[place:]))


@operation
def squeeze(x: TensorLike, axis: int) -> Tensor:
    """The tensor without an axis of size 1.

    Raises:
        ShapeError: when the axis has another size.

    Example:
        >>> import chainrule
        >>> chainrule.squeeze([[1, 2]], 0).shape
        (2,)
    """
    (x,) = as_tensors([x])
    place = normalize_axis("squeeze", axis, x.spec.rank)
    if x.shape[place] != 1:
        raise ShapeError(f"squeeze: axis {axis} of shape {x.shape} has size {x.shape[place]}; expected 1")
    return reshape(x, x.shape[:place] + x.shape[place + 1 :])


@operation
def index(x: TensorLike, key: Any) -> Tensor:
    """x[key]: integers, slices, `...` and None select as in NumPy; an integer tensor gathers along the first axis.

    Raises:
        IndexRangeError: for an index out of range.
        ShapeError: for too many indices.
        DTypeError: for anything else between the brackets, such as a boolean mask.

    Example:
        >>> import chainrule
        >>> chainrule.tensor([[1, 2, 3], [4, 5, 6]])[:, -1].value
        array([3, 6])
    """
    (x,) = as_tensors([x])
    if isinstance(key, Tensor | np.ndarray | list):
        (rows,) = as_tensors([key])
        if rows.dtype.kind == "b":
            raise DTypeError(
                "index: a boolean mask would give a shape that depends on data; choose values with where, or give the "
                "positions, such as numpy.flatnonzero(mask)"
            )
        return OPERATIONS["gather"](x, rows)
    keys = list(key) if isinstance(key, tuple) else [key]
    taken = builtins.sum(k is not None and k is not Ellipsis for k in keys)
    if taken > x.spec.rank:
        raise ShapeError(f"index: {taken} indices for a tensor of shape {x.shape}, which has {x.spec.rank} axes")
    if not any(k is Ellipsis for k in keys):
        keys.append(Ellipsis)
    place = next(i for i, k in enumerate(keys) if k is Ellipsis)
    keys[place : place + 1] = [slice(None)] * (x.spec.rank - taken)
    start: list[int] = []
    step: list[int] = []
    size: list[int] = []
    shape: list[int] = []
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
        elif isinstance(k, int | np.integer) and not isinstance(k, bool):
            if not -x.shape[axis] <= k < x.shape[axis]:
                raise IndexRangeError(f"index: {k} is out of range for axis {axis} of shape {x.shape}")
            start.append(int(k) % x.shape[axis])
            step.append(1)
            size.append(1)
        else:
            raise DTypeError(f"index: expected integers, slices, ..., None or an integer tensor, got {k!r}")
    whole = tuple(size) == x.shape and all(s == 1 for s in step)
    selected = x if whole else Slice(tuple(start), tuple(step), tuple(size))(x)
    return reshape(selected, shape)


@operation
def iota(shape: int | Sequence[int]) -> Tensor:
    """0, 1, 2, ... as uint32, counted through a shape in row order.

    Example:
        >>> import chainrule
        >>> chainrule.iota(3).value
        array([0, 1, 2], dtype=uint32)
    """
    return Iota((shape,) if isinstance(shape, int) else tuple(shape))()
