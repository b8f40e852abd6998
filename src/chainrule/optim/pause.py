"""Pause: a time without a gradient, after which a rule tells in closed form where the rows of a table are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chainrule.blocks import gather_or_zero, reshape
from chainrule.dataclasses import dataclass
from chainrule.graph.leaves import Constant
from chainrule.graph.spec import spec_of
from chainrule.graph.tensor import Tensor

#: The most steps that a pause may last: the coefficients of so many steps are kept. Then all rows are brought up to
#: date, and the count begins anew.
LONGEST_PAUSE = 4096


@dataclass(frozen=True, eq=False)
class Pause:
    """The time that rows spent without a gradient: from after one step until after another.

    Steps are counted from the last time at which all rows were up to date: `first` and `last` are numbers of steps
    since then, and so are the places in `history` and `products`.

    Attributes:
        first: the step after which each row was last written, int64 of shape (n,).
        last: the step after which it is to be up to date, an int64 scalar.
        history: the coefficients of each step, by name, in float64.
        products: for each coefficient in the rule's `compounds`, its product up to each step.
        sums: for each row, what the rule's `grow` has summed up by `last`, in float64 of shape (n,).
        gap: how many steps each row was left out of, `last - first`, int64.
    """

    first: Tensor
    last: Tensor
    history: Mapping[str, Tensor]
    products: Mapping[str, Tensor]
    sums: Mapping[str, Tensor]
    gap: Tensor

    def coefficient(self, name: str, step: Tensor) -> Tensor:
        """A coefficient of a step, or of one step a row."""
        return gather_or_zero(self.history[name], step)

    def product(self, name: str, first: Tensor, last: Tensor) -> Tensor:
        """The product of a coefficient over the steps after `first` up to `last`."""
        return gather_or_zero(self.products[name], last) / gather_or_zero(self.products[name], first)

    def power(self, base: float) -> Tensor:
        """The base to the power of the gap, in float64, looked up in a table of powers."""
        powers = base ** np.arange(LONGEST_PAUSE + 2, dtype=np.float64)
        if isinstance(self.gap, Constant):
            powers = powers[self.gap.numpy()]
            return Constant(spec_of(powers), powers)
        return gather_or_zero(Constant(spec_of(powers), powers), self.gap)

    @staticmethod
    def rows(numbers: Tensor, like: Tensor) -> Tensor:
        """One number a row, in a shape and dtype that meet the rows of `like`."""
        return reshape(numbers, (-1, *[1] * (like.spec.rank - 1))).astype(like.dtype)
