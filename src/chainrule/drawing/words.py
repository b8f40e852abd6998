"""Words with a number each, and the numbers of pairs of words: shades for the eye, and the numbers beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.etree import ElementTree as ET

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.drawing.page import escaped
from chainrule.drawing.plot import COLOURS, INK, LINE_HEIGHT, MARGIN, SIZE, WIDTH, draw_text, style
from chainrule.drawing.text import Array, text_width
from chainrule.shown import one_line

#: How dark the darkest shade is: text upon it stays readable.
DARKEST = 0.55
#: The size of a cell, and letters of a word beside cells.
CELL, LETTERS = 26.0, 14
WORD_HEIGHT, GAP = 38.0, 4.0


@dataclass(frozen=True)
class Word:
    """A word with a number.

    Attributes:
        text: the word.
        number: as it is shown.
        share: how large it is, from -1 to 1: the shade.
        known: whether the model knows it; one that it does not has a question mark.
    """

    text: str
    number: str
    share: float
    known: bool = True

    @property
    def shown(self) -> str:
        """The word, with a question mark where it is not known."""
        return one_line(self.text) + ("" if self.known else " ?")

    @property
    def kind(self) -> str:
        """The class of its shade."""
        return shade_of(self.share)[0]

    @property
    def shade(self) -> str:
        """How dark it is."""
        return shade_of(self.share)[1]


def draw_words(root: ET.Element, words: Sequence[Word], top: float) -> float:
    """Draw words one after another, in as many lines as they take; where the last one ends."""
    x = MARGIN
    for word in words:
        width = min(max(text_width(word.shown, SIZE), text_width(word.number, SIZE)) + 12, WIDTH - 2 * MARGIN)
        if x > MARGIN and x + width > WIDTH - MARGIN:
            x, top = MARGIN, top + WORD_HEIGHT + GAP
        draw_shade(root, word.kind, word.shade, x, top, width, WORD_HEIGHT)
        draw_text(root, word.shown, x + width / 2, top + 15, "word", "middle")
        draw_text(root, word.number, x + width / 2, top + 31, "word", "middle")
        x += width + GAP
    return top + (WORD_HEIGHT + GAP if words else 0)


def draw_heat_map(
    root: ET.Element, values: Array, rows: Sequence[str], columns: Sequence[str], title: str, top: float
) -> tuple[float, float]:
    """Draw numbers from 0 to 1 as cells with percent, the largest darkest; those that round to 0 stay empty.

    Args:
        root: to draw into.
        values: shape (rows, columns).
        rows: what stands at their left.
        columns: what stands above them.
        title: above it all.
        top: its upper edge.

    Returns:
        Where it ends below, and at the right.
    """
    largest = float(values.max(initial=0.0)) or 1.0
    rows, columns = ([one_line(name, LETTERS) for name in names] for names in (rows, columns))
    left = MARGIN + max((text_width(name, SIZE) for name in rows), default=0.0) + 6
    draw_text(root, title, MARGIN, top + LINE_HEIGHT, "panel")
    upper = top + LINE_HEIGHT + 10 + max((text_width(name, SIZE) for name in columns), default=0.0)
    for j, name in enumerate(columns):
        x, y = left + (j + 0.5) * CELL + 4, upper - 4
        draw_text(root, name, x, y, "word").set("transform", f"rotate(-90 {x:.1f} {y:.1f})")
    for i, name in enumerate(rows):
        y = upper + i * CELL
        draw_text(root, name, left - 6, y + CELL / 2 + 4, "word", "end")
        for j, value in enumerate(np.nan_to_num(values[i]).tolist()):
            percent = f"{100 * value:.0f}"
            if percent != "0":
                draw_shade(root, "for", f"{DARKEST * value / largest:.2f}", left + j * CELL, y, CELL, CELL)
                draw_text(root, percent, left + (j + 0.5) * CELL, y + CELL / 2 + 4, "word", "middle")
    edges = {"x": f"{left:.1f}", "y": f"{upper:.1f}", "width": f"{CELL * len(columns):g}"}
    ET.SubElement(root, "rect", {"class": "edge", **edges, "height": f"{CELL * len(rows):g}"})
    return upper + CELL * len(rows) + MARGIN, left + CELL * len(columns) + MARGIN


def shade_of(share: float) -> tuple[str, str]:
    """The class of a shade and how dark it is, of a number that is so large a share of the largest one."""
    return "against" if share < 0 else "for", f"{DARKEST * min(abs(share), 1):.2f}"


def draw_shade(root: ET.Element, kind: str, shade: str, x: float, y: float, width: float, height: float) -> None:
    """Draw a rectangle in one of the two colours of shades."""
    place = {"x": x, "y": y, "width": width, "height": height}
    ET.SubElement(
        root, "rect", {"class": kind, "fill-opacity": shade, **{name: f"{v:.1f}" for name, v in place.items()}}
    )


def words_html(words: Sequence[Word]) -> str:
    """Words with their numbers below them, as HTML; see `words_sheet`."""
    return " ".join(
        f'<span class="item" style="background:rgb(var(--{word.kind}) / {word.shade})">{escaped(word.shown)}'
        f'<span class="below">{escaped(word.number)}</span></span>'
        for word in words
    )


def words_sheet() -> str:
    """The style sheet of words and cells in pictures, and of words in HTML."""
    shades = [
        f".for{{fill:{COLOURS[0][screen]}}}.against{{fill:{COLOURS[1][screen]}}}.word{{fill:{INK[screen]}}}"
        f".words{{--for:{_channels(COLOURS[0][screen])};--against:{_channels(COLOURS[1][screen])}}}"
        for screen in (0, 1)
    ]
    return f"""{style()}.edge{{fill:none;stroke:currentColor;stroke-opacity:0.3}}
.item{{display:inline-block;text-align:center;border-radius:4px;padding:2px 6px;margin:1px 0}}
.item{{max-width:100%;overflow-wrap:anywhere}}
.below{{display:block;font-size:12px}}
{shades[0]}
@media (prefers-color-scheme:dark){{{shades[1]}}}
"""


def signed(number: float, largest: float) -> str:
    """A number with its sign, and three digits of the largest one beside it.

    Example:
        >>> signed(1.23456, 12.0), signed(-0.0004, 0.02), signed(-1e-9, 1.0), signed(123456.0, 123456.0)
        ('+1.2', '-0.0004', '+0.00', '+123456')
    """
    digits = 2 - math.floor(math.log10(largest)) if math.isfinite(largest) and largest > 0 else 2
    shown = f"{number:+.{min(max(digits, 0), 12)}f}"
    return shown if shown.strip("-0.") else f"+{shown[1:]}"


def _channels(colour: str) -> str:
    """Red, green and blue of a colour such as #0072b2."""
    return " ".join(str(int(colour[k : k + 2], 16)) for k in (1, 3, 5))
