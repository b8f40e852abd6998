"""The learning rate that rises at first."""

from __future__ import annotations

import math
from typing import ClassVar

from chainrule.dataclasses import dataclass
from chainrule.optim.schedules.schedule import SCHEDULES, Schedule, warmup_setting


@SCHEDULES.register
@dataclass(frozen=True, kw_only=True)
class Warmup(Schedule):
    """Linearly up to the learning rate, which then stays; to be multiplied with others.

        ηₜ = η min(t / W, 1),    W = max(⌈w T⌉, 1)

    Attributes:
        warmup: w, the share of the T steps in which the rate rises.

    Example:
        >>> [Warmup(warmup=0.5).factor(step, 8) for step in range(1, 9)]
        [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0]

    Source: Goyal et al., Accurate, Large Minibatch SGD (2017).
    """

    name: ClassVar[str] = "warmup"

    warmup: float = warmup_setting()

    @property
    def rises(self) -> bool:
        """It does, unless the warm-up is 0."""
        return self.warmup > 0

    def factor(self, step: int, steps: int) -> float:
        """The equation above."""
        return min(step / max(math.ceil(self.warmup * steps), 1), 1.0)
