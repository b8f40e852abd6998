"""Windows of arrays of shape (batch, *sizes, channels), which convolution and pooling read, and their transpose."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.errors import ShapeError
from chainrule.graph.block import Contributions, Element, Index, Movement, Samples, real, sample
from chainrule.graph.spec import Shape, Spec
from chainrule.graph.tensor import Tensor


@dataclass(frozen=True)
class Stencil:
    """Where windows lie along the axes between the batch and the channels: each field has a number an axis.

    Number k of the window at place p is number `stride` p + `dilation` k − `before` of the array.

    Attributes:
        width: numbers that a window reads.
        stride: how far it moves from one place to the next.
        dilation: how far the numbers that it reads are from each other.
        before: numbers of padding before the first one of the array.
        after: the same after its last one.
    """

    width: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def axes(self) -> int:
        """How many axes there are between the batch and the channels."""
        return len(self.width)

    @property
    def spans(self) -> tuple[int, ...]:
        """From the first number of a window to its last one."""
        return tuple(d * (w - 1) + 1 for d, w in zip(self.dilation, self.width, strict=True))

    @property
    def padded(self) -> bool:
        """Whether there is padding."""
        return any(self.before) or any(self.after)

    def places(self, sizes: Shape) -> Shape:
        """How many places windows have along axes of these sizes.

        Raises:
            ShapeError: for an axis that no window fits into.
        """
        whole = [sum(x) for x in zip(sizes, self.before, self.after, strict=True)]
        if any(size < span for size, span in zip(whole, self.spans, strict=True)):
            raise ShapeError(f"a window of {self.spans} is larger than the array, {tuple(whole)} with its padding")
        steps = zip(whole, self.spans, self.stride, strict=True)
        return tuple((size - span) // stride + 1 for size, span, stride in steps)

    def source(self, place: Any, k: Any, axis: int) -> Any:
        """Which number along an axis a window reads."""
        return self.stride[axis] * place + self.dilation[axis] * k - self.before[axis]


@dataclass(frozen=True, repr=False)
class Windows(Movement):
    """y[n, p, k, c] = x[n, s p + d k − a, c] for places p and numbers k of the window, with `filling` in the padding.

    An array that has the axes k already is read at its own k.
    """

    stencil: Stencil
    filling: float = 0.0

    def infer(self, x: Spec) -> Spec:
        axes = self.stencil.axes
        own = x.shape[1 + axes : -1]
        if x.rank not in (axes + 2, 2 * axes + 2) or (own and own != self.stencil.width):
            raise ShapeError(f"windows: expected {axes} axes between the first and the last, got shape {x.shape}")
        places = self.stencil.places(x.shape[1 : 1 + axes])
        return Spec((x.shape[0], *places, *self.stencil.width, x.shape[-1]), x.dtype)

    def forward(self, xp: Any, x: Any) -> Any:
        stencil, axes = self.stencil, self.stencil.axes
        places, own = stencil.places(x.shape[1 : 1 + axes]), x.ndim > axes + 2
        margins = zip(stencil.before, stencil.after, strict=True)
        x = np.pad(x, [(0, 0), *margins, *[(0, 0)] * (x.ndim - 1 - axes)], constant_values=self.filling)
        y = np.empty((x.shape[0], *places, *stencil.width, x.shape[-1]), x.dtype)
        for k in np.ndindex(*stencil.width):
            taken = tuple(
                slice(d * j, d * j + s * (n - 1) + 1, s)
                for j, d, s, n in zip(k, stencil.dilation, stencil.stride, places, strict=True)
            )
            y[(slice(None),) * (1 + axes) + k] = x[(slice(None), *taken, *(k if own else ()))]
        return y

    def element(self, xp: Any, index: Index, shape: Shape, x: Element) -> Any:
        stencil, axes = self.stencil, self.stencil.axes
        place, k = index[1 : 1 + axes], index[1 + axes : -1]
        own = k if len(x.shape) > axes + 2 else ()
        read, inside = [], True
        for axis, size in enumerate(x.shape[1 : 1 + axes]):
            i = stencil.source(place[axis], k[axis], axis)
            if stencil.before[axis]:
                inside = inside & (i >= 0)
            if stencil.after[axis]:
                inside = inside & (i < size)
            padded = stencil.before[axis] or stencil.after[axis]
            read.append(xp.minimum(xp.maximum(i, 0), xp.maximum(size - 1, 0)) if padded else i)
        value = x((index[0], *read, *own, index[-1]))
        return xp.where(inside, value, self.filling) if stencil.padded else value

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        axes = self.stencil.axes
        spread = Spread(self.stencil, x.shape[1 : 1 + axes])(gradient)
        return (spread if x.spec.rank > axes + 2 else spread.sum(tuple(range(1 + axes, 1 + 2 * axes))),)

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls(Stencil((3,), (1,), (1,), (0,), (0,))), real(2, 5, 2)),
            sample(cls(Stencil((2,), (2,), (2,), (1,), (2,)), 7.0), real(2, 6, 3)),
            sample(cls(Stencil((2, 3), (2, 1), (1, 2), (1, 0), (0, 2))), real(2, 4, 5, 2)),
            sample(cls(Stencil((2,), (2,), (1,), (1,), (0,))), real(2, 4, 2, 3)),
        )


@dataclass(frozen=True, repr=False)
class Spread(Movement):
    """y[n, s p + d k − a, k, c] = x[n, p, k, c], and 0 elsewhere: each number of a window where it was read."""

    stencil: Stencil
    sizes: Shape

    def infer(self, x: Spec) -> Spec:
        expected = (*self.stencil.places(self.sizes), *self.stencil.width)
        if x.rank != len(expected) + 2 or x.shape[1:-1] != expected:
            raise ShapeError(f"spread: expected shape (batch, {expected}, channels), got {x.shape}")
        return Spec((x.shape[0], *self.sizes, *self.stencil.width, x.shape[-1]), x.dtype)

    def forward(self, xp: Any, x: Any) -> Any:
        stencil, axes = self.stencil, self.stencil.axes
        whole = [sum(n) for n in zip(self.sizes, stencil.before, stencil.after, strict=True)]
        y = np.zeros((x.shape[0], *whole, *stencil.width, x.shape[-1]), x.dtype)
        for k in np.ndindex(*stencil.width):
            taken = tuple(
                slice(d * j, d * j + s * (n - 1) + 1, s)
                for j, d, s, n in zip(k, stencil.dilation, stencil.stride, x.shape[1 : 1 + axes], strict=True)
            )
            y[(slice(None), *taken, *k)] = x[(slice(None),) * (1 + axes) + k]
        inside = [slice(a, a + n) for a, n in zip(stencil.before, self.sizes, strict=True)]
        return y[(slice(None), *inside)]

    def element(self, xp: Any, index: Index, shape: Shape, x: Element) -> Any:
        stencil, axes = self.stencil, self.stencil.axes
        number, k = index[1 : 1 + axes], index[1 + axes : -1]
        places, inside = [], True
        for axis, size in enumerate(x.shape[1 : 1 + axes]):
            behind = number[axis] + stencil.before[axis] - stencil.dilation[axis] * k[axis]
            stride = stencil.stride[axis]
            place = behind if stride == 1 else behind // stride
            inside = inside & (behind >= 0) & (place < size)
            if stride > 1:
                inside = inside & (behind % stride == 0)
            places.append(xp.minimum(xp.maximum(place, 0), size - 1))
        return xp.where(inside, x((index[0], *places, *k, index[-1])), 0)

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (Windows(self.stencil)(gradient),)

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls(Stencil((3,), (1,), (1,), (0,), (0,)), (5,)), real(2, 3, 3, 2)),
            sample(cls(Stencil((2,), (2,), (2,), (1,), (2,)), (6,)), real(2, 4, 2, 3)),
            sample(cls(Stencil((2, 3), (2, 1), (1, 2), (1, 0), (0, 2)), (4, 5)), real(2, 2, 3, 2, 3, 2)),
        )
