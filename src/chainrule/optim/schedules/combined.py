"""Schedules made of others: their product, and one after the other."""

from __future__ import annotations

import math
from collections.abc import Sequence as Listed
from itertools import accumulate
from typing import ClassVar

from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError
from chainrule.optim.schedules.schedule import SCHEDULES, Schedule
from chainrule.settings import SettingError, setting


@dataclass(frozen=True, kw_only=True)
class _Combined(Schedule):
    """A schedule made of others, each a text: its name, and settings after colons, as in "cosine:restarts=2"."""

    schedules: tuple[str, ...] = setting((), "names, and settings after colons (cosine:restarts=2)")

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.schedules) < 2:
            raise SettingError(self.name, "schedules", f"must be two or more, got {len(self.schedules)}")
        for part in self.parts():
            if isinstance(part, _Combined):
                raise SettingError(self.name, "schedules", f"must be simple ones, got {part.name}")

    @property
    def rises(self) -> bool:
        """Whether its first schedule does."""
        return self.parts()[0].rises

    def parts(self) -> list[Schedule]:
        """The schedules."""
        return [_read(self.name, text) for text in self.schedules]


def _read(kind: str, text: str) -> Schedule:
    """The schedule that a text stands for.

    Raises:
        SettingError: where it stands for none.
    """
    name, *given = text.split(":")
    try:
        found = SCHEDULES.named(name)
        declared = {x.name: x for x in found.declared()}
        values = {}
        for assigned in given:
            key, _, value = assigned.partition("=")
            values[key] = declared[key].parsed(name, value) if key in declared else value
        return found.of(values)
    except ConfigurationError as error:
        raise SettingError(kind, "schedules", f"must be schedules with their settings: {error}") from error


@SCHEDULES.register
@dataclass(frozen=True, kw_only=True)
class Product(_Combined):
    """Several schedules at once: their factors are multiplied.

    Attributes:
        schedules: as texts, such as "warmup:warmup=0.1" and "cosine". Only one of them may rise at the beginning.

    Raises:
        SettingError: for fewer than two, unknown ones, and those that contradict each other.

    Example:
        >>> product = Product(schedules=("warmup:warmup=0.5", "polynomial:power=1"))
        >>> [product.factor(step, 4) for step in range(1, 5)]
        [0.5, 0.75, 0.5, 0.25]
    """

    name: ClassVar[str] = "product"

    schedules: tuple[str, ...] = setting(("warmup", "cosine"), "names, and settings after colons (cosine:restarts=2)")

    def __post_init__(self) -> None:
        super().__post_init__()
        rising = [part.name for part in self.parts() if part.rises]
        if len(rising) > 1:
            raise SettingError(
                self.name, "schedules", f"contradict each other: {' and '.join(rising)} both rise at the beginning"
            )

    def factor(self, step: int, steps: int) -> float:
        """The product of all factors."""
        return math.prod(part.factor(step, steps) for part in self.parts())

    def scale(self, losses: Listed[float]) -> float:
        """The product of all scales."""
        return math.prod(part.scale(losses) for part in self.parts())


@SCHEDULES.register
@dataclass(frozen=True, kw_only=True)
class Sequence(_Combined):
    """Several schedules one after the other, each as if its share of the steps were the whole training.

    Attributes:
        schedules: as texts, such as "warmup:warmup=0.99" and "cosine".
        shares: of the steps, one for each schedule, that add up to 1.

    Raises:
        SettingError: for fewer than two, unknown ones, shares that do not fit, and "plateau", which has no steps.

    Example:
        >>> sequence = Sequence(schedules=("constant", "polynomial:power=1"), shares=(0.5, 0.5))
        >>> [sequence.factor(step, 6) for step in range(1, 7)]
        [1.0, 1.0, 1.0, 1.0, 0.6666666666666667, 0.33333333333333337]
    """

    name: ClassVar[str] = "sequence"

    schedules: tuple[str, ...] = setting(("constant", "cosine"), "names, and settings after colons (cosine:restarts=2)")
    shares: tuple[float, ...] = setting((0.5, 0.5), "of the steps, one for each schedule", above=0, below=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.shares) != len(self.schedules):
            raise SettingError(
                self.name, "shares", f"must be one for each of {len(self.schedules)} schedules, got {len(self.shares)}"
            )
        if not math.isclose(sum(self.shares), 1.0, rel_tol=1e-6):
            raise SettingError(self.name, "shares", f"must add up to 1, got {sum(self.shares):g}")
        if "plateau" in (part.name for part in self.parts()):
            reason = "must end after a share of the steps, and plateau ends with no step; multiply it (product)"
            raise SettingError(self.name, "schedules", reason)

    def factor(self, step: int, steps: int) -> float:
        """That of the schedule whose turn it is."""
        ends = [round(share * steps) for share in accumulate(self.shares)]
        ends[-1] = steps
        begins = [0, *ends[:-1]]
        turn = next(i for i, end in enumerate(ends) if step <= end)
        return self.parts()[turn].factor(step - begins[turn], ends[turn] - begins[turn])
