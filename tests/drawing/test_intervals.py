"""Intervals below each other: where they come to lie."""

from xml.etree import ElementTree as ET

import pytest

from chainrule.drawing.intervals import Interval, draw_intervals
from chainrule.drawing.plot import WIDTH

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*rows, **settings):
    return ET.fromstring(draw_intervals(rows, "Accuracy", **settings))


def test_ends_and_middles_lie_where_the_numbers_say():
    root = drawn(Interval("a", 0.5, 0.4, 0.7, [0.4, 0.6]), Interval("b", 0.6))
    numbers = {x.text: float(x.get("x")) for x in root.iter(f"{SVG}text") if x.get("text-anchor") == "middle"}
    (line,) = [x for x in root.iter(f"{SVG}polyline") if x.get("class") == "line0"]
    ends = [float(point.split(",")[0]) for point in line.get("points").split()]
    assert ends == pytest.approx([numbers["0.4"], numbers["0.7"]], abs=0.2)
    dots = [float(x.get("cx")) for x in root.iter(f"{SVG}circle")]
    wanted = [numbers[x] for x in ("0.4", "0.6", "0.5", "0.6")]
    assert dots == pytest.approx(wanted, abs=0.2)


def test_marks_are_held_by_the_axis():
    root = drawn(Interval("a", 0.5, 0.4, 0.7), marks=[0.0])
    (mark,) = [x for x in root.iter(f"{SVG}polyline") if x.get("class") == "mark"]
    assert 0 < float(mark.get("points").split(",")[0]) < WIDTH
    assert "0.0" in [x.text for x in root.iter(f"{SVG}text")]


def test_any_name_is_drawn_inside_the_picture():
    root = drawn(Interval("<b>\u202e" + "長い名前" * 30, 0.5, told="<i>"), Interval("b", 0.5))
    names = [x.text for x in root.iter(f"{SVG}text") if x.get("text-anchor") == "end"]
    assert names[0].startswith("<b>\\u202e")
    assert names[0].endswith("…")
    assert [x.text for x in root.iter(f"{SVG}title")][1:] == ["<i>", "b: 0.5"]
    for dot in root.iter(f"{SVG}circle"):
        assert 0 < float(dot.get("cx")) < WIDTH


def test_the_style_sheet_may_be_that_of_the_page():
    assert drawn(Interval("a", 0.5)).find(f"{SVG}style") is not None
    assert drawn(Interval("a", 0.5), sheet="").find(f"{SVG}style") is None
