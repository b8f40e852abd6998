"""Almost stochastic order: whether the results of one learner are better than another's all along."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from chainrule.random import generator
from chainrule.report.statistics.resampling import ALL, all_resamples
from chainrule.report.statistics.results import LEVEL, Array, Results, require_level, vector

#: Bounds below it speak for the first.
BETTER = 0.2
#: Pairs of resamples up to which all are looked at, and those that are drawn of more.
ALL_PAIRS, DRAWS = 20_000, 10_000


@dataclass(frozen=True)
class Dominance:
    """How far the results of one learner are from being better than another's all along.

    Attributes:
        ratio: ε of the results, from 0 (the first is better all along) to 1 (the second is).
        bound: ε_min, the upper confidence bound of it.
        level: the confidence.
    """

    ratio: float
    bound: float
    level: float

    @property
    def better(self) -> bool:
        """Whether the first may be called better: the bound is below 0.2."""
        return self.bound < BETTER


def almost_stochastic_order(first: Results, second: Results, *, level: float = LEVEL, seed: int = 0) -> Dominance:
    """How far the results of the first learner are from being better than those of the second all along.

        ε = ∫_{F⁻¹ < G⁻¹} (F⁻¹(t) - G⁻¹(t))² dt / ∫ (F⁻¹(t) - G⁻¹(t))² dt
        ε_min = ε - √((n + m) / (n m)) σ̂ Φ⁻¹(α),    σ̂² = n m / (n + m) Var*(ε*),    α = 1 - level

    with the quantile functions F⁻¹ of the n results of the first and G⁻¹ of the m of the second, and ε* of resamples of
    both; ε_min is cut to 0 … 1. At 0 the first is better all along: its worst results are better than the worst of the
    second, its best than the best. The integrals are exact, as both functions are steps. Of five results each, all
    15,876 pairs of resamples are looked at, and nothing is drawn. Where there is no difference at all, ε is 1/2.

    The papers call the first almost stochastically dominant where ε_min < 1/2; of two equal learners with five seeds
    that calls the first better in 20 of 100 simulations (the normal approximation is of many results). Below 0.2, as
    Ulmer et al. advise, it is 5 with five seeds, and 3 with ten or twenty; that is what `better` asks for.

    Args:
        first: the results of the first learner, one a seed, the higher the better; two or more.
        second: those of the second.
        level: the confidence; for several pairs of learners, 1 - 0.05 / pairs (Bonferroni).
        seed: of the resamples that are drawn where there are more than five results.

    Raises:
        DataError: for fewer than two results of either, and for what is no finite number.
        ConfigurationError: for a level that is no share.

    Example:
        >>> found = almost_stochastic_order([0.81, 0.80, 0.82, 0.81, 0.81], [0.79, 0.78, 0.80, 0.78, 0.79])
        >>> found.ratio, round(found.bound, 3), found.better
        (0.0, 0.0, True)

    Sources: Dror, Shlomov and Reichart, Deep Dominance: How to Properly Compare Deep Neural Models (2019);
    del Barrio, Cuesta-Albertos and Matrán, An Optimal Transportation Approach for Assessing Almost Stochastic
    Order (2018); Ulmer, Hardmeier and Frellsen, deep-significance: Easy and Meaningful Statistical Significance Testing
    in the Age of Neural Networks (2022).
    """
    require_level(level)
    one, other = (np.sort(vector(x, "almost stochastic order", 2)) for x in (first, second))
    from scipy.special import ndtri

    steps = _Steps(len(one), len(other))
    ratio = float(steps.ratios(one, other))
    ratios, probabilities = _resampled(one, other, steps, seed)
    variance = max(float(probabilities @ ratios**2 - (probabilities @ ratios) ** 2), 0.0)
    # The factors n m / (n + m) of both equations cancel.
    bound = ratio - math.sqrt(variance) * float(ndtri(1 - level))
    return Dominance(ratio, min(max(bound, 0.0), 1.0), level)


class _Steps:
    """The stretches of t in which both quantile functions, of n and of m results, are constant."""

    def __init__(self, n: int, m: int) -> None:
        edges = np.union1d(np.arange(n + 1) * m, np.arange(m + 1) * n)  # times n m, as whole numbers
        self.first, self.second = edges[:-1] // m, edges[:-1] // n
        self.widths = np.diff(edges) / (n * m)

    def ratios(self, first: Array, second: Array) -> Array:
        """ε of ascending results, shape (..., n) and (..., m)."""
        differences = first[..., self.first] - second[..., self.second]
        squares = differences**2 * self.widths
        whole, against = squares.sum(axis=-1), (squares * (differences < 0)).sum(axis=-1)
        return np.asarray(np.divide(against, whole, out=np.full(np.shape(whole), 0.5), where=whole > 0))


def _resampled(first: Array, second: Array, steps: _Steps, seed: int) -> tuple[Array, Array]:
    """ε of pairs of resamples, and the probability of each pair."""
    both = (first, second)
    pairs = math.prod(math.comb(2 * len(x) - 1, len(x)) for x in both)
    if max(map(len, both)) <= ALL and pairs <= ALL_PAIRS:
        (one, p), (other, q) = (all_resamples(len(x)) for x in both)
        one, other = (_repeated(x, counts) for x, counts in zip(both, (one, other), strict=True))
        return steps.ratios(one[:, None], other[None]).reshape(-1), np.outer(p, q).reshape(-1)
    draws = generator(seed, "almost stochastic order")
    one, other = (np.sort(x[draws.integers(0, len(x), (DRAWS, len(x)))], axis=1) for x in both)
    return steps.ratios(one, other), np.full(DRAWS, 1 / DRAWS)


def _repeated(values: Array, counts: Array) -> Array:
    """Ascending values, each as often as a resample has it."""
    tiled = np.broadcast_to(values, counts.shape).reshape(-1)
    return np.repeat(tiled, counts.reshape(-1)).reshape(counts.shape)
