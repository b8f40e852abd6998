"""Blocks whose indices are rows: gather, scatter, one-hot."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.blocks.arithmetic import minimum
from chainrule.blocks.comparison import equal, greater_equal, less, where
from chainrule.blocks.movement import expand, iota, reshape
from chainrule.dataclasses import dataclass
from chainrule.errors import ShapeError
from chainrule.graph.block import (
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
from chainrule.graph.sparse import RowSparse
from chainrule.graph.spec import FLOAT32, INT64, Shape, Spec, require_integer, require_rank
from chainrule.graph.sums import sum_by_place
from chainrule.graph.tensor import Tensor, TensorLike, operation


class Gather(Movement):
    """y[i, ...] = table[indices[i], ...]: rows of a table; its gradient is row-sparse."""

    index_input = 1

    def limit(self, shape: Shape, table: Shape, indices: Shape) -> Any:
        return table[0]

    def infer(self, table: Spec, indices: Spec) -> Spec:
        require_rank("gather", "a table", table, lambda rank: rank >= 1, "at least one axis")
        require_integer("gather", "indices", indices)
        return Spec(indices.shape + table.shape[1:], table.dtype)

    def forward(self, xp: Any, table: Any, indices: Any) -> Any:
        # `take` is faster; but of a table that is not in C order it first copies the whole.
        return table.take(indices, axis=0) if table.flags.c_contiguous else table[indices]

    def element(self, xp: Any, index: Index, shape: Shape, table: Element, indices: Element) -> Any:
        rank = len(indices.shape)
        return table((indices(index[:rank]), *index[rank:]))

    def backward(self, gradient: Tensor, output: Tensor, table: Tensor, indices: Tensor) -> Contributions:
        rows = reshape(gradient, (indices.spec.size, *table.shape[1:]))
        return RowSparse(reshape(indices, (indices.spec.size,)), rows, table.spec), None

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls(), real(4, 3), integers(6, high=4)),
            sample(cls(), real(4), integers(2, 3, high=4)),
            sample(cls(), real(4, 2, 2), integers(3, high=4)),
            sample(cls(), real(4, 2), integers(0, high=4)),
        )


class GatherOrZero(Movement):
    """y[i, ...] = table[indices[i], ...], or zeros where an index is no row of the table."""

    def infer(self, table: Spec, indices: Spec) -> Spec:
        require_rank("gather_or_zero", "a table", table, lambda rank: rank >= 1, "at least one axis")
        require_integer("gather_or_zero", "indices", indices)
        return Spec(indices.shape + table.shape[1:], table.dtype)

    def forward(self, xp: Any, table: Any, indices: Any) -> Any:
        y = xp.zeros(indices.shape + table.shape[1:], table.dtype)
        there = (indices >= 0) & (indices < table.shape[0])
        y[there] = table[indices[there]]
        return y

    def element(self, xp: Any, index: Index, shape: Shape, table: Element, indices: Element) -> Any:
        rank = len(indices.shape)
        if isinstance(table.shape[0], int) and table.shape[0] == 0:
            return 0
        row = xp.astype(indices(index[:rank]), INT64)
        there = xp.minimum(xp.maximum(row, 0), table.shape[0] - 1)
        return xp.where(there == row, table((there, *index[rank:])), 0)

    def backward(self, gradient: Tensor, output: Tensor, table: Tensor, indices: Tensor) -> Contributions:
        flat, rows = reshape(indices, (indices.spec.size,)), table.shape[0]
        kept = where(greater_equal(flat, 0), minimum(flat, rows), rows)
        return RowSparse(kept, reshape(gradient, (indices.spec.size, *table.shape[1:])), table.spec), None

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls(), real(4, 3), np.array([3, 4, 0, -1, 3, 9])),
            sample(cls(), real(4), integers(2, 3, low=-1, high=6)),
            sample(cls(), real(4, 2), integers(0, high=4)),
            sample(cls(), real(0, 2), integers(3, high=4)),
            sample(cls(), real(1, 2), integers(3, high=3)),
        )


@dataclass(frozen=True, repr=False)
class ScatterAdd(Scatter):
    """y[r, ...] = Σ_{i: indices[i] = r} x[i, ...]: rows added into a table of `size` rows, the transpose of `Gather`.

    The index `size` stands for no row: what has it is left out.
    """

    index_input = 1
    size: int

    def limit(self, shape: Shape, x: Shape, indices: Shape) -> Any:
        return shape[0] + 1

    def infer(self, x: Spec, indices: Spec) -> Spec:
        require_integer("scatter_add", "indices", indices)
        if indices.rank != 1 or x.rank < 1 or x.shape[0] != indices.shape[0]:
            raise ShapeError(
                f"scatter_add: expected one index a row, got rows of shape {x.shape} "
                f"and indices of shape {indices.shape}"
            )
        return Spec((self.size, *x.shape[1:]), x.dtype)

    def forward(self, xp: Any, x: Any, indices: Any) -> Any:
        kept = indices < self.size
        if not kept.all():
            x, indices = x[kept], indices[kept]
        width = math.prod(x.shape[1:])
        # NumPy adds single numbers several times faster than rows, and in the same order.
        places = indices.astype(np.int64)[:, None] * width + xp.arange(width)
        return sum_by_place(x, places, self.size * width).reshape(self.size, *x.shape[1:])

    def target(self, index: Index, x: Element, indices: Element) -> Index:
        return (indices(index[:1]), *index[1:])

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor, indices: Tensor) -> Contributions:
        rows = gather(gradient, minimum(indices, self.size - 1))
        kept = reshape(less(indices, self.size), (-1, *[1] * (x.spec.rank - 1)))
        return where(kept, rows, 0), None

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls(4), real(6, 3), integers(6, high=4)),
            sample(cls(4), real(6), integers(6, high=5)),
            sample(cls(3), real(0, 2), integers(0, high=3)),
        )


_gather = Gather()


@operation
def gather(table: TensorLike, indices: TensorLike) -> Tensor:
    """y[i, ...] = table[indices[i], ...]: rows of a table, as an embedding look-up reads them.

    Gradient: row-sparse: the gradients of the rows that were read.
    PyTorch: torch.nn.functional.embedding. NumPy: numpy.take.

    Args:
        table: shape (rows, ...).
        indices: integers in 0 ... rows - 1, any shape.

    Returns:
        shape (*indices.shape, ...).

    Raises:
        DTypeError: when the indices are not integers.
        IndexRangeError: for an index that is not a row.

    Example:
        >>> import chainrule
        >>> chainrule.gather([[1.0, 2.0], [3.0, 4.0]], [1, 1]).value.tolist()
        [[3.0, 4.0], [3.0, 4.0]]
    """
    return _gather(table, indices)


_gather_or_zero = GatherOrZero()


@operation
def gather_or_zero(table: TensorLike, indices: TensorLike) -> Tensor:
    """y[i, ...] = table[indices[i], ...], or zeros where an index is no row of the table: no index is refused.

    Gradient: row-sparse: the gradients of the rows that were read.
    PyTorch: none. NumPy: none.

    Args:
        table: shape (rows, ...).
        indices: integers, any shape.

    Returns:
        shape (*indices.shape, ...).

    Raises:
        DTypeError: when the indices are not integers.

    Example:
        >>> import chainrule
        >>> chainrule.gather_or_zero([[1.0, 2.0], [3.0, 4.0]], [1, 2]).value.tolist()
        [[3.0, 4.0], [0.0, 0.0]]
    """
    return _gather_or_zero(table, indices)


@operation
def scatter_add(x: TensorLike, indices: TensorLike, size: int) -> Tensor:
    """y[r, ...] = Σ_{i: indices[i] = r} x[i, ...]: rows added into a table of `size` rows.

    Gradient: gather of the rows.
    PyTorch: torch.index_add. NumPy: numpy.add.at.

    Args:
        x: shape (n, ...).
        indices: shape (n,), integers; the index `size` stands for no row.
        size: the number of rows of the result.

    Raises:
        DTypeError: when the indices are not integers.
        ShapeError: when there is not one index a row.
        IndexRangeError: for an index above `size` or below 0.

    Example:
        >>> import chainrule
        >>> chainrule.scatter_add([1.0, 2.0, 3.0], [0, 2, 0], 3).value
        array([4., 0., 2.], dtype=float32)
    """
    return ScatterAdd.of(size)(x, indices)


@operation
def one_hot(indices: TensorLike, size: int) -> Tensor:
    """y[i, c] = 1 where indices[i] = c, else 0, as float32.

    Gradient: none.
    PyTorch: torch.nn.functional.one_hot. NumPy: none.

    Args:
        indices: integers, any shape; one outside 0 ... size - 1 gives a row of zeros.
        size: the number of classes.

    Returns:
        shape (*indices.shape, size).

    Raises:
        DTypeError: when the indices are not integers.

    Example:
        >>> import chainrule
        >>> chainrule.one_hot([1, 0], 3).value.tolist()
        [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    (held,) = as_tensors([indices])
    require_integer("one_hot", "indices", held.spec)
    return equal(expand(held, -1), iota(size).astype(held.dtype)).astype(FLOAT32)
