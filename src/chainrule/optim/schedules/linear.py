"""The learning rate that falls along a line, after a warm-up."""

from __future__ import annotations

import math
from typing import ClassVar

from chainrule.dataclasses import dataclass
from chainrule.optim.schedules.schedule import SCHEDULES, Schedule, warmup_setting


@SCHEDULES.register
@dataclass(frozen=True, kw_only=True)
class Linear(Schedule):
    """Linearly up to the learning rate, then linearly down to zero after the last step.

        ηₜ = η t / W                      for t ≤ W = max(⌈w T⌉, 1),
        ηₜ = η (T + 1 - t) / (T + 1 - W)  for the other steps t of T

    Attributes:
        warmup: w, the share of the steps in which the rate rises; 0 for none: the first step has η then.

    Example:
        >>> [round(Linear(warmup=0.25).factor(step, 8), 2) for step in range(1, 9)]
        [0.5, 1.0, 0.86, 0.71, 0.57, 0.43, 0.29, 0.14]

    Source: Goyal et al., Accurate, Large Minibatch SGD (2017), for the warm-up; Devlin et al., BERT (2019), for both.
    """

    name: ClassVar[str] = "linear"

    warmup: float = warmup_setting()

    @property
    def rises(self) -> bool:
        """It does, unless the warm-up is 0."""
        return self.warmup > 0

    def factor(self, step: int, steps: int) -> float:
        """The equations above."""
        rising = max(math.ceil(self.warmup * steps), 1)
        return step / rising if step <= rising else (steps + 1 - step) / (steps + 1 - rising)
