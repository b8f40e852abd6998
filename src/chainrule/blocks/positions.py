"""Positions along an axis: counted from its start, and inside."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.errors import ChainruleError, IndexRangeError, ShapeError
from chainrule.graph.block import Contributions, Element, Index, Movement, Samples, integers, real, sample
from chainrule.graph.spec import INT64, Shape, Spec, require_integer
from chainrule.graph.tensor import Tensor


@dataclass(frozen=True, repr=False)
class FromStart(Movement):
    """y = positions along an axis of x, counted from its start; those below 0 count from its end."""

    differentiable = False
    axis: int

    def infer(self, indices: Spec, x: Spec) -> Spec:
        require_integer("index", "indices", indices)
        _require_axis(self.name, self.axis, x)
        return Spec(indices.shape, INT64)

    def forward(self, xp: Any, indices: Any, x: Any) -> Any:
        wide, size = indices.astype(np.int64), x.shape[self.axis]
        return xp.where((wide < 0) & (wide >= -size), wide + size, wide)

    def element(self, xp: Any, index: Index, shape: Shape, indices: Element, x: Element) -> Any:
        wide, size = xp.astype(indices(index), INT64), x.shape[self.axis]
        return xp.where((wide < 0) & (wide + size >= 0), wide + size, wide)

    def backward(self, gradient: Tensor, output: Tensor, indices: Tensor, x: Tensor) -> Contributions:
        return None, None

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls(1), integers(2, 3, low=-4, high=4), real(2, 4)),
            sample(cls(0), np.array([-7, 9]), real(3)),
        )


@dataclass(frozen=True, repr=False)
class Position(Movement):
    """y = positions along an axis of x, none of which is outside it."""

    differentiable = False
    index_input = 0
    axis: int

    def limit(self, shape: Shape, indices: Shape, x: Shape) -> Any:
        return x[self.axis]

    def range_error(self, index: int, limit: int) -> ChainruleError:
        return IndexRangeError(range_message(index, self.axis, limit))

    def infer(self, indices: Spec, x: Spec) -> Spec:
        require_integer("index", "indices", indices)
        _require_axis(self.name, self.axis, x)
        return indices

    def forward(self, xp: Any, indices: Any, x: Any) -> Any:
        return indices

    def element(self, xp: Any, index: Index, shape: Shape, indices: Element, x: Element) -> Any:
        return indices(index)

    def backward(self, gradient: Tensor, output: Tensor, indices: Tensor, x: Tensor) -> Contributions:
        return None, None

    @classmethod
    def samples(cls) -> Samples:
        return (sample(cls(1), integers(2, 3, high=4), real(2, 4)),)


def range_message(index: int, axis: int, size: int) -> str:
    """The message for an index outside an axis."""
    return f"index: {index} is out of range for axis {axis} of size {size}; expected {-size} to {size - 1}"


def _require_axis(name: str, axis: int, x: Spec) -> None:
    if axis >= x.rank:
        raise ShapeError(f"{name}: there is no axis {axis} in a tensor of shape {x.shape}")
