"""Parallel coordinates: where lines cross axes, what is said of them, and what has no number."""

from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.drawing.parallel import NOTHING, Coordinate, Kind, draw_parallel
from chainrule.drawing.plot import WIDTH

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*coordinates, told=None, kinds=None, **settings):
    count = len(coordinates[0].values)
    kinds = [Kind("runs", 0, list(range(count)))] if kinds is None else kinds
    return ET.fromstring(draw_parallel(coordinates, kinds, told or {}, "Runs", **settings))


def lines(root):
    """The points of the line of each run, in the order in which they are drawn."""
    found = [group.find(f"{SVG}polyline").get("points").split() for group in root.iter(f"{SVG}g")]
    return [[tuple(map(float, point.split(","))) for point in points] for points in found]


def labels(root):
    """Where the words and numbers of axes stand."""
    return {x.text: float(x.get("x")) for x in root.iter(f"{SVG}text") if x.get("class") == "number over"}


def test_lines_cross_axes_where_the_numbers_say():
    root = drawn(Coordinate("accuracy", [0.7, 0.8, 0.9]), Coordinate("rate", [0.001, 0.01, 0.1]))
    (upper, lower), where = zip(*lines(root), strict=True), labels(root)
    assert [x for x, _ in upper] == pytest.approx([where[x] for x in ("0.70", "0.80", "0.90")], abs=8)
    assert [x for x, _ in lower] == pytest.approx([where[x] for x in ("0.001", "0.01", "0.1")], abs=8)
    assert len({y for _, y in upper}) == len({y for _, y in lower}) == 1
    assert upper[0][1] < lower[0][1]
    steps = [b[0] - a[0] for a, b in pairwise(lower)]
    assert steps[0] == pytest.approx(steps[1], abs=0.3)  # a logarithmic scale


def test_words_and_a_few_numbers_have_places_where_lines_lie_beside_each_other_in_their_order():
    learners, sizes = ["bow", "ffnn"] * 4, [8, 64, 16, 8, 64, 16, 8, 64]
    root = drawn(Coordinate("learner", learners), Coordinate("size", sizes))
    (upper, lower), where = zip(*lines(root), strict=True), labels(root)
    assert list(where) == ["bow", "ffnn", "8", "16", "64"]
    assert where["64"] - where["16"] == pytest.approx(where["16"] - where["8"], abs=0.2)
    for row, values in ((upper, learners), (lower, [f"{x}" for x in sizes])):
        for word in set(values):
            found = [x for (x, _), value in zip(row, values, strict=True) if value == word]
            assert found == sorted(set(found))
            assert sum(found) / len(found) == pytest.approx(where[word], abs=0.2)


def test_a_run_without_a_setting_has_a_place_at_the_left():
    root = drawn(Coordinate("hidden", [None, 1.0, 2.0, 3.5, 9.0, "none", float("nan")]))
    places, where = [x for ((x, _),) in lines(root)], labels(root)
    assert places[0] < places[5] < min(places[1:5])
    assert places[0] == pytest.approx(where[NOTHING], abs=20)
    assert places[6] == pytest.approx(where[NOTHING], abs=20)


def test_lines_say_what_they_are_and_kinds_lie_over_each_other():
    kinds = [Kind("the others", None, [2, 0]), Kind("nothing", 2, []), Kind("best run", 1, [1])]
    root = drawn(Coordinate("a", [1.0, 2.0, 3.0]), told={1: "<b>\u202e best"}, kinds=kinds)
    groups = list(root.iter(f"{SVG}g"))
    assert [x.find(f"{SVG}polyline").get("class") for x in groups] == ["other", "other", "line1"]
    assert [x.find(f"{SVG}title").text for x in groups] == ["run 2", "run 0", "<b>\u202e best"]
    names = [x.text for x in root.iter(f"{SVG}text") if x.get("class") == "number"]
    assert names == ["best run", "the others"]
    sheet = root.find(f"{SVG}style").text
    assert ".run:hover polyline" in sheet
    assert drawn(Coordinate("a", [1.0]), sheet="").find(f"{SVG}style") is None


ANY = st.none() | st.floats(allow_nan=True, allow_infinity=True) | st.text(max_size=30) | st.integers(-(10**6), 10**6)


@given(st.integers(1, 9).flatmap(lambda n: st.lists(st.lists(ANY, min_size=n, max_size=n), min_size=1, max_size=3)))
def test_anything_is_drawn_inside_the_picture(rows):
    root = drawn(*(Coordinate("a name that is long" * 3, row) for row in rows))
    assert len(lines(root)) == len(rows[0])
    for points in lines(root):
        assert len(points) == len(rows)
        assert all(0 <= x <= WIDTH for x, _ in points)
    assert all(0 <= x <= WIDTH for x in labels(root).values())
