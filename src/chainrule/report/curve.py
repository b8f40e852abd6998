"""The learning curve of one run: the loss and one other measure by epoch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chainrule.errors import DataError
from chainrule.report.figure import empty_figure, save
from chainrule.report.record import Line

TRAIN, VALID, BEST = "#0072b2", "#d55e00", "#666666"  # told apart by all kinds of colour vision
NEEDED = ("epoch", "train_loss", "valid_loss")
#: What measures are called above their panel, where that is not the name with blanks.
TITLES = {"r2": "R²", "macro_f1": "Macro-F1", "micro_f1": "Micro-F1"}


def draw_curve(record: Sequence[Line], path: str | os.PathLike[str]) -> None:
    """Draw the loss and the task's first other measure by epoch, of training and validation, into a picture.

    Args:
        record: the lines of one run.
        path: where the picture goes; its ending (.png, .svg, .pdf) says which kind.

    Raises:
        DataError: when the record has no epoch, or not of a training.
        ConfigurationError: when matplotlib is not installed, or the ending is not a kind of picture.
        StorageError: when the picture cannot be written.
    """
    epochs = [line for line in record if line.get("kind") == "epoch"]
    if not epochs:
        raise DataError("the record has no epoch to draw")
    missing = [key for key in NEEDED if any(key not in line for line in epochs)]
    if missing:
        raise DataError(f"an epoch of the record has no {missing[0]!r}; expected the record of a training")
    best = next((line.get("best_epoch") for line in record if line.get("kind") == "end"), None)
    others = [key.removeprefix("valid_") for key in epochs[0] if key.startswith("valid_") and key != "valid_loss"]
    measures = ["loss", *others[:1]]
    figure = empty_figure(4.5 * len(measures), 3.6)
    from matplotlib.ticker import MaxNLocator

    axes = figure.subplots(1, len(measures), squeeze=False)[0]
    for panel, measure in zip(axes, measures, strict=True):
        _draw_panel(panel, epochs, measure, _measure_title(measure, record[0]), best)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[-1].legend(frameon=False, loc="best")
    figure.suptitle(_title(record[0]), fontsize=11, parse_math=False)
    save(figure, path)


def _draw_panel(panel: Any, epochs: Sequence[Line], measure: str, title: str, best: int | None) -> None:
    numbers = [line["epoch"] for line in epochs]
    for part, color, label in (("train", TRAIN, "training"), ("valid", VALID, "validation")):
        values = [line.get(f"{part}_{measure}") for line in epochs]
        if any(value is not None for value in values):  # some measures are of validation alone
            held = [float("nan") if value is None else value for value in values]
            panel.plot(numbers, held, "o-", color=color, label=label, ms=3.5)
    if best is not None:
        panel.axvline(best, color=BEST, lw=1, ls=":", label=f"best epoch ({best:g})")
    panel.set_title(title, fontsize=10)
    panel.set_xlabel("Epoch")
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(axis="y", color="#dddddd", lw=0.6)


def _measure_title(measure: str, first: Line) -> str:
    task = first.get("task", {})
    nats = task.get("name") in ("classify", "multi-label") and task.get("output") != "tanh"
    if measure == "loss":
        return "Loss (nats)" if nats else "Loss"
    return TITLES.get(measure, measure.replace("_", " ").capitalize())


def _title(first: Line) -> str:
    learner = first.get("learner", {}).get("name", "run")
    data = first.get("data", {}).get("train", {})
    name = " ".join(Path(data.get("name", "?")).name.encode(errors="backslashreplace").decode().split())
    name = name if len(name) <= 50 else f"{name[:49]}…"
    return f"{learner}, seed {first.get('seed')}: {data.get('rows', '?')} training rows of {name}"
