"""Learners that read the tokens of a text in order, through `fit`, saved, resumed, and from word vectors."""

from pathlib import Path

import numpy as np
import pytest

import chainrule
from chainrule.graph.conversion import as_tensors
from chainrule.models import LEARNERS, Model
from chainrule.nn.pooling import POOLINGS
from chainrule.vectors import Vectors

TEXTS = [
    "good and not bad", "bad and not good", "so good", "so bad", "not bad at all , good", "not good at all , bad",
    "", "good", "bad", "it is good", "it is bad", "a good and funny film not to miss at all",
]  # fmt: skip
LABELS = ["p", "n", "p", "n", "p", "n", "p", "p", "n", "p", "n", "p"]
TABLE = chainrule.Table.from_lists(TEXTS * 4, LABELS * 4)
WHOLE = len(TABLE)
SMALL = {
    "cnn": {"dim": 6, "filters": 3, "widths": (1, 2, 3)},
    "rnn": {"dim": 6, "size": 4},
    "gru": {"dim": 6, "size": 4, "bidirectional": False},
    "lstm": {"dim": 6, "size": 4},
    "transformer": {"dim": 6, "model_size": 8, "heads": 2, "inner_size": 12, "inner_dropout": 0.0},
}


def made(name, **settings):
    return LEARNERS[name](**{**SMALL[name], **settings})


def weights(model):
    return {name: np.array(x.numpy()) for name, x in model.network.named_parameters().items()}


def fit(learner, epochs=4, batch_size=WHOLE, learning_rate=0.01, **settings):
    """Train; in one mini-batch an epoch, whose sizes are the same each time, so that few steps are compiled."""
    training = chainrule.Training(epochs=epochs, learning_rate=learning_rate, batch_size=batch_size)
    return chainrule.fit(learner, TABLE, TABLE, **{"training": training, "seed": 1, **settings})


@pytest.mark.parametrize("name", ["cnn", "transformer"])
def test_gated_activations_read_twice_as_many_numbers(name):
    run = fit(made(name, activation="swiglu"), epochs=120, learning_rate=0.03)
    assert run.model.evaluate(TABLE).accuracy > 0.75
    probabilities = [run.model.predict_probabilities(TEXTS, engine=engine) for engine in ("native", "eager")]
    np.testing.assert_allclose(*probabilities, atol=1e-5)


def test_a_filter_with_a_gate_sees_one_width():
    network = fit(made("cnn", activation="swiglu"), epochs=1).model.network
    x, offsets = as_tensors([np.ones((6, 6), "float32"), np.array([0, 6])])
    narrow = network.encoder(x, offsets).numpy()[:, :3]
    expected = network.encoder.convolutions[0](x, offsets).numpy()
    np.testing.assert_allclose(narrow, expected[:, :3] * chainrule.silu(expected[:, 3:]).numpy(), rtol=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_engines_learn_the_same(name):
    found = [fit(made(name), engine=engine, threads=1, epochs=2, batch_size=8) for engine in ("native", "eager")]
    native, eager = (weights(run.model) for run in found)
    for key in native:
        if not key.endswith("input_bias"):  # that of the keys changes no answer: Adam steps by the sign of roundings
            np.testing.assert_allclose(native[key], eager[key], rtol=2e-3, atol=2e-4)
    probabilities = [run.model.predict_probabilities(TEXTS) for run in found]
    np.testing.assert_allclose(*probabilities, atol=2e-3)


DROPPED = {"variational": True, "recurrent_dropout": 0.3, "dropout": 0.2, "layers": 2}


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_engines_drop_the_same_numbers_of_a_text(name):
    found = [fit(made(name, **DROPPED), engine=engine, threads=1).model for engine in ("native", "eager")]
    native, eager = map(weights, found)
    for key in native:
        np.testing.assert_allclose(native[key], eager[key], rtol=2e-3, atol=2e-4)
    plain = weights(fit(made(name, layers=2, dropout=0.2), engine="eager").model)
    assert all((plain[key] != native[key]).any() for key in native)


def test_a_transformer_drops_probabilities_of_its_attention(run, csv_file, tmp_path):
    """Alike on both engines and at any number of threads; asked for on the command line, and kept in the model."""
    learner = made("transformer", attention_dropout=0.4, dropout=0.0)
    native, twice, eager = (
        weights(fit(learner, threads=threads, engine=engine).model)
        for threads, engine in ((1, "native"), (2, "native"), (1, "eager"))
    )
    plain = weights(fit(made("transformer", dropout=0.0), engine="eager").model)
    for key in native:
        assert (native[key] == twice[key]).all()
        if not key.endswith("input_bias"):  # see above
            np.testing.assert_allclose(native[key], eager[key], rtol=2e-3, atol=2e-4)
    assert any((plain[key] != native[key]).any() for key in native)
    options = ["--learner", "transformer", "--attention-dropout", "0.4", "--epochs", "1", "--quiet", "--eager"]
    assert run("train", csv_file, *options, "--out", tmp_path / "model").code == 0
    assert Model.load(tmp_path / "model").learner.attention_dropout == 0.4
    refused = run("train", csv_file, *options[:3], "1", "--out", tmp_path / "refused")
    assert refused.code == 2
    assert "attention-dropout" in refused.error


def test_what_is_dropped_of_a_text_is_dropped_at_all_its_tokens():
    """Of a network whose layers map nothing, all tokens of a text give the same, as all of them are alike."""
    model = fit(made("gru", **DROPPED, bidirectional=False), epochs=1).model
    network, ids = model.network, np.array([2, 2, 2, 2, 2])
    x = network.embeddings.rows(chainrule.tensor(ids))
    mask = network.token_dropout(x, [0, 3, 5], chainrule.Key.of(seed=0)).numpy() / x.numpy()
    assert (mask[:3] == mask[0]).all()
    assert (mask[3:] == mask[3]).all()
    assert (mask[0] != mask[3]).any()


@pytest.mark.parametrize("name", ["cnn", "lstm", "transformer"])
def test_same_seed_same_bits_at_any_number_of_threads(name):
    first, second = (weights(fit(made(name), threads=threads).model) for threads in (1, 2))
    assert all((first[key] == second[key]).all() for key in first)


@pytest.mark.parametrize("name", SMALL)
def test_a_text_is_answered_alike_in_any_batch_and_after_loading(name, tmp_path):
    model = fit(made(name), folder=tmp_path / "model").model
    together = model.predict_probabilities(TEXTS)
    alone = np.concatenate([model.predict_probabilities([text]) for text in TEXTS])
    np.testing.assert_allclose(alone, together, rtol=1e-5, atol=1e-6)
    loaded = Model.load(tmp_path / "model")
    assert (loaded.predict_probabilities(TEXTS) == together).all()
    np.testing.assert_allclose(loaded.predict_probabilities(TEXTS, engine="eager"), together, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_every_pooling_learns_the_order_of_words(pooling):
    """Bags of the first two texts are equal: only their order tells them apart. Layers lie over one another."""
    table = chainrule.Table.from_lists(TEXTS[:2] * 30, LABELS[:2] * 30)
    training = chainrule.Training(epochs=40, learning_rate=0.02, batch_size=20)
    learner = made("gru", bidirectional=True, pooling=pooling, dropout=0.0, word_dropout=0.0, size=8, layers=2)
    run = chainrule.fit(learner, table, table, training=training, seed=0)
    assert run.model.predict(TEXTS[:2]) == LABELS[:2]


@pytest.mark.parametrize("name", ["cnn", "gru", "transformer"])
def test_other_tasks(name):
    tags = chainrule.Table.from_lists(TEXTS, ["a,b", "b", "a", "", "a,b", "b", "a", "a", "b", "a", "b", "a"])
    task = chainrule.MultiLabel(label_separator=",")
    training = chainrule.Training(epochs=1, learning_rate=0.01)
    assert len(chainrule.fit(made(name), tags, tags, task=task, training=training).model.predict(TEXTS)) == len(TEXTS)
    prices = chainrule.Table.from_lists(TEXTS, [str(len(text)) for text in TEXTS])
    run = chainrule.fit(made(name), prices, prices, task=chainrule.Regress(), training=training)
    assert np.isfinite(run.model.predict(TEXTS)).all()


@pytest.mark.parametrize("name", ["cnn", "lstm", "transformer"])
def test_frozen_vectors_stay(name, tmp_path):
    path = tmp_path / "v.txt"
    words = ["good", "bad", "not"]
    Vectors(words, np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)).save(path)
    learner = made(name, vectors=str(path), vectors_training="frozen")
    start, _ = Model.untrained(learner, chainrule.Classify(), TABLE, seed=1)
    run = fit(learner, folder=tmp_path / "model")
    assert run.model.learner.dim == 5
    vocabulary = run.model.codec.inputs.vocabulary.entries.to_list()
    known = [vocabulary.index(word) for word in words]
    first, last = (model.network.embeddings.table.numpy() for model in (start, run.model))
    assert (first[known] == last[known]).all()
    assert (np.delete(first, known, 0) != np.delete(last, known, 0)).any()
    Path(path).unlink()
    assert (Model.load(tmp_path / "model").predict_probabilities(TEXTS) == run.model.predict_probabilities(TEXTS)).all()
