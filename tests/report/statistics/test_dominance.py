"""Almost stochastic order: by its equations, and as the package deepsig has it."""

import importlib.util
import itertools
import json
import os
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtri

from chainrule.errors import DataError
from chainrule.report.statistics import almost_stochastic_order
from tests.report.statistics import simulations as of

#: Of 50 pairs of learners the results, and what deepsig says of them; `make_pairs.py` made it.
PAIRS = json.loads((Path(__file__).parent / "pairs.json").read_text())


def ratio(first, second, steps=27720):
    """ε by a sum over many t."""
    t = (np.arange(steps) + 0.5) / steps
    one, other = (np.sort(x)[(t * len(x)).astype(int)] for x in (first, second))
    squares = (one - other) ** 2
    return squares[one < other].sum() / squares.sum() if squares.any() else 0.5


@pytest.mark.parametrize(("n", "m"), [(2, 2), (5, 5), (4, 6), (7, 3), (12, 11)])
def test_the_ratio_is_its_integral(n, m, draws):
    first, second = draws.normal(0.3, 1, n), draws.normal(0, 1, m)
    found = almost_stochastic_order(first, second).ratio
    assert found == pytest.approx(ratio(first, second), abs=1e-9)
    assert almost_stochastic_order(second, first).ratio == pytest.approx(1 - found)


def test_the_bound_is_its_equation(draws):
    """By all 3³ 4⁴ pairs of resamples, one by one."""
    first, second = draws.normal(0.5, 1, 3), draws.normal(0, 1, 4)
    chosen = [list(itertools.product(range(n), repeat=n)) for n in (3, 4)]
    ratios = [ratio(first[list(i)], second[list(j)], 12) for i in chosen[0] for j in chosen[1]]
    sigma = np.sqrt(3 * 4 / (3 + 4)) * np.std(ratios)
    for level in (0.6, 0.8):
        expected = ratio(first, second) - np.sqrt((3 + 4) / (3 * 4)) * sigma * ndtri(1 - level)
        found = almost_stochastic_order(first, second, level=level)
        assert found.bound == pytest.approx(min(expected, 1))
        assert found.better == (found.bound < 0.2)


def test_drawn_resamples_agree_with_all_of_them(draws):
    """Twice the same results have the same quantiles, and half the variance, or so; five have all resamples."""
    first, second = draws.normal(1, 1, 5), draws.normal(0, 1, 5)
    exact, drawn = almost_stochastic_order(first, second), almost_stochastic_order(np.repeat(first, 2), second)
    assert drawn.ratio == pytest.approx(exact.ratio)
    assert drawn.ratio <= drawn.bound < exact.bound
    again = almost_stochastic_order(np.repeat(first, 2), second)
    other = almost_stochastic_order(np.repeat(first, 2), second, seed=1)
    assert again == drawn
    assert other.bound == pytest.approx(drawn.bound, abs=0.02)
    assert other.bound != drawn.bound


def test_extremes():
    assert almost_stochastic_order([2.0, 3.0, 4.0], [1.0, 1.0, 1.0]).bound == 0
    assert almost_stochastic_order([1.0, 1.0], [2.0, 3.0]).bound == 1
    same = almost_stochastic_order([1.0, 1.0], [1.0, 1.0])
    assert (same.ratio, same.bound, same.better) == (0.5, 0.5, False)


def test_equal_learners_are_not_called_better_often():
    assert of.dominance_among_equals(5, 500) <= 0.065
    assert of.dominance_among_equals(10, 100) <= 0.065


def test_fifty_pairs_are_as_deepsig_has_them():
    assert len(PAIRS) == 50
    bounds = [almost_stochastic_order(pair["first"], pair["second"]).bound for pair in PAIRS]
    assert np.abs(np.array(bounds) - [pair["bound"] for pair in PAIRS]).max() <= 0.02
    assert sum(0.02 < bound < 0.98 for bound in bounds) >= 18  # and not all at the ends


def test_two_pairs_are_as_deepsig_has_them_here():
    """By fewer resamples than those of the file, so that they are less alike."""
    if importlib.util.find_spec("deepsig") is None and not os.environ.get("CI"):
        pytest.skip("deepsig is not installed: run make oracle first")
    import deepsig

    for pair in (PAIRS[1], PAIRS[10]):
        told = deepsig.aso(
            pair["first"], pair["second"], seed=0, show_progress=False, num_bootstrap_iterations=200, dt=0.01
        )
        assert almost_stochastic_order(pair["first"], pair["second"]).bound == pytest.approx(told, abs=0.07)


def test_refused():
    with pytest.raises(DataError, match=r"almost stochastic order: expected 2 or more results"):
        almost_stochastic_order([0.5], [0.4, 0.3])
