"""The learning rate that halves when validation does not get better."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from chainrule.dataclasses import dataclass
from chainrule.optim.schedules.schedule import SCHEDULES, Schedule
from chainrule.settings import setting


@SCHEDULES.register
@dataclass(frozen=True, kw_only=True)
class Plateau(Schedule):
    """Halved when the validation loss stops decreasing.

    After w validations in a row that are no better than the best before, the rate is multiplied by r, and they are
    counted anew. It depends on nothing but the validations so far, so a training that goes on has the same rates.

    Attributes:
        reduction: r.
        wait: w.

    Example:
        >>> [Plateau(wait=2).scale(losses) for losses in ([3, 2], [3, 2, 2], [3, 2, 2, 4], [3, 2, 2, 4, 1])]
        [1.0, 1.0, 0.5, 0.5]

    PyTorch's `ReduceLROnPlateau` with `patience` w - 1 and `threshold` 0.
    """

    name: ClassVar[str] = "plateau"
    falls: ClassVar[bool] = False

    reduction: float = setting(0.5, "what is left of the learning rate after each reduction", above=0, below=1)
    wait: int = setting(1, "validations without a better loss before the learning rate is reduced", least=1)

    def factor(self, step: int, steps: int) -> float:  # noqa: ARG002
        """1: it depends on validations alone."""
        return 1.0

    def scale(self, losses: Sequence[float]) -> float:
        """r to the power of how often validation stopped getting better."""
        best, waited, reductions = math.inf, 0, 0
        for loss in losses:
            if loss < best:
                best, waited = loss, 0
            else:
                waited += 1
            if waited >= self.wait:
                reductions, waited = reductions + 1, 0
        return float(self.reduction**reductions)
