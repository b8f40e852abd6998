"""Units in columns: every number and weight is in the picture, and what cannot be read is refused."""

from xml.etree import ElementTree as ET

import numpy as np
import pytest

from chainrule.drawing.network import MOST_STAGES, MOST_UNITS, Stage, draw_network
from chainrule.errors import ConfigurationError, ShapeError

SVG = "{http://www.w3.org/2000/svg}"


def drawn(columns, title=""):
    return ET.fromstring(draw_network(columns, title))


def words(root, kind):
    return [each.text for each in root.iter(f"{SVG}text") if each.get("class") == kind]


def test_numbers_weights_names_and_labels_are_shown():
    columns = [
        Stage("x", [1, 0.5, -2], labels=["warm", "funny", "dull"]),
        Stage("z", [1.25, 0], [[2, -1], [0.5, 3], [0.25, 0]]),
        Stage("relu(z)", [1.25, 0]),
    ]
    root = drawn(columns, "A layer")
    assert words(root, "title") == ["A layer"]
    assert words(root, "panel") == ["x", "z", "relu(z)"]
    assert words(root, "value") == ["1", "0.5", "-2", "1.25", "0", "1.25", "0"]
    assert words(root, "weight") == ["2", "-1", "0.5", "3", "0.25", "0"]
    assert words(root, "number") == ["warm", "funny", "dull"]


def test_lines_lead_from_unit_to_unit_and_tell_size_and_sign():
    root = drawn([Stage("x", [1.0, 2.0]), Stage("y", [0.0], [[4.0], [-2.0]])])
    up, down = root.iter(f"{SVG}polyline")
    assert up.get("stroke-dasharray") is None
    assert down.get("stroke-dasharray")
    thick, thin = (float(each.get("style").removeprefix("stroke-width:")) for each in (up, down))
    assert thick > thin
    circles = [(each.get("cx"), each.get("cy")) for each in root.iter(f"{SVG}circle")]
    ends = [[tuple(point.split(",")) for point in each.get("points").split()] for each in (up, down)]
    assert ends == [[circles[0], circles[2]], [circles[1], circles[2]]]
    assert [each.get("class") for each in root.iter(f"{SVG}circle")] == ["unit", "unit", "unit off"]


def test_numbers_of_many_lines_do_not_lie_on_each_other():
    generator = np.random.default_rng(0)
    root = drawn([Stage("x", generator.normal(size=4)), Stage("y", generator.normal(size=5), np.ones((4, 5)))])
    places = [(float(e.get("x")), float(e.get("y"))) for e in root.iter(f"{SVG}text") if e.get("class") == "weight"]
    apart = [max(abs(a - c), 2 * abs(b - d)) for k, (a, b) in enumerate(places) for c, d in places[:k]]
    assert len(places) == 20
    assert min(apart) > 6


@pytest.mark.parametrize(
    ("columns", "error", "words"),
    [
        ([], ConfigurationError, "got 0"),
        ([Stage("x", [1.0])] * (MOST_STAGES + 1), ConfigurationError, "got 6"),
        ([Stage("x", [])], ConfigurationError, "'x'"),
        ([Stage("x", [0.0] * (MOST_UNITS + 1))], ConfigurationError, "1 to 8"),
        ([Stage("x", [[1.0]])], ConfigurationError, "shape"),
        ([Stage("x", [1.0], labels=["a", "b"])], ShapeError, "got 2"),
        ([Stage("x", [1.0]), Stage("y", [1.0, 2.0])], ShapeError, "weights of shape"),
        ([Stage("x", [1.0]), Stage("y", [1.0, 2.0], [[1.0], [2.0]])], ShapeError, "expected weights"),
    ],
)
def test_what_cannot_be_drawn_is_refused(columns, error, words):
    with pytest.raises(error, match=words.replace("(", r"\(")):
        draw_network(columns)
