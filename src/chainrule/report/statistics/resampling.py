"""Resamples: draws with replacement of as many results as there are, all of them where they are few."""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np

from chainrule.random import generator
from chainrule.report.statistics.results import Array

#: Up to so many results, all resamples are looked at: 1,716 different ones.
ALL = 7
#: Resamples that are drawn of more.
DRAWS = 2000
#: Where there are so many times more results than different ones, it is quicker to draw how often each of these comes.
COUNTED = 10
#: Numbers that are held at a time.
AT_ONCE = 1 << 22


@functools.lru_cache(maxsize=ALL)
def all_resamples(n: int) -> tuple[Array, Array]:
    """Every resample of n results: how often it has each, shape (k, n), and its probability, shape (k,).

    Example:
        >>> counts, probabilities = all_resamples(2)
        >>> counts.tolist(), probabilities.tolist()
        ([[2, 0], [1, 1], [0, 2]], [0.25, 0.5, 0.25])
    """
    chosen = np.array(list(itertools.combinations_with_replacement(range(n), n)))
    counts = (chosen[:, :, None] == np.arange(n)).sum(axis=1)
    factorials = np.array([math.factorial(i) for i in range(n + 1)], np.float64)
    probabilities = factorials[n] / factorials[counts].prod(axis=1) / float(n) ** n
    for array in (counts, probabilities):
        array.setflags(write=False)
    return counts, probabilities


def moments(values: Array, seed: int) -> tuple[Array, Array, Array]:
    """The mean and the variance (over n, not n - 1) of each resample, and its probability; each of shape (k,)."""
    n = len(values)
    if n <= ALL:
        counts, probabilities = all_resamples(n)
        means, squares = counts @ values / n, counts @ values**2 / n
        return means, squares - means**2, probabilities
    draws, same = generator(seed, "bootstrap"), np.full(DRAWS, 1 / DRAWS)
    different, often = np.unique(values, return_counts=True)
    if COUNTED * len(different) <= n:
        shares = draws.multinomial(n, often / n, DRAWS) / n
        means, squares = shares @ different, shares @ different**2
        return means, squares - means**2, same
    means, variances = np.empty(DRAWS), np.empty(DRAWS)
    size = max(1, AT_ONCE // n)
    for first in range(0, DRAWS, size):
        drawn = values[draws.integers(0, n, (min(size, DRAWS - first), n))]
        means[first : first + size], variances[first : first + size] = drawn.mean(axis=1), drawn.var(axis=1)
    return means, variances, same


def quantiles(values: Array, probabilities: Array, *shares: float) -> list[float]:
    """For each share the least value that so much of the probability is not above."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(probabilities[order])
    places = [min(int(np.searchsorted(reached, share - 1e-12)), len(order) - 1) for share in shares]
    return [float(values[order[place]]) for place in places]
