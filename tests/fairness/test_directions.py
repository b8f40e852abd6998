"""The direction of pairs, and vectors without it: what that changes, and what it does not."""

import numpy as np
import pytest

from chainrule.errors import ConfigurationError, DataError
from chainrule.fairness import Pair, Pairs, direction, projected
from chainrule.vectors import Vectors

PAIRS = Pairs("mine", tuple(Pair((f"he{k}", f"she{k}"), "words") for k in range(5)), ("men", "women"))
SIZE = 12


@pytest.fixture(scope="module")
def made():
    """Vectors with a direction along the first axis; words that lean to a side share a second trait, too."""
    draw = np.random.default_rng(0)
    words, rows = [], []
    for k in range(5):
        middle = draw.normal(size=SIZE)
        middle[0] = 0
        for side, name in ((-1, "he"), (1, "she")):
            words.append(f"{name}{k}")
            rows.append(middle + side * 2 * np.eye(SIZE)[0])
    for k in range(300):
        side = 1 if k % 2 else -1
        words.append(f"word{k}")
        rows.append(0.4 * draw.normal(size=SIZE) + side * (np.eye(SIZE)[0] + np.eye(SIZE)[1]))
    return Vectors(words, np.array(rows, np.float32))


def test_the_direction_is_what_pairs_differ_in(made):
    found = direction(made, PAIRS)
    assert found.vector == pytest.approx(np.eye(SIZE)[0], abs=1e-6)
    assert found.share == pytest.approx(1.0)
    assert found.projection(made, "she0") > 0 > found.projection(made, "he0")
    first, second = found.farthest(made, 5)
    assert all(cosine < -0.5 for _, cosine in first)
    assert all(cosine > 0.5 for _, cosine in second)
    assert {int(word[4:]) % 2 for word, _ in second} == {1}


def test_projection_takes_the_direction_out_and_nothing_else(made):
    found = direction(made, PAIRS)
    gone = projected(made, found)
    others = np.arange(10, 310)
    assert np.abs(gone.vectors.matrix[others] @ found.vector).max() < 1e-6
    assert gone.vectors.matrix[:10].tolist() == made.matrix[:10].tolist()
    assert gone.vectors.matrix[others, 1:] == pytest.approx(made.matrix[others, 1:], abs=1e-6)
    assert (gone.words, gone.kept) == (300, 10)
    assert gone.projections[0] > 0.3 > 1e-5 > gone.projections[1]


def test_what_is_left_is_told(made):
    """Words of either side stay alike in their second trait, which a classifier finds."""
    gone = projected(made, direction(made, PAIRS))
    before, after = gone.apart
    assert before > 0.95
    assert after > 0.9
    assert "not changed by that: words that pointed to either side stand together still" in str(gone)


def test_without_another_trait_nothing_is_left():
    draw = np.random.default_rng(1)
    rows = 0.5 * draw.normal(size=(1010, SIZE))
    rows[:10, 0] = [-2, 2] * 5
    words = [f"{name}{k}" for k in range(5) for name in ("he", "she")] + [f"word{k}" for k in range(1000)]
    vectors = Vectors(words, rows.astype(np.float32))
    gone = projected(vectors, direction(vectors, PAIRS))
    assert gone.apart[0] > 0.9
    assert gone.apart[1] < 0.65


def test_the_seed_decides_and_few_words_are_not_told_apart(made):
    found = direction(made, PAIRS)
    assert projected(made, found, seed=1).apart == projected(made, found, seed=1).apart
    few = Vectors(made.words[:14], made.matrix[:14])
    assert projected(few, found).apart is None
    assert "stand together still" not in str(projected(few, found))
    assert projected(made, found, keep=[]).words == 310


def test_the_list_that_comes_with_the_library_has_its_pronouns_and_words():
    pairs = Pairs.read("en")
    asked = [pair for pair in pairs.pairs if pair.kind != "names"]
    words = sorted({word for pair in asked for word in pair.words})
    draw = np.random.default_rng(0)
    found = direction(Vectors(words, draw.normal(size=(len(words), 4)).astype(np.float32)), "en")
    assert len(found.pairs) == len(asked)
    assert found.sides == ("men", "women")


def test_what_cannot_be_is_refused(made):
    few = Vectors(made.words[:6], made.matrix[:6])
    with pytest.raises(DataError, match="direction of mine: 3 of 5 pairs have a vector of both words, and 80 % are"):
        direction(few, PAIRS)
    with pytest.raises(ConfigurationError, match="expected vectors of the size of the direction, 12, got 3"):
        projected(Vectors(["a"], np.ones((1, 3), np.float32)), direction(made, PAIRS))
