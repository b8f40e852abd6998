"""Points with names, as SVG: a map of words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from xml.etree import ElementTree as ET

import numpy as np

from chainrule.drawing.picture import Picture
from chainrule.drawing.plot import SIZE, draw_line, draw_text, draw_title, finished, new_picture
from chainrule.drawing.text import shortened, text_width
from chainrule.drawing.words import words_sheet

#: Width of the picture, its height as a share of that, and what is left free around the points.
WIDTH, HEIGHT, MARGIN = 680.0, 0.72, 28.0
#: How far a name may be moved up or down, in lines, to be clear of others.
MOVES = (0, -1, 1, -2, 2, -3, 3)


def points_picture(
    points: np.ndarray,
    names: Sequence[str],
    *,
    paths: Sequence[Sequence[str]] = (),
    title: str = "",
    width: float = WIDTH,
) -> Picture:
    """A picture of points of a plane, each with its name, on one scale for both axes.

    Names are moved up or down where they would cover others.

    Args:
        points: shape (n, 2).
        names: of them.
        paths: names of points that lines join, each in its order.
        title: above it.
        width: of the picture; a phone shows 440 without scrolling.

    Example:
        >>> points_picture(np.array([[0, 0], [1, 2.0]]), ["here", "there"], paths=[("here", "there")])[:4]
        '<svg'
    """
    given, names = list(names), [shortened(name) for name in names]
    root = new_picture(title or "Points: " + ", ".join(names), words_sheet())
    top = draw_title(root, title)
    widest = max(text_width(name, SIZE) for name in names)
    room = np.array([width - 2 * MARGIN - widest, HEIGHT * width - 2 * MARGIN])
    low, spread = points.min(axis=0), np.ptp(points, axis=0)
    scale = min((free / length for free, length in zip(room, spread, strict=True) if length > 0), default=1.0)
    placed = (points - low) * scale + MARGIN + (room - spread * scale) / 2
    placed[:, 1] = top + HEIGHT * width - placed[:, 1]
    for path in paths:
        for one, other in pairwise(given.index(name) for name in path):
            draw_line(root, [tuple(placed[one]), tuple(placed[other])], "mark")
    taken: list[tuple[float, float, float]] = []
    for (x, y), name in zip(placed.tolist(), names, strict=True):
        ET.SubElement(root, "circle", {"class": "line0", "cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": "3"})
        left, right = x + 6, x + 6 + text_width(name, SIZE)
        free = [
            y + move * SIZE for move in MOVES
            if not any(a < right and left < b and abs(y + move * SIZE - other) < SIZE for a, b, other in taken)
        ]  # fmt: skip
        line = free[0] if free else y
        taken.append((left, right, line))
        draw_text(root, name, left, line + SIZE / 3, "word")
    return finished(root, top + HEIGHT * width, width)
