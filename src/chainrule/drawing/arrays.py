"""Arrays as cells with their numbers: vectors, matrices and what is computed of them, beside each other."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.drawing.picture import Picture
from chainrule.drawing.plot import BOLD, LINE_HEIGHT, MARGIN, SIZE, WIDTH, draw_text, draw_title, finished, new_picture
from chainrule.drawing.text import Array, text_width
from chainrule.drawing.words import draw_shade, shade_of, words_sheet
from chainrule.errors import ConfigurationError
from chainrule.shown import one_line

#: The height of a cell and its least width, the room between arrays, and letters of a name beside cells.
CELL, NARROW, GAP, LETTERS = 26.0, 26.0, 12.0, 16
#: Cells of an array, at most: more are no picture that can be read.
MOST_CELLS = 900


@dataclass(frozen=True, eq=False)
class Cells:
    """An array to be drawn.

    Attributes:
        name: above it, with its shape.
        values: of at most two axes; a vector lies as a row.
        rows: what stands at the left of each row, if anything.
        columns: the same above each column.
        sign: what stands before it, such as "=" or "+".
        marked: cells with a thick edge, each as (row, column).
        digits: behind the point; None for as many as three digits of the largest need, and none for whole numbers.
    """

    name: str
    values: Any
    rows: Sequence[str] = ()
    columns: Sequence[str] = ()
    sign: str = ""
    marked: Collection[tuple[int, int]] = ()
    digits: int | None = None


def draw_arrays(arrays: Sequence[Cells], title: str = "") -> Picture:
    """Arrays as cells with their numbers, as many beside each other as a phone shows, as the text of an SVG.

    Each array has shades of its own, beside the numbers: blue above 0, orange below it, the largest darkest.

    Args:
        arrays: in their order.
        title: of all of them.

    Raises:
        ConfigurationError: for an array of more than two axes or 900 cells, of something other than numbers, or whose
            names are not one a row and one a column.

    Example:
        >>> picture = draw_arrays([Cells("x", [[1.0, 2.0]]), Cells("W", [[0.5], [-1.0]], sign="·")], "x W")
        >>> picture[:4], "−1.0" in picture
        ('<svg', True)
    """
    boxes = [_Box(array) for array in arrays]
    root = new_picture(title or ", ".join(array.name for array in arrays), words_sheet() + SHEET)
    top, x, lower, widest = draw_title(root, title), MARGIN, 0.0, WIDTH
    for box in boxes:
        if x > MARGIN and x + box.width > WIDTH - MARGIN:
            x, top = MARGIN, lower
        box.draw(root, x, top)
        x += box.width + GAP
        lower, widest = max(lower, top + box.height), max(widest, x - GAP + MARGIN)
    return finished(root, max(lower, top) + MARGIN / 2, widest)


class _Box:
    """What an array takes of the picture, and how it is drawn."""

    def __init__(self, array: Cells) -> None:
        given = np.asarray(getattr(array.values, "value", array.values))
        if given.ndim > 2 or given.size > MOST_CELLS or given.dtype.kind not in "biuf":
            raise ConfigurationError(
                f"draw_arrays: expected numbers of at most two axes and {MOST_CELLS} cells as {array.name!r}, got "
                f"{given.dtype} of shape {given.shape}; give a part of it"
            )
        self.array, self.values = array, np.atleast_2d(given)
        self.rows, self.columns = ([one_line(x, LETTERS) for x in names] for names in (array.rows, array.columns))
        for what, names, count in zip(("rows", "columns"), (self.rows, self.columns), self.values.shape, strict=True):
            if names and len(names) != count:
                raise ConfigurationError(
                    f"draw_arrays: expected {count} names of {what} of {array.name!r}, got {len(names)}"
                )
        self.shape = str(given.shape) if given.ndim else "scalar"
        self.shown = _shown(self.values, array.digits)
        texts = [text for row in self.shown for text in row]
        upright = all(text_width(name, SIZE) <= 2.2 * CELL for name in self.columns)
        held = [*texts, *self.columns] if upright else texts
        self.cell = max([NARROW, *(text_width(text, SIZE) + 11 for text in held)])
        self.head = 0.0
        if self.columns:
            self.head = 16.0 if upright else max(text_width(name, SIZE) for name in self.columns) + 6
        self.upright = upright
        self.sign = text_width(array.sign, SIZE + 3) + 14 if array.sign else 0.0
        self.left = self.sign + (max(text_width(name, SIZE) for name in self.rows) + 6 if self.rows else 0.0)
        self.named = BOLD * text_width(array.name, SIZE) + 8
        cells = self.left + self.cell * self.values.shape[1]
        self.width = max(cells, self.sign + self.named + text_width(self.shape, SIZE))
        self.height = LINE_HEIGHT + 6 + self.head + CELL * self.values.shape[0] + GAP

    def draw(self, root: ET.Element, x: float, top: float) -> None:
        """Draw it, its upper left corner given."""
        count, across = self.values.shape
        left, upper = x + self.left, top + LINE_HEIGHT + 6 + self.head
        draw_text(root, self.array.name, x + self.sign, top + LINE_HEIGHT, "panel")
        draw_text(root, self.shape, x + self.sign + self.named, top + LINE_HEIGHT, "number")
        if self.array.sign:
            draw_text(root, self.array.sign, x + self.sign / 2 - 3, upper + CELL * count / 2 + 5, "sign", "middle")
        for j, name in enumerate(self.columns):
            if self.upright:
                draw_text(root, name, left + (j + 0.5) * self.cell, upper - 5, "word", "middle")
            else:
                place = left + (j + 0.5) * self.cell + 4, upper - 4
                turned = "rotate(-90 {:.1f} {:.1f})".format(*place)
                draw_text(root, name, *place, "word").set("transform", turned)
        finite = np.abs(self.values[np.isfinite(self.values)].astype(float))
        largest = float(finite.max(initial=0.0)) or 1.0
        for i in range(count):
            y = upper + i * CELL
            if self.rows:
                draw_text(root, self.rows[i], left - 6, y + CELL / 2 + 4, "word", "end")
            for j in range(across):
                share = float(self.values[i, j]) / largest
                kind, shade = shade_of(share if np.isfinite(share) else 0.0)
                draw_shade(root, kind, shade, left + j * self.cell, y, self.cell, CELL)
                middle = left + (j + 0.5) * self.cell, y + CELL / 2 + 4
                draw_text(root, self.shown[i][j], *middle, "word", "middle")
        self._edge(root, "edge", left, upper, across, count)
        for i, j in self.array.marked:
            self._edge(root, "marked", left + j * self.cell, upper + i * CELL, 1, 1)

    def _edge(self, root: ET.Element, kind: str, x: float, y: float, across: int, count: int) -> None:
        place = {"x": x, "y": y, "width": self.cell * across, "height": CELL * count}
        ET.SubElement(root, "rect", {"class": kind, **{name: f"{z:.1f}" for name, z in place.items()}})


def _shown(values: Array, digits: int | None) -> list[list[str]]:
    """The numbers as they are written, with a minus that is as wide as a plus."""
    finite = values[np.isfinite(values)].astype(float)
    if digits is None:
        largest = float(np.abs(finite).max(initial=0.0))
        whole = bool((finite == np.round(finite)).all())
        digits = (
            0
            if whole or largest >= 100
            else 1
            if largest >= 10 or np.allclose(finite * 10, np.round(finite * 10))
            else 2
        )
    return [
        [f"{round(float(x), digits) + 0.0:.{digits}f}".replace("-", "\N{MINUS SIGN}") for x in row] for row in values
    ]


SHEET = """.sign{font-size:15px;fill:currentColor}.marked{fill:none;stroke-width:2.5}
.sign{fill:#1a1a1a}.edge,.marked{stroke:#1a1a1a}
@media (prefers-color-scheme:dark){.sign{fill:#ececec}.edge,.marked{stroke:#ececec}}
"""
