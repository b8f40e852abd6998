"""Points with names, as SVG: a map of words."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

import numpy as np

from chainrule.drawing.text import printable, shortened, text_width

#: Width and height of the picture, what is left free around the points, and the size of names.
WIDTH, HEIGHT, MARGIN, TEXT = 720.0, 520.0, 28.0, 12.0
DOT, INK, PAPER = "#1450b4", "#1a1a1a", "#fdfdfc"
FONT = "Helvetica Neue, Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif"
#: How far a name may be moved up or down, in lines, to be clear of others.
MOVES = (0, -1, 1, -2, 2, -3, 3)


def points_picture(points: np.ndarray, names: Sequence[str]) -> str:
    """A picture of points of a plane, each with its name, on one scale for both axes.

    Names are moved up or down where they would cover others.

    Args:
        points: shape (n, 2).
        names: of them.

    Example:
        >>> points_picture(np.array([[0, 0], [1, 2.0]]), ["here", "there"])[:4]
        '<svg'
    """
    names = [shortened(printable(name)) for name in names]
    widest = max(text_width(name, TEXT) for name in names)
    room = np.array([WIDTH - 2 * MARGIN - widest, HEIGHT - 2 * MARGIN])
    low, spread = points.min(axis=0), np.ptp(points, axis=0)
    scale = min((free / length for free, length in zip(room, spread, strict=True) if length > 0), default=1.0)
    placed = (points - low) * scale + MARGIN + (room - spread * scale) / 2
    placed[:, 1] = HEIGHT - placed[:, 1]
    root = ET.Element(
        "svg", xmlns="http://www.w3.org/2000/svg", width=f"{WIDTH:g}", height=f"{HEIGHT:g}",
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
    )  # fmt: skip
    ET.SubElement(root, "rect", width="100%", height="100%", fill=PAPER)
    taken: list[tuple[float, float, float]] = []
    for (x, y), name in zip(placed.tolist(), names, strict=True):
        ET.SubElement(root, "circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r="3", fill=DOT)
        left, right = x + 6, x + 6 + text_width(name, TEXT)
        free = [
            y + move * TEXT for move in MOVES
            if not any(a < right and left < b and abs(y + move * TEXT - other) < TEXT for a, b, other in taken)
        ]  # fmt: skip
        line = free[0] if free else y
        taken.append((left, right, line))
        style = {"fill": INK, "font-family": FONT, "font-size": f"{TEXT:g}"}
        label = ET.SubElement(root, "text", {"x": f"{left:.1f}", "y": f"{line + TEXT / 3:.1f}", **style})
        label.text = name
    return ET.tostring(root, encoding="unicode")
