"""The picture of a learning-rate range test: the loss by learning rate, and what was suggested."""

from __future__ import annotations

import os

from chainrule.errors import DataError
from chainrule.report.figure import empty_figure, save
from chainrule.report.record import Line

LOSS, SUGGESTED = "#0072b2", "#d55e00"


def draw_range_test(line: Line, path: str | os.PathLike[str]) -> None:
    """Draw the loss of each step by its learning rate, and a line at the suggested one.

    Args:
        line: of `RangeTest.as_line`, or "range_test" of a record's first line.
        path: where the picture goes; its ending (.png, .svg, .pdf) says which kind.

    Raises:
        DataError: when there is no step to draw.
        ConfigurationError: when matplotlib is not installed, or the ending is not a kind of picture.
        StorageError: when the picture cannot be written.
    """
    rates, losses = line["rates"], line["losses"]
    if not rates:
        raise DataError("the range test has no step to draw")
    figure = empty_figure(6.0, 3.6)
    panel = figure.subplots()
    panel.plot(rates, losses, ".", color=LOSS, ms=3.5, label="mini-batch")
    first = sorted(losses[:20])
    panel.set_ylim(*_limits(min(losses), first[len(first) // 2]))
    if line["suggestion"] is not None:
        panel.axvline(line["suggestion"], color=SUGGESTED, lw=1.5, label=f"suggested: {line['suggestion']:.2g}")
    panel.set_xscale("log")
    panel.set_xlabel("Learning rate")
    panel.set_ylabel("Loss")
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(axis="y", color="#dddddd", lw=0.6)
    panel.legend(frameon=False, loc="best")
    figure.suptitle("no clear range" if line["suggestion"] is None else "Learning-rate range test", fontsize=11)
    save(figure, path)


def _limits(least: float, start: float) -> tuple[float, float]:
    """From below the least loss to where it has diverged: losses far above would hide the fall."""
    height = max(start - least, abs(start) / 10)
    return least - 0.1 * height, start + height
