"""Points come from the seed, and are what their name says."""

import numpy as np
import pytest

from chainrule.errors import ConfigurationError, DataError
from chainrule.playground.points import drawn
from chainrule.playground.setup import DATA, INPUTS, Setup
from chainrule.playground.table import points_of_table


@pytest.mark.parametrize("data", DATA)
def test_the_same_seed_draws_the_same_points(data):
    one, again, other = (drawn(Setup(data=data, points=101, seed=seed)) for seed in (3, 3, 4))
    assert np.array_equal(one.places, again.places)
    assert np.array_equal(one.targets, again.targets)
    assert not np.array_equal(one.places, other.places)
    assert one.places.shape == (101, 2)
    (low, high), _ = one.window
    assert low < one.places.min()
    assert one.places.max() < high


@pytest.mark.parametrize("data", [name for name in DATA if name != "waves"])
def test_classes_have_as_many_points(data):
    points = drawn(Setup(data=data, points=300))
    counts = np.bincount(points.targets)
    assert len(points.classes) == len(counts) == (3 if data == "blobs" else 2)
    assert set(counts) == {300 // len(counts)}


def test_without_noise_points_lie_where_their_class_is():
    places, ids = (getattr(drawn(Setup(data="circles", noise=0)), name) for name in ("places", "targets"))
    radius = np.hypot(*places.T)
    assert radius[ids == 0].max() <= 0.55
    assert radius[ids == 1].min() >= 0.85
    xor = drawn(Setup(data="xor", noise=0))
    assert np.array_equal(xor.places.prod(axis=1) < 0, xor.targets == 1)
    waves = drawn(Setup(data="waves", noise=0))
    x, y = waves.places.T
    np.testing.assert_allclose(waves.targets, np.sin(np.pi * x) * np.cos(np.pi * y / 2))
    noisy = drawn(Setup(data="waves", noise=0.5))
    assert np.array_equal(noisy.places, waves.places)  # noise is on the numbers
    assert abs((noisy.targets - waves.targets).std() - 0.5) < 0.1


def test_the_share_of_training_points():
    assert [drawn(Setup(points=20, train_share=share)).train for share in (0.001, 0.5, 0.999)] == [1, 10, 19]


def test_inputs_are_functions_of_the_place():
    points = drawn(Setup())
    x, y = points.places.T
    read = points.inputs(Setup(inputs=INPUTS), points.places)
    expected = [x, y, x * x, y * y, x * y, np.sin(np.pi * x), np.sin(np.pi * y)]
    np.testing.assert_allclose(read, np.stack(expected, axis=1), rtol=1e-6)
    assert read.dtype == np.float32


@pytest.fixture
def table(tmp_path):
    def call(text):
        path = tmp_path / "own.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return call


ROWS = "".join(f"{1000 + 7 * i % 50},{i % 9},{'ab'[i % 2]},{i * 1.5}\n" for i in range(40))


def test_a_table_of_ones_own_is_scaled_by_its_training_points(table):
    path = table("length,width,kind,price\n" + ROWS)
    points = points_of_table(path, numbers=["length", "width"], label="kind")(Setup(data="own"))
    assert (points.axes, points.classes, points.target, points.train) == (("length", "width"), ("a", "b"), "kind", 20)
    read = points.inputs(Setup(), points.places)[:20]
    np.testing.assert_allclose(read.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(read.std(axis=0), 1, atol=1e-5)
    numbers = points_of_table(path, numbers=["length", "width"], label="price", target="number")(Setup(data="own"))
    assert numbers.classes == ()
    np.testing.assert_allclose(numbers.answers[:20].mean(), 0, atol=1e-5)
    np.testing.assert_allclose(numbers.scales[2].back(numbers.answers), numbers.targets, rtol=1e-4, atol=1e-4)
    rows = {tuple(row) for row in zip(*points.places.T, points.targets, strict=True)}
    assert rows == {(1000 + 7 * i % 50, i % 9, i % 2) for i in range(40)}


def test_rows_without_a_place_are_left_out(table):
    points = points_of_table(table("x,y,label\n1,2,a\n,2,b\n3,1,b\n2,2,a\n0,1,b\n"))(Setup(data="own"))
    assert len(points.places) == 4


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("x,y,z,label\n" + "1,2,3,a\n2,1,0,b\n" * 4, {}, "expected two columns of numbers beside 'label'"),
        ("x,y,kind\n" + "1,2,a\n2,1,b\n" * 4, {}, "label"),
        ("x,y,label\n1,2,a\n2,1,b\n", {}, "expected 4 points or more, got 2"),
        ("x,y,label\n" + "1,2,a\n" * 9, {}, "has 1 labels; expected 2 to 6"),
        ("x,y,label\n" + "".join(f"1,2,{i}\n" for i in range(9)), {}, "or take it as numbers with --target number"),
        ("x,y,label\n" + "1,2,a\n" * 9, {"numbers": ["x"]}, "expected two columns, as in x,y"),
        ("x,y,label\n" + "1,2,a\n" * 9, {"target": "class"}, "--target: expected label or number"),
        ("x,y,label\n" + "1,2,a\n" * 9, {"target": "number"}, "a"),
    ],
)
def test_tables_that_cannot_be_shown(table, text, options, message):
    with pytest.raises((ConfigurationError, DataError)) as caught:
        points_of_table(table(text), **options)
    assert message in str(caught.value)
