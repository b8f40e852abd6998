"""Values of nodes while a graph is lowered: arrays, and which of their elements are real.

The sizes of ragged batches are rounded up, so some elements stand for nothing. Each value carries a mask of those that
are real, which is computed along with it. Sums, products, segments and updates read the mask; everything else may
compute what it likes for the other elements. What nobody reads, XLA leaves out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp


class Value(NamedTuple):
    """An array, and which of its elements are real.

    Attributes:
        array: the numbers.
        real: booleans, of as many axes as the array, of size 1 along those where it is the same; None where all are.
    """

    array: Any
    real: Any = None

    def filled(self, filling: Any) -> Any:
        """The array with another number in place of what is not real."""
        return self.array if self.real is None else jnp.where(self.real, self.array, filling)

    def varies(self, axes: Sequence[int]) -> bool:
        """Whether there may be elements along some axes of which one is real and another is not."""
        return self.real is not None and any(self.real.shape[axis] > 1 for axis in axes)

    @property
    def mask(self) -> Any:
        """The mask in the shape of the array, also where all are real."""
        return jnp.broadcast_to(True if self.real is None else self.real, self.array.shape)

    @property
    def rows(self) -> Any:
        """Which rows are real, along the first axis; None where all are."""
        if self.real is None:
            return None
        found = self.real.all(axis=tuple(range(1, self.real.ndim)))
        return jnp.broadcast_to(found, self.array.shape[:1])


def both(*masks: Any) -> Any:
    """What is real in all of these, which are broadcast against each other."""
    found = None
    for mask in masks:
        if mask is not None:
            found = mask if found is None else found & mask
    return found


def aligned(value: Value, rank: int) -> Any:
    """The mask of a value, with axes of size 1 before the first, for a result of so many axes."""
    real = value.real
    return None if real is None else real.reshape((1,) * (rank - real.ndim) + real.shape)
