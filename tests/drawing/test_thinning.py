"""Thinned lines: they lie where the whole ones do, with the same ends and spikes, and have fewer points."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.drawing.plot import DOTS, UNSEEN, Panel, Series, plot
from chainrule.drawing.thinning import thinned


def away(point, line):
    """How far a point is from a line through points."""
    x, y = point
    found = []
    for (a, b), (c, d) in itertools.pairwise(line):
        length = (c - a) ** 2 + (d - b) ** 2
        share = min(max(((x - a) * (c - a) + (y - b) * (d - b)) / length, 0), 1) if length else 0
        found.append(math.hypot(x - a - share * (c - a), y - b - share * (d - b)))
    return min(found)


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=2, max_size=30), st.floats(0.1, 20))
def test_no_point_is_farther_away_than_was_said(points, distance):
    kept = thinned(points, distance)
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert all(away(point, kept) <= distance + 1e-9 for point in points)
    rest = iter(points)
    assert all(point in rest for point in kept)  # in their order


def test_a_straight_line_is_its_ends_and_a_spike_stays():
    straight = [(float(x), 2.0 * x) for x in range(1000)]
    assert thinned(straight, 0.1) == [straight[0], straight[-1]]
    spiked = [(float(x), 0.0 if x != 500 else 1.0) for x in range(1000)]
    assert (500.0, 1.0) in thinned(spiked, 0.1)


@pytest.mark.parametrize("points", [[(1.0, 1.0)], [(1.0, 1.0), (1.0, 1.0)], [(0.0, 0.0), (5.0, 0.0), (0.0, 0.0)]])
def test_lines_without_length_are_thinned(points):
    assert thinned(points, 0.5)[0] == points[0]
    assert (5.0, 0.0) in thinned(points, 0.5) or len(points) < 3


def test_a_long_curve_is_drawn_with_fewer_points():
    x = np.linspace(0, 10, 5000)
    drawn = plot([Panel("y", [Series("sine", x, np.sin(x))])])
    assert len(drawn) < 6000
    few = np.linspace(0, 1, DOTS)
    assert plot([Panel("y", [Series("line", few, few)])]).count("<circle") == DOTS  # each point is a dot, and stays
    assert UNSEEN < 0.5
