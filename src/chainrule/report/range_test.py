"""The picture of a learning-rate range test: the loss by learning rate, and what was suggested."""

from __future__ import annotations

import os

from chainrule.drawing.plot import Panel, Series
from chainrule.errors import DataError
from chainrule.report.figure import draw
from chainrule.report.record import Line


def draw_range_test(line: Line, path: str | os.PathLike[str]) -> None:
    """Draw the loss of each step by its learning rate, and a line at the suggested one.

    Args:
        line: of `RangeTest.as_line`, or "range_test" of a record's first line.
        path: where the picture goes; its name ends in .svg.

    Raises:
        DataError: when there is no step to draw.
        ConfigurationError: when the name is that of another kind of picture.
        StorageError: when the picture cannot be written.
    """
    rates, losses, suggested = line["rates"], line["losses"], line["suggestion"]
    if not rates:
        raise DataError("the range test has no step to draw")
    first = sorted(losses[:20])
    start, least = first[len(first) // 2], min(losses)
    highest = start + max(start - least, abs(start) / 10)  # losses far above would hide the fall
    shown = Series("loss of a mini-batch", rates, [loss if loss <= highest else None for loss in losses])
    marks = {} if suggested is None else {f"suggested: {suggested:.2g}": suggested}
    panel = Panel("Loss", [shown], x_label="Learning rate", x_logarithmic=True, marks=marks)
    draw([panel], "No clear range" if suggested is None else "Learning-rate range test", path)
