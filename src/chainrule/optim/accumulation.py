"""Accumulation: gradients of several mini-batches, put together for one step as that of one large mini-batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.blocks import gather_or_zero
from chainrule.graph.leaves import Mutable
from chainrule.graph.sparse import RowSparse
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Update, assign, current_recording
from chainrule.optim.clipping import Gradients
from chainrule.optim.contract import require_gradients, require_leaves
from chainrule.optim.updates import commit


class Accumulation:
    """Gradients of mini-batches that wait for the last one of a step.

        A ← A + w ∇L,  n ← n + w    for each mini-batch with a mean loss L over w rows (or over rows of weight w)
        g = (A + w ∇L) / (n + w)    for the last one, after which A = 0 and n = 0

    g is the gradient of the mean over all rows, as one mini-batch of all of them has it, up to rounding. Row-sparse
    gradients are added row by row to sums as large as the table, so that g is dense. All works eagerly and in compiled
    functions.

    Args:
        parameters: whose gradients are added up.

    Attributes:
        sums: A, of each parameter.
        weight: n.

    Raises:
        ConfigurationError: for anything but parameters.

    Example (rows 1 and 2 in one mini-batch, and 6 in another, give the gradient of the mean over all three):
        >>> import chainrule
        >>> weight = chainrule.Parameter.of(1.0)
        >>> accumulation = Accumulation([weight])
        >>> first, last = ((weight * chainrule.tensor(rows)).mean() for rows in ([1.0, 2.0], [6.0]))
        >>> accumulation.add(chainrule.gradients(first, [weight]), 2)
        >>> part = accumulation.part(1).astype("float32")
        >>> (found,) = accumulation.completed(chainrule.gradients(last * part, [weight]), 1)
        >>> found.item()
        3.0
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        require_leaves("Accumulation", parameters)
        self.sums = [Mutable.of(np.zeros(x.shape), dtype=x.dtype, name=x.name) for x in parameters]
        self.weight = Mutable.of(np.zeros(()), dtype="float64", name="weight")

    def add(self, gradients: Gradients, weight: Tensor | float) -> None:
        """Take in the gradients of a mini-batch that is not the last.

        Args:
            gradients: of its mean loss, one a parameter.
            weight: w, a number or a scalar tensor.
        """
        require_gradients("Accumulation.add", gradients)
        for total, gradient in zip(self.sums, gradients, strict=True):
            scale = _in_dtype(weight, total)
            if isinstance(gradient, RowSparse):
                part = gradient.coalesce()
                _update(Update(total, gather_or_zero(total, part.indices) + part.rows * scale, part.indices))
            else:
                assign(total, total + gradient * scale)
        assign(self.weight, self.weight + weight)

    def part(self, weight: Tensor | float) -> Tensor:
        """w / (n + w): the part that the last mini-batch's mean loss has in that of all, a float64 scalar."""
        return weight / (self.weight + weight)

    def completed(self, gradients: Gradients, weight: Tensor | float) -> list[Tensor]:
        """The gradients of the step, after which all begins anew.

        Args:
            gradients: of the last mini-batch's mean loss times its `part`, and of what else is added once a step, such
                as a penalty on weights.
            weight: w.
        """
        require_gradients("Accumulation.completed", gradients)
        counted, found = self.weight + weight, []
        for total, gradient in zip(self.sums, gradients, strict=True):
            dense = gradient.dense() if isinstance(gradient, RowSparse) else gradient
            found.append(dense + total / _in_dtype(counted, total))
            assign(total, np.zeros(total.shape))
        assign(self.weight, 0.0)
        return found


def _in_dtype(number: Tensor | float, like: Tensor) -> Tensor | float:
    return number.astype(like.dtype) if isinstance(number, Tensor) else number


def _update(update: Update) -> None:
    """Write rows of a leaf: at once, or in a compiled function as a part of each call."""
    recording = current_recording()
    if recording is None:
        commit([update])
    else:
        recording.update([update])
