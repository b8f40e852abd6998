"""Fewer points for the same line: those that nobody would miss are left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Point = tuple[float, float]


def thinned(points: Sequence[Point], distance: float) -> list[Point]:
    """The points of a line without those that lie no farther than a distance from the line through the others.

    The ends stay, and so does each spike that is higher than the distance.

    Args:
        points: in their order.
        distance: in the units of the points.

    Example:
        >>> thinned([(0, 0), (1, 0.01), (2, 0), (3, 5), (4, 0)], 0.1)
        [(0, 0), (2, 0), (3, 5), (4, 0)]

    Source: Douglas and Peucker, Algorithms for the Reduction of the Number of Points Required to Represent a Digitized
    Line (1973).
    """
    places = np.asarray(points, np.float64)
    kept = np.zeros(len(places), bool)
    kept[[0, -1]] = True
    open_parts = [(0, len(places) - 1)]
    while open_parts:
        first, last = open_parts.pop()
        between = places[first + 1 : last]
        if not len(between):
            continue
        start, along = places[first], places[last] - places[first]
        length = along @ along
        share = np.clip((between - start) @ along / length, 0, 1) if length else np.zeros(len(between))
        away = np.linalg.norm(between - start - share[:, None] * along, axis=1)
        farthest = int(away.argmax())
        if away[farthest] > distance:
            middle = first + 1 + farthest
            kept[middle] = True
            open_parts += [(first, middle), (middle, last)]
    return [point for point, stays in zip(points, kept, strict=True) if stays]
