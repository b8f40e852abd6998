"""Figures by group against Fairlearn and scikit-learn, to 1e-12."""

import importlib.util
import itertools
import os

import numpy as np
import pytest
from sklearn import metrics

import chainrule
from chainrule.errors import ConfigurationError
from chainrule.fairness import Groups, by_group
from tests import samples
from tests.fairness.simulations import answered, gaps

if importlib.util.find_spec("fairlearn") is None and not os.environ.get("CI"):
    pytest.skip("Fairlearn is not installed: run make oracle first", allow_module_level=True)

from fairlearn import metrics as fm

RANDOM = np.random.default_rng(0)


def grouped(rows, names=("old", "young", "younger")):
    return Groups.of(RANDOM.choice(names, rows), "age")


@pytest.mark.parametrize("label", ["negative", "positive"])
def test_figures_of_two_labels_are_fairlearns(models, held_out, label):
    model, groups = models["bow"], grouped(len(held_out), ("old", "young"))
    found = by_group(model, held_out, groups, positive=label, engine="eager")
    truth = np.array(held_out.labels.to_list()) == label
    given = np.array(model.predict(held_out, engine="eager")) == label
    known = {
        "accuracy": metrics.accuracy_score, "selection_rate": fm.selection_rate, "tpr": fm.true_positive_rate,
        "fnr": fm.false_negative_rate, "fpr": fm.false_positive_rate, "precision": metrics.precision_score,
    }  # fmt: skip
    frame = fm.MetricFrame(metrics=known, y_true=truth, y_pred=given, sensitive_features=groups.codes)
    for name in known:
        of = "" if name == "accuracy" else label
        assert np.abs(frame.by_group[name].to_numpy() - found.figure(name, of).values).max() < 1e-12
    large = {x.figure.name for x in found.gaps}
    assert {"accuracy", "selection_rate"} <= large
    for name in large & set(known):
        own = found.gap(name, "" if name == "accuracy" else label)
        assert abs(frame.difference()[name] - own.difference) < 1e-12
        assert own.ratio is None or abs(frame.ratio()[name] - own.ratio) < 1e-12
    parity = fm.demographic_parity_difference(truth, given, sensitive_features=groups.codes)
    assert abs(parity - found.notions()[f"demographic_parity_difference of {label}"]) < 1e-12


def test_criteria_of_many_rows_are_fairlearns():
    judged, groups = answered(np.random.default_rng(1), 3000, (0.7, 0.8, 0.9))
    truth, given = judged.truth[:, 0], judged.given[0, :, 0]
    found = gaps(judged, groups)
    odds = {"sensitive_features": groups.codes}
    assert abs(found["tpr"].difference - fm.equal_opportunity_difference(truth, given, **odds)) < 1e-12
    both = max(found["tpr"].difference, found["fpr"].difference)
    assert abs(both - fm.equalized_odds_difference(truth, given, **odds)) < 1e-12
    least = min(found["tpr"].ratio, found["fpr"].ratio)
    assert abs(least - fm.equalized_odds_ratio(truth, given, **odds)) < 1e-12
    assert abs(found["selection_rate"].ratio - fm.demographic_parity_ratio(truth, given, **odds)) < 1e-12


def test_figures_of_three_labels_are_fairlearns(three_classes):
    model = samples.fit("bow", three_classes, three_classes, epochs=1, engine="eager").model
    groups = grouped(len(three_classes))
    found = by_group(model, three_classes, groups, engine="eager")
    truth, given = np.array(three_classes.labels.to_list()), np.array(model.predict(three_classes, engine="eager"))
    for label, (name, function) in itertools.product(
        samples.TELLING, {"tpr": fm.true_positive_rate, "fpr": fm.false_positive_rate}.items()
    ):
        frame = fm.MetricFrame(
            metrics=function, y_true=truth == label, y_pred=given == label, sensitive_features=groups.codes
        )
        assert np.abs(frame.by_group.to_numpy() - found.figure(name, label).values).max() < 1e-12
    assert len({x.figure.of for x in found.gaps}) == 4


def test_figures_of_numbers_are_scikit_learns(two_classes):
    numbers = [float(len(text)) for text in two_classes.texts]
    table = chainrule.Table.from_lists(two_classes.texts.to_list(), numbers, target="number")
    model = chainrule.fit(
        chainrule.BagOfWords(), table, table, task=chainrule.Regress(), training=chainrule.Training(epochs=2),
        engine="eager",
    ).model  # fmt: skip
    groups = grouped(len(table))
    found = by_group(model, table, groups, engine="eager")
    truth = model.evaluate(table, engine="eager").truth
    predicted = np.array(model.predict(table, engine="eager"))
    known = {
        "mae": metrics.mean_absolute_error, "rmse": metrics.root_mean_squared_error,
        "mean_prediction": fm.mean_prediction,
    }  # fmt: skip
    frame = fm.MetricFrame(metrics=known, y_true=truth, y_pred=predicted, sensitive_features=groups.codes)
    for name in known:
        assert np.abs(frame.by_group[name].to_numpy() - found.figure(name).values).max() < 1e-9
        assert abs(frame.difference()[name] - found.gap(name).difference) < 1e-9
    assert found.gap("mean_error").ratio is None
    assert found.notions() == {}
    with pytest.raises(ConfigurationError, match="--positive: the task regress answers by a number"):
        by_group(model, table, groups, positive="x", engine="eager")
