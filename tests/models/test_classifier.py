"""TextClassifier: from raw text to label."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

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


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [1, 2, 5, 64, 65, 90])
@pytest.mark.parametrize("batch_size", [1, 7, 512])
def test_compiled_predicts_as_eagerly(models, held_out, name, count, batch_size):
    texts = held_out.texts.head(count)
    compiled, eager, chosen = (
        models[name].predict_probabilities(texts, batch_size=batch_size, eager=eager) for eager in (False, True, None)
    )
    assert compiled.dtype == eager.dtype == np.float32
    np.testing.assert_allclose(compiled, eager, atol=1e-6)
    np.testing.assert_array_equal(chosen, eager if count <= 64 else compiled)
    assert models[name].predict(texts, eager=False) == models[name].predict(texts, eager=True)


@pytest.mark.parametrize("name", NAMES)
def test_compiled_texts_without_a_known_word(models, name):
    texts = ["", "xyzzy plugh", "good", " "]
    for some in (texts, texts[:1], texts[:2], []):
        compiled = models[name].predict_probabilities(some, eager=False)
        np.testing.assert_allclose(compiled, models[name].predict_probabilities(some, eager=True), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_call_gives_the_same_bits(models, saved, held_out, name):
    """Whatever was predicted before, of whatever size."""
    fresh = TextClassifier.load(saved[name])
    expected = [fresh.predict_probabilities(held_out.texts.slice(i, n)) for i, n in ((0, 90), (3, 1), (5, 70))]
    for count in range(1, 90, 7):
        models[name].predict_probabilities(held_out.texts.head(count), eager=False)
    for (i, n), whole in zip(((0, 90), (3, 1), (5, 70)), expected, strict=True):
        np.testing.assert_array_equal(models[name].predict_probabilities(held_out.texts.slice(i, n)), whole)


def test_single_texts_of_any_length_share_few_programs(saved):
    model = TextClassifier.load(saved["ffnn"])
    draws = np.random.default_rng(0)
    known = model.vocabulary.entries.filter(~model.vocabulary.entries.str.contains(" ")).to_list()[1:]
    for _ in range(200):
        model.predict([" ".join(draws.choice(known, draws.integers(2, 30)))], eager=False)
    assert model._compiled.stats()["programs"] <= 20


@pytest.mark.parametrize("name", NAMES)
def test_new_weights_are_used(saved, held_out, name):
    """Assigned, loaded, or of another network."""
    model = TextClassifier.load(saved[name])
    before = model.predict_probabilities(held_out.texts, eager=False)
    for parameter in model.network.parameters():
        parameter.assign(-parameter.numpy())
    changed = model.predict_probabilities(held_out.texts, eager=False)
    np.testing.assert_allclose(changed, model.predict_probabilities(held_out.texts, eager=True), atol=1e-6)
    assert abs(changed - before).max() > 0.1
    model.network = TextClassifier.load(saved[name]).network
    np.testing.assert_array_equal(model.predict_probabilities(held_out.texts, eager=False), before)


def test_a_copy_has_a_life_of_its_own(saved, held_out):
    model = TextClassifier.load(saved["bow"])
    before = model.predict_probabilities(held_out.texts, eager=False)
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(copied.predict_probabilities(held_out.texts, eager=False), before)
        copied.network.bias.assign(np.array([100.0, 0.0], np.float32))
        assert set(copied.predict(held_out.texts, eager=False)) == {"negative"}
    np.testing.assert_array_equal(model.predict_probabilities(held_out.texts, eager=False), before)


def test_threads_may_share_a_classifier(saved, held_out):
    model = TextClassifier.load(saved["ffnn"])
    pieces = [held_out.texts.slice(i, 1 + i % 7) for i in range(60)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda piece: model.predict_probabilities(piece, eager=False), pieces))
    for piece, probabilities in zip(pieces, found, strict=True):
        np.testing.assert_allclose(probabilities, model.predict_probabilities(piece, eager=True), atol=1e-6)


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
