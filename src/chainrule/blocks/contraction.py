"""The matrix product."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from chainrule.blocks.movement import Transpose, expand, reshape, squeeze
from chainrule.errors import ShapeError
from chainrule.graph.block import (
    Contraction,
    Contributions,
    Element,
    Index,
    Samples,
    broadcast_index,
    integers,
    real,
    sample,
)
from chainrule.graph.conversion import promote
from chainrule.graph.spec import Spec, broadcast_shapes, require_numbers
from chainrule.graph.tensor import Tensor, TensorLike, operation


class MatMul(Contraction):
    """Y = A B, of the last two axes; axes before them are broadcast.

    BLAS multiplies floating-point matrices; integers, which it does not know, have loops of their own.
    """

    name = "matmul"

    def promote_inputs(self, inputs: Sequence[TensorLike]) -> tuple[Tensor, ...]:
        tensors = promote(self.name, inputs)
        require_numbers(self.name, tensors[0].spec)
        return tensors

    def infer(self, a: Spec, b: Spec) -> Spec:
        if a.rank < 2 or b.rank < 2:
            raise ShapeError(f"matmul: expected matrices, got shapes {a.shape} and {b.shape}")
        if a.shape[-1] != b.shape[-2]:
            raise ShapeError(
                f"matmul: shapes {a.shape} and {b.shape} do not fit: axis -1 of the left has size {a.shape[-1]}, "
                f"axis -2 of the right {b.shape[-2]}; expected equal sizes"
            )
        batch = broadcast_shapes("matmul", [a.shape[:-2], b.shape[:-2]])
        return Spec((*batch, a.shape[-2], b.shape[-1]), a.dtype)

    def forward(self, xp: Any, a: Any, b: Any) -> Any:
        return xp.matmul(a, b)

    def loops(self, nest: Any, y: Any, a: Element, b: Element) -> None:
        def row(index: Index) -> None:
            *batch, i = index

            def add(k: Any) -> None:
                left = a(broadcast_index((*batch, i, k), a.shape))

                def cell(j: Any) -> None:
                    right = b(broadcast_index((*batch, k, j), b.shape))
                    y.store(nest, (*index, j), left * right, accumulate=True)

                nest.loop(y.shape[-1], cell)

            nest.loop(y.shape[-1], lambda j: y.store(nest, (*index, j), nest.number(0, y.spec.dtype)))
            nest.loop(a.shape[-1], add)

        nest.nest(y.shape[:-1], row, parallel=0)

    def backward(self, gradient: Tensor, output: Tensor, a: Tensor, b: Tensor) -> Contributions:
        return matmul(gradient, _flip(b)), matmul(_flip(a), gradient)

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls(), real(2, 3), real(3, 4, low=-1, high=1)),
            sample(cls(), real(5, 2, 3), real(5, 3, 2)),
            sample(cls(), real(2, 1, 2, 3), real(4, 3, 2)),
            sample(cls(), real(2, 0), real(0, 3)),
            sample(cls(), integers(2, 3, high=9), integers(2, 3, 4, low=-4, high=5)),
            sample(cls(), integers(2, 0, high=9), integers(0, 3, high=9)),
        )


def _flip(x: Tensor) -> Tensor:
    """The transpose of each matrix."""
    rank = x.spec.rank
    return Transpose.of((*range(rank - 2), rank - 1, rank - 2))(x)


_product = MatMul()


@operation
def matmul(a: TensorLike, b: TensorLike) -> Tensor:
    """Y = A B: rows of A times columns of B. Integers stay integers.

    Gradient: g Bᵀ for A, Aᵀ g for B, for the gradient g of Y.
    PyTorch: torch.matmul. NumPy: numpy.matmul.

    Args:
        a: shape (..., n, k), or (k,) for one row.
        b: shape (..., k, m), or (k,) for one column. Axes before the last two are broadcast.

    Returns:
        shape (..., n, m), without the axis of an operand that was a vector.

    Raises:
        ShapeError: when the inner sizes differ or an operand is a scalar.
        DTypeError: when both are boolean.

    Example:
        >>> import chainrule
        >>> chainrule.matmul([[1.0, 2.0]], [[3.0], [4.0]]).value
        array([[11.]], dtype=float32)
    """
    if isinstance(a, Tensor) and isinstance(b, Tensor) and a.spec.rank == b.spec.rank == 2:
        return _product(a, b)  # nearly always
    left, right = _product.promote_inputs([a, b])
    if left.spec.rank == right.spec.rank == 2:
        return _product(left, right)
    if left.spec.rank == 0 or right.spec.rank == 0:
        raise ShapeError(
            f"matmul: expected matrices or vectors, got shapes {left.shape} and {right.shape}; use * for scalars"
        )
    if left.spec.rank == 1:
        return squeeze(matmul(expand(left, 0), right), -1 if right.spec.rank == 1 else -2)
    if right.spec.rank == 1:
        return squeeze(matmul(left, expand(right, 1)), -1)
    if left.spec.rank > 2 and right.spec.rank == 2 and left.shape[-1] == right.shape[0]:
        # One large product instead of many small ones, and one gradient for b instead of a sum over the batch.
        rows = reshape(left, (math.prod(left.shape[:-1]), left.shape[-1]))
        return reshape(_product(rows, right), (*left.shape[:-1], right.shape[-1]))
    return _product(left, right)
