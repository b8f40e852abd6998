"""Figures and gaps, and by simulation how often these are found; test_fairlearn.py has known answers."""

import math
import warnings

import numpy as np
import pytest

import chainrule
from chainrule.errors import ConfigurationError, DataError
from chainrule.fairness import Groups, by_group
from chainrule.fairness.gaps import spread
from chainrule.fairness.judged import Figure, Judged
from tests import samples
from tests.fairness.simulations import answered, counted, gaps

RANDOM = np.random.default_rng(0)


def grouped(rows, names=("old", "young", "younger")):
    return Groups.of(RANDOM.choice(names, rows), "age")


def test_several_labels_a_row(two_classes):
    labels = [["a", "b"] if label == "positive" else ["b"] for label in two_classes.labels]
    table = chainrule.Table.from_lists(two_classes.texts.to_list(), labels)
    model = chainrule.fit(chainrule.BagOfWords(), table, table, task=chainrule.MultiLabel(), engine="eager").model
    groups = grouped(len(table), ("old", "young"))
    found = by_group(model, table, groups, engine="eager")
    right = model.evaluate(table, engine="eager").scores
    assert found.figure("right").values == pytest.approx([right[groups.rows(g)].mean() for g in (0, 1)])
    assert found.figure("selection_rate", "b").values == (1.0, 1.0)
    assert all(math.isnan(x) for x in found.figure("fpr", "b").values), "no row is without b: there is no such rate"
    assert ("fpr", "b") not in {(x.figure.name, x.figure.of) for x in found.gaps}


def test_groups_of_fewer_than_thirty_rows_are_not_compared(models, held_out):
    groups = Groups.of(["few"] * 29 + ["some"] * 30 + ["more"] * 31)
    found = by_group(models["bow"], held_out, groups, engine="eager")
    assert {groups.names[g] for x in found.gaps for g in (x.high, x.low)} == {"some", "more"}
    text = str(found)
    assert "few (too small to say)" in text
    assert "Too small to say (fewer than 30 rows), and not compared: few." in text
    assert "tpr" not in {x.figure.name for x in found.gaps}, "fewer than 30 rows of a group are positive"
    lone = by_group(models["bow"], held_out, Groups.of(["few"] * 29 + ["more"] * 61), engine="eager")
    assert lone.gaps == ()
    assert "Nothing can be compared: fewer than two groups have 30 rows or more." in str(lone)


def test_a_planted_gap_is_found_and_none_is_found_where_none_is():
    """A small part of benchmarks/bias.py, which does 100 of each."""
    named, _, held = counted((0.85, 0.80), 4000, 8)
    assert named >= 6
    assert held >= 6
    _, anyone, held = counted((0.8, 0.8), 4000, 8)
    assert anyone <= 2
    assert held >= 6


def test_several_models_say_less_where_they_differ():
    """The seed is a source of chance, too: what a model does by its seed is no gap."""
    source = np.random.default_rng(3)
    judged, groups = answered(source, 4000, (0.8, 0.8), models=4)
    for seed in range(4):  # of each model, one group or the other is treated worse by chance
        worse = groups.codes == seed % 2
        judged.right[seed, worse] &= source.random(int(worse.sum())) > 0.2
    alone = [Judged(judged.task, judged.labels, judged.truth, judged.given[k : k + 1], judged.scores[k : k + 1],
                    judged.right[k : k + 1]) for k in range(4)]  # fmt: skip
    assert all(gaps(x, groups)["accuracy"].named for x in alone)
    together = gaps(judged, groups)["accuracy"]
    assert not together.named
    assert together.over == "seeds and examples"


def test_the_error_of_one_seed_is_welchs():
    values = RANDOM.normal(size=(1, 50))
    figure = Figure("x", "x", "", values)
    one, two = np.arange(20), np.arange(20, 50)
    error, freedom = spread([(figure, one), (figure, two)], figure.values(one) - figure.values(two))
    parts = [values[0, rows].var(ddof=1) / len(rows) for rows in (one, two)]
    assert error == pytest.approx(math.sqrt(sum(parts)))
    assert freedom == pytest.approx(sum(parts) ** 2 / (parts[0] ** 2 / 19 + parts[1] ** 2 / 29))


def test_influence_is_the_derivative_of_leaving_weight_out():
    part, whole = RANDOM.random((1, 40)) < 0.4, RANDOM.random((1, 40)) < 0.7
    figure = Figure("x", "x", "", part & whole, whole)
    rows = np.arange(40)
    u = figure.influence(rows)
    assert abs(u.mean()) < 1e-12
    kept = np.delete(rows, 3)
    assert figure.values(kept)[0] - figure.values(rows)[0] == pytest.approx(-u[0, 3] / 39, abs=2e-3)


def test_what_cannot_be_asked_is_refused(models, held_out, three_classes):
    model, groups = models["bow"], grouped(len(held_out))
    with pytest.raises(DataError, match=r"90 rows but groups of 3; expected the group of each row"):
        by_group(model, held_out, Groups.of(["a", "b", "a"]))
    with pytest.raises(ConfigurationError, match="expected a model or more, got none"):
        by_group([], held_out, groups)
    with pytest.raises(ConfigurationError, match="the model knows no label 'good'"):
        by_group(model, held_out, groups, positive="good", engine="eager")
    with pytest.raises(ConfigurationError, match="level: expected a number between 0 and 1"):
        by_group(model, held_out, groups, level=1.0)
    other = samples.fit("bow", three_classes, three_classes, epochs=1, engine="eager").model
    with pytest.raises(ConfigurationError, match="expected models of the same labels, got"):
        by_group([model, other], held_out, groups)
    regress = chainrule.Table.from_lists(["a", "b"] * 10, [1.0, 2.0] * 10, target="number")
    numbers = chainrule.fit(chainrule.BagOfWords(), regress, regress, task=chainrule.Regress(), engine="eager").model
    with pytest.raises(ConfigurationError, match="expected models of one task, got classify and regress"):
        by_group([model, numbers], held_out, groups)


def test_a_model_of_tags_is_refused():
    table = chainrule.Table.from_lists([["he", "left"], ["she", "left"]] * 10, [["A", "B"], ["A", "B"]] * 10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = chainrule.fit(
            chainrule.LongShortTermMemory(dim=2, size=2), table, table, task=chainrule.Tag(),
            training=chainrule.Training(epochs=1), engine="eager",
        ).model  # fmt: skip
    with pytest.raises(ConfigurationError, match="and the task tag does not; swap words instead"):
        by_group(model, table, Groups.of(["a", "b"] * 10))


def test_a_task_of_which_nothing_is_known_is_refused():
    class Row:
        name, answers = "rank", "row"

    class Ranked:
        task = Row()

        def evaluate(self, table, engine):
            return object()

    with pytest.raises(ConfigurationError, match="nothing is known of how the task rank is judged"):
        Judged.by([Ranked()], None)
