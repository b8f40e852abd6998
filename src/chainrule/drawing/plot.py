"""Line plots as SVG: named lines over axes with round numbers, one panel below another, for light and dark screens."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import field
from xml.etree import ElementTree as ET

from chainrule.dataclasses import dataclass
from chainrule.drawing.axis import MOST, Axis
from chainrule.drawing.picture import Picture
from chainrule.drawing.text import printable, text_width
from chainrule.drawing.thinning import thinned
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
#: Points of a line that are shown as dots too.
DOTS = 40
#: Points of longer lines are left out where that moves the line by no more than this.
UNSEEN = 0.15
BOLD = 1.12  # how much wider bold text is


@dataclass(frozen=True)
class Series:
    """A named line through points, in their order; where a y is missing or not finite, it has a gap.

    Attributes:
        name: shown in the legend.
        x: of the points.
        y: as many; None where there is none.
        band: from where to where a shade around the line goes, at as many points; None where it has none.
        joined: whether a line joins the points; without it they are dots, such as those of measured data.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    band: Sequence[tuple[float, float] | None] = ()
    joined: bool = True

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise ConfigurationError(
                f"plot: expected as many x as y of {self.name!r}, got {len(self.x)} and {len(self.y)}"
            )
        if self.band and len(self.band) != len(self.x):
            raise ConfigurationError(
                f"plot: expected a band of {self.name!r} at its {len(self.x)} points, got one at {len(self.band)}"
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
        guides: lines to compare with, dashed and in grey.
        names_points: whether a point says its numbers to whoever points at it.
    """

    title: str
    series: Sequence[Series]
    x_label: str = ""
    whole: bool = False
    logarithmic: bool = False
    x_logarithmic: bool = False
    marks: Mapping[str, float] = field(default_factory=dict)
    guides: Sequence[Series] = ()
    names_points: bool = False


def plot(panels: Sequence[Panel], title: str = "", sheet: str | None = None) -> Picture:
    """Panels below each other as the text of an SVG, which notebooks show; the same lines give the same text.

    Args:
        panels: from top to bottom.
        title: of all of them.
        sheet: its style sheet, "" for that of the page it is on; None for `style`.

    Example:
        >>> falling = Series("loss", [1, 2, 3], [0.7, 0.5, 0.4])
        >>> plot([Panel("Loss", [falling], x_label="Epoch", whole=True)])[:4]
        '<svg'
    """
    if sheet is None:
        sheet = style() + band_style() if any(line.band for panel in panels for line in panel.series) else style()
    root = new_picture(title or ", ".join(panel.title for panel in panels), sheet)
    y = draw_title(root, title)
    for panel in panels:
        y = draw_panel(root, panel, y).bottom
    return finished(root, y)


def new_picture(name: str, sheet: str) -> ET.Element:
    """An SVG to draw into, with its name, for those who cannot see it, and a style sheet; "" for that of its page."""
    root = ET.Element("svg", xmlns="http://www.w3.org/2000/svg", role="img")
    ET.SubElement(root, "title").text = printable(name)
    if sheet:
        ET.SubElement(root, "style").text = sheet
    ET.SubElement(root, "rect", {"class": "paper", "width": "100%", "height": "100%"})
    return root


def finished(root: ET.Element, height: float, width: float = WIDTH) -> Picture:
    """The text of an SVG of a size; one that is wider than a phone is not made smaller to fit it."""
    root.set("viewBox", f"0 0 {width:g} {height:g}")
    fitting = "max-width:100%;" if width <= WIDTH else ""
    root.set("style", f"width:{width:g}px;{fitting}height:auto")
    ET.indent(root)
    return Picture(ET.tostring(root, encoding="unicode"))


def draw_title(root: ET.Element, title: str, top: float = MARGIN) -> float:
    """Write a title in as many lines as it takes; where what is below it may begin."""
    y = top
    for line in _wrapped(title, WIDTH - 2 * MARGIN):
        y += LINE_HEIGHT
        draw_text(root, line, MARGIN, y - 5, "title")
    return y


@dataclass(frozen=True)
class Field:
    """The rectangle between two axes, in the units of the picture.

    Attributes:
        x_axis, y_axis: what lies along it.
        left, right, upper, lower: its edges.
        bottom: where what is drawn below may begin.
    """

    x_axis: Axis
    y_axis: Axis
    left: float
    right: float
    upper: float
    lower: float
    bottom: float

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a point lies."""
        return self.x_axis.place(x, self.left, self.right), self.y_axis.place(y, self.lower, self.upper)


def draw_panel(root: ET.Element, panel: Panel, top: float) -> Field:
    """Draw a panel whose upper edge is given."""
    points = [_points(series, panel) for series in panel.series]
    bands = [_bands(series, panel) for series in panel.series]
    held = [point for line in points for point in line if point is not None]
    edges = [y for band in bands for run in band for _, *ends in run for y in ends]
    held += [point for series in panel.guides for point in _points(series, panel) if point is not None]
    along = [*(x for x, _ in held), *panel.marks.values()]
    field = draw_field(
        root, panel.title, [series.name for series in panel.series], top,
        Axis.over(along, logarithmic=panel.x_logarithmic, whole=panel.whole, room=0.02),
        Axis.over([*(y for _, y in held), *edges], logarithmic=panel.logarithmic, room=0.05),
        x_label=panel.x_label, marks=[*panel.marks, *(series.name for series in panel.guides)],
        dotted=[index for index, series in enumerate(panel.series) if not series.joined],
    )  # fmt: skip
    for mark in panel.marks.values():
        x = field.x_axis.place(mark, field.left, field.right)
        draw_line(root, [(x, field.lower), (x, field.upper)], "mark")
    for series in panel.guides:
        draw_line(root, [field.place(*point) for point in _points(series, panel) if point is not None], "mark")
    for index, band in enumerate(bands):
        for edge in band:
            there, back = ([field.place(x, ends[k]) for x, *ends in edge] for k in (0, 1))
            shown = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*there, *reversed(back)])
            ET.SubElement(root, "polygon", {"class": kind_of(index), "points": shown})
    for index, line in enumerate(points):
        joined = panel.series[index].joined
        dots = sum(point is not None for point in line) <= DOTS or not joined
        for run in _runs(line):
            placed = [field.place(x, y) for x, y in run]
            if joined:
                line_points = placed if dots else thinned(placed, UNSEEN)
                draw_line(root, line_points, kind_of(index), index)
            for (x, y), values in zip(placed, run, strict=True) if dots or len(placed) == 1 else ():
                dot = _dot(root, x, y, index)
                if panel.names_points:
                    told = f"{panel.series[index].name}: {values[1]:.4g} at {panel.x_label} {values[0]:.6g}"
                    ET.SubElement(dot, "title").text = printable(told)
    return field


def draw_field(
    root: ET.Element, title: str, names: Sequence[str], top: float, x_axis: Axis, y_axis: Axis, *, x_label: str = "",
    marks: Sequence[str] = (), dotted: Sequence[int] = (), height: float = PLOT_HEIGHT,
) -> Field:  # fmt: skip
    """Draw a title, the names of lines, of dots (by their positions) and of marks, and two axes with their numbers."""
    widest = max((text_width(y_axis.shown(y), SIZE) for y in y_axis.numbers), default=0.0)
    left, right = MARGIN + 8 + widest, WIDTH - MARGIN
    draw_text(root, title, MARGIN, top + LINE_HEIGHT, "panel")
    upper = _legend(root, names, marks, dotted, top + 2 * LINE_HEIGHT) + 6
    lower = upper + height
    for number in y_axis.numbers:
        y = y_axis.place(number, lower, upper)
        draw_line(root, [(left, y), (right, y)], "grid")
        draw_text(root, y_axis.shown(number), left - 6, y + 4, "number", "end")
    draw_line(root, [(left, lower), (right, lower)], "axis")
    for number in x_axis.numbers:
        x = x_axis.place(number, left, right)
        draw_line(root, [(x, lower), (x, lower + 4)], "axis")
        draw_text(root, x_axis.shown(number), x, lower + 17, "number", "middle")
    if x_label:
        draw_text(root, x_label, (left + right) / 2, lower + 33, "number", "middle")
    return Field(x_axis, y_axis, left, right, upper, lower, lower + (40 if x_label else 24) + MARGIN / 2)


def _legend(root: ET.Element, names: Sequence[str], marks: Sequence[str], dotted: Sequence[int], y: float) -> float:
    """Draw the names of lines, dots and marks, in as many rows as they take; where the last row ends."""
    shown = [(name, kind_of(index), index) for index, name in enumerate(names)]
    x = MARGIN
    for name, kind, index in [*shown, *((name, "mark", 0) for name in marks)]:
        width = 30 + text_width(name, SIZE) + 16
        if x > MARGIN and x + width > WIDTH:
            x, y = MARGIN, y + LINE_HEIGHT
        if kind != "mark" and index in dotted:
            _dot(root, x + 11, y - 4, index)
        else:
            draw_line(root, [(x, y - 4), (x + 22, y - 4)], kind, index)
        draw_text(root, name, x + 28, y, "number")
        x += width
    return y


def _points(series: Series, panel: Panel) -> list[tuple[float, float] | None]:
    """The points of a line; None where it has none to draw."""
    least_x, least_y = (1 / MOST if it_is else -MOST for it_is in (panel.x_logarithmic, panel.logarithmic))
    pairs = ((float(x), math.nan if y is None else float(y)) for x, y in zip(series.x, series.y, strict=True))
    return [(x, y) if least_y <= y <= MOST and least_x <= x <= MOST else None for x, y in pairs]


def _bands(series: Series, panel: Panel) -> list[list[tuple[float, float, float]]]:
    """The edges of a band between its gaps: x, and from where to where."""
    lower, upper = (
        _points(Series(series.name, series.x, [ends and ends[k] for ends in series.band]), panel) if series.band else []
        for k in (0, 1)
    )
    runs: list[list[tuple[float, float, float]]] = [[]]
    for low, high in zip(lower, upper, strict=True):
        if low is not None and high is not None:
            runs[-1].append((*low, high[1]))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if len(run) > 1]


def _runs(points: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    """The points between gaps."""
    runs: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is not None:
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


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


def kind_of(index: int) -> str:
    """The class of the style sheet that has the colour of a line."""
    return f"line{index % len(COLOURS)}"


def draw_line(root: ET.Element, points: Sequence[tuple[float, float]], kind: str, index: int = 0) -> None:
    """Draw a line through points; of what index it is tells its dashes."""
    line = ET.SubElement(root, "polyline", {"class": kind, "points": " ".join(f"{x:.1f},{y:.1f}" for x, y in points)})
    if dash := DASHES[index // len(COLOURS) % len(DASHES)]:
        line.set("stroke-dasharray", dash)


def _dot(root: ET.Element, x: float, y: float, index: int) -> ET.Element:
    """Draw a point of a line, of what index it is."""
    place = {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": "2.5"}
    return ET.SubElement(root, "circle", {"class": kind_of(index), **place})


def draw_text(root: ET.Element, text: str, x: float, y: float, kind: str, anchor: str = "start") -> ET.Element:
    """Write a text that starts, ends or has its middle at a point."""
    element = ET.SubElement(root, "text", {"class": kind, "x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor})
    element.text = printable(text)
    return element


def style() -> str:
    """The style sheet: sizes, and the colours of light screens and of dark ones."""
    light, dark = _colours(0), _colours(1)
    return f"""
text{{font:{SIZE:g}px {FONT}}}.title,.panel{{font-weight:bold}}polyline{{fill:none;stroke-width:1}}
{" ".join(f"polyline.{kind_of(index)}{{stroke-width:2;stroke-linejoin:round}}" for index in range(len(COLOURS)))}
.mark{{stroke-dasharray:2 3}}
{light}
@media (prefers-color-scheme:dark){{{dark}}}
"""


def band_style() -> str:
    """The rules of the shades around lines, which `style` has no need of where there are none."""
    light, dark = (
        "".join(f"polygon.{kind_of(index)}{{fill:{colours[screen]}}}" for index, colours in enumerate(COLOURS))
        for screen in (0, 1)
    )
    return f"polygon{{fill-opacity:0.18}}{light}\n@media (prefers-color-scheme:dark){{{dark}}}\n"


def _colours(screen: int) -> str:
    """The rules of colour for light (0) or dark (1) screens."""
    rules = [f".paper{{fill:{PAPER[screen]}}}.title,.panel{{fill:{INK[screen]}}}.number{{fill:{GREY[screen]}}}"]
    rules += [f".grid{{stroke:{GRID[screen]}}}.axis,.mark{{stroke:{GREY[screen]}}}"]
    for index, colours in enumerate(COLOURS):
        rules.append(
            f"polyline.{kind_of(index)}{{stroke:{colours[screen]}}}circle.{kind_of(index)}{{fill:{colours[screen]}}}"
        )
    return "".join(rules)
