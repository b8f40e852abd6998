"""One position an element along an axis: read there, and added there."""

from __future__ import annotations

import math
from typing import Any

from chainrule.blocks.comparison import equal, where
from chainrule.blocks.movement import iota, reshape
from chainrule.blocks.positions import FromStart
from chainrule.dataclasses import dataclass
from chainrule.errors import ShapeError
from chainrule.graph.block import Contributions, Element, Index, Movement, Samples, Scatter, integers, real, sample
from chainrule.graph.conversion import as_tensors
from chainrule.graph.spec import Shape, Spec, normalize_axis, require_integer
from chainrule.graph.sums import sum_by_place
from chainrule.graph.tensor import Tensor, TensorLike, operation


@dataclass(frozen=True, repr=False)
class TakeAlongAxis(Movement):
    """y = x at one position an output element along an axis: y[.., j, ..] = x[.., indices[.., j, ..], ..]."""

    index_input = 1
    axis: int

    def limit(self, shape: Shape, x: Shape, indices: Shape) -> Any:
        return x[self.axis]

    def infer(self, x: Spec, indices: Spec) -> Spec:
        require_integer("take_along_axis", "indices", indices)
        axis = self.axis
        others = [shape[:axis] + shape[axis + 1 :] for shape in (x.shape, indices.shape)]
        if x.rank != indices.rank or others[0] != others[1]:
            raise ShapeError(
                f"take_along_axis: shapes {x.shape} and {indices.shape} (indices) differ on an axis other than {axis}"
            )
        return Spec(indices.shape, x.dtype)

    def forward(self, xp: Any, x: Any, indices: Any) -> Any:
        # NumPy's own function takes several times as long for few elements.
        before, after = math.prod(x.shape[: self.axis]), math.prod(x.shape[self.axis + 1 :])
        size = x.shape[self.axis]
        if after == 1 and x.flags.c_contiguous:
            starts = size * xp.arange(before).reshape(before, 1)
            return x.take(indices.reshape(before, indices.shape[self.axis]) + starts).reshape(indices.shape)
        lines = x.reshape(before, size, after)
        places = indices.reshape(before, indices.shape[self.axis], after)
        taken = lines[xp.arange(before)[:, None, None], places, xp.arange(after)]
        return taken.reshape(indices.shape)

    def element(self, xp: Any, index: Index, shape: Shape, x: Element, indices: Element) -> Any:
        return x((*index[: self.axis], indices(index), *index[self.axis + 1 :]))

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor, indices: Tensor) -> Contributions:
        size = x.shape[self.axis]
        if indices.shape[self.axis] != 1:
            return PutAlongAxis.of(self.axis, size)(gradient, indices), None
        # With one index a line, comparing every place with it is cheaper than a scatter.
        places = reshape(iota(size), (-1, *[1] * (x.spec.rank - self.axis - 1))).astype(indices.dtype)
        return where(equal(places, indices), gradient, 0), None

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls(1), real(3, 4), integers(3, 2, high=4)),
            sample(cls(0), real(3, 4), integers(5, 4, high=3)),
        )


@dataclass(frozen=True, repr=False)
class PutAlongAxis(Scatter):
    """y = zeros of `size` along an axis, x added at the indices: the transpose of `TakeAlongAxis`."""

    index_input = 1
    axis: int
    size: int

    def limit(self, shape: Shape, x: Shape, indices: Shape) -> Any:
        return shape[self.axis]

    def infer(self, x: Spec, indices: Spec) -> Spec:
        require_integer("put_along_axis", "indices", indices)
        if x.shape != indices.shape:
            raise ShapeError(f"put_along_axis: shapes {x.shape} and {indices.shape} (indices) differ")
        return Spec((*x.shape[: self.axis], self.size, *x.shape[self.axis + 1 :]), x.dtype)

    def forward(self, xp: Any, x: Any, indices: Any) -> Any:
        shape = (*x.shape[: self.axis], self.size, *x.shape[self.axis + 1 :])
        places = list(xp.ogrid[tuple(slice(n) for n in x.shape)])
        places[self.axis] = indices
        flat = xp.ravel_multi_index(xp.broadcast_arrays(*places), shape)
        return sum_by_place(x, flat, math.prod(shape)).reshape(shape)

    def target(self, index: Index, x: Element, indices: Element) -> Index:
        return (*index[: self.axis], indices(index), *index[self.axis + 1 :])

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor, indices: Tensor) -> Contributions:
        return TakeAlongAxis.of(self.axis)(gradient, indices), None

    @classmethod
    def samples(cls) -> Samples:
        return sample(cls(1, 4), real(3, 2), integers(3, 2, high=4)), sample(
            cls(0, 3), real(5, 4), integers(5, 4, high=3)
        )


@operation
def take_along_axis(x: TensorLike, indices: TensorLike, axis: int = -1) -> Tensor:
    """One element of x an index along an axis: y[i, j] = x[i, indices[i, j]] for a matrix and its last axis.

    Gradient: added up at the places that were read.
    PyTorch: torch.take_along_dim. NumPy: numpy.take_along_axis.

    Args:
        x: any shape with at least one axis.
        indices: integers; the shape of x, except along the axis. Those below 0 count from its end.
        axis: where the indices point along.

    Raises:
        DTypeError: when the indices are not integers.
        ShapeError: when the shapes differ on another axis.
        IndexRangeError: for an index outside the axis.

    Example:
        >>> import chainrule
        >>> chainrule.take_along_axis([[1.0, 2.0], [3.0, 4.0]], [[1], [0]]).value.tolist()
        [[2.0], [3.0]]
    """
    x, indices = as_tensors([x, indices])
    place = normalize_axis("take_along_axis", axis, x.spec.rank)
    return TakeAlongAxis.of(place)(x, FromStart.of(place)(indices, x) if indices.dtype.kind == "i" else indices)
