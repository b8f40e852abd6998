"""Intervals below each other as SVG: a name, the middle, from where to where, and the values they are of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from chainrule.drawing.axis import MOST, Axis
from chainrule.drawing.picture import Picture
from chainrule.drawing.plot import (
    LINE_HEIGHT,
    MARGIN,
    SIZE,
    WIDTH,
    draw_line,
    draw_text,
    finished,
    kind_of,
    new_picture,
    style,
)
from chainrule.drawing.text import printable, text_width
from chainrule.shown import one_line

#: Letters of a name, and the height of a row.
LETTERS, ROW = 34, 22.0


@dataclass(frozen=True)
class Interval:
    """An interval.

    Attributes:
        name: beside it.
        middle: of it.
        low, high: its ends; None where there are none to draw.
        values: that it was computed from, drawn as dots.
        told: what it says to whoever points at it.
    """

    name: str
    middle: float
    low: float | None = None
    high: float | None = None
    values: Sequence[float] = ()
    told: str = ""


def draw_intervals(
    rows: Sequence[Interval], title: str, sheet: str | None = None, marks: Sequence[float] = ()
) -> Picture:
    """Intervals over one axis as the text of an SVG; what is not finite is left out.

    Args:
        rows: from top to bottom.
        title: what the axis shows.
        sheet: the style sheet, "" for that of the page it is on; None for that of plots.
        marks: where vertical lines stand.

    Example:
        >>> draw_intervals([Interval("a", 0.5, 0.4, 0.6, [0.4, 0.5, 0.6])], "Accuracy")[:4]
        '<svg'
    """
    root = new_picture(title, style() if sheet is None else sheet)
    ends = [x for row in rows for x in (row.low, row.high, row.middle, *row.values) if x is not None and _has_place(x)]
    ends += marks
    axis = Axis.over(ends, room=0.04)
    names = [one_line(row.name, LETTERS) for row in rows]
    left = MARGIN + max((text_width(name, SIZE) for name in names), default=0.0) + 12
    right, upper = WIDTH - MARGIN, MARGIN + LINE_HEIGHT + 8
    lower = upper + ROW * len(rows)
    draw_text(root, title, MARGIN, MARGIN + LINE_HEIGHT - 5, "panel")
    numbers = axis.numbers[:: 2 if right - left < 0.55 * WIDTH else 1]
    for number in numbers:
        x = axis.place(number, left, right)
        draw_line(root, [(x, upper), (x, lower)], "grid")
        draw_text(root, axis.shown(number), x, lower + 15, "number", "middle")
    for mark in marks:
        x = axis.place(mark, left, right)
        draw_line(root, [(x, upper), (x, lower)], "mark")
    for index, (row, name) in enumerate(zip(rows, names, strict=True)):
        y = upper + (index + 0.5) * ROW
        draw_text(root, name, left - 10, y + 4, "number", "end")
        group = ET.SubElement(root, "g")
        ET.SubElement(group, "title").text = printable(row.told or f"{row.name}: {row.middle:.4g}")
        if row.low is not None and row.high is not None and _has_place(row.low) and _has_place(row.high):
            draw_line(group, [(axis.place(x, left, right), y) for x in (row.low, row.high)], kind_of(0))
        for value in filter(_has_place, row.values):
            _dot(group, axis.place(value, left, right), y, 2.0, "0.45")
        if _has_place(row.middle):
            _dot(group, axis.place(row.middle, left, right), y, 4.5, "1")
    return finished(root, lower + 22 + MARGIN / 2)


def _has_place(x: float) -> bool:
    """Whether an axis can hold it; not so NaN and what is as good as infinite."""
    return -MOST <= x <= MOST


def _dot(root: ET.Element, x: float, y: float, radius: float, shade: str) -> None:
    place = {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": f"{radius:g}", "fill-opacity": shade}
    ET.SubElement(root, "circle", {"class": kind_of(0), **place})
