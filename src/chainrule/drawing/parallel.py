"""Parallel coordinates as SVG: an axis for each thing that varies, one below another, and a line for each run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from xml.etree import ElementTree as ET

from chainrule.drawing.axis import MOST, Axis
from chainrule.drawing.picture import Picture
from chainrule.drawing.plot import (
    GREY,
    LINE_HEIGHT,
    MARGIN,
    PAPER,
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

#: What a run has on an axis: a number, a word, or nothing where it has no such setting.
Value: TypeAlias = float | str | None

#: The height of an axis with its name and numbers, letters of a word, and the room of a word beside numbers.
HEIGHT, LETTERS, PLACE = 62.0, 14, 60.0
#: Lines that share a word are spread over so much of its room, in their order, so that each can be followed.
SPREAD = 0.6
#: From this ratio of the largest to the smallest number on, a scale is logarithmic.
RATIO = 50.0
#: So many different numbers, each of several runs, have places of their own, as words have.
FEW = 6
#: What is called so has nothing on an axis.
NOTHING = "–"


@dataclass(frozen=True)
class Coordinate:
    """An axis, and where each run lies on it.

    Attributes:
        name: above it.
        values: one a run. Numbers share a scale; words have places of their own, and so have a few different numbers;
            nothing has one at the left.
    """

    name: str
    values: Sequence[Value]


@dataclass(frozen=True)
class Kind:
    """How lines of a kind are drawn.

    Attributes:
        name: in the legend.
        colour: which of the colours of plots; None for grey.
        runs: whose lines they are, by their places in the values.
    """

    name: str
    colour: int | None
    runs: Sequence[int]


def draw_parallel(
    coordinates: Sequence[Coordinate], kinds: Sequence[Kind], told: Mapping[int, str], title: str,
    sheet: str | None = None,
) -> Picture:  # fmt: skip
    """A line for each run through its values, from the first axis down to the last, as the text of an SVG.

    Args:
        coordinates: from top to bottom.
        kinds: the lines, those that lie on top of others last.
        told: what a line says to whoever points at it, by run.
        title: what is shown.
        sheet: the style sheet, "" for that of the page it is on; None for that of plots with `parallel_style`.

    Example:
        >>> size, accuracy = Coordinate("size", [8.0, 16.0]), Coordinate("accuracy", [0.7, 0.8])
        >>> draw_parallel([accuracy, size], [Kind("runs", 0, [0, 1])], {1: "the better one"}, "Two runs")[:4]
        '<svg'
    """
    root = new_picture(title, style() + parallel_style() if sheet is None else sheet)
    order = [run for kind in kinds for run in kind.runs]
    top = _legend(root, [kind for kind in kinds if kind.runs]) + 4
    rows = [_Row(coordinate, order, top + i * HEIGHT) for i, coordinate in enumerate(coordinates)]
    for row in rows:
        draw_line(root, [(MARGIN, row.y), (WIDTH - MARGIN, row.y)], "axis")
    for kind in kinds:
        for run in kind.runs:
            group = ET.SubElement(root, "g", {"class": "run"})
            ET.SubElement(group, "title").text = printable(told.get(run, f"run {run}"))
            draw_line(group, [row.point(run) for row in rows], "other" if kind.colour is None else kind_of(kind.colour))
    for row in rows:  # above the lines, so that they can be read
        draw_text(root, row.coordinate.name, MARGIN, row.y - 9, "panel over")
        for text, x, anchor in row.labels():
            draw_text(root, text, x, row.y + 16, "number over", anchor)
    return finished(root, top + len(rows) * HEIGHT)


class _Row:
    """An axis in the picture: words at the left, in places of one width, and numbers beside them."""

    def __init__(self, coordinate: Coordinate, order: Sequence[int], top: float) -> None:
        self.coordinate, self.y = coordinate, top + HEIGHT / 2
        values = [coordinate.values[run] for run in order]
        numbers = [float(x) for x in values if isinstance(x, int | float) and -MOST <= x <= MOST]
        self.places = {x: f"{x:.6g}" for x in sorted(set(numbers))}
        if len(self.places) > FEW or len(numbers) < 2 * len(self.places):
            self.places = {}
        self.numbers = [] if self.places else numbers
        there = {self._word(x) for x in values} - {None}
        known = [NOTHING, *self.places.values()]
        self.words = [x for x in known if x in there] + sorted(x for x in there if x is not None and x not in known)
        left, right = MARGIN + 6, WIDTH - MARGIN - 6
        self.room = min(PLACE, (right - left) / (len(self.words) + 2)) if self.numbers else 0.0
        if self.words and not self.numbers:
            self.room = (right - left) / len(self.words)
        self.start = left
        self.low, self.high = left + self.room * len(self.words), right
        low, high = (min(self.numbers), max(self.numbers)) if self.numbers else (0.0, 1.0)
        self.axis = Axis.over(self.numbers, logarithmic=low > 0 and high / low >= RATIO, room=0.02)
        self._offset: dict[int, float] = {}
        for word in self.words:  # lines of one word beside each other, in their order
            held = [run for run in order if self._word(coordinate.values[run]) == word]
            for i, run in enumerate(held):
                self._offset[run] = ((i + 0.5) / len(held) - 0.5) * SPREAD * self.room

    def _word(self, value: Value) -> str | None:
        """The word that has a place of its own; None for a number."""
        if isinstance(value, str):
            return value
        return self.places.get(value) if value is not None and -MOST <= value <= MOST else NOTHING

    def point(self, run: int) -> tuple[float, float]:
        """Where the line of a run crosses it."""
        value = self.coordinate.values[run]
        word = self._word(value)
        if word is not None:
            return self._middle(word) + self._offset[run], self.y
        return self.axis.place(float(value or 0.0), self.low, self.high), self.y

    def _middle(self, word: str) -> float:
        return self.start + (self.words.index(word) + 0.5) * self.room

    def labels(self) -> list[tuple[str, float, str]]:
        """Its words and numbers, where they stand, and which side of them that is; those that have room."""
        found: list[tuple[str, float, str]] = []
        letters = max(2, min(LETTERS * 2, int(self.room / (0.575 * SIZE))))
        wanted = [(one_line(word, letters), self._middle(word)) for word in self.words]
        if self.numbers:
            wanted += [(self.axis.shown(x), self.axis.place(x, self.low, self.high)) for x in self.axis.numbers]
        end = 0.0
        for text, x in wanted:
            half = text_width(text, SIZE) / 2
            place = min(max(x, half + 4), WIDTH - half - 4)
            if place - half > end:
                found.append((text, place, "middle"))
                end = place + half + 6
        return found


def _legend(root: ET.Element, kinds: Sequence[Kind]) -> float:
    """The names of kinds, the last first, in as many rows as they take; where the last row ends."""
    x, y = MARGIN, MARGIN + LINE_HEIGHT - 5
    for kind in reversed(kinds):
        width = 28 + text_width(kind.name, SIZE) + 16
        if x > MARGIN and x + width > WIDTH:
            x, y = MARGIN, y + LINE_HEIGHT
        draw_line(root, [(x, y - 4), (x + 22, y - 4)], "other" if kind.colour is None else kind_of(kind.colour))
        draw_text(root, kind.name, x + 28, y, "number")
        x += width
    return y


def parallel_style() -> str:
    """The rules of these pictures, beside those of plots: a line that is pointed at stands out."""
    light, dark = (f".other{{stroke:{GREY[i]}}}.over{{stroke:{PAPER[i]}}}" for i in (0, 1))
    return (
        ".run polyline{stroke-width:1.5;stroke-opacity:0.8}.run .other{stroke-width:1;stroke-opacity:0.4}"
        ".run:hover polyline{stroke-width:4;stroke-opacity:1}.over{paint-order:stroke;stroke-width:4px}"
        f"{light}\n@media (prefers-color-scheme:dark){{{dark}}}\n"
    )
