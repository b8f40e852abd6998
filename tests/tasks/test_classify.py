"""Classify: what it says of a model on a table, against scikit-learn."""

import json

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss, precision_recall_fscore_support

import chainrule
from chainrule.errors import DataError
from chainrule.tasks import Classification
from tests.samples import as_table


def agrees(evaluation, truth, found, probabilities):
    """Every number is scikit-learn's."""
    labels = list(evaluation.labels)
    precision, recall, f1, support = precision_recall_fscore_support(truth, found, labels=labels, zero_division=0)
    np.testing.assert_array_equal(evaluation.confusion, confusion_matrix(truth, found, labels=labels))
    np.testing.assert_allclose(evaluation.precision, precision)
    np.testing.assert_allclose(evaluation.recall, recall)
    np.testing.assert_allclose(evaluation.f1, f1)
    np.testing.assert_array_equal(evaluation.support, support)
    assert evaluation.examples == len(truth)
    assert evaluation.accuracy == pytest.approx(accuracy_score(truth, found))
    assert evaluation.macro_f1 == pytest.approx(f1_score(truth, found, average="macro", zero_division=0))
    assert evaluation.loss == pytest.approx(log_loss(truth, probabilities, labels=labels), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("missing", [False, True])
def test_random_predictions(classes, missing):
    """Also where a class has no text and is never predicted."""
    draws = np.random.default_rng(classes)
    labels = tuple("abcdefg"[:classes])
    probabilities = draws.dirichlet(np.ones(classes), 200).astype(np.float32)
    truth = draws.integers(classes - missing, size=200)
    if missing:
        probabilities[:, -1] = 0
        probabilities /= probabilities.sum(axis=1, keepdims=True)
    found = probabilities.argmax(axis=1)
    evaluation = Classification(labels, truth, probabilities)
    agrees(evaluation, [labels[i] for i in truth], [labels[i] for i in found], probabilities)


def test_a_probability_of_zero_has_a_finite_loss():
    evaluation = Classification(("a", "b"), np.array([1, 0]), np.array([[1, 0], [1, 0]], np.float32))
    assert evaluation.loss == pytest.approx(-np.log(np.finfo(np.float32).tiny) / 2)


@pytest.mark.parametrize("name", ["bow", "ffnn"])
def test_a_model_on_a_table(models, held_out, name):
    model = models[name]
    probabilities = model.predict_probabilities(held_out.texts)
    agrees(chainrule.evaluate(model, held_out), held_out.labels.to_list(), model.predict(held_out.texts), probabilities)


def test_as_dict_holds_it_all(models, held_out):
    evaluation = chainrule.evaluate(models["bow"], held_out)
    content = json.loads(json.dumps(evaluation.as_dict(), allow_nan=False))
    assert {name: content[name] for name in evaluation.measures} == evaluation.measures
    assert {"accuracy", "macro_f1", "loss"} <= set(evaluation.measures)
    assert content["accuracy"] == evaluation.accuracy
    assert content["confusion"] == {"labels": ["negative", "positive"], "counts": evaluation.confusion.tolist()}
    assert list(content["classes"]) == ["negative", "positive"]
    for place, scores in enumerate(content["classes"].values()):
        for name in ("precision", "recall", "f1", "support"):
            assert scores[name] == getattr(evaluation, name)[place]
    assert sum(each["support"] for each in content["classes"].values()) == content["examples"] == 90


def test_what_cannot_be_evaluated(models):
    with pytest.raises(DataError, match=r"none.csv: has no rows to evaluate on"):
        chainrule.evaluate(models["bow"], chainrule.Table.from_lists([], [], name="none.csv"))
    with pytest.raises(DataError, match=r"raw.csv: has no labels"):
        chainrule.evaluate(models["bow"], chainrule.Table.from_lists(["a"], name="raw.csv"))
    with pytest.raises(
        DataError, match=r"new.csv: none of the labels is known: they are 'so-so', and the model knows 'negative'"
    ):
        chainrule.evaluate(models["bow"], as_table([("a", "so-so")], name="new.csv"))


def test_one_class_alone_can_be_evaluated(models, held_out):
    positive = held_out.take(np.flatnonzero((held_out.labels == "positive").to_numpy()))
    evaluation = chainrule.evaluate(models["bow"], positive)
    assert evaluation.support.tolist() == [0, len(positive)]
    assert evaluation.recall[0] == evaluation.precision[0] == 0
    assert evaluation.accuracy == evaluation.recall[1] > 0.85
    content = json.loads(json.dumps(evaluation.as_dict(), allow_nan=False))
    assert content["roc_auc"] is None  # there is no curve, and JSON has no NaN
