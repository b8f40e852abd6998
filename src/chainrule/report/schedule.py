"""The picture of a schedule: the learning rate by step."""

from __future__ import annotations

import os
from collections.abc import Sequence

from chainrule.drawing.plot import Panel, Series
from chainrule.report.figure import draw

#: Points of a line, at most: more would not be seen.
POINTS = 1500


def draw_schedule(name: str, rates: Sequence[float], path: str | os.PathLike[str]) -> None:
    """Draw the learning rate of each step.

    Args:
        name: of the schedule.
        rates: of the steps, from 1.
        path: where the picture goes; its name ends in .svg.

    Raises:
        ConfigurationError: when the name is that of another kind of picture.
        StorageError: when the picture cannot be written.
    """
    count = min(len(rates), POINTS)
    steps = [1 + i * (len(rates) - 1) // max(count - 1, 1) for i in range(count)]
    line = Series("learning rate", steps, [rates[step - 1] for step in steps])
    draw([Panel("Learning rate", [line], x_label="Step", whole=True)], f"Schedule {name}, {len(rates):,} steps", path)
