"""The picture of a diagnosis: the two curves, gradients and updates by layer, and dead or saturated units, by epoch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from chainrule.errors import DataError
from chainrule.report.figure import empty_figure, save
from chainrule.report.record import Line


def draw_diagnosis(record: Sequence[Line], path: str | os.PathLike[str]) -> None:
    """Draw what the diagnostics looked at: losses, sizes of gradients and updates, and units, by epoch.

    Args:
        record: the lines of one run.
        path: where the picture goes; its ending (.png, .svg, .pdf) says which kind.

    Raises:
        DataError: when the record has no epoch.
        ConfigurationError: when matplotlib is not installed, or the ending is not a kind of picture.
        StorageError: when the picture cannot be written.
    """
    epochs = [line for line in record if line.get("kind") == "epoch"]
    if not epochs:
        raise DataError("the record has no epoch to draw")
    figure = empty_figure(12.0, 3.6)
    losses, sizes, units = figure.subplots(1, 3)
    numbers = [line["epoch"] for line in epochs]
    losses.plot(numbers, [line["train_loss"] for line in epochs], "o-", ms=3, label="training")
    losses.plot(numbers, [line["valid_loss"] for line in epochs], "o-", ms=3, label="validation")
    for title, name in (("gradient of", "gradients"), ("update of", "updates")):
        for place, seen in _series(epochs, name).items():
            sizes.plot(*zip(*seen, strict=True), "o-" if name == "gradients" else "s--", ms=3, label=f"{title} {place}")
    for place, seen in _series(epochs, "layers").items():
        units.plot(*zip(*((x, max(y.values())) for x, y in seen), strict=True), "o-", ms=3, label=place)
    sizes.set_yscale("log")
    units.set_ylim(-0.02, 1.02)
    for panel, title in (
        (losses, "Loss"),
        (sizes, "Gradients; updates as a part of weights"),
        (units, "Dead or saturated"),
    ):
        panel.set_title(title, fontsize=10)
        panel.set_xlabel("Epoch")
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(axis="y", color="#dddddd", lw=0.6)
        if panel.lines:
            panel.legend(frameon=False, fontsize=7)
    save(figure, path)


def _series(epochs: Sequence[Line], name: str) -> dict[str, list[tuple[float, Any]]]:
    """By place, what was seen there, with the epochs."""
    found: dict[str, list[tuple[float, Any]]] = {}
    for line in epochs:
        for place, value in line.get("observed", {}).get(name, {}).items():
            found.setdefault(place, []).append((line["epoch"], value))
    return found
