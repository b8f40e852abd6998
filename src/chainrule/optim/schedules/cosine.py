"""The learning rate that falls along a cosine."""

from __future__ import annotations

import math
from typing import ClassVar

from chainrule.dataclasses import dataclass
from chainrule.optim.schedules.schedule import SCHEDULES, Schedule, final_setting
from chainrule.settings import setting


@SCHEDULES.register
@dataclass(frozen=True, kw_only=True)
class Cosine(Schedule):
    """Along half a cosine, once or, with restarts, several times.

        ηₜ = η (f + (1 - f) (1 + cos(π s / S)) / 2),    s = (t - 1) mod S,    S = T / (n + 1)

    Attributes:
        restarts: n, how often it begins again.
        final: f, the share after the last step.

    Example:
        >>> [round(Cosine(restarts=1).factor(step, 6), 2) for step in range(1, 7)]
        [1.0, 0.75, 0.25, 1.0, 0.75, 0.25]

    Source: Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts (2017), equation 5. PyTorch's
    `CosineAnnealingLR` and `CosineAnnealingWarmRestarts`.
    """

    name: ClassVar[str] = "cosine"

    restarts: int = setting(0, "how often it begins again", least=0)
    final: float = final_setting()

    def factor(self, step: int, steps: int) -> float:
        """The equation above."""
        turned = (step - 1) * (self.restarts + 1) % steps / steps
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * turned)) / 2
