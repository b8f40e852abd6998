"""Line plots: where points come to lie, which numbers axes show, and that any text and any numbers are drawn."""

import math
import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.drawing.plot import COLOURS, DOTS, Panel, Series, plot
from chainrule.errors import ConfigurationError

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*panels, title=""):
    return ET.fromstring(plot(panels, title))


def lines(root, kind):
    """The points of all lines of a kind."""
    found = [each.get("points") for each in root.iter(f"{SVG}polyline") if each.get("class") == kind]
    return [[tuple(map(float, point.split(","))) for point in points.split()] for points in found]


def words(root):
    return [each.text for each in root.iter(f"{SVG}text")]


def numbers(root, anchor):
    """The numbers of the x axis (middle) or the y axis (end), and where they stand."""
    place = "x" if anchor == "middle" else "y"
    shown = [each for each in root.iter(f"{SVG}text") if each.get("text-anchor") == anchor]
    return {each.text: float(each.get(place)) for each in shown}


def test_points_lie_where_the_numbers_of_the_axes_say():
    root = drawn(Panel("Loss", [Series("validation", [1, 2, 4], [0.5, 0.3, 0.4])], whole=True))
    (legend, line) = lines(root, "line0")
    assert legend[0][1] == legend[1][1]
    x, y = numbers(root, "middle"), numbers(root, "end")
    assert list(x) == ["1", "2", "3", "4"]
    assert list(y) == ["0.30", "0.35", "0.40", "0.45", "0.50"]
    expected = [(x["1"], y["0.50"]), (x["2"], y["0.30"]), (x["4"], y["0.40"])]
    for found, wanted in zip(line, expected, strict=True):
        assert found == pytest.approx((wanted[0], wanted[1] - 4), abs=0.2)  # letters stand below the middle


def test_a_logarithmic_axis_has_equal_room_for_equal_ratios():
    root = drawn(Panel("Rate", [Series("rate", [0, 1, 2], [1e-4, 1e-2, 1.0])], logarithmic=True))
    _, line = lines(root, "line0")
    (_, a), (_, b), (_, c) = line
    assert a - b == pytest.approx(b - c, abs=0.2)
    assert {"0.0001", "0.001", "0.01", "0.1", "1"} == set(numbers(root, "end"))


def test_what_is_not_finite_is_a_gap():
    ys = [1.0, 2.0, None, math.nan, 3.0, math.inf, 1.0, -math.inf]
    root = drawn(Panel("Loss", [Series("a", range(8), ys)]))
    assert [len(line) for line in lines(root, "line0")] == [2, 2, 1, 1]  # the legend's, and three runs
    assert len(list(root.iter(f"{SVG}circle"))) == 4


def test_zero_has_no_place_on_a_logarithmic_axis():
    root = drawn(Panel("Rate", [Series("rate", [0, 1, 2], [1.0, 0.1, 0.0])], logarithmic=True))
    assert [len(line) for line in lines(root, "line0")] == [2, 2]


def test_more_lines_than_colours_differ_by_dashes():
    count = 2 * len(COLOURS)
    root = drawn(Panel("All", [Series(f"s{i}", [0, 1], [i, i + 1]) for i in range(count)]))
    looks = {(each.get("class"), each.get("stroke-dasharray")) for each in root.iter(f"{SVG}polyline")}
    assert len([look for look in looks if look[0].startswith("line")]) == count
    assert {f"s{i}" for i in range(count)} <= set(words(root))


def test_light_and_dark_screens_have_colours_of_their_own():
    style = drawn(Panel("Loss", [Series("a", [0, 1], [0, 1])])).find(f"{SVG}style").text
    light, dark = style.split("@media (prefers-color-scheme:dark)")
    for part, screen in ((light, 0), (dark, 1)):
        assert all(colours[screen] in part for colours in COLOURS)
        assert not any(colours[1 - screen] in part for colours in COLOURS)


def test_marks_and_titles():
    panels = [Panel(f"Panel {i}", [Series("a", [1, 3], [0, 1])], "Epoch", marks={"best": 2}) for i in range(2)]
    root = drawn(*panels, title="<b> & " + "長い名前" * 20 + "\x00")
    shown = words(root)
    assert {"Panel 0", "Panel 1", "Epoch", "best"} <= set(shown)
    assert root.find(f"{SVG}title").text.startswith("<b> & 長い")
    assert "".join(shown[: shown.index("Panel 0")]).replace(" ", "").startswith("<b>&長い")
    for x, _ in [point for line in lines(root, "mark") for point in line]:
        assert 0 < x < float(root.get("viewBox").split()[2])


def test_a_line_with_another_number_of_x_and_y():
    with pytest.raises(ConfigurationError, match="expected as many x as y of 'a', got 2 and 1"):
        Series("a", [1, 2], [1.0])


ANY = st.floats(allow_nan=True, allow_infinity=True)


@given(st.lists(st.tuples(ANY, st.one_of(st.none(), ANY)), max_size=20), st.booleans(), st.booleans())
def test_any_numbers_are_drawn_inside_the_picture(points, whole, logarithmic):
    xs, ys = [x for x, _ in points], [y for _, y in points]
    root = drawn(Panel("Any", [Series("a", xs, ys)], whole=whole, logarithmic=logarithmic))
    _, _, width, height = map(float, root.get("viewBox").split())
    for line in root.iter(f"{SVG}polyline"):
        for x, y in (map(float, point.split(",")) for point in line.get("points").split()):
            assert -1 <= x <= width + 1
            assert -1 <= y <= height + 1
    shown = [text for text in numbers(root, "end") if re.search(r"\d", text)]
    assert len(set(shown)) == len(shown) <= 20


def shades(root):
    return [
        [tuple(map(float, point.split(","))) for point in each.get("points").split()]
        for each in root.iter(f"{SVG}polygon")
    ]


def test_a_band_lies_around_its_line():
    band = [(0.4, 0.6), (0.2, 0.4), None, (0.1, 0.5), (0.2, 0.3)]
    root = drawn(Panel("Loss", [Series("a", [1, 2, 3, 4, 5], [0.5, 0.3, 0.2, 0.3, 0.25], band)], whole=True))
    x, y = numbers(root, "middle"), numbers(root, "end")
    (first, second) = shades(root)
    assert len(first) == len(second) == 4
    assert first[0] == pytest.approx((x["1"], y["0.4"] - 4), abs=0.2)
    assert first[-1] == pytest.approx((x["1"], y["0.6"] - 4), abs=0.2)
    style = root.find(f"{SVG}style").text
    assert f"polygon.line0{{fill:{COLOURS[0][0]}}}" in style
    assert "polygon" not in drawn(Panel("Loss", [Series("a", [1], [0.5])])).find(f"{SVG}style").text


def test_a_band_that_has_no_place_on_its_axis_is_a_gap():
    line = Series("a", [1, 2, 3], [0.5, 0.3, 0.2], [(0.0, 1.0), (math.nan, 0.4), (0.1, math.inf)])
    assert shades(drawn(Panel("Loss", [line], logarithmic=True))) == []


def test_points_that_say_their_numbers():
    line = Series("<a>", [1, 2], [0.5, 0.25])
    root = drawn(Panel("Loss", [line], x_label="epoch", names_points=True))
    told = [each.find(f"{SVG}title").text for each in root.iter(f"{SVG}circle")]
    assert told == ["<a>: 0.5 at epoch 1", "<a>: 0.25 at epoch 2"]


def test_a_band_of_another_number_of_points():
    with pytest.raises(ConfigurationError, match="expected a band of 'a' at its 1 points, got one at 2"):
        Series("a", [1], [1.0], [(0.0, 1.0), None])


def test_points_that_are_not_joined_are_dots_however_many_they_are():
    count = 3 * DOTS
    root = drawn(
        Panel("Data", [Series("rows", range(count), range(count), joined=False), Series("fit", [0, 9], [1, 2])])
    )
    assert lines(root, "line0") == []  # neither joined nor in the legend
    dots = [each for each in root.iter(f"{SVG}circle") if each.get("class") == "line0"]
    assert len(dots) == count + 1  # and the one in the legend
    assert len(lines(root, "line1")) == 2


def test_a_plot_is_its_text_and_shows_itself():
    shown = plot([Panel("Loss", [Series("a", [0, 1], [1, 2])])])
    assert isinstance(shown, str)
    assert shown._repr_svg_() == str(shown)
    assert type(shown._repr_svg_()) is str


def test_arrays_of_any_floats_are_drawn_as_lists_are():
    xs, ys = [0.0, 1.0, 2.0], [0.5, math.inf, 0.25]
    expected = plot([Panel("Loss", [Series("a", xs, ys)])])
    for dtype in ("float32", "float64"):  # the limits of what is drawn are beyond those of float32
        assert plot([Panel("Loss", [Series("a", np.array(xs, dtype), np.array(ys, dtype))])]) == expected
