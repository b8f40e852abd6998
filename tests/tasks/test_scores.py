"""Scores of rows: the higher the better, in step with a measure of the whole, and as sure as the model is."""

import numpy as np
import pytest

import chainrule
from chainrule.data import Table
from chainrule.tasks import Classification, Continue, MultiLabelEvaluation, Perplexity, RegressionEvaluation, Tag
from chainrule.tasks.tagging import Tagging
from chainrule.tasks.transduction import TeacherForced, Transduction
from chainrule.text.symbols import Splitter, Symbols

DRAWS = np.random.default_rng(0)


def test_classes():
    truth, probabilities = DRAWS.integers(0, 4, 50), DRAWS.dirichlet(np.ones(3), 50)  # the class 3 is unseen
    found = Classification(("a", "b", "c"), truth, probabilities)
    assert found.score == "right"
    assert found.scores.tolist() == [float(a == b) for a, b in zip(truth, probabilities.argmax(axis=1), strict=True)]
    assert found.scores.mean() == found.accuracy
    assert (found.confidence == probabilities.max(axis=1)).all()


def test_sets_of_labels():
    truth, probabilities = DRAWS.random((50, 3)) < 0.4, DRAWS.random((50, 3))
    unseen = DRAWS.integers(0, 3, 50)  # of two labels that the model does not know
    found = MultiLabelEvaluation("abc", truth, probabilities, 0.3, unseen=unseen, unseen_labels=2)
    assert found.score == "share of labels right"
    assert found.scores.mean() == pytest.approx(1 - found.hamming_loss)
    assert ((found.scores == 1).mean(), found.scores.min() >= 0) == (found.exact_match, True)
    sure = [[p if p > 0.3 else 1 - p for p in row] for row in probabilities]
    assert found.confidence == pytest.approx(np.mean(sure, axis=1))


def test_numbers():
    found = RegressionEvaluation(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 5.0]), 0.1)
    assert (found.score, found.confidence) == ("squared error, negative", None)
    assert list(map(str, found.scores)) == ["0.0", "0.0", "-4.0"]
    assert found.scores.mean() == pytest.approx(-(found.rmse**2))


def test_tags():
    truth, predicted, offsets = np.array([0, 1, 2, 0]), np.array([0, 1, 0, 0]), np.array([0, 3, 3, 4])
    found = Tagging(("a", "b"), truth, predicted, offsets, 0.1, certainty=np.array([0.5, 0.75, 1.0, 0.25]))
    assert found.score == "share of tokens right"
    assert found.scores.tolist() == pytest.approx([2 / 3, 1, 1])
    assert found.sentence_accuracy == pytest.approx(2 / 3)
    assert found.confidence.tolist() == [0.75, 1, 0.25]
    assert Tagging(("a", "b"), truth, predicted, offsets, 0.1).confidence is None


@pytest.mark.parametrize("crf", [False, True])
def test_tags_of_a_model(crf):
    table = Table.from_lists([["a", "b"], ["b"], ["c", "a", "b"]] * 4, [["X", "Y"], ["Y"], ["Y", "X", "X"]] * 4)
    learner, training = chainrule.ConvolutionalNetwork(dim=4, filters=4, widths=(1,)), chainrule.Training(epochs=2)
    model = chainrule.fit(learner, table, table, task=Tag(crf=crf), training=training, threads=1).model
    found = model.evaluate(table)
    assert found.scores.shape == (12,)
    assert (found.scores * np.diff(found.offsets)).sum() / found.tokens == pytest.approx(found.accuracy)
    if crf:
        assert found.confidence is None
    else:
        assert found.confidence.shape == (12,)
        assert 0.5 <= found.confidence.min() <= found.confidence.max() <= 1


def test_tokens_to_come():
    log_p = np.log([0.5, 0.125, 0.25])
    one = Perplexity(log_p, np.ones(3), np.ones(3), np.zeros(3, bool))
    assert (one.score, one.confidence) == ("log-likelihood a token", None)
    assert one.scores == pytest.approx([-one.loss])
    cut = Perplexity(log_p, np.ones(3), np.ones(3), np.zeros(3, bool), np.array([0, 2, 2, 3]))
    assert cut.scores == pytest.approx([log_p[:2].mean(), 0, log_p[2]])


def test_tokens_to_come_of_a_model():
    table = Table.from_lists(["abcabc", "", "cab"] * 3)
    learner, training = chainrule.RecurrentNetwork(dim=4, size=4), chainrule.Training(epochs=1)
    task = Continue(context=4)
    model = chainrule.fit(learner, table, table, task=task, training=training, threads=1).model
    found = model.evaluate(table)
    assert np.diff(found.offsets).tolist() == [4, 3, 1, 4] * 3  # with the end of each text
    assert (found.scores * np.diff(found.offsets)).sum() / found.tokens == pytest.approx(-found.loss, rel=1e-6)
    assert found.scores[0] == pytest.approx(found.log_probabilities[:4].mean(), rel=1e-6)


def test_written_texts():
    forced = TeacherForced(0.5, np.array([1.0, 1.0, 0.0, 1.0]), np.array([0, 3, 4]))
    assert (forced.score, forced.confidence, forced.exact_match) == ("share of tokens right", None, 0.5)
    assert forced.scores.tolist() == pytest.approx([2 / 3, 1])
    symbols = Symbols(["a", "b"], Splitter("symbols"))
    found = Transduction(symbols, ["x", "y"], [[2, 3], [2]], [[2, 2], [2]], forced, np.log([0.25, 0.5]))
    assert (found.score, found.scores.tolist(), found.exact_match) == ("right", [0, 1], 0.5)
    assert found.confidence == pytest.approx([0.25, 0.5])
    assert Transduction(symbols, ["x"], [[2]], [[2]], forced).confidence is None


def test_written_texts_of_a_model():
    table = Table.from_lists(["a b", "b a", "a"] * 4, ["A B", "B A", "A"] * 4, target="text")
    learner = chainrule.SequenceToSequence(dim=4, size=6, dropout=0.0)
    training = chainrule.Training(epochs=2, learning_rate=0.02)
    model = chainrule.fit(learner, table, table, task=chainrule.Transduce(), training=training, threads=1).model
    found = model.evaluate(table)
    assert found.scores.shape == found.confidence.shape == (12,)
    assert ((found.confidence > 0) & (found.confidence <= 1)).all()
    said = [answer.json()["probability"] for answer in model.answers(table.texts.to_list())]
    assert found.confidence == pytest.approx(said, rel=1e-5)
