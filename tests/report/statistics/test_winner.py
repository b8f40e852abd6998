"""Winners: named among equals as rarely as is said, found where there is one, and explained in a sentence."""

import math

import numpy as np
import pytest

from chainrule.errors import ConfigurationError, DataError
from chainrule.report.statistics import name_winner
from tests.report.statistics import simulations as of

DRAWS = np.random.default_rng(0)
GOOD, FAIR = ((DRAWS.random((5, 300)) < p).astype(float) for p in (0.9, 0.7))


@pytest.mark.parametrize("by_seed", [0, 0.01, 0.03])
@pytest.mark.parametrize("learners", [2, 3])
def test_a_winner_is_named_among_equals_as_rarely_as_is_said(learners, by_seed):
    named, _ = of.winners_named([0.8] * learners, by_seed, 400)
    assert named <= 0.06  # 0.05, and what 400 simulations may add


@pytest.mark.parametrize("learners", [2, 4])
def test_over_seeds_alone_too(learners):
    assert of.winners_named_over_seeds(learners, 500) <= 0.065


def test_a_real_winner_is_found():
    named, best = of.winners_named([0.8, 0.8, 0.9], 0.01, 100)
    assert named == best > 0.9


def test_what_is_said_of_a_winner():
    found = name_winner({"cnn": GOOD, "bow": FAIR, "ffnn": FAIR[::-1]}, {"cnn": 0.88, "bow": 0.7, "ffnn": 0.71})
    assert (found.winner, found.named, found.alpha, found.rivals) == ("cnn", True, 0.05, ())
    assert found.over == "seeds and examples"
    assert set(found.comparisons) == set(found.p_values) == {"bow", "ffnn"}
    assert found.sentence == (
        "cnn is the winner: it is better than each of the 2 others by more than chance gives over other seeds and "
        "examples; if all were equally good, one would be named in at most 5 of 100 studies."
    )
    alone = name_winner({"cnn": GOOD, "bow": FAIR}, {"cnn": 0.88, "bow": 0.7})
    assert alone.sentence.startswith("cnn is the winner: it is better than bow by more than chance")


def test_what_is_said_where_there_is_none():
    close = GOOD.copy()
    close[:, :3] = 0
    found = name_winner({"cnn": GOOD, "lstm": close, "bow": FAIR}, {"cnn": 0.9, "lstm": 0.89, "bow": 0.7})
    assert (found.named, found.rivals) == (False, ("lstm",))
    assert found.sentence == (
        f"No winner can be named: cnn has the best validation, but its lead over lstm is one that chance alone gives "
        f"over other seeds and examples (p = {found.p_values['lstm']:.2g})."
    )
    found = name_winner({"cnn": FAIR, "bow": GOOD}, {"cnn": 0.9, "bow": 0.8})
    assert not found.named
    assert found.sentence == (
        "No winner can be named: cnn has the best validation, but on the test rows it is not ahead of bow."
    )
    found = name_winner({"cnn": GOOD}, {"cnn": 0.9})
    assert (found.named, found.sentence) == (False, "cnn is the only learner, so there is none to be better than.")


def test_lower_may_be_better():
    found = name_winner({"a": GOOD, "b": FAIR}, {"a": 0.1, "b": 0.4}, higher=False)
    assert (found.winner, found.named) == ("a", True)


def test_a_single_seed_says_nothing_of_seeds():
    found = name_winner({"a": GOOD[:1], "b": FAIR, "c": FAIR}, {"a": 0.9, "b": 0.7, "c": 0.7})
    assert (found.over, found.named) == ("examples", True)
    assert {x.over for x in found.comparisons.values()} == {"examples"}


def test_refused():
    with pytest.raises(
        DataError, match=r"expected scores and validation of the same learners, got \['a'\] and \['b'\]"
    ):
        name_winner({"a": GOOD}, {"b": 0.5})
    with pytest.raises(DataError, match="expected scores and validation of the same learners"):
        name_winner({}, {})
    with pytest.raises(DataError, match="the validation of b is nan; leave out runs that failed"):
        name_winner({"a": GOOD, "b": GOOD}, {"a": 0.5, "b": math.nan})
    with pytest.raises(DataError, match=r"expected scores of the same kind, got shapes \(5, 300\) and \(2,\)"):
        name_winner({"a": GOOD, "b": [0.5, 0.6]}, {"a": 0.5, "b": 0.4})
    with pytest.raises(ConfigurationError, match=r"alpha: expected a number between 0 and 1, such as 0[.]05, got 5"):
        name_winner({"a": GOOD}, {"a": 0.5}, alpha=5)
