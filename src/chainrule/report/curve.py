"""The learning curve of one run: the loss and one other measure by epoch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from chainrule.drawing.plot import Panel, Series
from chainrule.errors import DataError
from chainrule.report.figure import draw, require_svg
from chainrule.report.record import Line

NEEDED = ("epoch", "train_loss", "valid_loss")
#: What measures are called above their panel, where that is not the name with blanks.
TITLES = {"r2": "R²", "macro_f1": "Macro-F1", "micro_f1": "Micro-F1"}


def draw_curve(record: Sequence[Line], path: str | os.PathLike[str]) -> None:
    """Draw the loss and the task's first other measure by epoch, of training and validation, as an SVG picture.

    Args:
        record: the lines of one run.
        path: where the picture goes; its name ends in .svg.

    Raises:
        DataError: when the record has no epoch, or not of a training.
        ConfigurationError: when the name is that of another kind of picture.
        StorageError: when the picture cannot be written.
    """
    require_svg(path)
    epochs = [line for line in record if line.get("kind") == "epoch"]
    if not epochs:
        raise DataError("the record has no epoch to draw")
    missing = [key for key in NEEDED if any(key not in line for line in epochs)]
    if missing:
        raise DataError(f"an epoch of the record has no {missing[0]!r}; expected the record of a training")
    best = next((line.get("best_epoch") for line in record if line.get("kind") == "end"), None)
    others = [key.removeprefix("valid_") for key in epochs[0] if key.startswith("valid_") and key != "valid_loss"]
    panels = [
        Panel(
            _measure_title(measure, record[0]),
            _lines(epochs, measure),
            x_label="Epoch",
            whole=True,
            marks={} if best is None else {f"best epoch ({best:g})": best},
        )
        for measure in ("loss", *others[:1])
    ]
    draw(panels, _title(record[0]), path)


def _lines(epochs: Sequence[Line], measure: str) -> list[Series]:
    """A measure of training and validation; some measures are of validation alone."""
    lines = [
        Series(name, [line["epoch"] for line in epochs], [line.get(f"{part}_{measure}") for line in epochs])
        for part, name in (("train", "training"), ("valid", "validation"))
    ]
    return [line for line in lines if any(y is not None for y in line.y)]


def _measure_title(measure: str, first: Line) -> str:
    task = first.get("task", {})
    nats = task.get("name") in ("classify", "multi-label") and task.get("output") != "tanh"
    nats = nats and task.get("criterion") in (None, "cross_entropy", "bce")
    if measure == "loss":
        return "Loss (nats)" if nats else "Loss"
    return TITLES.get(measure, measure.replace("_", " ").capitalize())


def _title(first: Line) -> str:
    learner = first.get("learner", {}).get("name", "run")
    data = first.get("data", {}).get("train", {})
    name = " ".join(Path(data.get("name", "?")).name.encode(errors="backslashreplace").decode().split())
    name = name if len(name) <= 50 else f"{name[:49]}…"
    return f"{learner}, seed {first.get('seed')}: {data.get('rows', '?')} training rows of {name}"
