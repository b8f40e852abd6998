"""What films of this package draw: areas and dots between axes."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from chainrule.drawing.plot import UNSEEN, Field, kind_of
from chainrule.drawing.thinning import thinned
from chainrule.graph.spec import Array

#: What is farther from 0 than this is not drawn.
FARTHEST = 1e12


def clipped(root: ET.Element, field: Field) -> ET.Element:
    """What is drawn into this element shows between the axes alone."""
    width, height = field.right - field.left, field.lower - field.upper
    place = {"x": field.left, "y": field.upper, "width": width, "height": height}
    box = " ".join(f"{x:.1f}" for x in place.values())
    return ET.SubElement(root, "svg", {**{name: f"{x:.1f}" for name, x in place.items()}, "viewBox": box})


def draw_regions(root: ET.Element, field: Field, loops: Sequence[Array], kind: str) -> None:
    """Fill what loops of points enclose."""
    if loops:
        path = "".join(f"M{' '.join(_corners([field.place(*p) for p in loop]))}Z" for loop in loops)
        ET.SubElement(root, "path", {"class": kind, "d": path, "fill-rule": "evenodd"})


def _corners(points: Sequence[tuple[float, float]]) -> list[str]:
    """A loop's points as they are written, but for those that nobody would miss."""
    return [f"{x:.1f} {y:.1f}" for x, y in thinned([*points, points[0]], UNSEEN)[:-1]]


def draw_dot(root: ET.Element, field: Field, x: float, y: float, index: int, *, size: float = 5.0) -> None:
    """Draw where something is, in its colour."""
    if all(abs(z) < FARTHEST for z in (x, y)):
        place = dict(zip(("cx", "cy"), (f"{z:.1f}" for z in field.place(x, y)), strict=True))
        ET.SubElement(root, "circle", {"class": f"{kind_of(index)} dot", "r": f"{size:g}", **place})
