"""The learning rate that falls as a power of the steps that are left."""

from __future__ import annotations

import math
from typing import ClassVar

from chainrule.dataclasses import dataclass
from chainrule.optim.schedules.schedule import SCHEDULES, Schedule, final_setting
from chainrule.settings import setting


@SCHEDULES.register
@dataclass(frozen=True, kw_only=True)
class Polynomial(Schedule):
    """By a power of the steps that are left.

        ηₜ = η (f + (1 - f) (1 - (t - 1) / T)ᵖ)

    Attributes:
        power: p; 1 for a line.
        final: f, the share after the last step.

    Example:
        >>> [Polynomial(power=2).factor(step, 4) for step in range(1, 5)]
        [1.0, 0.5625, 0.25, 0.0625]

    Source: Liu, Rabinovich and Berg, ParseNet (2015); PyTorch's `PolynomialLR` with f = 0.
    """

    name: ClassVar[str] = "polynomial"

    power: float = setting(2.0, "power of the share of steps that are left", above=0)
    final: float = final_setting()

    def factor(self, step: int, steps: int) -> float:
        """The equation above."""
        return self.final + (1 - self.final) * math.pow(1 - (step - 1) / steps, self.power)
