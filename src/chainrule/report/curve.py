"""The learning curve of one run: losses and accuracies by epoch."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chainrule.errors import ConfigurationError, DataError
from chainrule.files import write_file
from chainrule.report.record import Line

TRAIN, VALID, BEST = "#0072b2", "#d55e00", "#666666"  # told apart by all kinds of colour vision
DRAWN = ("epoch", "train_loss", "valid_loss", "train_accuracy", "valid_accuracy")


def draw_curve(record: Sequence[Line], path: str | os.PathLike[str]) -> None:
    """Draw training and validation loss and accuracy by epoch into a picture.

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
    missing = [key for key in DRAWN if any(key not in line for line in epochs)]
    if missing:
        raise DataError(f"an epoch of the record has no {missing[0]!r}; expected the record of a training")
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError as error:
        raise ConfigurationError("drawing a curve needs matplotlib: pip install 'chainrule[report]'") from error
    best = next((line.get("best_epoch") for line in record if line.get("kind") == "end"), None)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots(1, 2)
    for panel, measure, title in zip(axes, ("loss", "accuracy"), ("Loss (nats)", "Accuracy"), strict=True):
        _draw_panel(panel, epochs, measure, title, best)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[1].legend(frameon=False, loc="lower right")
    figure.suptitle(_title(record[0]), fontsize=11, parse_math=False)
    kind = os.fspath(path).rpartition(".")[2].lower()
    if kind not in figure.canvas.get_supported_filetypes():
        raise ConfigurationError(f"{path}: expected a name that ends in .png, .svg or .pdf")
    picture = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a file name in a script that the font lacks comes as boxes
        figure.savefig(picture, format=kind, dpi=144)
    write_file(path, picture.getvalue())


def _draw_panel(panel: Any, epochs: Sequence[Line], measure: str, title: str, best: int | None) -> None:
    numbers = [line["epoch"] for line in epochs]
    for part, color, label in (("train", TRAIN, "training"), ("valid", VALID, "validation")):
        panel.plot(numbers, [line[f"{part}_{measure}"] for line in epochs], "o-", color=color, label=label, ms=3.5)
    if best is not None:
        panel.axvline(best, color=BEST, lw=1, ls=":", label=f"best epoch ({best})")
    panel.set_title(title, fontsize=10)
    panel.set_xlabel("Epoch")
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(axis="y", color="#dddddd", lw=0.6)


def _title(first: Line) -> str:
    learner = first.get("learner", {}).get("name", "run")
    data = first.get("data", {}).get("train", {})
    name = " ".join(Path(data.get("name", "?")).name.encode(errors="backslashreplace").decode().split())
    name = name if len(name) <= 50 else f"{name[:49]}…"
    return f"{learner}, seed {first.get('seed')}: {data.get('rows', '?')} training texts of {name}"
