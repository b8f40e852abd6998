"""Model: from raw text to label."""

import copy
import json
import pickle
from concurrent.futures import ThreadPoolExecutor

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pytest

import chainrule
from chainrule.errors import ConfigurationError, DataError
from chainrule.models import Model
from chainrule.native.build import build
from tests import samples
from tests.samples import LEARNERS, as_table, make_rows

NAMES = list(LEARNERS)
STRANGE = ["a, b", 'say "x"', "two\nlines", "🎉👩‍👩‍👧", "tab\there", "=1+1", "ünïcode"]


def untrained(name, table, *, seed=0):
    held = samples.setup(name)
    return Model.untrained(held["learner"], held["task"], table, seed=seed)


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
    assert list(models[name].answers([])) == []
    assert models[name].predict_probabilities(pl.Series([], dtype=pl.String)).shape == (0, 2)


@pytest.mark.parametrize("name", NAMES)
def test_texts_without_a_known_word(models, name):
    """Empty, blank and unknown texts have probabilities too, all finite."""
    probabilities = models[name].predict_probabilities(["", "   ", "\n", "xyzzy plugh"])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    for others in probabilities[1:]:  # no token and no known token are the same
        np.testing.assert_array_equal(probabilities[0], others)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [1, 2, 5, 64, 65, 90])
@pytest.mark.parametrize("batch_size", [1, 7, 512])
def test_native_predicts_as_eager(models, held_out, name, count, batch_size):
    texts = held_out.texts.head(count)
    native, eager = (
        models[name].predict_probabilities(texts, batch_size=batch_size, engine=engine)
        for engine in ("native", "eager")
    )
    assert native.dtype == eager.dtype == np.float32
    np.testing.assert_allclose(native, eager, atol=1e-6)
    np.testing.assert_array_equal(models[name].predict_probabilities(texts, batch_size=batch_size), native)
    assert models[name].predict(texts, engine="native") == models[name].predict(texts, engine="eager")


@pytest.mark.parametrize("name", NAMES)
def test_native_texts_without_a_known_word(models, name):
    texts = ["", "xyzzy plugh", "good", " "]
    for some in (texts, texts[:1], texts[:2], []):
        native = models[name].predict_probabilities(some, engine="native")
        assert native.shape == (len(some), 2)
        np.testing.assert_allclose(native, models[name].predict_probabilities(some, engine="eager"), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_call_gives_the_same_bits(models, saved, held_out, name):
    """Whatever was predicted before, of whatever size."""
    fresh = Model.load(saved[name])
    expected = [fresh.predict_probabilities(held_out.texts.slice(i, n)) for i, n in ((0, 90), (3, 1), (5, 70))]
    for count in range(1, 90, 7):
        models[name].predict_probabilities(held_out.texts.head(count), engine="native")
    for (i, n), whole in zip(((0, 90), (3, 1), (5, 70)), expected, strict=True):
        np.testing.assert_array_equal(models[name].predict_probabilities(held_out.texts.slice(i, n)), whole)


def test_single_texts_of_any_length_share_few_programs(saved):
    model = Model.load(saved["ffnn"])
    draws = np.random.default_rng(0)
    entries = model.codec.inputs.vocabulary.entries
    known = entries.filter(~entries.str.contains(" ")).to_list()[1:]
    for _ in range(200):
        model.predict([" ".join(draws.choice(known, draws.integers(2, 30)))], engine="native")
    assert 1 <= model._compiled["response", "native"].stats()["programs"] <= 20


def test_trainings_and_many_texts_share_few_programs(monkeypatch):
    """Also where some texts have one token: a mini-batch of nothing else would be computed another way."""
    made = []
    monkeypatch.setattr("chainrule.native.compile.build", lambda *given: made.append(1) or build(*given))
    generator = np.random.default_rng(0)
    texts = [" ".join(generator.choice(list("abcdefgh"), int(count))) for count in generator.integers(1, 12, 2400)]
    table = chainrule.Table.from_lists(texts, ["p" if "a" in text else "n" for text in texts])
    training = chainrule.Training(epochs=2, batch_size=32)
    model = chainrule.fit(chainrule.BagOfWords(), *table.split(90, 10, seed=0), training=training).model
    assert len(made) <= 6
    made.clear()
    assert copy.copy(model).predict(texts) == model.predict(texts, engine="eager")
    assert len(made) <= 3


@pytest.mark.parametrize("name", NAMES)
def test_new_weights_are_used(saved, held_out, name):
    """Assigned, loaded, or of another network."""
    model = Model.load(saved[name])
    before = model.predict_probabilities(held_out.texts, engine="native")
    for parameter in model.network.parameters():
        parameter.assign(-parameter.numpy())
    changed = model.predict_probabilities(held_out.texts, engine="native")
    np.testing.assert_allclose(changed, model.predict_probabilities(held_out.texts, engine="eager"), atol=1e-6)
    assert abs(changed - before).max() > 0.1
    model.network = Model.load(saved[name]).network
    np.testing.assert_array_equal(model.predict_probabilities(held_out.texts, engine="native"), before)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))], ids=["deepcopy", "pickle"]
)
def test_a_copy_has_a_life_of_its_own(saved, held_out, name, duplicate):
    """Whether or not the model had native code, which stays behind; all else comes along."""
    model = Model.load(saved[name])
    fresh = duplicate(model)
    before = {engine: model.predict_probabilities(held_out.texts, engine=engine) for engine in ("native", "eager")}
    for copied in (fresh, duplicate(model)):
        assert not copied._compiled
        assert (copied.task, copied.learner, copied.training) == (model.task, model.learner, model.training)
        assert copied.labels == model.labels
        for engine, probabilities in before.items():
            np.testing.assert_array_equal(copied.predict_probabilities(held_out.texts, engine=engine), probabilities)
        copied.network.parameters()[-1].assign(np.array([100.0, 0.0], np.float32))
        for engine in before:
            assert set(copied.predict(held_out.texts, engine=engine)) == {"negative"}
    for engine, probabilities in before.items():
        np.testing.assert_array_equal(model.predict_probabilities(held_out.texts, engine=engine), probabilities)


def test_a_copy_saves_the_same_bytes(saved, tmp_path):
    for name in NAMES:
        pickle.loads(pickle.dumps(Model.load(saved[name]))).save(tmp_path / name)
        for file in saved[name].iterdir():
            assert (tmp_path / name / file.name).read_bytes() == file.read_bytes()


def test_threads_may_share_a_model(saved, held_out):
    model = Model.load(saved["ffnn"])
    pieces = [held_out.texts.slice(i, 1 + i % 7) for i in range(60)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda piece: model.predict_probabilities(piece, engine="native"), pieces))
    for piece, probabilities in zip(pieces, found, strict=True):
        np.testing.assert_allclose(probabilities, model.predict_probabilities(piece, engine="eager"), atol=1e-6)


def test_case_matters_only_when_asked():
    rows = [("GOOD", "up"), ("good", "low")] * 20
    blind = samples.fit("bow", as_table(rows), as_table(rows), epochs=1).model
    keen = samples.fit("bow", as_table(rows), as_table(rows), epochs=1, lowercase=False).model
    assert len(set(blind.predict(["GOOD", "good"]))) == 1
    assert keen.predict(["GOOD", "good"]) == ["up", "low"]


def test_rows_may_come_as_a_list_a_series_or_a_table(models, held_out):
    model = models["bow"]
    expected = model.predict(held_out.texts.to_list())
    assert model.predict(held_out.texts) == model.predict(held_out) == expected
    assert model.predict(tuple(held_out.texts)) == model.predict(held_out.texts.to_numpy()) == expected
    assert [answer.value for answer in model.answers(held_out)] == expected
    assert model.predict(["good", None]) == model.predict(["good", ""])  # as in a table


def test_one_string_is_not_a_list_of_texts(models):
    with pytest.raises(DataError, match=r"got one (string|text): 'good'; put it in a list"):
        models["bow"].predict("good")


def test_texts_may_come_from_any_sequence_or_iterator(models):
    texts = ["good fun", "bad luck"]
    expected = models["bow"].predict(texts)
    for rows in (tuple(texts), iter(texts), (x for x in texts), map(str, texts), np.array(texts), pl.Series(texts)):
        assert models["bow"].predict(rows) == expected
    assert models["bow"].predict(dict.fromkeys(texts).keys()) == expected
    assert models["bow"].predict(pd.Series(texts)) == expected
    assert list(models["bow"].predict_probabilities(iter(texts)).argmax(axis=1)) == [1, 0]
    assert len(chainrule.Table.from_lists(iter(texts), (x for x in "ab"))) == 2
    assert models["bow"].predict(iter([])) == []


def test_columns_for_a_model_of_texts_are_refused(models):
    advice = "the model reads texts alone: give the column that holds them"
    for rows in ({"text": ["good"]}, pl.DataFrame({"text": ["good"]}), pd.DataFrame({"text": ["good"]})):
        with pytest.raises(DataError, match=f"expected a sequence of texts, got {type(rows).__name__}; {advice}"):
            models["bow"].predict(rows)
    with pytest.raises(DataError, match="got set, which has no order; put its texts in a list"):
        models["bow"].predict({"good", "bad"})
    for rows in (5, None, b"good", np.array("good")):
        with pytest.raises(DataError, match=f"expected a sequence of texts, got {type(rows).__name__}"):
            models["bow"].predict(rows)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([3, -1], ("-1", "3")),
        ([0.5, 2.0], ("0.5", "2.0")),
        ([True, False], ("false", "true")),
        (["7", "8"], ("7", "8")),
    ],
)
def test_labels_come_back_as_they_were_given(tmp_path, labels, names):
    """From lists, frames, JSON lines, Parquet and data sets; and from a model that was saved."""
    rows = {"text": ["good fun", "bad luck"] * 10, "label": labels * 10}
    frame = pl.DataFrame(rows)
    frame.write_parquet(tmp_path / "rows.parquet")
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in frame.to_dicts()))
    tables = [
        chainrule.Table.from_lists(rows["text"], labels * 10),
        chainrule.Table.from_lists(rows["text"], np.array(labels * 10)),
        chainrule.Table.from_frame(frame),
        chainrule.read_table(tmp_path / "rows.parquet"),
        chainrule.read_table(tmp_path / "rows.jsonl"),
        chainrule.read_dataset(datasets.Dataset.from_dict(rows)),
    ]
    for number, table in enumerate(tables):
        model, _ = chainrule.Model.untrained(chainrule.BagOfWords(), chainrule.Classify(), table, seed=0)
        assert model.codec.targets.names == names
        model.save(tmp_path / str(number))
        loaded = chainrule.Model.load(tmp_path / str(number))
        expected = sorted(labels, key=lambda label: str(label).lower())
        for each in (model, loaded):
            assert list(each.labels) == expected
            assert [type(label) for label in each.labels] == [type(label) for label in expected]
            assert set(map(type, each.predict(["good"]))) == {type(labels[0])}
    assert table.take(np.array([1])).label_type == table.label_type


def test_several_labels_a_row_come_back_as_they_were_given():
    table = chainrule.Table.from_lists(["good", "bad"] * 20, [[1, 2], []] * 20)
    run = chainrule.fit(
        chainrule.BagOfWords(), table, table, task=chainrule.MultiLabel(), engine="eager",
        training=chainrule.Training(learning_rate=0.1, epochs=20),
    )  # fmt: skip
    assert run.model.predict(["good", "bad"]) == [[1, 2], []]


def test_what_is_no_text_is_refused(models):
    with pytest.raises(DataError, match=r"texts\[1\] is of type int; expected a string"):
        models["bow"].predict(["good", 2])
    for rows, kind in (({"text": ["good"]}, "dict"), (np.zeros((2, 2)), "ndarray"), (pl.DataFrame(), "DataFrame")):
        with pytest.raises(DataError, match=f"predict: expected a sequence of texts, got {kind}"):
            models["bow"].predict(rows)


@pytest.mark.parametrize("engine", ["jit", "Native", True, 1])
def test_an_engine_that_is_none(models, held_out, engine):
    for call in (models["bow"].predict, models["bow"].predict_probabilities, models["bow"].evaluate):
        with pytest.raises(ConfigurationError, match=f"there is no engine {engine!r}"):
            call(held_out, engine=engine)


def test_labels_are_needed():
    unlabelled = chainrule.Table.from_lists(["a", "b"], name="raw.csv")
    with pytest.raises(DataError, match=r"raw.csv: no labels; a classifier needs examples of at least two labels"):
        untrained("bow", unlabelled)
    same = as_table([("a", "x"), ("b", "x")], name="same.csv")
    with pytest.raises(DataError, match=r"same.csv: only the label 'x'; a classifier needs"):
        untrained("bow", same)


def test_tokens_are_needed():
    with pytest.raises(DataError, match=r"here.csv: no vocabulary: the 2 texts hold no token"):
        untrained("bow", as_table([("", "x"), (" ", "y")], name="here.csv"))


def test_encoding_labels(models):
    codec = models["bow"].codec
    found = codec.encode(as_table([("a", "positive"), ("b", "negative")]), targets=True)
    assert found.array("classes").tolist() == [1, 0]
    with pytest.raises(DataError, match=r"raw.csv: has no labels"):
        codec.encode(chainrule.Table.from_lists(["a"], name="raw.csv"), targets=True)
    with pytest.raises(DataError, match=r"new.csv: none of the labels is known: they are 'so-so', 'odd', and the"):
        codec.encode(as_table([("a", "so-so"), ("b", "odd")], name="new.csv"), targets=True)


@pytest.mark.parametrize("name", NAMES)
def test_initial_weights_come_from_the_seed(two_classes, name):
    def start(seed):
        model, _ = untrained(name, two_classes, seed=seed)
        return np.concatenate([x.numpy().ravel() for x in model.network.parameters()])

    np.testing.assert_array_equal(start(1), start(1))
    if name == "bow":
        assert not start(1).any()  # a convex loss starts at zero, whatever the seed
    else:
        assert not np.array_equal(start(1), start(2))


@pytest.mark.parametrize("name", NAMES)
def test_what_it_learned_from_encodes_as_any_table(two_classes, name):
    """The examples that come with an untrained model are those that its codec gives of the table."""
    model, examples = untrained(name, two_classes)
    assert model.training == {}
    again = model.codec.encode(two_classes, targets=True).arrays()
    assert list(again) == list(examples.arrays()) == ["ids", "offsets", "classes"]
    for key, array in examples.arrays().items():
        np.testing.assert_array_equal(array, again[key])
        assert array.dtype == again[key].dtype


def test_summary(models):
    assert "EmbeddingBag" in models["ffnn"].summary()
    for model in models.values():
        total = sum(x.spec.size for x in model.network.parameters())
        assert model.summary().splitlines()[-1].split() == ["total", str(total)]


@pytest.mark.parametrize("name", NAMES)
def test_strange_labels_survive(tmp_path, name):
    rows = [(f"w{i % len(STRANGE)} filler", STRANGE[i % len(STRANGE)]) for i in range(20 * len(STRANGE))]
    changes = {"epochs": 20, "patience": 20, "dropout": 0.0} if name == "ffnn" else {"epochs": 10}
    run = samples.fit(name, as_table(rows), as_table(rows), folder=tmp_path / "model", **changes)
    model = Model.load(tmp_path / "model")
    assert model.labels == run.model.labels == tuple(sorted(STRANGE))
    assert model.predict([f"w{i}" for i in range(len(STRANGE))]) == STRANGE
    assert chainrule.evaluate(model, as_table(rows)).accuracy == 1
    assert run.record[0]["codec"]["labels"] == sorted(STRANGE)


def test_a_text_of_ten_megabytes():
    """Trained on and predicted."""
    long = "extraordinarily-good entertainment, " * 277_778
    assert len(long) >= 10_000_000
    rows, once = [*make_rows(30), (long, "positive")], chainrule.Text(**samples.TEXT)
    for name in LEARNERS:
        model = samples.fit(name, as_table(rows), as_table(make_rows(10, seed=1)), epochs=1, inputs=once).model
        probabilities = model.predict_probabilities([long, ""])
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
        short = model.predict_probabilities(["extraordinarily-good entertainment, extraordinarily-good"])
        assert "extraordinarily" in model.codec.inputs.vocabulary.entries.to_list()
        np.testing.assert_allclose(probabilities[:1], short, atol=1e-6)  # each n-gram counts once
