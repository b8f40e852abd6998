"""Word vectors learned from text: the loss and its gradient, the same bits, words that are used alike, refusals."""

import numpy as np
import polars as pl
import pytest

from chainrule.errors import DataError, SettingError
from chainrule.vectors import WordTraining, learn_vectors, learning

ANIMALS, FOODS = ["cat", "dog", "horse", "mouse"], ["bread", "cheese", "rice", "soup"]


def texts(count=600, seed=0):
    """Animals run and sleep; foods are eaten and cooked."""
    draws = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        if draws.random() < 0.5:
            rows.append(f"the {draws.choice(ANIMALS)} runs and sleeps near a {draws.choice(ANIMALS)}")
        else:
            rows.append(f"we cook and eat {draws.choice(FOODS)} with hot {draws.choice(FOODS)}")
    return rows


@pytest.mark.parametrize(
    "further", [{"architecture": "skip-gram"}, {"architecture": "cbow"}, {"subwords": True, "buckets": 500}]
)
def test_words_that_are_used_alike_are_near(further):
    training = WordTraining(dim=16, epochs=12, learning_rate=0.05, subsampling=0, **further)
    vectors = learn_vectors(texts(), training, threads=1)
    same = [vectors.similarity(a, b) for group in (ANIMALS, FOODS) for a in group for b in group if a < b]
    other = [vectors.similarity(a, b) for a in ANIMALS for b in FOODS]
    assert np.mean(same) > np.mean(other) + 0.3


@pytest.mark.parametrize("architecture", ["skip-gram", "cbow"])
def test_the_same_seed_gives_the_same_bits_at_any_number_of_threads(architecture):
    training = WordTraining(dim=8, epochs=2, architecture=architecture)
    first, second = (learn_vectors(texts(100), training, seed=3, threads=n) for n in (1, 2))
    assert first.words == second.words
    assert (first.matrix == second.matrix).all()
    assert (learn_vectors(texts(100), training, seed=4).matrix != first.matrix).any()


@pytest.mark.parametrize(("architecture", "subwords"), [("skip-gram", False), ("cbow", False), ("skip-gram", True)])
def test_a_step_goes_down_the_gradient_of_the_equations(architecture, subwords):
    """Against the equations written out in NumPy, window by window."""
    training = WordTraining(
        dim=5, epochs=1, architecture=architecture, subsampling=0, learning_rate=0.5, minimum_count=1, window=2,
        subwords=subwords, buckets=50,
    )  # fmt: skip
    corpus = learning.corpus_of(pl.Series(["a b c a d", "c d b"]), 1)
    network = learning._Network(corpus, training, 0, 1)
    network._centres = 100
    draws = np.random.default_rng(1)
    inner = draws.normal(size=network.inner.shape).astype(np.float32)
    outer = draws.normal(size=network.outer.shape).astype(np.float32)
    network.inner.assign(inner)
    network.outer.assign(outer)
    padded = np.pad(corpus.ids, 2)
    inside = network._windows(np.pad(corpus.texts, 2, constant_values=-1), np.random.default_rng(2))
    (given,) = network._laid_out(padded, inside, np.random.default_rng(3))
    loss = network._compiled(*given, np.float32(0.5)).item()
    place, column = np.nonzero(inside)
    centres, around = corpus.ids, padded[place + column]
    negatives = learning.NEGATIVES[architecture]
    drawn = np.minimum(np.searchsorted(network._draw, np.random.default_rng(3).random(negatives)), 3)
    flat, begins = network._bags
    expected, changed_inner, changed_outer = 0.0, inner.astype(float), outer.astype(float)
    for n, centre in enumerate(centres):
        others = around[place == n]
        inputs, told = ([centre], others) if architecture == "skip-gram" else (others, [centre])
        rows = np.concatenate([flat[begins[word] : begins[word + 1]] for word in inputs])
        h = inner[rows].mean(axis=0).astype(float)
        weights = [*[1.0] * len(told), *[training.negative * len(told) / negatives] * len(drawn)]
        signs = [*[-1.0] * len(told), *[1.0] * len(drawn)]
        for word, weight, sign in zip([*told, *drawn], weights, signs, strict=True):
            score = sign * (h @ outer[word])
            expected += weight * np.log1p(np.exp(score))
            slope = weight * sign / (1 + np.exp(-score))
            changed_outer[word] -= 0.5 * slope * h
            np.subtract.at(changed_inner, rows, 0.5 * slope * outer[word])
    assert loss == pytest.approx(expected, rel=1e-5)
    assert network.inner.numpy() == pytest.approx(changed_inner, abs=1e-4)
    assert network.outer.numpy() == pytest.approx(changed_outer, abs=1e-4)


def test_windows_end_with_their_text():
    corpus = learning.corpus_of(pl.Series(["a b c", "d e"]), 1)
    network = learning._Network(corpus, WordTraining(window=1, minimum_count=1, dim=2), 0, 1)
    inside = network._windows(np.pad(corpus.texts, 1, constant_values=-1), np.random.default_rng(0))
    place, column = np.nonzero(inside)
    around = corpus.ids[place + column - 1]
    found = [(corpus.words[corpus.ids[n]], corpus.words[word]) for n, word in zip(place, around, strict=True)]
    assert sorted(found) == [("a", "b"), ("b", "a"), ("b", "c"), ("c", "b"), ("d", "e"), ("e", "d")]


def test_words_alone_in_a_text_tell_nothing():
    network = learning._Network(
        learning.corpus_of(pl.Series(["a b", "c", "b a"]), 1), WordTraining(dim=4, minimum_count=1, subsampling=0), 0, 1
    )
    assert network.epoch(0)[1] == 4


def test_unknown_words_have_vectors_of_subwords():
    training = WordTraining(dim=8, epochs=1, subwords=True, buckets=200)
    vectors = learn_vectors(texts(50), training)
    assert "cats" not in vectors
    assert np.isfinite(vectors["cats"]).all()


def test_frequent_words_are_left_out_now_and_then():
    corpus = learning.corpus_of(pl.Series(texts(300)), 1)
    learned = {}
    for share in (0.0, 0.001):
        network = learning._Network(corpus, WordTraining(dim=2, subsampling=share), 0, 1)
        learned[share] = network.epoch(0)[1]
    assert learned[0.001] < 0.6 * learned[0.0]


def test_refusals():
    with pytest.raises(DataError, match=r"the text has 0 words that occur 5 times; lower --min-count"):
        learn_vectors(["so few words"])
    with pytest.raises(SettingError, match=r"vectors: most must be least \(3\) or more, got 2"):
        WordTraining(most=2)
