"""The learning rate that does not change."""

from __future__ import annotations

from typing import ClassVar

from chainrule.optim.schedules.schedule import SCHEDULES, Schedule


@SCHEDULES.register
class Constant(Schedule):
    """The same learning rate in every step.

    Example:
        >>> Constant().factor(3, 10)
        1.0
    """

    name: ClassVar[str] = "constant"
    falls: ClassVar[bool] = False

    def factor(self, step: int, steps: int) -> float:  # noqa: ARG002
        """1."""
        return 1.0
