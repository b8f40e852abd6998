"""The learning rate that drops now and then."""

from __future__ import annotations

from typing import ClassVar

from chainrule.dataclasses import dataclass
from chainrule.optim.schedules.schedule import SCHEDULES, Schedule
from chainrule.settings import setting


@SCHEDULES.register
@dataclass(frozen=True, kw_only=True)
class Step(Schedule):
    """Drops of the learning rate by the same factor, equally far apart.

        ηₜ = η γᵏ,    k = ⌊(t - 1) (n + 1) / T⌋

    Attributes:
        drops: n, how often it drops.
        drop: γ, what is left of it each time.

    Example:
        >>> [Step(drops=2, drop=0.5).factor(step, 6) for step in range(1, 7)]
        [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]

    Source: He et al., Deep Residual Learning for Image Recognition (2016); PyTorch's `StepLR` with T / (n + 1) steps.
    """

    name: ClassVar[str] = "step"

    drops: int = setting(2, "how often the learning rate drops", least=1)
    drop: float = setting(0.1, "what is left of the learning rate after each drop", above=0, below=1)

    def factor(self, step: int, steps: int) -> float:
        """The equation above."""
        return float(self.drop ** ((step - 1) * (self.drops + 1) // steps))
