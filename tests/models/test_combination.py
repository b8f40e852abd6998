"""How the embeddings of a text are combined."""

import numpy as np
import pytest

import chainrule
from chainrule.data import Examples, Ragged
from chainrule.models import Model
from chainrule.models.combination import COMBINATIONS
from chainrule.models.term_weights import TermWeights

TABLE = chainrule.Table.from_lists(["so good", "good fun", "so bad", "bad luck"] * 10, list("ppnn") * 10)


def sums_of(combination, texts):
    """What the hidden layers read, and the weights by hand."""
    learner = chainrule.FeedForward(combination=combination, hidden=(), scale=2.0, dim=6)
    model, _ = Model.untrained(learner, chainrule.Classify(), TABLE, seed=0)
    arrays = model.encode(texts).arrays()
    network = model.network
    weights, norm = network.weights(arrays["ids"], arrays["offsets"])
    vectors = network.embeddings.rows(arrays["ids"])
    found = (network.weights.combine(vectors, weights, arrays["offsets"]) * (2.0 / norm)).value
    return found, network, arrays


def test_the_largest_of_a_text():
    texts = ["so good fun", "luck", "unknown"]
    found, network, arrays = sums_of("max", texts)
    for n in range(2):
        ids = arrays["ids"][arrays["offsets"][n] : arrays["offsets"][n + 1]]
        assert found[n] == pytest.approx(2.0 * network.embeddings.table.numpy()[ids].max(axis=0), abs=1e-6)
    assert (found[2] == 0).all()


def test_what_is_dropped_is_not_the_largest():
    vectors = chainrule.tensor([[3.0, -3.0], [1.0, -1.0], [2.0, -2.0]])
    found = COMBINATIONS["max"](3).combine(vectors, chainrule.tensor([0.0, 2.0, 2.0]), [0, 3, 3])
    assert found.value.tolist() == [[2.0, -1.0], [0.0, 0.0]]


def test_a_window_has_the_first_tokens_in_order():
    learner = chainrule.FeedForward(combination="window", window=3, hidden=(), scale=2.0, dim=6)
    model, _ = Model.untrained(learner, chainrule.Classify(), TABLE, seed=0)
    table = model.network.embeddings.table.numpy()
    arrays = model.encode(["bad good", "good unknown bad so good", ""]).arrays()
    weights, norm = model.network.weights(arrays["ids"], arrays["offsets"])
    found = model.network.weights.combine(model.network.embeddings.rows(arrays["ids"]), weights, arrays["offsets"])
    names = dict(zip(model.codec.inputs.vocabulary.entries.to_list(), table, strict=True))
    nothing, unknown = np.zeros(6), table[0]
    rows = [[names["bad"], names["good"], nothing], [names["good"], unknown, names["bad"]], [nothing] * 3]
    assert (found / norm).value == pytest.approx(np.array(rows).reshape(3, 18))


def test_a_window_learns_what_depends_on_order():
    texts = ["not good", "good not", "not bad", "bad not"] * 10
    table = chainrule.Table.from_lists(texts, list("pnpn") * 10)
    training = chainrule.Training(epochs=30, learning_rate=0.1)
    learner = chainrule.FeedForward(combination="window", window=2, dim=8, dropout=0.0, word_dropout=0.0)
    found = chainrule.fit(learner, table, table, training=training).model
    assert found.predict(["not good", "good not", "bad not"]) == ["p", "n", "n"]
    with pytest.raises(chainrule.errors.SettingError, match=r"window.*needs combination window, got tfidf"):
        chainrule.FeedForward(window=3)


@pytest.mark.parametrize("combination", ["sum", "mean", "tfidf", "learned"])
def test_the_sum_over_a_text(combination):
    texts = ["so good fun", "luck", "unknown"]
    found, network, arrays = sums_of(combination, texts)
    plain, _ = Model.untrained(chainrule.FeedForward(hidden=(), dim=6), chainrule.Classify(), TABLE, seed=0)
    idf = plain.network.weights.idf.numpy()
    for n in range(len(texts)):
        ids = arrays["ids"][arrays["offsets"][n] : arrays["offsets"][n + 1]]
        each = {
            "sum": np.ones(len(ids)),
            "mean": np.full(len(ids), 1 / max(len(ids), 1)),
            "tfidf": idf[ids] / (np.linalg.norm(idf[ids]) or 1),
        }
        weights = each["tfidf" if combination == "learned" else combination]
        expected = 2.0 * (weights[:, None] * network.embeddings.table.numpy()[ids]).sum(axis=0)
        assert found[n] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("combination", COMBINATIONS)
def test_it_learns_is_saved_and_agrees_eagerly(combination, optimizer, tmp_path):
    learner = chainrule.FeedForward(combination=combination, hidden=(4,), dim=6)
    training = chainrule.Training(epochs=3, learning_rate=0.01, optimizer=optimizer)
    runs = {
        engine: chainrule.fit(learner, TABLE, TABLE, training=training, engine=engine) for engine in ("native", "eager")
    }
    texts = ["good", "bad luck", "unknown"]
    answers = [run.model.predict_probabilities(texts) for run in runs.values()]
    assert answers[0] == pytest.approx(answers[1], abs=1e-4)
    runs["native"].model.save(tmp_path / "model")
    assert (Model.load(tmp_path / "model").predict_probabilities(texts) == answers[0]).all()
    if combination == "learned":
        start, _ = Model.untrained(learner, chainrule.Classify(), TABLE, seed=0)
        changed = runs["native"].model.network.weights.logarithms.numpy() != start.network.weights.logarithms.numpy()
        assert changed.sum() > 4


def test_term_weights_count_texts_and_not_what_they_repeat():
    """The frequency of documents: as of bags that hold each entry once."""
    repeated, once = TermWeights(4), TermWeights(4)
    repeated.count(Examples({"ids": Ragged(np.array([1, 1, 2, 1, 3, 3], np.int32), np.array([0, 3, 3, 6]))}))
    once.count(Examples({"ids": Ragged(np.array([1, 2, 1, 3], np.int32), np.array([0, 2, 2, 4]))}))
    np.testing.assert_array_equal(repeated.idf.numpy(), once.idf.numpy())


@pytest.mark.parametrize(("frequency", "times"), [("binary", 1), ("log", 3)])
def test_what_a_text_repeats_counts_as_often_as_its_setting_says(frequency, times):
    """Of five times: once, or once for the first, the second and the fourth."""
    table = chainrule.Table.from_lists(["so good", "good fun", "so bad", "bad luck"] * 5, list("ppnn") * 5)
    task = chainrule.Classify(inputs=chainrule.Text(ngrams=1, term_frequency=frequency))
    model = chainrule.fit(chainrule.BagOfWords(), table, table, task=task, training=chainrule.Training(epochs=1)).model
    ids = model.encode(["so good good good good good"]).arrays()["ids"].tolist()
    assert sorted(map(ids.count, {*ids})) == [1, times][: len({*ids})]
