"""Comparisons of two learners: as SciPy has them, exact where they can be, and as often wrong as they say."""

import itertools

import numpy as np
import pytest
from scipy import stats

from chainrule.errors import ConfigurationError, DataError
from chainrule.report.statistics import compare, compare_on_examples, compare_over_seeds, holm
from tests.report.statistics import simulations as of


def mean_difference(x, y, axis):
    return np.mean(x - y, axis=axis)


def test_few_rows_are_exchanged_in_all_ways(draws):
    one, other = draws.integers(0, 2, (2, 12))
    differences = one - other
    signs = np.array(list(itertools.product([-1, 1], repeat=12)))
    expected = (np.abs(signs @ differences) >= abs(differences.sum())).mean()
    assert compare_on_examples(one, other).p == pytest.approx(expected)
    real = draws.normal(size=(2, 9))
    told = stats.permutation_test(real, mean_difference, permutation_type="samples", vectorized=True)
    assert compare_on_examples(*real).p == pytest.approx(told.pvalue)


def test_right_and_wrong_rows_have_the_exact_test_of_mcnemar():
    """Exchanges of rows that only one of them has right are throws of a coin."""
    one, other = np.zeros((2, 400))
    one[:60], other[40:80] = 1, 1
    found = compare_on_examples(one, other, draws=100_000)
    assert found.difference == pytest.approx(0.05)
    assert found.p == pytest.approx(stats.binomtest(40, 60).pvalue, rel=0.1)
    assert 0.05 in found.interval
    assert 0 not in found.interval
    assert compare_on_examples(one, other, seed=1) == compare_on_examples(one, other, seed=1)


def test_many_rows_are_exchanged_at_random(draws):
    real = draws.normal(size=(2, 40))
    told = stats.permutation_test(
        real, mean_difference, permutation_type="samples", vectorized=True, n_resamples=20_000, rng=0
    )
    found = compare_on_examples(*real, draws=20_000)
    assert found.p == pytest.approx(told.pvalue, abs=0.012)
    assert 0.01 < found.p < 0.5
    assert compare_on_examples(*real, seed=1) == compare_on_examples(*real, seed=1) != found


def test_p_is_never_zero():
    assert compare_on_examples(np.ones(700), np.zeros(700), draws=99).p == 0.01
    assert compare_on_examples(np.ones(700), np.ones(700)).p == 1


def test_over_seeds_it_is_welchs_test(draws):
    one, other = draws.normal(size=5), 0.5 + 3 * draws.normal(size=7)
    told = stats.ttest_ind(one, other, equal_var=False)
    found, expected = compare_over_seeds(one, other, level=0.9), told.confidence_interval(0.9)
    assert found.p == pytest.approx(told.pvalue)
    assert (found.interval.low, found.interval.high) == pytest.approx((expected.low, expected.high))
    assert found.over == "seeds"
    assert compare_over_seeds([0.5, 0.5], [0.5, 0.5]).p == 1
    assert compare_over_seeds([0.6, 0.6], [0.5, 0.5]).p == 0


def test_over_both_it_is_welchs_test_where_rows_do_not_matter(draws):
    """And that of paired rows where seeds do not."""
    one, other, row = draws.normal(size=(5, 1)), draws.normal(size=(7, 1)), draws.normal(size=(2, 40))
    found, told = compare(one + row[:1], other + row[:1]), compare_over_seeds(one[:, 0], other[:, 0])
    assert (found.difference, found.p) == pytest.approx((told.difference, told.p), rel=1e-6)
    found, told = compare(np.repeat(row[:1], 3, axis=0), np.repeat(row[1:], 2, axis=0)), stats.ttest_rel(*row)
    assert found.p == pytest.approx(told.pvalue)
    assert found.over == "seeds and examples"


def test_equal_learners_differ_as_often_as_is_said():
    """By rows alone they do far more often, where seeds matter; over seeds alone, where learners differ by row."""
    both, rows, seeds = of.false_differences(700, 0, 200)
    assert both <= 0.06
    assert 0.03 <= rows <= 0.07
    assert seeds > 0.1
    both, rows, seeds = of.false_differences(700, 0.03, 200)
    assert 0.02 <= both <= 0.07
    assert rows > 0.2
    assert seeds <= 0.09


@pytest.mark.parametrize("by_seed", [0, 0.03])
def test_the_interval_of_a_difference_holds_the_truth(by_seed):
    assert 0.93 <= of.coverage_of_difference(700, by_seed, 400) <= 0.985


def test_holms_correction(draws):
    """By its steps: the least p against α / n, the next against α / (n - 1), and so on, up to the first above it."""
    for _ in range(50):
        p = draws.random(6) ** 3
        corrected = holm(p)
        for alpha in (0.01, 0.05, 0.2):
            expected, order = np.zeros(6, bool), np.argsort(p)
            for step, place in enumerate(order):
                if p[place] > alpha / (6 - step):
                    break
                expected[place] = True
            assert ((corrected <= alpha) == expected).all()
    assert holm([0.5, 0.6]).tolist() == [1, 1]


def test_holms_correction_controls_the_family_wise_error(draws):
    found = [(holm(draws.random(10)) <= 0.05).any() for _ in range(2000)]
    assert 0.035 < np.mean(found) < 0.065


def test_refused():
    with pytest.raises(DataError, match="comparison: expected scores of the same rows, got 3 and 2"):
        compare(np.ones((2, 3)), np.ones((2, 2)))
    with pytest.raises(DataError, match="expected scores of the same rows, got 3 and 2"):
        compare_on_examples(np.ones(3), np.ones(2))
    with pytest.raises(ConfigurationError, match="draws: expected a whole number of 1 or more, got 0"):
        compare_on_examples(np.ones(3), np.ones(3), draws=0)
    with pytest.raises(DataError, match=r"expected probabilities from 0 to 1, got 0.5 to 2"):
        holm([0.5, 2])
