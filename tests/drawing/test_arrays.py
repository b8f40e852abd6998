"""Arrays as cells: numbers, names, marks, what flows below what, and what is refused."""

from xml.etree import ElementTree as ET

import numpy as np
import pytest

import chainrule
from chainrule.drawing.arrays import Cells, draw_arrays
from chainrule.drawing.plot import WIDTH
from chainrule.errors import ConfigurationError, StorageError

SVG = "{http://www.w3.org/2000/svg}"


def words(*arrays, title=""):
    return [each.text for each in ET.fromstring(draw_arrays(arrays, title)).iter(f"{SVG}text")]


def rectangles(picture, kind):
    return [each for each in ET.fromstring(picture).iter(f"{SVG}rect") if each.get("class") == kind]


def test_every_number_has_a_cell_and_every_array_its_shape():
    shown = words(Cells("x", [[1, -2], [3, 4]], rows=["a", "b"], columns=["c", "d"]), title="Numbers")
    assert shown == ["Numbers", "x", "(2, 2)", "c", "d", "a", "1", "−2", "b", "3", "4"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (3.0, ["scalar", "3"]),
        ([1.5, -0.25], ["(2,)", "1.50", "−0.25"]),
        ([0.1, 0.7], ["(2,)", "0.1", "0.7"]),
        ([12.34, 1.0], ["(2,)", "12.3", "1.0"]),
        ([123.4, 1.0], ["(2,)", "123", "1"]),
        ([True, False], ["(2,)", "1", "0"]),
        ([np.nan, np.inf, -np.inf], ["(3,)", "nan", "inf", "−inf"]),
        ([-0.001, 0.5], ["(2,)", "0.00", "0.50"]),
        (chainrule.tensor([1.0, 2.0]), ["(2,)", "1", "2"]),
        (np.zeros((0, 3)), ["(0, 3)"]),
    ],
)
def test_numbers_have_as_many_digits_as_they_need(values, expected):
    assert words(Cells("x", values)) == ["x", *expected]


def test_digits_may_be_given():
    assert words(Cells("x", [0.123456], digits=4))[-1] == "0.1235"


def test_shades_are_by_size_and_sign():
    picture = draw_arrays([Cells("x", [2.0, -1.0, 0.0])])
    assert [each.get("fill-opacity") for each in rectangles(picture, "for")] == ["0.55", "0.00"]
    assert [each.get("fill-opacity") for each in rectangles(picture, "against")] == ["0.28"]


def test_marked_cells_have_an_edge_where_they_lie():
    picture = draw_arrays([Cells("x", np.arange(6).reshape(2, 3), marked=[(1, 2)])])
    (edge,), (marked,) = rectangles(picture, "edge"), rectangles(picture, "marked")
    right, lower = (float(edge.get(a)) + float(edge.get(b)) for a, b in (("x", "width"), ("y", "height")))
    assert float(marked.get("x")) + float(marked.get("width")) == pytest.approx(right, abs=0.2)
    assert float(marked.get("y")) + float(marked.get("height")) == pytest.approx(lower, abs=0.2)


def test_arrays_flow_within_the_width_of_a_phone():
    picture = draw_arrays([Cells(f"x{i}", np.ones((2, 5)), sign="+") for i in range(6)], "Six")
    edges = [[float(each.get(key)) for key in ("x", "y", "width", "height")] for each in rectangles(picture, "edge")]
    assert max(x + width for x, _, width, _ in edges) <= WIDTH
    assert len({y for _, y, _, _ in edges}) > 1
    height = float(ET.fromstring(picture).get("viewBox").split()[3])
    assert max(y + height for _, y, _, height in edges) <= height
    assert f'viewBox="0 0 {WIDTH:g} ' in picture


def test_long_names_of_columns_stand_upright():
    picture = draw_arrays([Cells("x", [[1.0, 2.0]], columns=["a", "extraordinarily"])])
    assert picture.count("rotate(-90") == 2


def test_names_are_text_and_no_markup():
    assert "<b> & \\n" in words(Cells("x", [1], columns=["<b> & \n"]))


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (Cells("x", np.zeros((2, 2, 2))), r"two axes and 900 cells as 'x', got float64 of shape \(2, 2, 2\)"),
        (Cells("x", np.zeros((31, 30))), r"shape \(31, 30\); give a part of it"),
        (Cells("x", ["a"]), "expected numbers"),
        (Cells("x", [1, 2], columns=["a"]), "expected 2 names of columns of 'x', got 1"),
        (Cells("x", [1, 2], rows=["a", "b"]), "expected 1 names of rows of 'x', got 2"),
    ],
)
def test_what_is_no_picture_is_refused(cells, message):
    with pytest.raises(ConfigurationError, match=message):
        draw_arrays([cells])


def test_a_picture_shows_itself_and_is_written(tmp_path):
    picture = draw_arrays([Cells("x", [1])])
    assert type(picture._repr_svg_()) is str
    assert picture.save(tmp_path / "x.svg").read_text() == picture + "\n"
    with pytest.raises(ConfigurationError, match=r"ends in \.svg"):
        picture.save(tmp_path / "x.png")
    with pytest.raises(StorageError):
        picture.save(tmp_path / "none" / "x.svg")
