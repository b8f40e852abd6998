"""The learning rate that falls by the same factor in each step."""

from __future__ import annotations

import math
from typing import ClassVar

from chainrule.dataclasses import dataclass
from chainrule.optim.schedules.schedule import SCHEDULES, Schedule, last_setting


@SCHEDULES.register
@dataclass(frozen=True, kw_only=True)
class Exponential(Schedule):
    """By the same factor in each step, down to a share of the learning rate.

        ηₜ = η λ^((t - 1) / (T - 1))

    Attributes:
        last: λ, the share in the last step.

    Example:
        >>> [round(Exponential(last=0.01).factor(step, 5), 3) for step in range(1, 6)]
        [1.0, 0.316, 0.1, 0.032, 0.01]

    PyTorch's `ExponentialLR` with γ = λ^(1 / (T - 1)).
    """

    name: ClassVar[str] = "exponential"

    last: float = last_setting(0.01)

    def factor(self, step: int, steps: int) -> float:
        """The equation above."""
        return math.pow(self.last, (step - 1) / max(steps - 1, 1))
