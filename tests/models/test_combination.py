"""How the embeddings of a text are combined."""

import numpy as np
import pytest

import chainrule
from chainrule.models import Model
from chainrule.models.combination import COMBINATIONS

TABLE = chainrule.Table.from_lists(["so good", "good fun", "so bad", "bad luck"] * 10, list("ppnn") * 10)


def sums_of(combination, texts):
    """What the hidden layers read, and the weights by hand."""
    learner = chainrule.FeedForward(combination=combination, hidden=(), scale=2.0, dim=6)
    model, _ = Model.untrained(learner, chainrule.Classify(), TABLE, seed=0)
    arrays = model.encode(texts).arrays()
    network = model.network
    weights, norm = network.weights(arrays["ids"], arrays["offsets"])
    found = (network.embeddings(arrays["ids"], arrays["offsets"], weights) * (2.0 / norm)).value
    return found, network, arrays


@pytest.mark.parametrize("combination", COMBINATIONS)
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
