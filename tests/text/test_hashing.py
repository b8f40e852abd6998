"""Hashed n-grams: which row each has, and models that read by them."""

import numpy as np
import pytest

import chainrule
from chainrule.errors import ConfigurationError, ModelError, SettingError
from chainrule.models import Model
from chainrule.tasks import Text
from chainrule.text import HashedNgrams, Tokenizer, Vocabulary


def hashed_by_hand(ids):
    """h(i1, ..., in), written out with remainders."""
    value = ids[0]
    for last in ids[1:]:
        value = (value * 0x9E3779B97F4A7C15 + last) % 2**64
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            value = (value ^ (value // 2**shift)) * factor % 2**64
        value ^= value // 2**31
    return value


def test_rows_are_those_of_the_definition():
    ids, first, rows = [3, 1, 4, 0, 1, 5, 9, 2, 6], 100, 997
    runs = [ids[i : i + n] for n in (2, 3) for i in range(len(ids) - n + 1)]
    expected = [first + hashed_by_hand(run) % rows for run in runs if 0 not in run]
    assert HashedNgrams(3, rows).of(ids, first) == expected


def test_rows_stay_what_they_are():
    """Saved models depend on them, so these are on no machine and in no version others."""
    assert HashedNgrams(3, 2**30 - 1).of([1, 2, 3], 0) == [972566095, 144402366, 728766539]


def test_ngrams_spread_evenly():
    """Those of 300 tokens over 1,000 rows, by a chi-squared test: 90,000 pairs, 90 a row."""
    hashed = HashedNgrams(2, 1000)
    pairs = [hashed.of([i, j], 0)[0] for i in range(1, 301) for j in range(1, 301)]
    counts = np.bincount(pairs, minlength=1000)
    assert abs(((counts - 90) ** 2 / 90).sum() - 999) < 5 * np.sqrt(2 * 999)
    assert len({hashed_by_hand([i, j]) for i in range(1, 301) for j in range(1, 301)}) == 90_000


def test_no_ngram_is_listed_and_none_reaches_into_the_next_text():
    texts = ["so good", "so bad", "good", "so"]
    vocabulary = Vocabulary.build(Tokenizer()(texts), hashed=HashedNgrams(2, 10))
    assert vocabulary.entries.to_list() == ["<unk>", "so", "good", "bad"]
    assert (len(vocabulary), vocabulary.size) == (4, 14)
    assert vocabulary.encode(Tokenizer()(texts)).lengths.tolist() == [3, 3, 1, 1]
    assert repr(vocabulary) == "Vocabulary(4 entries, n-grams up to 2 hashed to 10 rows)"


def test_ngrams_are_counted_or_hashed():
    with pytest.raises(ConfigurationError, match="n-grams are counted or hashed: expected ngrams of 1"):
        Vocabulary.build(Tokenizer()(["so good"]), ngrams=2, hashed=HashedNgrams(2, 10))


def trained(learner, ngrams=2, rows=500, engine="native"):
    texts = ["not good at all", "good , not bad", "bad , not good", "not bad at all"] * 15
    table = chainrule.Table.from_lists(texts, list("npnp") * 15)
    task = chainrule.Classify(inputs=Text(ngrams=ngrams, hashed_ngrams=rows))
    training = chainrule.Training(epochs=20)
    return chainrule.fit(learner, table, table, task=task, training=training, engine=engine).model, texts


@pytest.mark.parametrize("engine", ["native", "eager"])
@pytest.mark.parametrize("learner", [chainrule.BagOfWords(), chainrule.FeedForward(dim=8, hidden=(8,))])
def test_a_model_learns_from_them_and_comes_back(tmp_path, learner, engine):
    """Both classes have the same words, so that pairs alone tell them apart."""
    model, texts = trained(learner, engine=engine)
    assert model.predict(texts[:4]) == list("npnp")
    model.save(tmp_path / "model")
    assert " " not in (tmp_path / "model" / "vocabulary.txt").read_text(encoding="utf-8")
    loaded = Model.load(tmp_path / "model")
    assert loaded.codec.sizes.entries == len(loaded.codec.inputs.vocabulary) + 500
    for some in (texts[:3], chainrule.Table.from_lists(texts).texts):  # without Polars and with it
        np.testing.assert_array_equal(loaded.predict_probabilities(some), model.predict_probabilities(some))


def test_a_folder_that_lists_ngrams_which_are_hashed(tmp_path):
    (tmp_path / "vocabulary.txt").write_text("<unk>\t0\nso\t2\ngood\t2\nso good\t2\n", encoding="utf-8")
    with pytest.raises(ModelError, match="line 4: n-gram 'so good' has an entry, and n-grams are hashed"):
        Vocabulary.load(tmp_path / "vocabulary.txt", hashed=HashedNgrams(2, 10))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ngrams": 1}, "hashed_ngrams must go with ngrams of 2 or more, got 100 and ngrams of 1"),
        ({"minimum_ngram_count": 5}, "minimum_ngram_count must be left at 2 where n-grams are hashed"),
        ({"hashed_ngrams": 0}, "hashed_ngrams must be a whole number of 1 or more"),
        ({"hashed_ngrams": 2**31}, "hashed_ngrams must be a whole number of 1 or more and below 1,000,000,000"),
    ],
)
def test_settings_that_contradict_each_other(given, message):
    with pytest.raises(SettingError, match=message):
        Text(**{"hashed_ngrams": 100, **given})
