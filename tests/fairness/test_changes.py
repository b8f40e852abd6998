"""Before and after: what a measure changed, by made-up answers, and by the gaps of each model."""

import json

import numpy as np
import pytest

from chainrule.errors import ConfigurationError, DataError
from chainrule.fairness import Groups, by_group, change
from chainrule.fairness.changes import moved
from chainrule.fairness.judged import Figure
from tests import samples


@pytest.fixture(scope="module")
def models(two_classes):
    """One that learned, and one that learned little."""
    return [samples.fit("bow", two_classes, two_classes, epochs=n, engine="eager").model for n in (3, 1)]


def test_values_are_those_of_each_model(models, held_out):
    groups = Groups.of(np.random.default_rng(0).choice(["a", "b"], 90))
    found = change(*models, held_out, groups, engine="eager")
    one, two = (by_group(model, held_out, groups, engine="eager") for model in models)
    overall = {x.title: x for x in found.overall}
    for model, when in zip(models, ("before", "after"), strict=True):
        accuracy = model.evaluate(held_out, engine="eager").accuracy
        assert getattr(overall["accuracy"], when) == pytest.approx(accuracy)
    first = one.gap("selection_rate", "positive")
    high, low = (groups.names[g] for g in (first.high, first.low))
    (gap,) = [x for x in found.gaps if x.title == f"selection rate of positive, {high} - {low}"]
    assert gap.before == pytest.approx(first.difference)
    values = two.figure("selection_rate", "positive").values
    assert gap.after == pytest.approx(values[first.high] - values[first.low])
    assert gap.interval.low <= gap.after - gap.before <= gap.interval.high


def test_a_model_beside_itself_has_not_changed(models, held_out):
    found = change(models[0], models[0], held_out, Groups.of(["a", "b"] * 45), engine="eager")
    assert all(x.before == x.after and not x.moved for x in (*found.overall, *found.gaps))
    assert "Smaller: nothing. Larger: nothing. Of all rows changed: nothing." in str(found)


def test_the_interval_of_a_change_is_paired():
    """Of rows that are answered alike before and after, how they are answered does not matter."""
    source = np.random.default_rng(0)
    held = []
    for _ in range(200):
        before = source.random((1, 400)) < 0.6
        flipped = source.random((1, 400)) < 0.1
        after = before ^ (flipped & (source.random((1, 400)) < 0.5))
        (found,) = moved("x", [Figure("x", "x", "", x) for x in (before, after)], [np.arange(400)], 0.95)
        expected = 0.05 * (0.4 - 0.6)
        held.append(found.interval.low <= expected <= found.interval.high)
        assert found.interval.high - found.interval.low < 0.06
    assert 180 <= sum(held) <= 199


def test_seeds_are_another_source_of_chance():
    source = np.random.default_rng(1)
    one = source.random((1, 1000)) < 0.8
    spread = np.array([source.random(1000) < p for p in (0.7, 0.9, 0.8)])
    same = np.repeat(source.random((1, 1000)) < 0.8, 3, axis=0)
    wide, narrow = (
        moved("x", [Figure("x", "x", "", one), Figure("x", "x", "", x)], [np.arange(1000)], 0.95)[0]
        for x in (spread, same)
    )
    assert wide.interval.high - wide.interval.low > 3 * (narrow.interval.high - narrow.interval.low)


def test_a_page_and_json(models, held_out, tmp_path):
    found = change(*models, held_out, Groups.of(["<i>", "b"] * 45), engine="eager")
    page = found.save(tmp_path / "change.html").read_text("utf-8")
    assert "<i>" not in page
    assert "Before and after" in page
    held = json.loads(found.save(tmp_path / "change.json").read_text("utf-8"))
    assert held["kind"] == "change of bias"
    assert len(held["gaps"]) == len(found.gaps)


def test_what_cannot_be_compared_is_refused(models, held_out):
    with pytest.raises(DataError, match="90 rows but groups of 2"):
        change(*models, held_out, Groups.of(["a", "b"]))
    with pytest.raises(ConfigurationError, match="level: expected a number between 0 and 1"):
        change(*models, held_out, Groups.of(["a", "b"] * 45), level=2)
