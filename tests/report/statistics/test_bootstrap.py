"""Means and their intervals: they hold the truth as often as they say, and say what they cannot be made of."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from chainrule.errors import ConfigurationError, DataError
from chainrule.report.statistics import Interval, Summary, crossed_interval, mean_interval
from chainrule.report.statistics.crossed import crossed_error
from chainrule.report.statistics.resampling import ALL, all_resamples, moments, quantiles
from tests.report.statistics import simulations as of


def test_a_summary(draws):
    values = draws.normal(size=9)
    found = Summary.of(values)
    assert (found.count, found.minimum, found.maximum) == (9, values.min(), values.max())
    assert found.mean == pytest.approx(values.mean(), rel=1e-14)
    assert found.deviation == pytest.approx(values.std(ddof=1), rel=1e-14)
    assert Summary.of([2]) == Summary(1, 2.0, None, 2.0, 2.0)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_all_resamples_are_those_that_there_are(n):
    counts, probabilities = all_resamples(n)
    every = [tuple(np.bincount(x, minlength=n)) for x in itertools.product(range(n), repeat=n)]
    assert {tuple(x): p for x, p in zip(counts.tolist(), probabilities, strict=True)} == pytest.approx(
        {x: every.count(x) / len(every) for x in set(every)}
    )


def test_resamples_of_few_values_of_many_and_of_many_different_ones_agree(draws):
    """However they are drawn, their moments are those of theory: mean of m* is m, its variance is v / n."""
    for values in (draws.normal(size=6), draws.integers(0, 3, 400), draws.normal(size=400), draws.normal(size=9000)):
        centred, n = values - values.mean(), len(values)
        means, variances, probabilities = moments(centred, 0)
        assert probabilities.sum() == pytest.approx(1)
        assert probabilities @ means == pytest.approx(0, abs=5 * centred.std() / math.sqrt(n * 2000))
        assert probabilities @ means**2 == pytest.approx(centred.var() / n, rel=0.15)
        assert probabilities @ variances == pytest.approx(centred.var() * (n - 1) / n, rel=0.05)


def test_quantiles_of_values_with_probabilities():
    assert quantiles(np.array([3.0, 1.0, 2.0]), np.array([0.25, 0.25, 0.5]), 0.25, 0.3, 0.75, 1.0) == [1, 2, 2, 3]


def test_the_interval_is_its_equation():
    """By all 5⁵ resamples, one by one."""
    values = np.array([0.76, 0.79, 0.75, 0.78, 0.755])
    mean, error = values.mean(), stats.sem(values)
    every = values[np.array(list(itertools.product(range(5), repeat=5)))]
    t = np.sort((every.mean(axis=1) - mean) / np.maximum(stats.sem(every, axis=1), error / 4))
    low, high = (t[math.ceil(q * len(t) - 1e-9) - 1] for q in (0.05, 0.95))
    found = mean_interval(values, level=0.9)
    assert (found.low, found.high) == pytest.approx((mean - high * error, mean - low * error))
    assert found.level == 0.9


@pytest.mark.parametrize("n", [2, 3])
def test_two_and_three_results_have_students_interval(n, draws):
    values = draws.normal(size=n)
    expected = stats.t.interval(0.95, n - 1, values.mean(), stats.sem(values))
    assert mean_interval(values).low == pytest.approx(expected[0])
    assert mean_interval(values).high == pytest.approx(expected[1])


def test_many_results_have_the_interval_of_the_normal_distribution(draws):
    values = draws.normal(size=5000)
    found, reach = mean_interval(values, seed=1), 1.96 * stats.sem(values)
    assert found.low == pytest.approx(values.mean() - reach, abs=reach * 0.15)
    assert found.high == pytest.approx(values.mean() + reach, abs=reach * 0.15)


def test_the_same_seed_gives_the_same_bits(draws):
    for values in (draws.normal(size=50), draws.integers(0, 2, 700), draws.normal(size=1000)):
        assert mean_interval(values, seed=3) == mean_interval(values, seed=3)
        assert mean_interval(values, seed=3) != mean_interval(values, seed=4)


def test_the_interval_moves_and_stretches_with_the_results(draws):
    values = draws.normal(size=6)
    found, moved = mean_interval(values), mean_interval(1e3 + 7 * values)
    assert (moved.low, moved.high) == pytest.approx((1e3 + 7 * found.low, 1e3 + 7 * found.high))


def test_results_without_spread():
    assert mean_interval([0.8]) is None
    assert mean_interval([0.1] * 7) == Interval(0.1, 0.1, 0.95)
    almost = mean_interval([0.8, 0.8, 0.8, 0.8, 0.81])  # most resamples of which have no spread
    assert 0.75 < almost.low < 0.8 < almost.high < 0.85


@pytest.mark.parametrize("shape", of.SHAPES)
@pytest.mark.parametrize("n", [4, 5, 10])
def test_the_interval_over_seeds_holds_the_truth(shape, n):
    """As said of results like those of trainings; nearly so where there are no middling results, or far off ones."""
    least, most = {"uniform": (0.93, 0.99), "exponential": (0.89, 0.97)}.get(shape, (0.93, 0.97))
    assert least <= of.coverage_over_seeds(shape, n, 2000 if n <= ALL else 600) <= most


def test_a_percentile_interval_would_not():
    """What the interval is better than, so that the test above can fail."""
    draws, (draw, truth) = np.random.default_rng(0), of.SHAPES["normal"]
    counts, probabilities = all_resamples(5)
    found = []
    for _ in range(500):
        low, high = quantiles(counts @ draw(draws, 5) / 5, probabilities, 0.025, 0.975)
        found.append(low <= truth <= high)
    assert of.share(found) < 0.88


@pytest.mark.parametrize("accuracy", [0.6, 0.8, 0.95])
def test_the_interval_over_examples_holds_the_truth(accuracy):
    assert 0.93 <= of.coverage_over_examples(accuracy, 700, 1000) <= 0.97


@pytest.mark.parametrize("by_seed", [0, 0.01, 0.05])
def test_the_interval_over_seeds_and_examples_holds_the_truth(by_seed):
    """Five seeds, 700 rows that are right or wrong; the interval over rows alone does not know of the seeds."""
    crossed, alone = of.coverage_over_both(5, 700, 0.8, by_seed, 500)
    assert 0.93 <= crossed <= 0.98
    if by_seed == 0.05:
        assert alone < 0.8


def test_the_error_of_crossed_scores_is_that_of_its_parts(draws):
    """Of scores without chance, seeds and rows add up; of chance alone, nothing is counted twice."""
    seeds, rows = draws.normal(size=(4, 1)), draws.normal(size=(1, 50))
    error, _ = crossed_error(seeds + rows)
    assert error**2 == pytest.approx(seeds.var(ddof=1) / 4 + rows.var(ddof=1) / 50)
    found = [crossed_error(draws.normal(size=(5, 100)))[0] ** 2 for _ in range(300)]
    assert 1 / 500 < np.mean(found) < 1.5 / 500
    assert crossed_error(seeds + rows, seeds + rows)[0] ** 2 == pytest.approx(2 * seeds.var(ddof=1) / 4)
    assert crossed_error(np.ones((2, 3)))[0] == 0


def test_refused():
    with pytest.raises(DataError, match=r"mean interval: expected 1 or more results, got an array of shape \(0,\)"):
        mean_interval([])
    with pytest.raises(DataError, match="mean interval: expected finite numbers, got nan; leave out runs that failed"):
        mean_interval([0.5, math.nan])
    with pytest.raises(DataError, match=r"summary: expected numbers, got \['a'\]"):
        Summary.of(["a"])
    with pytest.raises(ConfigurationError, match=r"level: expected a number between 0 and 1, such as 0[.]95, got 95"):
        mean_interval([0.5, 0.6], level=95)
    with pytest.raises(DataError, match=r"expected 2 or more seeds of 2 or more rows, got an array of shape \(1, 3\)"):
        crossed_interval([[1, 0, 1]])
