"""The learning rate that rises far and falls further."""

from __future__ import annotations

import math
from typing import ClassVar

from chainrule.dataclasses import dataclass
from chainrule.optim.schedules.schedule import SCHEDULES, Schedule, last_setting
from chainrule.settings import setting


@SCHEDULES.register
@dataclass(frozen=True, kw_only=True)
class OneCycle(Schedule):
    """Up along half a cosine and down along another, to far below where it began.

        ηₜ = η (f + (1 - f) (1 - cos(π (t - 1) / (W - 1))) / 2)    for t ≤ W = max(⌈r T⌉, 1),
        ηₜ = η (λ + (1 - λ) (1 + cos(π (t - W) / (T - W))) / 2)    for the other steps t of T

    Attributes:
        rise: r, the share of the steps in which it rises.
        first: f, the share of the learning rate in the first step.
        last: λ, the share in the last step.

    Example:
        >>> [round(OneCycle(rise=0.4).factor(step, 5), 2) for step in range(1, 6)]
        [0.04, 1.0, 0.75, 0.25, 0.0]

    Source: Smith and Topin, Super-Convergence (2018), in the form of PyTorch's `OneCycleLR`, whose settings f = 1 / 25
    and λ = f / 10,000 are. Momentum does not change.
    """

    name: ClassVar[str] = "one-cycle"

    rise: float = setting(0.3, "share of the steps in which it rises", above=0, below=1)
    first: float = setting(0.04, "share of the learning rate in the first step", above=0, below=1)
    last: float = last_setting(4e-6)

    @property
    def rises(self) -> bool:
        """It does."""
        return True

    def factor(self, step: int, steps: int) -> float:
        """The equations above."""
        rising = max(math.ceil(self.rise * steps), 1)
        if step <= rising:
            lowest, turned = self.first, 1 - (step - 1) / (rising - 1) if rising > 1 else 0.0
        else:
            lowest, turned = self.last, (step - rising) / (steps - rising)
        return lowest + (1 - lowest) * (1 + math.cos(math.pi * turned)) / 2
