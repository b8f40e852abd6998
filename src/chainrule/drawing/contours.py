"""Contours: where the values over a grid reach a level."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from chainrule.graph.spec import Array

#: Of a cell whose corners reach the level (1 left and 1 below, 2 right, 4 right and above, 8 left and above, added up):
#: from which side to which the contour crosses it, with what reaches the level on the left.
CROSSINGS = {
    1: ("SW",), 2: ("ES",), 3: ("EW",), 4: ("NE",), 5: ("SW", "NE"), 6: ("NS",), 7: ("NW",),
    8: ("WN",), 9: ("SN",), 10: ("ES", "WN"), 11: ("EN",), 12: ("WE",), 13: ("SE",), 14: ("WS",),
}  # fmt: skip

#: Two neighbours on the grid, as (row, column), whose line a contour crosses.
Side = tuple[tuple[int, int], tuple[int, int]]


def regions(x: Array, y: Array, values: Array, level: float) -> list[Array]:
    """The borders of the regions in which values are at least a level: closed loops, with the region on the left.

    Between neighbours on the grid, values go linearly; NaN is below every level.

    Args:
        x: columns of the grid, ascending, shape (n,).
        y: rows, shape (m,).
        values: shape (m, n).
        level: what is reached.

    Returns:
        Loops of points, shape (points, 2) each; by the rule "evenodd" they are filled rightly.

    Example:
        >>> (loop,) = regions(np.arange(3.0), np.arange(3.0), np.array([[0, 0, 0], [0, 2, 0], [0, 0, 0]]), 1)
        >>> sorted(map(tuple, loop.tolist()))
        [(0.5, 1.0), (1.0, 0.5), (1.0, 1.5), (1.5, 1.0)]

    Source: marching squares; Lorensen and Cline, Marching Cubes (1987), in the plane.
    """
    x, y = (np.concatenate([z[:1], z, z[-1:]]) for z in (x, y))  # a rim that is low: loops close along the edges
    held = np.pad(np.where(np.isnan(values), -np.inf, values).astype(np.float64), 1, constant_values=-np.inf)
    following = dict(_crossings(held >= level))
    loops = []
    while following:
        side, _ = first = following.popitem()
        path = [side]
        after: Side | None = first[1]
        while after is not None and after != side:
            path.append(after)
            after = following.pop(after, None)
        loops.append(np.array([_point(x, y, held, level, *each) for each in path]))
    return loops


def _crossings(reached: Array) -> Iterator[tuple[Side, Side]]:
    """The sides where contours enter cells, and where they leave them."""
    low, high = reached[:-1].astype(int), reached[1:].astype(int)
    codes = low[:, :-1] + 2 * low[:, 1:] + 4 * high[:, 1:] + 8 * high[:, :-1]
    for i, j in np.argwhere((codes > 0) & (codes < 15)).tolist():
        a, b, c, d = (i, j), (i, j + 1), (i + 1, j + 1), (i + 1, j)
        sides: dict[str, Side] = {"S": (a, b), "E": (b, c), "N": (d, c), "W": (a, d)}
        for crossing in CROSSINGS[int(codes[i, j])]:
            yield sides[crossing[0]], sides[crossing[1]]


def _point(
    x: Array, y: Array, values: Array, level: float, one: tuple[int, int], other: tuple[int, int]
) -> tuple[float, float]:
    """Where between two neighbours the level is reached."""
    start, stop = values[one], values[other]
    finite = np.isfinite(start) and np.isfinite(stop)
    share = (level - start) / (stop - start) if finite else 0.5
    return tuple(float(z[p] + share * (z[q] - z[p])) for z, p, q in ((x, one[1], other[1]), (y, one[0], other[0])))  # type: ignore[return-value]
