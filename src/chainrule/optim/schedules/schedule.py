"""Schedule: how the learning rate changes from step to step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from chainrule.dataclasses import dataclass
from chainrule.settings import Registry, Settings, setting


@dataclass(frozen=True, kw_only=True)
class Schedule(Settings, ABC):
    """How the learning rate changes over a training: settings alone.

    A schedule of one's own is one class with a name and one method; `@SCHEDULES.register` makes it known by its name,
    to the command line too.

    Example (the rate halves after half of the steps):
        >>> from typing import ClassVar
        >>> from chainrule.settings import setting
        >>> @dataclass(frozen=True, kw_only=True)
        ... class Halved(Schedule):
        ...     name: ClassVar[str] = "halved"
        ...     after: float = setting(0.5, "share of the steps before it halves", above=0, below=1)
        ...     def factor(self, step, steps):
        ...         return 1.0 if step <= self.after * steps else 0.5
        >>> [Halved().factor(step, 4) for step in range(1, 5)]
        [1.0, 1.0, 0.5, 0.5]
    """

    #: Whether the rate is small at the end of the steps, so that their number is a part of the result.
    falls: ClassVar[bool] = True

    @property
    def rises(self) -> bool:
        """Whether the rate rises at the beginning."""
        return False

    @abstractmethod
    def factor(self, step: int, steps: int) -> float:
        """What the learning rate is multiplied by in a step: the same number for the same arguments, and not below 0.

        Args:
            step: the number of the step, from 1.
            steps: of the whole training, if it is not stopped before.
        """

    def scale(self, losses: Sequence[float]) -> float:  # noqa: ARG002
        """What the factors of further steps are multiplied by, after validations with these losses; 1 by default."""
        return 1.0


def warmup_setting() -> Any:
    """The share of the steps in which a schedule rises."""
    text = "share of the steps in which the learning rate rises"
    return setting(0.05, text, least=0, below=1, metavar="SHARE")


def last_setting(default: float) -> Any:
    """The share of the learning rate in the last step."""
    return setting(default, "share of the learning rate in the last step", above=0, below=1)


def final_setting() -> Any:
    """The share of the learning rate after the last step."""
    return setting(0.0, "share of the learning rate after the last step", least=0, below=1)


#: Names, and the modules of `chainrule.optim.schedules` that declare them.
ROOMS = {
    "product": "combined", "sequence": "combined", "constant": "constant", "cosine": "cosine",
    "exponential": "exponential", "inverse-sqrt": "inverse_sqrt", "linear": "linear", "one-cycle": "one_cycle",
    "plateau": "plateau", "polynomial": "polynomial", "step": "step", "warmup": "warmup",
}  # fmt: skip

SCHEDULES: Registry[Schedule] = Registry(
    "schedule", Schedule, {name: f"chainrule.optim.schedules.{room}" for name, room in ROOMS.items()}
)
