"""Two learners compared: by how much they differ, how sure that is, and what it is over."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chainrule.errors import ConfigurationError, DataError
from chainrule.random import generator
from chainrule.report.statistics.bootstrap import Interval, mean_interval, student_p, student_quantile
from chainrule.report.statistics.crossed import crossed_error
from chainrule.report.statistics.resampling import AT_ONCE, COUNTED
from chainrule.report.statistics.results import LEVEL, Array, Results, matrix, require_level, vector

#: Exchanges of a permutation test that are drawn where there are more.
DRAWS = 10_000
#: Sums that differ by less than this part of their greatest are equal, but for rounding.
ROUNDING = 1e-12

#: What a comparison is over.
SEEDS, EXAMPLES, BOTH = "seeds", "examples", "seeds and examples"


@dataclass(frozen=True)
class Comparison:
    """How two learners differ.

    Attributes:
        difference: the mean of the first less that of the second.
        interval: of it.
        p: the probability of a difference as large as this, or larger, on either side, if there were none.
        over: what other seeds, examples or both it speaks of; whatever is not named is taken as it is.
    """

    difference: float
    interval: Interval
    p: float
    over: str


def compare(first: Results, second: Results, *, level: float = LEVEL) -> Comparison:
    """Two learners on the same rows, each by models of several seeds: over other seeds and other rows at once.

        t = (m₁ - m₂) / √V,    p = P(|T_f| ≥ |t|)

    with V and f as of `crossed_interval`, the rows' means being those of differences, and a variance of seeds for each
    learner. This is what tells whether one *learner* is better. Tests on rows alone (`compare_on_examples`) tell
    whether these *models* differ: where the seed alone moves accuracy by 1 point, they call two equal learners
    different in 7 of 100 simulations with five seeds and 700 rows, and in 36 with 10,000; this one in 3 and 3. The
    interval holds the true difference in 96 or 97.

    Args:
        first: scores of test rows, shape (seeds, rows), two of each or more.
        second: of the same rows, shape (its seeds, rows).
        level: of the interval.

    Raises:
        DataError: for fewer seeds or rows, other rows, and for what is no finite number.
        ConfigurationError: for a level that is no share.

    Example:
        >>> found = compare([[1, 1, 1, 0, 1, 1], [1, 1, 1, 1, 0, 1]], [[0, 1, 0, 0, 1, 0], [1, 0, 0, 0, 1, 0]])
        >>> round(found.difference, 3), round(found.p, 2), found.over
        (0.5, 0.09, 'seeds and examples')

    Source: Hillis (2014), see `crossed_interval`, for readers that differ between the two.
    """
    require_level(level)
    one, other = (matrix(x, "comparison", 2, 2) for x in (first, second))
    _require_same_rows(one.shape[1], other.shape[1])
    return _by_student(float(one.mean() - other.mean()), *crossed_error(one, other), level, BOTH)


def compare_on_examples(
    first: Results, second: Results, *, level: float = LEVEL, seed: int = 0, draws: int = DRAWS
) -> Comparison:
    """The same models on other rows: paired permutation test, and paired bootstrap of the difference.

        p = share of exchanges with |Σ ±dᵢ| ≥ |Σ dᵢ|,    dᵢ the difference of the scores of row i

    If both were equally good, each row's two scores might as well be exchanged. Up to as many exchanges as would be
    drawn, all are looked at; of more, the sum itself counts as one of those drawn, so that p is never too small. The
    interval is `mean_interval` of the differences. For scores of several seeds, give the means over seeds of each row.

    Args:
        first: a score a row, shape (rows,), such as 1 for right and 0 for wrong.
        second: of the same rows.
        level: of the interval.
        seed: of the draws.
        draws: exchanges that are drawn.

    Raises:
        DataError: for fewer than two rows, other rows, and for what is no finite number.
        ConfigurationError: for a level that is no share, or no draws.

    Example (9 of 12 rows right, and 4):
        >>> found = compare_on_examples([1] * 9 + [0] * 3, [1] * 4 + [0] * 8)
        >>> round(found.difference, 3), found.p, found.over
        (0.417, 0.0625, 'examples')

    Sources: Fisher, The Design of Experiments (1935); Noreen, Computer-Intensive Methods for Testing Hypotheses (1989);
    Dror et al., The Hitchhiker's Guide to Testing Statistical Significance in Natural Language Processing (2018); for p
    of drawn exchanges Phipson and Smyth, Permutation P-values Should Never Be Zero (2010).
    """
    require_level(level)
    if draws < 1:
        raise ConfigurationError(f"draws: expected a whole number of 1 or more, got {draws}")
    one, other = (vector(x, "comparison on examples", 2) for x in (first, second))
    _require_same_rows(len(one), len(other))
    differences = one - other
    interval = mean_interval(differences, level=level, seed=seed)
    if interval is None:
        raise AssertionError("two rows or more have an interval")
    return Comparison(float(differences.mean()), interval, _permutation_p(differences, draws, seed), EXAMPLES)


def compare_over_seeds(first: Results, second: Results, *, level: float = LEVEL) -> Comparison:
    """Results of two learners, one a seed, on the same rows: over other seeds; Welch's test.

        t = (m₁ - m₂) / √(s₁² / n₁ + s₂² / n₂),    p = P(|T_f| ≥ |t|)

    with Welch's and Satterthwaite's degrees of freedom f. It says nothing of other rows: of two learners that
    are equally good over all rows, one may well be better on these, and 13 of 100 are called different on 700 rows.

    Args:
        first: a result a seed, two or more.
        second: those of the other learner.
        level: of the interval.

    Raises:
        DataError: for fewer than two results of either, and for what is no finite number.
        ConfigurationError: for a level that is no share.

    Example:
        >>> found = compare_over_seeds([0.81, 0.80, 0.82, 0.81, 0.81], [0.79, 0.78, 0.80, 0.78, 0.79])
        >>> round(found.difference, 3), round(found.p, 4)
        (0.022, 0.0022)

    Source: Welch, The Generalization of Student's Problem when Several Different Population Variances are Involved
    (1947).
    """
    require_level(level)
    one, other = (vector(x, "comparison over seeds", 2) for x in (first, second))
    parts = [(float(x.var(ddof=1)) / len(x), len(x) - 1) for x in (one, other)]
    total = sum(part for part, _ in parts)
    freedom = total**2 / sum(part**2 / n for part, n in parts) if total else len(one) + len(other) - 2
    return _by_student(float(one.mean() - other.mean()), math.sqrt(total), freedom, level, SEEDS)


def _by_student(difference: float, error: float, freedom: float, level: float, over: str) -> Comparison:
    """A comparison by Student's distribution; without any error, a difference is certain."""
    reach = student_quantile(freedom, level) * error
    p = student_p(difference / error, freedom) if error else float(difference == 0)
    return Comparison(difference, Interval(difference - reach, difference + reach, level), p, over)


def _permutation_p(differences: Array, draws: int, seed: int) -> float:
    differences = differences[differences != 0]  # exchanging equal scores changes nothing
    n, total = len(differences), float(differences.sum())
    least = abs(total) - ROUNDING * float(np.abs(differences).sum())
    if n < 60 and 2**n <= draws:
        exchanged = np.arange(2**n)[:, None] >> np.arange(n) & 1
        return float((np.abs(total - 2 * (exchanged @ differences)) >= least).mean())
    hits = sum(
        int((np.abs(sums) >= least).sum()) for sums in _exchanged(differences, draws, generator(seed, "permutation"))
    )
    return (1 + hits) / (1 + draws)


def _exchanged(differences: Array, draws: int, source: np.random.Generator) -> Iterator[Array]:
    """Sums of differences with either sign; where many have the same size, how many of these are positive is drawn."""
    n = len(differences)
    sizes, often = np.unique(np.abs(differences), return_counts=True)
    if COUNTED * len(sizes) <= n:
        yield (2 * source.binomial(often, 0.5, (draws, len(sizes))) - often) @ sizes
        return
    at_once = max(1, AT_ONCE // n)
    for first in range(0, draws, at_once):
        count = min(at_once, draws - first)
        bits = np.unpackbits(source.integers(0, 256, (count, -(-n // 8)), np.uint8), axis=1, count=n)
        yield 2 * (bits @ differences) - differences.sum()


def _require_same_rows(one: int, other: int) -> None:
    if one != other:
        raise DataError(f"comparison: expected scores of the same rows, got {one:,} and {other:,}")
