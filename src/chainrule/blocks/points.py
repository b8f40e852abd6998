"""Blocks whose positions are one index tensor for each of several axes; `index` and `update_at` are made from them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.blocks.comparison import equal, where
from chainrule.blocks.indexing import gather
from chainrule.blocks.movement import broadcast_to, iota
from chainrule.dataclasses import dataclass
from chainrule.errors import ShapeError
from chainrule.graph.block import (
    Block,
    Contributions,
    Element,
    Index,
    Movement,
    Samples,
    Scatter,
    integers,
    real,
    sample,
)
from chainrule.graph.conversion import as_tensors
from chainrule.graph.spec import INT64, Shape, Spec, require_integer
from chainrule.graph.sums import sum_by_place
from chainrule.graph.tensor import Tensor


class GatherPoints(Movement):
    """y[b, r] = x[i₁[b], ..., iₖ[b], r]: points of x by their positions along the first k axes, which are in range."""

    def infer(self, x: Spec, *positions: Spec) -> Spec:
        shape = _shape_of(self.name, positions)
        if x.rank < len(positions):
            raise ShapeError(f"{self.name}: expected {len(positions)} axes for as many indices, got shape {x.shape}")
        return Spec((*shape, *x.shape[len(positions) :]), x.dtype)

    def forward(self, xp: Any, x: Any, *positions: Any) -> Any:
        return x[positions]

    def element(self, xp: Any, index: Index, shape: Shape, x: Element, *positions: Element) -> Any:
        rank = len(positions[0].shape)
        return x((*[place(index[:rank]) for place in positions], *index[rank:]))

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor, *positions: Tensor) -> Contributions:
        return PutPoints(x.shape[: len(positions)])(gradient, *positions), *[None] * len(positions)

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls(), real(3, 4), integers(5, high=3), integers(5, high=4)),
            sample(cls(), real(3, 4, 2), integers(2, 3, high=3), integers(2, 3, high=4)),
        )


@dataclass(frozen=True, repr=False)
class PutPoints(Scatter):
    """y[i₁[b], ..., iₖ[b], r] = the sum of x[b, r], and 0 elsewhere: the transpose of `GatherPoints`."""

    sizes: Shape

    def infer(self, x: Spec, *positions: Spec) -> Spec:
        shape = _shape_of(self.name, positions)
        if x.shape[: len(shape)] != shape:
            raise ShapeError(f"{self.name}: indices of shape {shape} do not fit values of shape {x.shape}")
        return Spec((*self.sizes, *x.shape[len(shape) :]), x.dtype)

    def forward(self, xp: Any, x: Any, *positions: Any) -> Any:
        rest = x.shape[positions[0].ndim :]
        width, places = math.prod(rest), xp.zeros(positions[0].shape, INT64)
        for position, size in zip(positions, self.sizes, strict=True):
            places = places * size + position
        places = places[..., None] * width + xp.arange(width)
        shape = (*self.sizes, *rest)
        return sum_by_place(x, places, math.prod(shape)).reshape(shape)

    def target(self, index: Index, x: Element, *positions: Element) -> Index:
        rank = len(positions[0].shape)
        return (*[place(index[:rank]) for place in positions], *index[rank:])

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor, *positions: Tensor) -> Contributions:
        return GatherPoints()(gradient, *positions), *[None] * len(positions)

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls((3, 4)), real(5), integers(5, high=3), integers(5, high=4)),
            sample(cls((3, 4)), real(2, 3, 2), integers(2, 3, high=3), integers(2, 3, high=4)),
        )


def _shape_of(name: str, positions: tuple[Spec, ...]) -> Shape:
    """The one shape of several index tensors."""
    for place in positions:
        require_integer("index", "indices", place)
    if len({place.shape for place in positions}) != 1:
        listed = ", ".join(str(place.shape) for place in positions)
        raise ShapeError(f"{name}: expected indices of one shape, got {listed}")
    return positions[0].shape


class SetPoints(Block):
    """y = x, an axis of numbers, with other values at some positions; of several at one, the last."""

    index_input = 1

    def limit(self, shape: Shape, x: Shape, positions: Shape, values: Shape) -> Any:
        return shape[0]

    def infer(self, x: Spec, positions: Spec, values: Spec) -> Spec:
        require_integer(self.name, "positions", positions)
        if x.rank != 1 or positions.rank != 1 or values.shape != positions.shape:
            raise ShapeError(
                f"{self.name}: expected numbers along one axis and one value a position, got shapes {x.shape}, "
                f"{positions.shape} (positions) and {values.shape} (values)"
            )
        return x

    def forward(self, xp: Any, x: Any, positions: Any, values: Any) -> Any:
        y = xp.array(x, order="C")
        y[positions] = values
        return y

    def loops(self, nest: Any, y: Any, x: Element, positions: Element, values: Element) -> None:
        nest.loop(y.shape[0], lambda i: y.store(nest, (i,), x((i,))))
        nest.loop(positions.shape[0], lambda i: y.store(nest, (positions((i,)),), values((i,))))

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor, positions: Tensor, values: Tensor) -> Contributions:
        nothing, none = as_tensors([np.zeros((), gradient.dtype.type), np.int64(-1)])
        others = SetPoints()(gradient, positions, broadcast_to(nothing.astype(gradient.dtype), positions.shape))
        if x.shape[0] == 0:
            return others, None, broadcast_to(nothing.astype(gradient.dtype), values.shape)
        numbers = iota(positions.shape).astype(INT64)
        last = SetPoints()(broadcast_to(none, x.shape), positions, numbers)
        stayed = equal(gather(last, positions), numbers)
        return others, None, where(stayed, gather(gradient, positions), 0)

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls(), real(6), np.array([4, 0, 4]), real(3, low=3, high=5)),
            sample(cls(), integers(4, high=9), np.array([1]), np.array([7])),
            sample(cls(), real(4), integers(0, high=4), real(0)),
        )
