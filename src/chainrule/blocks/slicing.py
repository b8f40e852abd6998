"""Blocks that cut tensors and put them together."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

from chainrule.blocks.movement import expand
from chainrule.dataclasses import dataclass
from chainrule.errors import ShapeError
from chainrule.graph.block import (
    Contributions,
    Element,
    Index,
    Movement,
    Samples,
    real,
    sample,
)
from chainrule.graph.conversion import promote
from chainrule.graph.spec import Shape, Spec, normalize_axis
from chainrule.graph.tensor import Tensor, TensorLike, operation


@dataclass(frozen=True, repr=False)
class Slice(Movement):
    """y = every `step`-th element of x from `start`, along each axis; `size` elements of it."""

    at_run_time = ("start",)
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
        return (Unslice.of(self.start, self.step, x.shape)(gradient),)

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

    at_run_time = ("start",)
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
        return (Slice.of(self.start, self.step, x.shape)(gradient),)

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

    def promote_inputs(self, inputs: Sequence[TensorLike]) -> tuple[Tensor, ...]:
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
            parts.append(Slice.of(tuple(starts), (1,) * x.spec.rank, x.shape)(gradient))
            start += x.shape[self.axis]
        return parts

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls(0), real(2, 3), real(1, 3), real(3, 3, low=0, high=1)),
            sample(cls(1), real(2, 3), real(2, 0), real(2, 2, low=0, high=1)),
        )


@operation
def concatenate(tensors: Sequence[TensorLike], axis: int = 0) -> Tensor:
    """The tensors one after another along an axis.

    Gradient: 1 for each part, at its place.
    PyTorch: torch.cat. NumPy: numpy.concatenate.

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
    return Concatenate.of(normalize_axis("concatenate", axis, held[0].spec.rank))(*held)


@operation
def stack(tensors: Sequence[TensorLike], axis: int = 0) -> Tensor:
    """The tensors, all of one shape, one after another along a new axis.

    Gradient: 1 for each part, at its place.
    PyTorch: torch.stack. NumPy: numpy.stack.

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
