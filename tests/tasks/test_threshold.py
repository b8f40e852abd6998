"""The threshold of several labels a row that validation rows decide."""

import numpy as np
import pytest
from sklearn import metrics

import chainrule
from chainrule.tasks.measures import best_threshold

WORDS = [f"w{i}" for i in range(12)]


def table(rows, seed):
    """Texts of four words, each of which gives its label half the time, so that probabilities stay below a half."""
    draws = np.random.default_rng(seed)
    chosen = [draws.choice(12, 4, replace=False) for _ in range(rows)]
    labels = [[f"l{i}" for i in each if draws.random() < 0.4] for each in chosen]
    return chainrule.Table.from_lists([" ".join(WORDS[i] for i in each) for each in chosen], labels)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    rows, valid = table(300, 0), table(80, 1)
    training = chainrule.Training(epochs=4, learning_rate=0.05)
    folder = tmp_path_factory.mktemp("threshold") / "model"
    run = chainrule.fit(
        chainrule.BagOfWords(), rows, valid, task=chainrule.MultiLabel(), training=training, folder=folder
    )
    return run, valid


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_best_of_thousandths(seed):
    draws = np.random.default_rng(seed)
    p = draws.random((30, 4)) ** 3
    truth = draws.random(p.shape) < p
    found = best_threshold(truth, p.astype(np.float32))
    given = [p > k / 1000 for k in range(1, 1000)]
    figures = [2 * (x & truth).sum() / (x.sum() + truth.sum()) for x in given]
    assert metrics.f1_score(truth, p > found, average="micro") == pytest.approx(max(figures))
    assert 0 < found < 0.5


def test_of_several_that_are_best_it_is_a_half_or_the_middle():
    truth = np.array([[True, False], [True, False]])
    assert best_threshold(truth, np.array([[0.9, 0.1], [0.7, 0.2]])) == 0.5
    assert best_threshold(truth, np.array([[0.9, 0.6], [0.8, 0.2]])) == 0.7
    assert best_threshold(np.zeros((3, 2), bool), np.full((3, 2), 0.3)) == 0.5  # nothing is right at any
    assert best_threshold(truth, np.full((2, 2), np.nan)) == 0.5


def test_labels_that_the_model_does_not_know_make_more_answers_worth_their_risk():
    truth = np.array([[True], [False], [False], [False], [True]])
    p = np.array([[0.9], [0.6], [0.55], [0.5], [0.2]])
    assert best_threshold(truth, p) == 0.75
    assert best_threshold(truth, p, 10) == 0.1


def test_all_doors_have_the_threshold_that_validation_decided(trained):
    run, valid = trained
    threshold = run.model.task.threshold
    assert 0 < threshold < 0.5
    assert run.best.valid["threshold"] == threshold
    assert {line["valid_threshold"] for line in run.record if line["kind"] == "epoch"} >= {threshold}
    measures = run.model.evaluate(valid).measures
    for name in run.model.task.watched:
        assert measures[name] == pytest.approx(run.best.valid[name], rel=1e-5)
    loaded = chainrule.Model.load(run.folder)
    assert loaded.task == run.model.task
    probabilities = loaded.predict_probabilities(valid.texts.to_list())
    expected = [[loaded.labels[i] for i in np.flatnonzero(row > threshold)] for row in probabilities]
    assert loaded.predict(valid.texts.to_list()) == expected


def test_it_is_left_to_validation_again_where_the_training_is_repeated(trained):
    run, _ = trained
    assert 'threshold = "auto"' in (run.folder / "settings.toml").read_text()
    assert run.record[0]["task"]["threshold"] == "auto"


def test_one_that_is_given_stays_and_is_not_recorded(trained):
    run, valid = trained
    given = chainrule.fit(
        chainrule.BagOfWords(),
        table(300, 0),
        valid,
        task=chainrule.MultiLabel(threshold=0.5),
        training=chainrule.Training(epochs=4, learning_rate=0.05),
    )
    assert given.model.task.threshold == 0.5
    assert "threshold" not in given.best.valid
    assert given.best.valid["loss"] == run.best.valid["loss"]
    assert given.best.valid["micro_f1"] < run.best.valid["micro_f1"]


def test_a_model_that_is_not_trained_has_a_half():
    task, rows = chainrule.MultiLabel(), table(20, 0)
    model, _ = chainrule.Model.untrained(chainrule.BagOfWords(), task, rows, seed=0)
    half = chainrule.MultiLabel(threshold=0.5)
    other, _ = chainrule.Model.untrained(chainrule.BagOfWords(), half, rows, seed=0)
    assert model.predict(["w1 w2"]) == other.predict(["w1 w2"])
    assert model.evaluate(rows).measures == other.evaluate(rows).measures


def test_other_tasks_leave_nothing_to_validation():
    task = chainrule.Classify()
    assert task.settled({"threshold": 0.2, "loss": 1.0}) is task
