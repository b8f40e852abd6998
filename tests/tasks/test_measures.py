"""Measures equal scikit-learn's on random answers, with ties and absent classes."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from chainrule.tasks import Classification, MultiLabelEvaluation, RegressionEvaluation, measures

SEEDS = st.integers(0, 2**32 - 1)


def close(found, expected):
    return (math.isnan(found) and math.isnan(expected)) or math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-12)


def draw(seed, labels, rows, *, tied):
    """True classes, some of which may be absent, and probabilities, some of which may be equal."""
    draws = np.random.default_rng(seed)
    present = draws.permutation(labels)[: draws.integers(1, labels + 1)]
    truth = draws.choice(present, rows)
    probabilities = draws.dirichlet(np.full(labels, 0.7), rows)
    if tied:
        probabilities = np.round(probabilities * 4) + 1
        probabilities /= probabilities.sum(axis=1, keepdims=True)
    return truth, probabilities


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(2, 6), st.integers(1, 60), st.booleans())
def test_one_label_a_row(seed, labels, rows, tied):
    truth, probabilities = draw(seed, labels, rows, tied=tied)
    held = Classification([f"c{i}" for i in range(labels)], truth, probabilities)
    predicted, every = probabilities.argmax(axis=1), list(range(labels))
    assert (held.confusion == metrics.confusion_matrix(truth, predicted, labels=every)).all()
    assert close(held.accuracy, metrics.accuracy_score(truth, predicted))
    assert close(held.micro_f1, metrics.f1_score(truth, predicted, average="micro"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of classes that are predicted and have no rows
        assert close(held.balanced_accuracy, metrics.balanced_accuracy_score(truth, predicted))
        assert close(held.macro_f1, metrics.f1_score(truth, predicted, average="macro"))  # of classes seen in either
        scores = metrics.precision_recall_fscore_support(truth, predicted, labels=every, zero_division=0)
        for found, expected in zip((held.precision, held.recall, held.f1, held.support), scores, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-12)
        assert close(held.log_loss, metrics.log_loss(truth, np.maximum(probabilities, 1e-300), labels=every))
    areas, precisions = [], []
    for i in every if labels > 2 else [1]:
        one = (truth == i).astype(int)
        if 0 < one.sum() < rows:
            areas.append(metrics.roc_auc_score(one, probabilities[:, i]))
        if one.sum():
            precisions.append(metrics.average_precision_score(one, probabilities[:, i]))
    assert close(held.roc_auc, np.mean(areas) if areas else math.nan)
    assert close(held.average_precision, np.mean(precisions) if precisions else math.nan)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 5), st.integers(1, 40), st.floats(0.05, 0.95))
def test_several_labels_a_row(seed, labels, rows, threshold):
    draws = np.random.default_rng(seed)
    truth = draws.random((rows, labels)) < draws.random(labels)
    probabilities = np.round(draws.random((rows, labels)), 1)
    held = MultiLabelEvaluation([f"l{i}" for i in range(labels)], truth, probabilities, threshold)
    predicted = probabilities > threshold
    assert close(held.exact_match, metrics.accuracy_score(truth, predicted))
    assert close(held.hamming_loss, metrics.hamming_loss(truth, predicted))
    assert close(held.micro_f1, metrics.f1_score(truth.ravel(), predicted.ravel(), zero_division=0))
    scores = metrics.precision_recall_fscore_support(
        truth.astype(int).reshape(rows, -1) if labels > 1 else truth[:, 0],
        predicted.astype(int) if labels > 1 else predicted[:, 0],
        zero_division=0,
        **({} if labels > 1 else {"labels": [True]}),
    )
    for found, expected in zip((held.precision, held.recall, held.f1, held.support), scores, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert close(held.macro_f1, float(np.mean(scores[2])))
    columns = [(truth[:, i], probabilities[:, i]) for i in range(labels)]
    areas = [metrics.roc_auc_score(x, p) for x, p in columns if 0 < x.sum() < rows]
    precisions = [metrics.average_precision_score(x, p) for x, p in columns if x.sum()]
    assert close(held.roc_auc, np.mean(areas) if areas else math.nan)
    assert close(held.average_precision, np.mean(precisions) if precisions else math.nan)
    chosen = np.maximum(np.where(truth, probabilities, 1 - probabilities), np.finfo(np.float32).tiny)
    expected = -np.log(chosen).sum(axis=1).mean()
    assert close(held.loss, expected)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(2, 60), st.booleans())
def test_numbers(seed, rows, tied):
    draws = np.random.default_rng(seed)
    truth, predicted = draws.normal(3, 10, (2, rows))
    if tied:
        truth, predicted = np.round(truth / 5), np.round(predicted / 5)
    held = RegressionEvaluation(truth, predicted, 0.5)
    assert close(held.r2, metrics.r2_score(truth, predicted))
    assert close(held.mae, metrics.mean_absolute_error(truth, predicted))
    assert close(held.rmse, metrics.root_mean_squared_error(truth, predicted))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert close(held.spearman, stats.spearmanr(truth, predicted).statistic)


def test_numbers_that_do_not_differ():
    assert math.isnan(RegressionEvaluation(np.array([1.0]), np.array([2.0]), 0.0).r2)
    constant, others = np.full(3, 2.0), np.array([1.0, 2.0, 3.0])
    assert RegressionEvaluation(constant, others, 0.0).r2 == metrics.r2_score(constant, others) == 0
    assert RegressionEvaluation(constant, constant, 0.0).r2 == metrics.r2_score(constant, constant) == 1
    assert math.isnan(RegressionEvaluation(others, constant, 0.0).spearman)


def by_bins(confidence, right):
    """The calibration error from its definition, bin by bin."""
    total = 0.0
    for k in range(15):
        inside = [i for i, p in enumerate(confidence) if k / 15 < p <= (k + 1) / 15 or (k == 0 and p == 0)]
        if inside:
            accuracy = sum(right[i] for i in inside) / len(inside)
            total += len(inside) / len(confidence) * abs(accuracy - sum(confidence[i] for i in inside) / len(inside))
    return total


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 80))
def test_calibration_error(seed, rows):
    draws = np.random.default_rng(seed)
    confidence, right = draws.random(rows), draws.random(rows) < 0.6
    assert close(measures.calibration_error(confidence, right), by_bins(confidence, right))


@pytest.mark.parametrize(
    ("confidence", "right", "error"), [([1.0, 1.0], [True, False], 0.5), ([0.75] * 4, [1, 1, 1, 0], 0)]
)
def test_calibration_error_of_known_cases(confidence, right, error):
    assert math.isclose(measures.calibration_error(np.array(confidence), np.array(right, bool)), error, abs_tol=1e-12)


def test_a_loss_of_certain_answers_is_no_minus_zero():
    held = Classification(("a", "b"), np.array([0, 1]), np.eye(2))
    assert str(held.loss) == "0.0"
    assert Classification(("a", "b"), np.array([1]), np.array([[1.0, 0.0]])).loss > 80  # and not infinite


def test_json_has_null_where_a_measure_is_undefined():
    held = Classification(("a", "b"), np.array([0, 0]), np.array([[0.9, 0.1], [0.2, 0.8]]))
    assert math.isnan(held.roc_auc)
    assert held.as_dict()["roc_auc"] is None
    assert held.as_dict()["accuracy"] == 0.5
