"""Association tests: against their equations, all partitions by hand, and vectors made with an association."""

import itertools
import json

import numpy as np
import pytest

from chainrule.errors import ConfigurationError, DataError
from chainrule.fairness import AssociationTest, seat, weat
from chainrule.fairness.association import BARE, TESTS
from chainrule.vectors import Vectors

LISTS = {"flowers": ("rose", "tulip", "lily"), "insects": ("wasp", "gnat", "flea"),
         "good": ("love", "peace", "Joy"), "bad": ("death", "filth")}  # fmt: skip
WORDS = [word.lower() for words in LISTS.values() for word in words]


def vectors(seed=0, pull=0.0):
    """Random vectors; those of flowers lean to those of good, by some pull."""
    matrix = np.random.default_rng(seed).normal(size=(len(WORDS), 40))
    matrix[:3] += pull * matrix[6:9].mean(axis=0)
    return Vectors(WORDS, matrix.astype(np.float32))


def by_hand(held):
    """d and both p, by the equations."""

    def cosine(a, b):
        a, b = (np.asarray(held[x.lower()], float) for x in (a, b))
        return a @ b / np.sqrt(a @ a * (b @ b))

    def s(word):
        return np.mean([cosine(word, a) for a in LISTS["good"]]) - np.mean([cosine(word, b) for b in LISTS["bad"]])

    targets = [*LISTS["flowers"], *LISTS["insects"]]
    scores = {word: s(word) for word in targets}

    def difference(first):
        return np.mean([scores[x] for x in first]) - np.mean([scores[x] for x in targets if x not in first])

    there = difference(LISTS["flowers"])
    others = [difference(first) for first in itertools.combinations(targets, 3)]
    effect = there / np.std([*scores.values()], ddof=1)
    return (
        effect,
        np.mean([x >= there - 1e-12 for x in others]),
        np.mean([abs(x) >= abs(there) - 1e-12 for x in others]),
    )


@pytest.mark.parametrize("seed", range(4))
def test_effect_and_p_are_those_of_the_equations(seed):
    held = vectors(seed)
    found = weat(held, AssociationTest("mine", LISTS))
    assert (found.effect, found.one_sided, found.two_sided) == pytest.approx(by_hand(held), rel=1e-6)
    assert (found.partitions, found.exact) == (20, True)


def test_the_other_order_of_lists_turns_the_sign():
    held = vectors(1, pull=5.0)
    one, two = LISTS["flowers"], LISTS["insects"]
    found = weat(held, AssociationTest("mine", LISTS))
    turned = weat(held, AssociationTest("mine", {"a": two, "b": one, "c": LISTS["good"], "d": LISTS["bad"]}))
    assert turned.effect == pytest.approx(-found.effect)
    assert turned.two_sided == pytest.approx(found.two_sided)
    assert found.effect > 0.5


def test_drawn_partitions_come_close_and_are_the_same_for_a_seed():
    draw = np.random.default_rng(2)
    names = [f"w{k}" for k in range(48)]
    held = Vectors(names, draw.normal(size=(48, 8)).astype(np.float32))
    test = AssociationTest("many", {"x": tuple(names[:20]), "y": tuple(names[20:40]), "a": tuple(names[40:44]),
                                    "b": tuple(names[44:])})  # fmt: skip
    found, same, other = (weat(held, test, seed=seed, draws=20_000) for seed in (0, 0, 1))
    assert not found.exact
    assert found.partitions == 20_000
    assert found.one_sided == same.one_sided
    assert abs(found.one_sided - other.one_sided) < 0.02
    scores = np.array([x for held in found.scores.values() for x in held.values()])
    difference = scores[:20].mean() - scores[20:].mean()
    normal = difference / (scores.std(ddof=1) * np.sqrt(1 / 20 + 1 / 20))
    assert (found.one_sided < 0.5) == (normal > 0)


def test_words_are_looked_up_as_written_and_then_in_small_letters():
    held = Vectors([*WORDS, "Joy"], np.vstack([vectors().matrix, np.ones((1, 40), np.float32)]))
    found = weat(held, AssociationTest("mine", LISTS))
    assert found.effect != pytest.approx(by_hand(vectors())[0])
    assert found.missing == dict.fromkeys(LISTS, ())
    assert found.covered == "11 of 11 words"


def test_missing_words_are_told_and_refused_below_eighty_percent():
    lists = LISTS | {"flowers": (*LISTS["flowers"], "iris", "aster")}
    with pytest.raises(DataError, match=r"test mine: 3 of the 5 words of 'flowers' have a vector, and 80 % are needed; "
                                        r"missing are 'iris', 'aster'"):  # fmt: skip
        weat(vectors(), AssociationTest("mine", lists))
    held = Vectors([*WORDS, "iris"], np.vstack([vectors().matrix, np.ones((1, 40), np.float32)]))
    found = weat(held, AssociationTest("mine", lists))
    assert found.missing["flowers"] == ("aster",)
    assert "test mine: no vector of aster" in str(found)
    assert found.partitions == 35


@pytest.mark.parametrize("number", TESTS)
def test_the_tests_of_the_paper_have_their_lists(number):
    sizes = {"1": 25, "2": 25, "3": 32, "4": 16, "5": 16, "6": 8, "7": 8, "8": 8, "9": 6, "10": 8}
    attributes = {"1": 25, "2": 25, "3": 25, "4": 25, "9": 7}
    test = AssociationTest.read(number)
    x, y, a, b = test.lists.values()
    assert len(x) == len(y) == sizes[number]
    assert len(a) == len(b) == attributes.get(number, 8)
    assert len({*x, *y}) == 2 * sizes[number]


def test_what_is_no_test_is_refused(tmp_path):
    path = tmp_path / "test.txt"
    path.write_text("[a]\nx, y\n[b]\nz, w\n[c]\nu, v\n", "utf-8")
    with pytest.raises(
        DataError, match="expected four lists of two words or more, two of targets and two of attributes"
    ):
        AssociationTest.read(path)
    path.write_text("x, y\n", "utf-8")
    with pytest.raises(DataError, match=r"line 1: a word stands before the first \[list\]"):
        AssociationTest.read(path)
    with pytest.raises(DataError, match="11: a list of words cannot be read"):
        AssociationTest.read("11")
    with pytest.raises(ConfigurationError, match="draws: expected a whole number of 1 or more, got 0"):
        weat(vectors(), AssociationTest("mine", LISTS), draws=0)


def test_an_encoder_whose_sentences_are_their_word_is_as_word_vectors():
    held = vectors(3)

    def encode(sentences):
        words = [next(word for word in WORDS if f" {word}." in sentence.lower()) for sentence in sentences]
        return np.array([held[word] for word in words])

    test = AssociationTest("mine", LISTS)
    known, found = weat(held, test), seat(encode, test)
    assert found.effect == pytest.approx(known.effect)
    assert found.one_sided == known.one_sided
    assert found.partitions == 20, "words are exchanged, and not their sentences"


def test_the_cosines_of_a_word_are_means_over_its_sentences():
    draw = np.random.default_rng(0)
    told = []

    def encode(sentences):
        told.extend(sentences)
        return draw.normal(size=(len(sentences), 4))

    found = seat(encode, AssociationTest("mine", LISTS), templates=BARE[:2])
    assert len(told) == 22
    assert told[:2] == ["This is rose.", "That is rose."]
    assert len(found.scores["flowers"]) == 3


def test_encoders_that_give_something_else_are_refused():
    test = AssociationTest("mine", LISTS)
    with pytest.raises(
        DataError, match=r"expected finite numbers of shape \(55, size\) of the encoder, got an array of"
    ):
        seat(lambda sentences: np.ones((3, 2)), test)
    with pytest.raises(DataError, match="expected finite numbers"):
        seat(lambda sentences: np.full((len(sentences), 2), np.nan), test)
    with pytest.raises(ConfigurationError, match=r"templates: expected sentences with \{word\} in each, got 'no slot'"):
        seat(lambda sentences: None, test, templates=["no slot"])


def test_a_page_and_json_say_that_the_classifier_comes_first(tmp_path):
    found = weat(vectors(), AssociationTest("<b>mine</b>", LISTS))
    page = found.save(tmp_path / "page.html").read_text("utf-8")
    assert "Goldfarb-Tarrant" in page
    assert "<b>mine" not in page
    assert "<svg" in page
    held = json.loads(found.save(tmp_path / "page.json").read_text("utf-8"))
    assert held["effect"] == pytest.approx(found.effect)
    assert "Goldfarb-Tarrant" in str(found)
