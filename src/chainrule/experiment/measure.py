"""Measure: the figure of validation that decides between configurations."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from typing import Any

from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, shortened
from chainrule.experiment.store import FINISHED, Line
from chainrule.settings import suggestion
from chainrule.tasks import Task
from chainrule.tasks.measures import LOWER_IS_BETTER, TITLES


@dataclass(frozen=True)
class Measure:
    """A figure by which runs are compared.

    Attributes:
        name: as records have it.
        higher: whether higher is better.
        title: what people call it.

    Example:
        >>> import chainrule
        >>> Measure.of(chainrule.Classify(), None), Measure.of(chainrule.Regress(), "mae").higher
        (Measure(name='accuracy', higher=True, title='accuracy'), False)
    """

    name: str
    higher: bool
    title: str

    @classmethod
    def of(cls, task: Task, name: str | None) -> Measure:
        """The measure of this name; None for the first that the task watches beside the loss.

        Raises:
            ConfigurationError: for one that the task does not watch in validation.
        """
        if name is None:
            name = task.watched[min(1, len(task.watched) - 1)]
        if name not in task.watched:
            near = suggestion(name, task.watched) or f"; expected one of {', '.join(task.watched)}"
            raise ConfigurationError(f"measure: the task {task.name} does not watch {shortened(name)}{near}")
        return cls(name, name not in LOWER_IS_BETTER, TITLES.get(name, (name.replace("_", " "), ""))[0])

    def described(self) -> dict[str, Any]:
        """It, as JSON holds it."""
        return {"name": self.name, "higher": self.higher, "title": self.title}

    def value(self, line: Line) -> float:
        """The figure of a run; one that failed is worse than all others."""
        found = None if line["valid"] is None else line["valid"][self.name]
        return (-math.inf if self.higher else math.inf) if found is None else float(found)

    def better(self, one: float, other: float) -> bool:
        """Whether one figure is better than another."""
        return one > other if self.higher else one < other

    def ranked(self, lines: Iterable[Line]) -> list[tuple[str, float]]:
        """Configurations and the means of their finished runs, the best first; of equals, the one asked for first."""
        held: dict[str, list[float]] = {}
        for line in sorted(lines, key=lambda line: int(line["number"])):
            if line["state"] == FINISHED:
                held.setdefault(line["configuration"], []).append(self.value(line))
        means = {key: statistics.fmean(values) for key, values in held.items()}
        return sorted(means.items(), key=lambda item: -item[1] if self.higher else item[1])
