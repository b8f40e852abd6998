"""Expected validation performance: the mean over all choices of so many runs, and what is said of it."""

import itertools

import numpy as np
import pytest

from chainrule.errors import DataError
from chainrule.report.statistics import expected_best, expected_best_with_replacement
from tests.report.statistics import simulations as of


@pytest.mark.parametrize("higher", [True, False])
def test_it_is_that_of_all_choices(higher, draws):
    values, best = draws.normal(size=8).round(1), max if higher else min
    found = expected_best(values, higher=higher)
    for n in range(1, 9):
        every = [best(chosen) for chosen in itertools.combinations(values.tolist(), n)]
        assert found.expected[n - 1] == pytest.approx(np.mean(every))
        assert found.deviation[n - 1] == pytest.approx(np.std(every), abs=1e-12)
    assert found.runs.tolist() == list(range(1, 9))


@pytest.mark.parametrize("higher", [True, False])
def test_with_replacement_it_is_that_of_all_draws(higher, draws):
    values, best = draws.normal(size=4), max if higher else min
    found = expected_best_with_replacement(values, higher=higher)
    for n in range(1, 5):
        assert found[n - 1] == pytest.approx(np.mean([best(x) for x in itertools.product(values.tolist(), repeat=n)]))


def test_without_replacement_it_is_unbiased_and_with_replacement_too_low():
    """The best of 5 of uniform numbers is 5/6 on average."""
    draws = np.random.default_rng(1)
    found = [(expected_best(x).expected[4], expected_best_with_replacement(x)[4]) for x in draws.random((2000, 10))]
    unbiased, biased = np.mean(found, axis=0)
    assert unbiased == pytest.approx(5 / 6, abs=0.006)
    assert biased < 5 / 6 - 0.02


def test_many_runs(draws):
    """Two thousand runs are no sum of numbers out of range; the best of one is the mean, and of all the best."""
    values = draws.normal(size=2000)
    found = expected_best(values)
    assert found.expected[0] == pytest.approx(values.mean())
    assert found.expected[-1] == pytest.approx(values.max())
    assert (np.diff(found.expected) >= 0).all()
    assert found.expected[9] == pytest.approx(1.539, abs=0.1)  # the best of ten of a normal distribution


def test_the_error_is_that_of_leaving_out_each_run(draws):
    values = draws.normal(size=20)
    found = expected_best(values)
    without = [expected_best(np.delete(values, i)).expected[1] for i in range(20)]
    error = np.sqrt(19 / 20 * ((without - np.mean(without)) ** 2).sum())
    assert found.high[1] - found.expected[1] == pytest.approx(2.0930240544 * error)
    assert found.expected[1] - found.low[1] == pytest.approx(2.0930240544 * error)
    assert np.isnan(found.low[2:]).all()
    assert np.isnan(found.high[2:]).all()
    assert np.isnan(expected_best([0.5]).low).all()


def test_lower_is_the_mirror_of_higher(draws):
    values = draws.normal(size=30)
    one, other = expected_best(values, higher=False), expected_best(-values)
    np.testing.assert_allclose(one.expected, -other.expected)
    np.testing.assert_allclose(one.low, -other.high)


@pytest.mark.parametrize(("runs", "budget"), [(20, 1), (20, 2), (50, 5)])
@pytest.mark.parametrize("shape", ["normal", "beta"])
def test_the_interval_holds_the_truth(shape, runs, budget):
    assert 0.91 <= of.coverage_of_budget(shape, runs, budget, 500) <= 0.98


def test_refused():
    with pytest.raises(DataError, match="expected best: expected 1 or more results"):
        expected_best([])
