"""Estimators for scikit-learn: its own checks, on texts and tables, in pipelines, searches and other processes."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import chainrule
from chainrule.errors import ConfigurationError
from chainrule.sklearn import ChainruleClassifier, ChainruleRegressor
from tests import samples

#: Checks that are not run, with the reason.
EXCLUDED = {
    "check_array_api_input": "needs SCIPY_ARRAY_API set for the whole process; NumPy arrays come in alone",
    "check_sample_weight_equivalence_on_dense_data": "means of columns, order and dropout go by rows: docs/sklearn.md",
}
#: A check that may fail: it asks for the same bits for a row alone, which goes through another routine of BLAS than
#: several rows, and is added up in another order.
ALONE = "check_methods_subset_invariance"
FEW = chainrule.Training(epochs=4, learning_rate=0.03)


@pytest.mark.parametrize("kind", [ChainruleClassifier, ChainruleRegressor])
def test_scikit_learns_own_checks(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of checks that it skips, and of columns it makes of rows
        found = check_estimator(kind(), on_fail=None, on_skip=None)
    assert len(found) > 45
    wrong = {x["check_name"]: x["exception"] for x in found if x["status"] != "passed"}
    assert set(wrong) - {ALONE} == set(EXCLUDED), wrong
    assert issubclass(SkipTestWarning, Warning)


def rows(count, seed=0):
    found = samples.make_rows(count, seed=seed)
    return [text for text, _ in found], np.array([label for _, label in found])


@pytest.mark.parametrize("learner", ["bow", "ffnn", "auto"])
def test_raw_texts(learner):
    texts, labels = rows(240)
    held_out, truth = rows(90, seed=1)
    training = chainrule.Training(learning_rate=0.03, epochs=8)
    classifier = ChainruleClassifier(learner, training=training).fit(texts, labels)
    assert classifier.classes_.tolist() == ["negative", "positive"]
    assert classifier.score(held_out, truth) > 0.85
    probabilities = classifier.predict_proba(held_out)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    assert (classifier.predict(held_out) == classifier.classes_[probabilities.argmax(axis=1)]).all()
    for kind in (np.array, pd.Series, pl.Series, tuple):
        assert (classifier.predict(kind(held_out)) == classifier.predict(held_out)).all()


def test_the_model_is_that_of_fit():
    texts, labels = rows(120)
    table = chainrule.Table.from_lists(texts, labels.tolist())
    train, valid = table.split(0.9, 0.1, seed=0)
    expected = chainrule.fit(chainrule.BagOfWords(), train, valid, training=FEW, seed=0).model
    found = ChainruleClassifier("bow", training=FEW).fit(texts, labels)
    assert (found.predict_proba(texts) == expected.predict_probabilities(texts, engine="native")).all()
    assert found.n_iter_ == 4


@pytest.mark.parametrize(
    "labels",
    [[3, 1, 2], [True, False, True], ["b", "a", "c"], [10, 9, 100], ["x ", "x", "y"], ["", "a", "b"]],
)
def test_labels_of_any_type_come_back(labels):
    X, classes = load_iris(return_X_y=True)
    y = np.array(labels)[classes]
    classifier = ChainruleClassifier("linear", training=chainrule.Training(epochs=60)).fit(X, y)
    found = classifier.predict(X)
    assert found.dtype == y.dtype
    assert (found == y).mean() > 0.6
    assert (classifier.classes_ == np.unique(y)).all()


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
def test_frames_with_categories(kind):
    draws = np.random.default_rng(0)
    color = draws.choice(["red", "green", "blue"], 200)
    size = draws.normal(size=200)
    y = np.where(color == "red", 5.0, 1.0) + size
    frame = kind({"size": size, "color": color})
    regressor = ChainruleRegressor("linear", training=chainrule.Training(learning_rate=0.1)).fit(frame, y)
    assert regressor.score(frame, y) > 0.95
    assert regressor.feature_names_in_.tolist() == ["size", "color"]
    assert np.isfinite(regressor.predict(kind({"size": [0.0], "color": ["violet"]}))).all()  # not known: answered


def test_pipelines_and_cross_validation():
    X, y = load_breast_cancer(return_X_y=True)
    scores = cross_val_score(make_pipeline(StandardScaler(), ChainruleClassifier("linear")), X, y, cv=3)
    assert scores.mean() > 0.94
    texts, labels = rows(120)
    assert cross_val_score(ChainruleClassifier("bow", training=FEW), texts, labels, cv=3).mean() > 0.7


def test_ngrams_may_be_hashed():
    texts, labels = rows(120)
    classifier = ChainruleClassifier(training=FEW).set_params(inputs__hashed_ngrams=1000).fit(texts, labels)
    assert classifier.model_.codec.sizes.hashed == 1000
    assert classifier.score(texts, labels) > 0.9


def test_a_search_over_settings():
    texts, labels = rows(120)
    grid = {"inputs__ngrams": [1, 2], "training__epochs": [1, 4], "learner": ["bow"]}
    search = GridSearchCV(ChainruleClassifier(training=FEW), grid, cv=2).fit(texts, labels)
    assert len(search.cv_results_["params"]) == 4
    assert search.best_estimator_.model_.task.inputs.ngrams == search.best_params_["inputs__ngrams"]
    assert search.best_estimator_.n_iter_ <= search.best_params_["training__epochs"]
    nested = {"learner__hidden": [(4,), (8, 4)]}
    search = GridSearchCV(ChainruleClassifier(chainrule.FeedForward(dim=4), training=FEW), nested, cv=2)
    assert search.fit(texts, labels).best_estimator_.learner.dim == 4


def test_parameters_are_seen_and_set():
    classifier = ChainruleClassifier(chainrule.FeedForward(dim=4), training=FEW)
    assert classifier.get_params()["learner__dim"] == 4
    assert "learner__dim" not in classifier.get_params(deep=False)
    assert classifier.set_params(learner__dim=6, random_state=3).learner == chainrule.FeedForward(dim=6)
    assert ChainruleClassifier("bow").set_params(inputs__ngrams=1).inputs == chainrule.Text(ngrams=1)
    assert ChainruleClassifier("mlp").set_params(inputs__missing="mean").inputs == chainrule.Columns(missing="mean")
    assert ChainruleClassifier().set_params(training__epochs=2).training == chainrule.Training(epochs=2)
    assert ChainruleClassifier().set_params(learner__scale=3.0).learner == chainrule.BagOfWords(scale=3.0)
    copy = clone(classifier)
    assert copy.learner == classifier.learner
    assert copy.training == FEW
    with pytest.raises(ConfigurationError, match="learner ffnn has no setting 'depth'"):
        classifier.set_params(learner__depth=2)
    with pytest.raises(ConfigurationError, match="engine has no settings"):
        classifier.set_params(engine__x=2)
    with pytest.raises(ValueError, match="dim must be a whole number of 1 or more"):
        classifier.set_params(learner__dim=0)


def _fitted(seed):
    texts, labels = rows(120)
    return ChainruleClassifier("bow", training=FEW, random_state=seed).fit(texts, labels)


@pytest.mark.parametrize("learner", ["bow", "linear"])
def test_weights_of_rows_and_classes(learner):
    """A common and a rare class that nothing tells apart: what is answered is how much each counts."""
    y = np.array(["common"] * 60 + ["rare"] * 20)
    X = ["word"] * 80 if learner == "bow" else np.zeros((80, 2))
    training = chainrule.Training(epochs=60, patience=60, learning_rate=0.1)
    rows = np.where(y == "rare", 9.0, 1.0)
    cases = [
        ({}, None, 1 / 4), ({}, rows, 3 / 4), ({"class_weight": "balanced"}, None, 1 / 2),
        ({"class_weight": {"rare": 9}}, None, 3 / 4), ({"class_weight": "balanced"}, rows, 1 / 2),
    ]  # fmt: skip
    for settings, weights, expected in cases:
        classifier = ChainruleClassifier(learner, training=training, **settings).fit(X, y, sample_weight=weights)
        assert classifier.predict_proba(X)[0, 1] == pytest.approx(expected, abs=0.03)
    regressor = ChainruleRegressor(learner, training=training).fit(X, (y == "rare") * 1.0, sample_weight=rows)
    assert regressor.predict(X)[0] == pytest.approx(3 / 4, abs=0.03)


def test_class_weights_of_labels_of_any_type():
    X, y = load_iris(return_X_y=True)
    training = chainrule.Training(epochs=30)
    found = ChainruleClassifier("linear", training=training, class_weight={1: 1000.0}).fit(X, y)
    assert (found.predict(X) == 1).mean() > 0.6
    assert found.model_.codec.targets.class_weights.tolist() == [1, 1000, 1]
    with pytest.raises(ConfigurationError, match="class_weight: there is no class 7"):
        ChainruleClassifier("linear", class_weight={7: 2}).fit(X, y)


def test_rows_of_weight_zero_are_left_out():
    X, y = load_iris(return_X_y=True)
    training = chainrule.Training(epochs=5)
    weights = (y != 1) * 1.0
    found = ChainruleClassifier("linear", training=training).fit(X, y, sample_weight=weights)
    expected = ChainruleClassifier("linear", training=training).fit(X[y != 1], y[y != 1])
    assert found.classes_.tolist() == [0, 2]
    np.testing.assert_allclose(found.predict_proba(X), expected.predict_proba(X), rtol=1e-5)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0] * 39, r"sample_weight: expected one for each of 40 rows, got shape \(39,\)"),
        ([1.0] * 39 + [-1.0], "sample_weight: row 39 has -1.0; expected finite numbers of 0 or more"),
        ([float("nan")] + [1.0] * 39, "sample_weight: row 0 has nan"),
        ([0.0] * 40, "sample_weight: all weights are zero; expected some above 0"),
    ],
)
def test_sample_weights_that_cannot_be(weights, message):
    texts, labels = rows(40)
    with pytest.raises(ValueError, match=message):
        ChainruleClassifier("bow").fit(texts, labels, sample_weight=weights)
    with pytest.raises(ValueError, match=message):
        ChainruleRegressor("bow").fit(texts, np.arange(40.0), sample_weight=weights)


def test_a_class_with_one_row_is_learned_from():
    texts, labels = rows(60)
    found = ChainruleClassifier("bow", training=FEW).fit([*texts, "unique"], [*labels, "once"])
    assert found.classes_.tolist() == ["negative", "once", "positive"]


def test_other_processes():
    """joblib sends estimators to processes of its own, and fitted ones come back."""
    texts, _ = rows(30, seed=2)
    found = Parallel(n_jobs=2)(delayed(_fitted)(seed) for seed in (0, 0, 1))
    expected = _fitted(0).predict_proba(texts)
    assert [(one.predict_proba(texts) == expected).all() for one in found] == [True, True, False]
    texts, labels = rows(120)
    grid = GridSearchCV(ChainruleClassifier("bow", training=FEW), {"training__epochs": [1, 2]}, cv=2, n_jobs=2)
    assert grid.fit(texts, labels).best_score_ > 0.5


def test_fitted_estimators_pickle():
    texts, labels = rows(60)
    classifier = ChainruleClassifier("ffnn", training=FEW).fit(texts, labels)
    copy = pickle.loads(pickle.dumps(classifier))
    assert (copy.predict_proba(texts) == classifier.predict_proba(texts)).all()


def test_a_regressor_of_texts():
    texts, labels = rows(240)
    stars = np.where(labels == "positive", 4.5, 1.5)
    regressor = ChainruleRegressor("bow", training=chainrule.Training(learning_rate=0.03, epochs=20)).fit(texts, stars)
    assert regressor.score(texts, stars) > 0.5


def test_what_cannot_be_learned():
    texts, labels = rows(40)
    with pytest.raises(NotFittedError):
        ChainruleClassifier().predict(texts)
    with pytest.raises(ValueError, match="1 class"):
        ChainruleClassifier("bow").fit(texts, ["a"] * 40)
    with pytest.raises(ValueError, match="X is one text; put it in a list"):
        ChainruleClassifier("bow").fit("so good", ["a"])
    with pytest.raises(ValueError, match="40 texts but 39 labels"):
        ChainruleClassifier("bow").fit(texts, labels[:39])
    with pytest.raises(ConfigurationError, match="bow reads bags of tokens, and columns inputs give numbers"):
        ChainruleClassifier("bow", inputs=chainrule.Columns()).fit(texts, labels)
    with pytest.raises(ConfigurationError, match="there is no learner 'bw'; did you mean 'bow'"):
        ChainruleClassifier("bw").fit(texts, labels)
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(ConfigurationError, match="validation_fraction: expected a number between 0 and 1, got 2"):
        ChainruleRegressor(validation_fraction=2).fit(X, y)
    with pytest.raises(ValueError, match="all 90 rows have the number 1"):
        ChainruleRegressor().fit(X[:100], np.ones(100))


def test_classes_that_tables_spell_in_another_way_come_back_as_they_were():
    """`True` is read as `true`, and `nan` as no label."""
    texts = ["good fun", "bad luck", "so so"] * 8
    for classes in (["True", "False", "so"], ["nan", "NaN", "x"], ["True", "true", "x"], [" a", "a", "b"]):
        estimator = ChainruleClassifier("bow", training=chainrule.Training(epochs=40, learning_rate=0.1))
        estimator.fit(texts, classes * 8)
        assert list(estimator.predict(texts[:3])) == classes
    flags = ChainruleClassifier("bow", training=chainrule.Training(epochs=40, learning_rate=0.1))
    flags.fit(texts[:2] * 12, [True, False] * 12)
    assert list(flags.predict(texts[:2])) == [True, False]
