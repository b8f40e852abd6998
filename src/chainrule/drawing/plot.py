"""Line plots as SVG: named lines over axes with round numbers, one panel below another, for light and dark screens."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

from chainrule.drawing.text import printable, text_width
from chainrule.errors import ConfigurationError

#: Colours of lines on light and dark paper, told apart by all kinds of colour vision (after Okabe and Ito).
COLOURS = (
    ("#0072b2", "#56b4e9"), ("#d55e00", "#ff8f3f"), ("#007a5a", "#2fc79c"),
    ("#b0528a", "#e79bc6"), ("#8a6d00", "#f0e442"), ("#555555", "#bbbbbb"),
)  # fmt: skip
#: Where there are more lines than colours, they come again with other dashes.
DASHES = ("", "7 3", "2 3")
PAPER, INK, GREY, GRID = ("#fdfdfc", "#17181a"), ("#1a1a1a", "#ececec"), ("#5f636a", "#a3a8b0"), ("#e2e2e0", "#34373c")
FONT = "Helvetica Neue, Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif"

#: A phone shows as much beside another without making the text too small to read.
WIDTH = 440.0
PLOT_HEIGHT, MARGIN, LINE_HEIGHT, SIZE = 190.0, 14.0, 18.0, 12.0
#: Points of a line that are shown as dots too, and numbers on an axis, about.
DOTS, NUMBERS = 40, 6
#: Numbers beyond this, or its negative, are as good as infinite.
MOST = 1e100
BOLD = 1.12  # how much wider bold text is


@dataclass(frozen=True)
class Series:
    """A named line through points, in their order; where a y is missing or not finite, it has a gap.

    Attributes:
        name: shown in the legend.
        x: of the points.
        y: as many; None where there is none.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float | None]

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise ConfigurationError(
                f"plot: expected as many x as y of {self.name!r}, got {len(self.x)} and {len(self.y)}"
            )


@dataclass(frozen=True)
class Panel:
    """Lines over the same axes.

    Attributes:
        title: what the y axis shows.
        series: the lines.
        x_label: what the x axis shows.
        whole: whether the x axis counts, and so has whole numbers alone.
        logarithmic: whether the y axis is; what is not above 0 is a gap then.
        x_logarithmic: the same of the x axis.
        marks: vertical lines: where they are, by name.
    """

    title: str
    series: Sequence[Series]
    x_label: str = ""
    whole: bool = False
    logarithmic: bool = False
    x_logarithmic: bool = False
    marks: Mapping[str, float] = field(default_factory=dict)


def plot(panels: Sequence[Panel], title: str = "") -> str:
    """Panels below each other as the text of an SVG; the same lines give the same text.

    Args:
        panels: from top to bottom.
        title: of all of them.

    Example:
        >>> falling = Series("loss", [1, 2, 3], [0.7, 0.5, 0.4])
        >>> plot([Panel("Loss", [falling], x_label="Epoch", whole=True)])[:4]
        '<svg'
    """
    root = ET.Element("svg", xmlns="http://www.w3.org/2000/svg", role="img")
    ET.SubElement(root, "title").text = printable(title or ", ".join(panel.title for panel in panels))
    ET.SubElement(root, "style").text = _style()
    ET.SubElement(root, "rect", {"class": "paper", "width": "100%", "height": "100%"})
    y = MARGIN
    for line in _wrapped(title, WIDTH - 2 * MARGIN):
        y += LINE_HEIGHT
        _text(root, line, MARGIN, y - 5, "title")
    for panel in panels:
        y = _draw_panel(root, panel, y)
    root.set("viewBox", f"0 0 {WIDTH:g} {y:g}")
    root.set("style", f"width:{WIDTH:g}px;max-width:100%;height:auto")
    ET.indent(root)
    return ET.tostring(root, encoding="unicode")


def _draw_panel(root: ET.Element, panel: Panel, top: float) -> float:
    """Draw a panel whose upper edge is given; its lower edge."""
    points = [_points(series, panel) for series in panel.series]
    held = [point for line in points for point in line if point is not None]
    along = [*(x for x, _ in held), *panel.marks.values()]
    x_axis = _Axis.over(along, logarithmic=panel.x_logarithmic, whole=panel.whole, room=0.02)
    y_axis = _Axis.over([y for _, y in held], logarithmic=panel.logarithmic, room=0.05)
    widest = max((text_width(y_axis.shown(y), SIZE) for y in y_axis.numbers), default=0.0)
    left, right = MARGIN + 8 + widest, WIDTH - MARGIN
    _text(root, panel.title, MARGIN, top + LINE_HEIGHT, "panel")
    upper = _legend(root, panel, top + 2 * LINE_HEIGHT) + 6
    lower = upper + PLOT_HEIGHT
    for number in y_axis.numbers:
        y = y_axis.place(number, lower, upper)
        _line(root, [(left, y), (right, y)], "grid")
        _text(root, y_axis.shown(number), left - 6, y + 4, "number", "end")
    _line(root, [(left, lower), (right, lower)], "axis")
    for number in x_axis.numbers:
        x = x_axis.place(number, left, right)
        _line(root, [(x, lower), (x, lower + 4)], "axis")
        _text(root, x_axis.shown(number), x, lower + 17, "number", "middle")
    if panel.x_label:
        _text(root, panel.x_label, (left + right) / 2, lower + 33, "number", "middle")
    for mark in panel.marks.values():
        x = x_axis.place(mark, left, right)
        _line(root, [(x, lower), (x, upper)], "mark")
    for index, line in enumerate(points):
        dots = sum(point is not None for point in line) <= DOTS
        for run in _runs(line):
            placed = [(x_axis.place(x, left, right), y_axis.place(y, lower, upper)) for x, y in run]
            _line(root, placed, _kind(index), index)
            for x, y in placed if dots or len(placed) == 1 else ():
                ET.SubElement(root, "circle", {"class": _kind(index), "cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": "2.5"})
    return lower + (40 if panel.x_label else 24) + MARGIN / 2


def _legend(root: ET.Element, panel: Panel, y: float) -> float:
    """Draw the names of lines and marks, in as many rows as they take; where the last row ends."""
    names = [(name.name, _kind(index), index) for index, name in enumerate(panel.series)]
    names += [(name, "mark", 0) for name in panel.marks]
    x = MARGIN
    for name, kind, index in names:
        width = 30 + text_width(name, SIZE) + 16
        if x > MARGIN and x + width > WIDTH:
            x, y = MARGIN, y + LINE_HEIGHT
        _line(root, [(x, y - 4), (x + 22, y - 4)], kind, index)
        _text(root, name, x + 28, y, "number")
        x += width
    return y


def _points(series: Series, panel: Panel) -> list[tuple[float, float] | None]:
    """The points of a line; None where it has none to draw."""
    least_x, least_y = (1 / MOST if it_is else -MOST for it_is in (panel.x_logarithmic, panel.logarithmic))
    return [
        (float(x), float(y)) if y is not None and least_y <= y <= MOST and least_x <= x <= MOST else None
        for x, y in zip(series.x, series.y, strict=True)
    ]


def _runs(points: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    """The points between gaps."""
    runs: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is not None:
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


@dataclass(frozen=True)
class _Axis:
    """The room of an axis, and the round numbers that it shows.

    Attributes:
        low, high: the ends; of a logarithmic axis their logarithms to base 10.
        numbers: what is shown, in ascending order.
        step: between two of them; 0 where they are not equally far apart.
        logarithmic: whether equal ratios take equal room.
    """

    low: float
    high: float
    numbers: Sequence[float]
    step: float
    logarithmic: bool

    @classmethod
    def over(cls, values: Sequence[float], *, logarithmic: bool = False, whole: bool = False, room: float) -> _Axis:
        """An axis that holds values, with some room beyond them, a share of the whole; of none, from 0 to 1."""
        placed = [math.log10(x) for x in values] if logarithmic else list(values)
        low, high = (min(placed), max(placed)) if placed else (0.0, 1.0)
        if high - low <= max(1e-9 * abs(low), 1e-9 * abs(high), 1 / MOST):  # all the same
            around = 0.3 if logarithmic else abs(low) / 2 or 0.5
            low, high = low - around, high + around
        low, high = low - room * (high - low), high + room * (high - low)
        if logarithmic and high - low > 1:
            factors = (1, 2, 5) if high - low < 2 else (1,)
            every = math.ceil((high - low) / (2 * NUMBERS))  # of the powers of ten
            powers = range(math.floor(low), math.ceil(high) + 1)
            round_numbers = [factor * 10.0**power for power in powers if power % every == 0 for factor in factors]
            return cls(low, high, [x for x in round_numbers if low <= math.log10(x) <= high], 0.0, True)
        first, last = (10.0**low, 10.0**high) if logarithmic else (low, high)
        step = max(_round_step((last - first) / NUMBERS), 1.0 if whole else 0.0)
        counted = range(math.ceil(first / step), math.floor(last / step) + 1)
        return cls(low, high, [k * step for k in counted], step, logarithmic)

    def place(self, value: float, start: float, stop: float) -> float:
        """Where a value is between the two ends of the axis."""
        along = math.log10(value) if self.logarithmic else value
        return start + (along - self.low) / (self.high - self.low) * (stop - start)

    def shown(self, number: float) -> str:
        """One of the numbers, with as many digits as tell it from its neighbours."""
        if not self.step:
            return f"{number:g}"
        digits = max(0, -math.floor(math.log10(self.step) + 1e-9))
        if digits > 5 or abs(number) >= 1e6:
            return f"{number:.{max(0, round(math.log10(max(abs(number), self.step) / self.step)))}e}"
        return f"{number:.{digits}f}"


def _round_step(step: float) -> float:
    """The next round number from this on: 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return power * next(factor for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))


def _wrapped(text: str, width: float) -> list[str]:
    """A bold text in lines that fit, broken at blanks where there are any."""
    lines, line = [], ""
    for character in " ".join(printable(text).split()):
        if BOLD * text_width(line + character, SIZE) > width:
            end = line.rfind(" ") + 1 or len(line)
            lines.append(line[:end].rstrip())
            line = line[end:]
        line += character
    return [*lines, line] if line else lines


def _kind(index: int) -> str:
    return f"line{index % len(COLOURS)}"


def _line(root: ET.Element, points: Sequence[tuple[float, float]], kind: str, index: int = 0) -> None:
    line = ET.SubElement(root, "polyline", {"class": kind, "points": " ".join(f"{x:.1f},{y:.1f}" for x, y in points)})
    if dash := DASHES[index // len(COLOURS) % len(DASHES)]:
        line.set("stroke-dasharray", dash)


def _text(root: ET.Element, text: str, x: float, y: float, kind: str, anchor: str = "start") -> None:
    element = ET.SubElement(root, "text", {"class": kind, "x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor})
    element.text = printable(text)


def _style() -> str:
    """The style sheet: sizes, and the colours of light screens and of dark ones."""
    light, dark = _colours(0), _colours(1)
    return f"""
text{{font:{SIZE:g}px {FONT}}}.title,.panel{{font-weight:bold}}polyline{{fill:none;stroke-width:1}}
{" ".join(f"polyline.{_kind(index)}{{stroke-width:2;stroke-linejoin:round}}" for index in range(len(COLOURS)))}
.mark{{stroke-dasharray:2 3}}
{light}
@media (prefers-color-scheme:dark){{{dark}}}
"""


def _colours(screen: int) -> str:
    """The rules of colour for light (0) or dark (1) screens."""
    rules = [f".paper{{fill:{PAPER[screen]}}}.title,.panel{{fill:{INK[screen]}}}.number{{fill:{GREY[screen]}}}"]
    rules += [f".grid{{stroke:{GRID[screen]}}}.axis,.mark{{stroke:{GREY[screen]}}}"]
    for index, colours in enumerate(COLOURS):
        rules.append(
            f"polyline.{_kind(index)}{{stroke:{colours[screen]}}}circle.{_kind(index)}{{fill:{colours[screen]}}}"
        )
    return "".join(rules)
