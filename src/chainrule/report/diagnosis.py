"""The picture of a diagnosis: the two curves, gradients and updates by layer, and dead or saturated units, by epoch."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from chainrule.drawing.plot import Panel, Series
from chainrule.errors import DataError
from chainrule.report.figure import draw
from chainrule.report.record import Line


def draw_diagnosis(record: Sequence[Line], path: str | os.PathLike[str]) -> None:
    """Draw what the diagnostics looked at: losses, sizes of gradients and updates, and units, by epoch.

    Args:
        record: the lines of one run.
        path: where the picture goes; its name ends in .svg.

    Raises:
        DataError: when the record has no epoch.
        ConfigurationError: when the name is that of another kind of picture.
        StorageError: when the picture cannot be written.
    """
    epochs = [line for line in record if line.get("kind") == "epoch"]
    if not epochs:
        raise DataError("the record has no epoch to draw")
    numbers = [line["epoch"] for line in epochs]
    losses = [
        Series(title, numbers, [line[f"{part}_loss"] for line in epochs])
        for part, title in (("train", "training"), ("valid", "validation"))
    ]
    panels = [Panel("Loss", losses, x_label="Epoch", whole=True)]
    for title, name, number, logarithmic in (
        ("Gradients by layer", "gradients", float, True),
        ("Updates, as a part of weights", "updates", float, True),
        ("Dead or saturated units, as a part of a layer", "layers", _largest, False),
    ):
        series = _series(epochs, name, number)
        if series:
            panels.append(Panel(title, series, x_label="Epoch", whole=True, logarithmic=logarithmic))
    draw(panels, "Diagnosis", path)


def _largest(shares: dict[str, float]) -> float:
    return max(shares.values())


def _series(epochs: Sequence[Line], name: str, number: Callable[[Any], float]) -> list[Series]:
    """By place, what was seen there, with the epochs."""
    found: dict[str, list[tuple[float, float]]] = {}
    for line in epochs:
        for place, value in line.get("observed", {}).get(name, {}).items():
            found.setdefault(place, []).append((line["epoch"], number(value)))
    return [Series(place, [x for x, _ in seen], [y for _, y in seen]) for place, seen in found.items()]
