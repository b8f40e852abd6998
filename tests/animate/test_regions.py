"""Decision regions: areas are where a class is likeliest, looks are spread over the training, fit takes an observer."""

import re

import numpy as np
import polars as pl
import pytest

import chainrule
from chainrule.animate import Regions
from chainrule.errors import ConfigurationError, ShapeError

POINTS = np.array([[0, 0], [1, 1], [0, 1], [1, 0.0]])


def corners(path):
    return [tuple(map(float, pair)) for pair in re.findall(r"([\d.]+) ([\d.]+)", path)]


def window_of(film):
    return list(map(float, film.frames[0].find("svg").get("viewBox").split()))


def areas(film, frame, index):
    return [path.get("d") for path in film.frames[frame].iter("path") if path.get("class") == f"area{index}"]


@pytest.mark.parametrize("shape", ["classes", "one column", "flat"])
def test_areas_are_where_a_class_is_likeliest(shape):
    """A network that knows the right half: x above 0.25 is class 1."""

    def network(x):
        logit = 50 * (x[:, 0] - 0.25)
        columns = {"classes": lambda: chainrule.stack([-logit / 2, logit / 2], axis=1), "flat": lambda: logit}
        return columns.get(shape, lambda: chainrule.expand(logit, 1))()

    seen = Regions(POINTS, [0, 1, 0, 1])
    seen.add(network, 0.5)
    film = seen.film()
    left, _, width, _ = window_of(film)
    border = left + (0.25 + 0.08) / 1.16 * width  # the room is 0.08 wider on each side
    assert max(x for x, _ in corners(areas(film, 0, 0)[0])) == pytest.approx(border, abs=1)
    assert min(x for x, _ in corners(areas(film, 0, 1)[0])) == pytest.approx(border, abs=1)
    assert len(areas(film, 0, 1)) == 3  # darker where it is surer
    assert len(film.front.findall(".//circle")) == 4


@pytest.mark.parametrize(("steps", "looks"), [(1, 1), (2, 2), (8, 8), (9, 5), (17, 9 - 4), (1000, 8)])
def test_looks_are_equally_far_apart(steps, looks):
    asked = []
    seen = Regions(POINTS, [0, 1, 0, 1], frames=8)
    for step in range(1, steps + 1):

        def network(x, step=step):
            asked.append(step)
            return x

        seen.add(network, 1 / step)
    film = seen.film()
    found = [int(label.split()[1]) for label in film.labels]
    assert found[-1] == steps
    assert found[0] == 1
    assert len(found) in (looks, looks + 1)
    assert len(set(np.diff(found[:-1]))) <= 1
    assert len(asked) <= 8 * (1 + np.log2(max(steps, 8) / 8)) + 2  # not at each step


def test_the_film_may_go_on():
    seen = Regions(POINTS, [0, 1, 0, 1])
    seen.add(lambda x: x, 1.0)
    assert len(seen.film()) == len(seen.film()) == 1
    seen.add(lambda x: -x, 0.5)
    assert seen.film().labels == ["step 1", "step 2"]


def table(labels="ab"):
    draws = np.random.default_rng(0)
    points = draws.normal(size=(120, 2))
    marks = [labels[int(x > y)] for x, y in points]
    return chainrule.Table.from_frame(
        pl.DataFrame({"x": points[:, 0].tolist(), "y": points[:, 1].tolist(), "label": marks}),
        numbers=["x", "y"],
        label="label",
    )


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
@pytest.mark.parametrize("engine", ["native", "eager"])
def test_fit_is_looked_at(engine, output):
    """Weights are the same with and without; the areas are those of the labels; the same seed, the same film."""
    films, task = [], chainrule.Classify(output=output, inputs=chainrule.Columns())
    training = chainrule.Training(epochs=10, learning_rate=0.1)
    settings = {"training": training, "engine": engine, "seed": 3, "task": task}
    for _ in range(2):
        seen = Regions.of_table(table())
        run = chainrule.fit(chainrule.LinearModel(), table(), table(), observers=[seen], **settings)
        films.append(seen.film())
    plain = chainrule.fit(chainrule.LinearModel(), table(), table(), **settings)
    for one, other in zip(run.model.network.parameters(), plain.model.network.parameters(), strict=True):
        assert (one.value == other.value).all()
    assert films[0].svg == films[1].svg
    assert len(films[0]) == 20
    last = len(films[0]) - 1
    low, high = (np.mean(corners(areas(films[0], last, index)[0]), axis=0) for index in (0, 1))
    assert high[0] > low[0]  # b where x is larger,
    assert high[1] > low[1]  # and y smaller, which is lower in the picture


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Regions(np.zeros((3, 3)), [0, 1, 1]),
            "finite points of shape (rows, 2), one or more, got shape (3, 3)",
        ),
        (lambda: Regions(np.zeros((0, 2)), []), "got shape (0, 2)"),
        (lambda: Regions([[0, np.nan]], [0]), "finite points"),
        (lambda: Regions("points", [0]), "finite points"),
        (lambda: Regions(POINTS, [0, 1]), "a label for each of the 4 points, got shape (2,)"),
        (lambda: Regions(POINTS, [0, 1, 0, 1], frames=1), "at least 2 frames, got 1"),
        (lambda: Regions(POINTS, [0, 1, 0, 1]).film(), "no step has been seen"),
        (
            lambda: Regions.of_table(chainrule.Table.from_lists(["a", "b"], ["x", "y"])),
            "expected a labelled table with two columns of numbers",
        ),
        (
            lambda: chainrule.fit(chainrule.LinearModel(), table(), observers=[Regions]),
            "expected observers such as",
        ),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        make()


def test_outputs_of_another_shape_are_refused():
    seen = Regions(POINTS, [0, 1, 0, 1])
    with pytest.raises(ShapeError, match=r"expected logits of shape \(2401, classes\).*got \(\)"):
        seen.add(lambda x: x.sum(), 1.0)
