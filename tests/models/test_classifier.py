"""TextClassifier: from raw text to label."""

import numpy as np
import polars as pl
import pytest

import chainrule
from chainrule.errors import DataError
from chainrule.models import TextClassifier
from tests.samples import LEARNERS, as_table, bag_of_words, make_rows

NAMES = list(LEARNERS)
STRANGE = ["a, b", 'say "x"', "two\nlines", "🎉👩‍👩‍👧", "tab\there", "=1+1", "ünïcode"]


@pytest.mark.parametrize("name", NAMES)
def test_it_has_learned(models, held_out, name):
    found = models[name].predict(held_out.texts)
    assert np.mean([a == b for a, b in zip(found, held_out.labels, strict=True)]) > 0.85


@pytest.mark.parametrize("name", NAMES)
def test_probabilities(models, held_out, name):
    model = models[name]
    probabilities = model.predict_probabilities(held_out.texts)
    assert probabilities.shape == (len(held_out), 2)
    assert probabilities.dtype == np.float32
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert model.predict(held_out.texts) == [model.labels[i] for i in probabilities.argmax(axis=1)]


@pytest.mark.parametrize("name", NAMES)
def test_probabilities_do_not_depend_on_the_company(models, held_out, name):
    """Alone, in small batches, in another order: the same to rounding."""
    whole = models[name].predict_probabilities(held_out.texts)
    texts = held_out.texts.to_list()
    np.testing.assert_allclose(models[name].predict_probabilities(texts, batch_size=7), whole, atol=1e-6)
    np.testing.assert_allclose(models[name].predict_probabilities(texts[::-1])[::-1], whole, atol=1e-6)
    np.testing.assert_allclose(models[name].predict_probabilities([texts[5]])[0], whole[5], atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_no_texts(models, name):
    assert models[name].predict([]) == []
    assert models[name].predict_probabilities(pl.Series([], dtype=pl.String)).shape == (0, 2)


@pytest.mark.parametrize("name", NAMES)
def test_texts_without_a_known_word(models, name):
    """Empty, blank and unknown texts have probabilities too, all finite."""
    probabilities = models[name].predict_probabilities(["", "   ", "\n", "xyzzy plugh"])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(probabilities[0], probabilities[1])


def test_case_matters_only_when_asked():
    rows = [("GOOD", "up"), ("good", "low")] * 20
    blind = chainrule.fit(bag_of_words(epochs=1), as_table(rows), as_table(rows)).model
    keen = chainrule.fit(bag_of_words(epochs=1, lowercase=False), as_table(rows), as_table(rows)).model
    assert len(set(blind.predict(["GOOD", "good"]))) == 1
    assert keen.predict(["GOOD", "good"]) == ["up", "low"]


def test_one_string_is_not_a_list_of_texts(models):
    with pytest.raises(DataError, match="got one string: 'good'; put it in a list"):
        models["bow"].predict("good")


def test_labels_are_needed():
    unlabelled = chainrule.Table.from_lists(["a", "b"], name="raw.csv")
    with pytest.raises(DataError, match=r"raw.csv: no labels; a classifier needs examples of at least two labels"):
        TextClassifier.untrained(bag_of_words(), unlabelled, seed=0)
    same = as_table([("a", "x"), ("b", "x")], name="same.csv")
    with pytest.raises(DataError, match=r"same.csv: only the label 'x'; a classifier needs"):
        TextClassifier.untrained(bag_of_words(), same, seed=0)


def test_tokens_are_needed():
    with pytest.raises(DataError, match="the 2 texts hold no token"):
        TextClassifier.untrained(bag_of_words(), as_table([("", "x"), (" ", "y")]), seed=0)


def test_encoding_labels(models):
    model = models["bow"]
    assert model.encode_labels(as_table([("a", "positive"), ("b", "negative")])).tolist() == [1, 0]
    with pytest.raises(DataError, match=r"raw.csv: has no labels"):
        model.encode_labels(chainrule.Table.from_lists(["a"], name="raw.csv"))
    with pytest.raises(DataError, match=r"new.csv: label 'so-so' of row 1 .* the labels are 'negative', 'positive'"):
        model.encode_labels(as_table([("a", "positive"), ("b", "so-so")], name="new.csv"))


@pytest.mark.parametrize("name", NAMES)
def test_initial_weights_come_from_the_seed(two_classes, name):
    def start(seed):
        model = TextClassifier.untrained(LEARNERS[name](), two_classes, seed=seed)
        return np.concatenate([x.numpy().ravel() for x in model.network.parameters()])

    np.testing.assert_array_equal(start(1), start(1))
    if name == "bow":
        assert not start(1).any()  # a convex loss starts at zero, whatever the seed
    else:
        assert not np.array_equal(start(1), start(2))


def test_summary(models):
    assert "EmbeddingBag" in models["ffnn"].summary()
    for model in models.values():
        total = sum(x.spec.size for x in model.network.parameters())
        assert model.summary().splitlines()[-1].split() == ["total", str(total)]


@pytest.mark.parametrize("name", NAMES)
def test_strange_labels_survive(tmp_path, name):
    rows = [(f"w{i % len(STRANGE)} filler", STRANGE[i % len(STRANGE)]) for i in range(20 * len(STRANGE))]
    run = chainrule.fit(
        LEARNERS[name](epochs=20, patience=20, dropout=0.0) if name == "ffnn" else bag_of_words(epochs=10),
        as_table(rows),
        as_table(rows),
        folder=tmp_path / "model",
    )
    model = TextClassifier.load(tmp_path / "model")
    assert model.labels == run.model.labels == tuple(sorted(STRANGE))
    assert model.predict([f"w{i}" for i in range(len(STRANGE))]) == STRANGE
    assert chainrule.evaluate(model, as_table(rows)).accuracy == 1
    assert run.record[0]["labels"] == sorted(STRANGE)


def test_a_text_of_ten_megabytes():
    """Trained on and predicted."""
    long = "extraordinarily-good entertainment, " * 277_778
    assert len(long) >= 10_000_000
    rows = [*make_rows(30), (long, "positive")]
    for make in LEARNERS.values():
        model = chainrule.fit(make(epochs=1), as_table(rows), as_table(make_rows(10, seed=1))).model
        probabilities = model.predict_probabilities([long, ""])
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
