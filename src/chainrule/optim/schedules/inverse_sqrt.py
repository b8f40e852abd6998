"""The learning rate that falls as the root of the steps."""

from __future__ import annotations

import math
from typing import ClassVar

from chainrule.dataclasses import dataclass
from chainrule.optim.schedules.schedule import SCHEDULES, Schedule, warmup_setting


@SCHEDULES.register
@dataclass(frozen=True, kw_only=True)
class InverseSqrt(Schedule):
    """Linearly up to the learning rate, then down as the inverse square root of the number of the step.

        ηₜ = η min(t / W, √(W / t)),    W = max(⌈w T⌉, 1)

    Attributes:
        warmup: w, the share of the T steps in which the rate rises.

    Example:
        >>> [round(InverseSqrt(warmup=0.25).factor(step, 8), 2) for step in range(1, 9)]
        [0.5, 1.0, 0.82, 0.71, 0.63, 0.58, 0.53, 0.5]

    Source: Vaswani et al., Attention Is All You Need (2017), equation 3.
    """

    name: ClassVar[str] = "inverse-sqrt"

    warmup: float = warmup_setting()

    @property
    def rises(self) -> bool:
        """It does, unless the warm-up is 0."""
        return self.warmup > 0

    def factor(self, step: int, steps: int) -> float:
        """The equation above."""
        rising = max(math.ceil(self.warmup * steps), 1)
        return min(step / rising, math.sqrt(rising / step))
