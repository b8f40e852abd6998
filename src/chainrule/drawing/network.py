"""A network at one example as SVG: units in columns, a number in each, and a weight on each line between two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.drawing.picture import Picture
from chainrule.drawing.plot import (
    BOLD,
    COLOURS,
    GREY,
    INK,
    LINE_HEIGHT,
    MARGIN,
    PAPER,
    SIZE,
    WIDTH,
    draw_text,
    draw_title,
    finished,
    kind_of,
    new_picture,
    style,
)
from chainrule.drawing.text import Array, number, text_width
from chainrule.errors import ConfigurationError, ShapeError

#: Half the width of a unit, from the middle of one to that of the next, and how far numbers stand beside them.
RADIUS, APART = 19.0, 62.0
#: More than this cannot be read: units of a stage, and stages.
MOST_UNITS, MOST_STAGES = 8, 5
#: How thick the line of the largest weight is, and that of a weight near 0.
THICK, THIN = 4.0, 0.8


@dataclass(frozen=True)
class Stage:
    """A column of units: the numbers that a layer reads or gives.

    Attributes:
        name: what stands above them, such as "x" or "relu(z)".
        values: the number in each, a list, an array or a tensor.
        weights: on the lines from the stage before, shape (units there, units here); None where each unit reads the
            one beside it alone, as an activation does.
        labels: what stands below each unit, such as a word; none by default.
    """

    name: str
    values: Any
    weights: Any = None
    labels: Sequence[str] = field(default=())


def draw_network(stages: Sequence[Stage], title: str = "") -> Picture:
    """A picture of a network at one example: its units from left to right, with their numbers and weights.

    A line is as thick as its weight is large, and dashed where that is negative; a unit whose number is 0 is dashed.

    Args:
        stages: from the inputs to the outputs.
        title: above the picture.

    Raises:
        ConfigurationError: for no stage, more than five, or a stage of no unit or more than eight.
        ShapeError: for weights or labels that do not fit the units.

    Example:
        >>> draw_network([Stage("x", [1.0, 2.0]), Stage("y", [0.5], [[1.5], [-0.5]])])[:4]
        '<svg'
    """
    placed = _checked(stages)
    sheet = style() + _sheet()
    root = new_picture(title or "Units of a network", sheet)
    top = draw_title(root, title) + MARGIN + LINE_HEIGHT
    tallest = max(len(values) for values, _ in placed)
    middle = top + 8 + RADIUS + APART * (tallest - 1) / 2
    gaps = [1 if weights is None else 2 for _, weights in placed[1:]]  # weights need room
    gap = (WIDTH - 2 * MARGIN - 2 * RADIUS - 20) / max(sum(gaps), 1)
    left = MARGIN + RADIUS + 10 if len(placed) > 1 else WIDTH / 2
    places = [
        [(left + gap * sum(gaps[:k]), middle + APART * (i - (len(values) - 1) / 2)) for i in range(len(values))]
        for k, (values, _) in enumerate(placed)
    ]
    for k, (_, weights) in enumerate(placed):
        if k:
            _draw_lines(root, places[k - 1], places[k], weights)
    for stage, (values, _), spots in zip(stages, placed, places, strict=True):
        half = BOLD * text_width(stage.name, SIZE) / 2 + 2
        draw_text(root, stage.name, min(max(spots[0][0], half), WIDTH - half), top, "panel", "middle")
        for i, (value, (x, y)) in enumerate(zip(values.tolist(), spots, strict=True)):
            shape = {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": f"{RADIUS:g}"}
            ET.SubElement(root, "circle", {"class": "unit" if value else "unit off", **shape})
            draw_text(root, _short(value), x, y + 4, "value", "middle")
            if stage.labels:
                draw_text(root, stage.labels[i], x, y + RADIUS + 13, "number", "middle")
    return finished(root, middle + APART * (tallest - 1) / 2 + RADIUS + LINE_HEIGHT + 8)


def _checked(stages: Sequence[Stage]) -> list[tuple[Array, Array | None]]:
    """The numbers and the weights of each stage.

    Raises:
        ConfigurationError: see `draw_network`.
        ShapeError: see `draw_network`.
    """
    if not 1 <= len(stages) <= MOST_STAGES:
        raise ConfigurationError(f"draw_network: expected 1 to {MOST_STAGES} stages, got {len(stages)}")
    checked: list[tuple[Array, Array | None]] = []
    for stage in stages:
        values = _array(stage.values)
        if values.ndim != 1 or not 1 <= len(values) <= MOST_UNITS:
            raise ConfigurationError(
                f"draw_network: expected numbers of 1 to {MOST_UNITS} units for {stage.name!r}, got shape "
                f"{values.shape}; more cannot be read in a picture"
            )
        if stage.labels and len(stage.labels) != len(values):
            raise ShapeError(
                f"draw_network: expected a label for each of the {len(values)} units of {stage.name!r}, "
                f"got {len(stage.labels)}"
            )
        weights = None if stage.weights is None else _array(stage.weights)
        if checked:
            before = len(checked[-1][0])
            wanted = (before, len(values))
            if weights is None and before != len(values):
                raise ShapeError(
                    f"draw_network: {stage.name!r} has {len(values)} units and no weights, and the stage before it "
                    f"{before}; give weights of shape {wanted}"
                )
            if weights is not None and weights.shape != wanted:
                raise ShapeError(
                    f"draw_network: expected weights of shape {wanted} for {stage.name!r}, got {weights.shape}"
                )
        checked.append((values, weights))
    return checked


def _array(numbers: Any) -> Array:
    """Numbers as an array; of a tensor, its value."""
    return np.asarray(getattr(numbers, "value", numbers), np.float64)


def _draw_lines(
    root: ET.Element, before: Sequence[tuple[float, float]], here: Sequence[tuple[float, float]], weights: Array | None
) -> None:
    """Draw the lines into a stage, and then the weights upon them."""
    if weights is None:
        for start, stop in zip(before, here, strict=True):
            _line(root, start, stop, "axis", 1.2)
        return
    largest = float(np.abs(weights).max()) or 1.0
    numbers = []
    for i, start in enumerate(before):
        for j, stop in enumerate(here):
            weight = float(weights[i, j])
            width = THIN + (THICK - THIN) * abs(weight) / largest
            line = _line(root, start, stop, kind_of(int(weight < 0)), width)
            if weight < 0:
                line.set("stroke-dasharray", "6 3")
            apart = max(weights.shape)  # lines between units as far from each other have their numbers below each other
            share = 0.22 + 0.56 * ((j - i) % apart + 0.5) / apart
            numbers.append((weight, *(a + share * (b - a) for a, b in zip(start, stop, strict=True))))
    for weight, x, y in numbers:
        draw_text(root, _short(weight, 4), x, y + 4, "weight", "middle")


def _line(
    root: ET.Element, start: tuple[float, float], stop: tuple[float, float], kind: str, width: float
) -> ET.Element:
    points = f"{start[0]:.1f},{start[1]:.1f} {stop[0]:.1f},{stop[1]:.1f}"
    return ET.SubElement(root, "polyline", {"class": kind, "points": points, "style": f"stroke-width:{width:.1f}"})


def _short(value: float, letters: int = 5) -> str:
    """A number in few letters: those that a unit has room for."""
    shown = number(value)
    return next((x for x in (shown, f"{value:.2g}") if len(x) <= letters), f"{value:.1g}")


def _sheet() -> str:
    """The rules of units and their numbers."""
    light, dark = (
        f".unit{{fill:{PAPER[screen]};stroke:{INK[screen]}}}.off{{stroke:{GREY[screen]}}}.value{{fill:{INK[screen]}}}"
        f".weight{{stroke:{PAPER[screen]};fill:{COLOURS[5][screen]}}}"
        for screen in (0, 1)
    )
    return f""".unit{{stroke-width:1.5}}.off{{stroke-dasharray:3 3}}
.weight{{font-size:11px;paint-order:stroke;stroke-width:4}}
{light}
@media (prefers-color-scheme:dark){{{dark}}}
"""
