"""Maps of points: every point and name is there, on one scale, and names do not cover each other."""

from xml.etree import ElementTree as ET

import numpy as np
import pytest

from chainrule.drawing.points import points_picture

SVG = "{http://www.w3.org/2000/svg}"


def circles(picture):
    return [(float(c.get("cx")), float(c.get("cy"))) for c in ET.fromstring(picture).iter(SVG + "circle")]


def test_points_lie_on_one_scale_with_y_upwards():
    (a, b, c) = circles(points_picture(np.array([[0, 0], [2, 0], [0, 1.0]]), ["a", "b", "c"]))
    assert b[0] - a[0] == pytest.approx(2 * (a[1] - c[1]), abs=0.2)
    assert a[1] == b[1]


def test_names_that_would_cover_each_other_move():
    picture = points_picture(np.array([[0, 0], [0, 0.001], [5, 5]]), ["one", "another", "far"])
    texts = {t.text: float(t.get("y")) for t in ET.fromstring(picture).iter(SVG + "text")}
    assert set(texts) == {"one", "another", "far"}
    assert abs(texts["one"] - texts["another"]) >= 11


def test_paths_join_points_by_name():
    picture = points_picture(np.array([[0, 0], [2, 0], [0, 1.0]]), ["a", "b", "c"], paths=[("a", "c", "b")])
    lines = [line.get("points").split() for line in ET.fromstring(picture).iter(SVG + "polyline")]
    places = [f"{x:.1f},{y:.1f}" for x, y in circles(picture)]
    assert lines == [[places[0], places[2]], [places[2], places[1]]]


def test_it_is_as_wide_as_asked_and_has_colours_for_dark_screens():
    root = ET.fromstring(points_picture(np.eye(2), ["<one>", "two"], title="A map", width=440))
    assert root.get("viewBox").split()[2] == "440"
    assert root.find(SVG + "title").text == "A map"
    assert "prefers-color-scheme:dark" in root.find(SVG + "style").text
