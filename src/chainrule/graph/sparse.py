"""RowSparse: the gradient of an embedding look-up, as the rows it touches and nothing else."""

from __future__ import annotations

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.errors import ShapeError
from chainrule.graph.spec import Spec
from chainrule.graph.tensor import OPERATIONS, OwnOperators, Tensor


@dataclass(frozen=True, eq=False)
class RowSparse(OwnOperators):
    """A tensor that is zero but for some rows: row `indices[i]` holds `rows[i]`; repeated indices add up.

        dense[r] = Σ_{i: indices[i] = r} rows[i]

    The gradient of `gather(table, indices)` with respect to the table is one, and stays one until an update rule
    or the user asks for it densely: the cost of a step then depends on the rows in the batch, not on the vocabulary.

    Attributes:
        indices: integer tensor of shape (n,); an index equal to the number of rows stands for no row at all.
        rows: tensor of shape (n, ...).
        spec: shape and dtype of the dense tensor.

    Example:
        >>> import chainrule
        >>> table = chainrule.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
        >>> (gradient,) = chainrule.gradients(chainrule.gather(table, [2, 0, 2]).sum(), [table])
        >>> gradient.indices.value, gradient.dense().value.tolist()
        (array([2, 0, 2]), [[1.0, 1.0], [0.0, 0.0], [2.0, 2.0]])
    """

    indices: Tensor
    rows: Tensor
    spec: Spec

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the dense tensor."""
        return self.spec.shape

    def dense(self) -> Tensor:
        """The whole tensor, zeros included."""
        return OPERATIONS["scatter_add"](self.rows, self.indices, self.spec.shape[0])

    def coalesce(self) -> RowSparse:
        """The same tensor with every index once.

        The distinct indices come first, in the order in which they first appear. The remaining places, one for each
        repetition, hold zeros and the index that stands for no row, so that shapes do not depend on data.
        """
        none = self.spec.shape[0]
        slots = OPERATIONS["first_slots"](self.indices, none + 1)
        rows = OPERATIONS["scatter_add"](self.rows, slots, self.indices.shape[0])
        return RowSparse(OPERATIONS["distinct"](self.indices, slots, none), rows, self.spec)

    def __add__(self, other: Tensor | RowSparse) -> Tensor | RowSparse:
        if isinstance(other, Tensor):
            return self.dense() + other
        indices = OPERATIONS["concatenate"]([self.indices, other.indices], 0)
        return RowSparse(indices, OPERATIONS["concatenate"]([self.rows, other.rows], 0), self.spec)

    def __radd__(self, other: Tensor) -> Tensor | RowSparse:
        return self + other

    def __neg__(self) -> RowSparse:
        return RowSparse(self.indices, -self.rows, self.spec)

    def __sub__(self, other: Tensor | RowSparse) -> Tensor | RowSparse:
        return self + -other

    def __rsub__(self, other: Tensor) -> Tensor | RowSparse:
        return -self + other

    def __mul__(self, factor: Tensor | float) -> RowSparse:
        """Scaled by a number (a scalar tensor), row-sparse still."""
        return RowSparse(self.indices, self.rows * _scalar("*", factor), self.spec)

    def __rmul__(self, factor: Tensor | float) -> RowSparse:
        return self * factor

    def __truediv__(self, divisor: Tensor | float) -> RowSparse:
        """Divided by a number (a scalar tensor), row-sparse still."""
        return RowSparse(self.indices, self.rows / _scalar("/", divisor), self.spec)


def _scalar(operator: str, x: Tensor | float) -> Tensor | float:
    """What a row-sparse tensor is scaled by.

    Raises:
        ShapeError: for anything but a number.
    """
    shape = np.shape(x) if not isinstance(x, Tensor) else x.shape
    if shape != ():
        raise ShapeError(
            f"row-sparse {operator}: expected a number or a scalar tensor, got shape {shape}; see .dense()"
        )
    return x
