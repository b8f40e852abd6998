"""Descent on a surface: the ways are those of the optimizers, what is shown where, and what is refused."""

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import chainrule
from chainrule.animate import descent
from chainrule.errors import ConfigurationError
from chainrule.optim import OPTIMIZERS

SVG = "{http://www.w3.org/2000/svg}"


def valley(x, y):
    return x**2 + 25 * y**2


def last_way(film, index=0):
    """The points of a way in the last frame, between the axes."""
    inside = film.frames[-1].find("svg")
    lines = [each.get("points") for each in inside.iter("polyline")]
    return np.array([[float(z) for z in point.split(",")] for point in lines[index].split()])


def window_of(film):
    """The edges between the axes, in the picture."""
    x, y, width, height = map(float, film.frames[0].find("svg").get("viewBox").split())
    return x, y, width, height


def test_ways_are_those_of_the_optimizer():
    """x shrinks by 1 - 2 η each step, y by 1 - 50 η."""
    film = descent(valley, chainrule.SGD(0.03), start=(-2.0, 0.8), steps=5, window=((-3, 1), (-1, 1)))
    left, top, width, height = window_of(film)
    steps = np.arange(6)
    x, y = -2 * 0.94**steps, 0.8 * (-0.5) ** steps
    expected = np.stack([left + (x + 3) / 4 * width, top + (1 - y) / 2 * height], axis=1)
    assert last_way(film) == pytest.approx(expected, abs=0.11)


def test_frames_follow_the_steps():
    film = descent(valley, [chainrule.SGD(0.03)], start=(1.0, 1.0), steps=7)
    assert [len(way.get("points").split()) for each in film.frames for way in each.iter("polyline")] == list(
        range(1, 9)
    )
    assert film.labels == [f"step {step}" for step in range(8)]


def test_many_steps_have_few_frames_with_the_first_and_the_last():
    film = descent(valley, chainrule.SGD(0.01), start=(1.0, 1.0), steps=500)
    assert 30 < len(film) <= 60
    assert (film.labels[0], film.labels[-1]) == ("step 0", "step 500")


def test_a_way_that_grows_without_end_ends():
    film = descent(valley, {"too high": chainrule.SGD(1.0)}, start=(1.0, 1.0), steps=200)
    assert len(last_way(film)) < 20
    assert not re.search("nan|inf", film.svg.partition("</style>")[2])


@pytest.mark.parametrize("name", [name for name, kind in OPTIMIZERS.items() if not kind.searches])
def test_every_optimizer_goes_down(name):
    rate = 5.0 if name == "adadelta" else 0.01
    film = descent(
        lambda x, y: x * x + 3 * y * y, [OPTIMIZERS.make(name, learning_rate=rate)], start=(2.0, 1.0), steps=20
    )
    dots = [float(each.findall("circle")[-1].get("cy")) for each in film.frames]
    assert dots[-1] > dots[0]  # lower on the curve of losses
    assert (
        film.svg
        == descent(
            lambda x, y: x * x + 3 * y * y, [OPTIMIZERS.make(name, learning_rate=rate)], start=(2.0, 1.0), steps=20
        ).svg
    )


def test_names_say_what_differs():
    film = descent(valley, [chainrule.SGD(0.01), chainrule.SGD(0.01, momentum=0.9)], start=(1.0, 1.0), steps=1)
    shown = [each.text for each in film.ground.iter("text")]
    assert shown.count("sgd 0.01") == shown.count("sgd 0.01, momentum 0.9") == 2


def test_darker_ground_is_higher():
    """Of f = x, each level leaves out more of the left."""
    film = descent(lambda x, y: x + 0 * y, chainrule.SGD(0.1), start=(0.0, 0.0), steps=1, window=((0, 1), (0, 1)))
    starts = [min(float(x) for x in re.findall(r"([\d.]+) [\d.]+", path.get("d"))) for path in film.ground.iter("path")]
    left, _, width, _ = window_of(film)
    assert starts == sorted(starts)
    assert len(starts) == 12
    assert left < starts[0]
    assert starts[-1] < left + width


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimizers": []}, "expected optimizers, such as"),
        ({"optimizers": ["sgd"]}, "expected optimizers, such as"),
        ({"optimizers": {"a": 1}}, "expected optimizers, such as"),
        ({"start": (1.0,)}, "a start of two finite numbers"),
        ({"start": (1.0, float("nan"))}, "a start of two finite numbers"),
        ({"steps": 0}, "expected 1 to 10,000 steps, got 0"),
        ({"window": ((1, 1), (0, 1))}, "a window such as"),
        ({"window": (0, 1)}, "a window such as"),
        ({"function": lambda x, y: chainrule.log(-x * x) + y}, "not finite at the start"),
        ({"function": lambda x, y: (x, y)}, "gives a scalar tensor"),
        ({"function": lambda x, y: chainrule.expand(x, 0) + y}, "one of shape (1,)"),
        ({"function": 3}, "gives a scalar tensor"),
    ],
)
def test_what_is_refused(change, message):
    given = {"function": valley, "optimizers": [chainrule.SGD(0.1)], "start": (1.0, 1.0), "steps": 2, **change}
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        descent(given.pop("function"), given.pop("optimizers"), **given)


def test_places_where_the_function_is_not_finite_are_left_out():
    film = descent(
        lambda x, y: chainrule.log(x) + y * y, chainrule.SGD(0.01), start=(1.0, 1.0), window=((-1, 2), (-1, 2))
    )
    assert "nan" not in ET.tostring(film.ground, encoding="unicode")


def test_levels_have_their_numbers_where_the_surface_has_them():
    film = descent(lambda x, y: 3 * x + 0 * y, chainrule.SGD(0.1), start=(1.0, 0.0), steps=3, window=((-2, 2), (-1, 1)))
    left, _, width, _ = window_of(film)
    named = [each for each in film.ground.iter("text") if "level" in each.get("class").split()]
    assert len(named) > 3
    for each in named:
        x = -2 + 4 * (float(each.get("x")) - left) / width
        assert float(each.text) == pytest.approx(3 * x, abs=0.05)
