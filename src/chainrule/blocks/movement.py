"""Movements: the same elements in another place. Each declares the index map a generated loop reads through."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import field
from functools import lru_cache
from itertools import takewhile
from typing import Any

from chainrule.dataclasses import dataclass
from chainrule.errors import ShapeError
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
from chainrule.graph.conversion import as_tensors
from chainrule.graph.spec import UINT32, Shape, Spec, broadcast_shapes, normalize_axis
from chainrule.graph.tensor import Tensor, TensorLike, operation


def _is_one(size: Any) -> bool:
    return isinstance(size, int) and size == 1


@dataclass(frozen=True, repr=False)
class Reshape(Movement):
    """y = the elements of x, in the same order, in another shape of the same size."""

    shape: Shape
    #: Whether the shapes differ only in axes of size 1, so that indices are mapped without divisions.
    aligned: bool = field(default=False, repr=False)
    #: How many of the last axes are the same in both shapes, so that divisions are of the others alone.
    trailing: int = field(default=0, repr=False)

    def infer(self, x: Spec) -> Spec:
        if math.prod(self.shape) != x.size:
            raise ShapeError(
                f"reshape: shape {x.shape} has {x.size} elements, and {self.shape} {math.prod(self.shape)}"
            )
        return Spec(self.shape, x.dtype)

    def forward(self, xp: Any, x: Any) -> Any:
        return x.reshape(self.shape)

    def element(self, xp: Any, index: Index, shape: Shape, x: Element) -> Any:
        if self.aligned:
            rest = iter([i for i, size in zip(index, shape, strict=True) if not _is_one(size)])
            return x(tuple(0 if _is_one(size) else next(rest) for size in x.shape))
        position, leading = 0, len(shape) - self.trailing
        for i, size in zip(index[:leading], shape[:leading], strict=True):
            position = position * size + i
        others = x.shape[: len(x.shape) - self.trailing]
        long = [axis for axis, size in enumerate(others) if not _is_one(size)]
        source: list[Any] = [*[0] * len(others), *index[leading:]]
        for axis in reversed(long[1:]):
            source[axis], position = position % x.shape[axis], position // x.shape[axis]
        if long:
            source[long[0]] = position  # usually there is one such axis, and then no division
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
            sample(cls((6, 4), trailing=1), real(2, 3, 4)),
            sample(cls((2, 3, 4, 5), trailing=2), real(6, 4, 5)),
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
        return x.transpose(self.axes)

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
        if not x.flags.c_contiguous:
            return xp.broadcast_to(x, self.shape)
        # The same view; NumPy's function takes several times as long.
        steps = [0 if size == 1 else step for size, step in zip(x.shape, x.strides, strict=True)]
        y = xp.ndarray(self.shape, x.dtype, x, 0, [0] * (len(self.shape) - len(steps)) + steps)
        y.flags.writeable = False
        return y

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

    Gradient: 1, in the shape of x.
    PyTorch: torch.reshape. NumPy: numpy.reshape.

    Raises:
        ShapeError: when the sizes do not multiply to the number of elements.

    Example:
        >>> import chainrule
        >>> chainrule.reshape([1, 2, 3, 4], (2, -1)).value.tolist()
        [[1, 2], [3, 4]]
    """
    (x,) = as_tensors([x])
    block = reshape_between(x.shape, (shape,) if isinstance(shape, int) else tuple(shape))
    return x if block is None else block(x)


@lru_cache(maxsize=1024)  # a loop reshapes the same shapes in every step
def reshape_between(held: Shape, shape: Shape) -> Reshape | None:
    """The block from one shape to another, which may have a -1; None for the same one."""
    size, sizes = math.prod(held), [int(n) for n in shape]
    if sizes.count(-1) == 1:
        known = -math.prod(sizes)
        if known <= 0 or size % known:
            raise ShapeError(f"reshape: shape {held} has {size} elements, which {tuple(sizes)} cannot hold")
        sizes[sizes.index(-1)] = size // known
    if any(n < 0 for n in sizes):
        raise ShapeError(f"reshape: expected sizes of 0 or more and at most one -1, got {tuple(sizes)}")
    if tuple(sizes) == held:
        return None
    aligned = [n for n in sizes if n != 1] == [n for n in held if n != 1]
    pairs = zip(reversed(sizes), reversed(held), strict=False)
    return Reshape(
        tuple(sizes), aligned, 0 if aligned else len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
    )


@operation
def transpose(x: TensorLike, axes: Sequence[int] | None = None) -> Tensor:
    """The tensor with its axes in another order, reversed unless given.

    Gradient: 1, in the order of x.
    PyTorch: torch.permute. NumPy: numpy.transpose.

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
    return Transpose.of(tuple(order))(x)


@operation
def swapaxes(x: TensorLike, axis: int, other: int) -> Tensor:
    """The tensor with two of its axes exchanged.

    Gradient: 1, in the order of x.
    PyTorch: torch.swapaxes. NumPy: numpy.swapaxes.

    Raises:
        ShapeError: for an axis that x does not have.

    Example (products of each query with each key, for every text of a batch; also `key.mT`):
        >>> import chainrule
        >>> query, key = chainrule.ones((8, 5, 4)), chainrule.ones((8, 7, 4))
        >>> (query @ chainrule.swapaxes(key, -1, -2)).shape
        (8, 5, 7)
    """
    (x,) = as_tensors([x])
    order = list(range(x.spec.rank))
    first, second = (normalize_axis("swapaxes", i, x.spec.rank) for i in (axis, other))
    order[first], order[second] = second, first
    return Transpose.of(tuple(order))(x)


@operation
def broadcast_to(x: TensorLike, shape: Sequence[int]) -> Tensor:
    """The tensor repeated to a shape, by the broadcasting rule.

    Gradient: the sum over all copies.
    PyTorch: torch.broadcast_to. NumPy: numpy.broadcast_to.

    Raises:
        ShapeError: when the shapes do not fit.

    Example:
        >>> import chainrule
        >>> chainrule.broadcast_to([1, 2], (2, 2)).value.tolist()
        [[1, 2], [1, 2]]
    """
    (x,) = as_tensors([x])
    return x if tuple(shape) == x.shape else Broadcast.of(tuple(shape))(x)


@operation
def expand(x: TensorLike, axis: int) -> Tensor:
    """The tensor with a new axis of size 1, which will stand at position `axis`.

    Gradient: 1, in the shape of x.
    PyTorch: torch.unsqueeze. NumPy: numpy.expand_dims.

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

    Gradient: 1, in the shape of x.
    PyTorch: torch.squeeze. NumPy: numpy.squeeze.

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
def iota(shape: int | Sequence[int]) -> Tensor:
    """0, 1, 2, ... as uint32, counted through a shape in row order.

    Gradient: none.
    PyTorch: torch.arange. NumPy: numpy.arange.

    Example:
        >>> import chainrule
        >>> chainrule.iota(3).value
        array([0, 1, 2], dtype=uint32)
    """
    return Iota.of((shape,) if isinstance(shape, int) else tuple(shape))()
