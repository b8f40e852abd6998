"""Gaps: how far a figure of groups is apart, how sure that is, and whether it may be named."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from chainrule.fairness.groups import FEWEST, Groups
from chainrule.fairness.judged import SAME, Figure
from chainrule.graph.spec import Array
from chainrule.random import generator
from chainrule.report.statistics import Interval, holm
from chainrule.report.statistics.bootstrap import student_p, student_quantile
from chainrule.report.statistics.resampling import moments, quantiles
from chainrule.tasks.measures import confidence_interval

#: Resamples of shares, and exchanges of groups, that are drawn.
DRAWS = 10_000
#: Rows of each group beyond which resampled means are as normal as Student's distribution has it.
ENOUGH = 2000


@dataclass(frozen=True, eq=False)
class GroupFigure:
    """A figure of each group.

    Attributes:
        name: of it, such as "tpr".
        title: in words.
        of: the label it is of; "" for all.
        values: of each group, the mean over models; NaN where it divides by nothing.
        intervals: of each; None where nothing can be said.
        rows: that it is a share of or a mean over, of each group, on average over models.
    """

    name: str
    title: str
    of: str
    values: tuple[float, ...]
    intervals: tuple[Interval | None, ...]
    rows: tuple[float, ...]

    @property
    def shown(self) -> str:
        """The figure with its label, in words."""
        return f"{self.title} of {self.of}" if self.of else self.title


@dataclass(frozen=True, eq=False)
class Gap:
    """How far the groups with the greatest and the least value of a figure are apart.

    Attributes:
        figure: of which.
        high: the place of the group with the greatest value.
        low: of the one with the least.
        difference: the greatest minus the least.
        interval: of the difference of these two groups.
        ratio: the least over the greatest; None where ratios say nothing.
        ratio_interval: of it.
        p: the probability of a gap as large, if all groups were the same.
        corrected: the same, for how many gaps are looked at (Holm).
        named: whether it is called a gap: corrected p is the error level or less.
        over: what else it speaks of: other examples, or other examples and seeds.
    """

    figure: GroupFigure
    high: int
    low: int
    difference: float
    interval: Interval
    ratio: float | None
    ratio_interval: Interval | None
    p: float
    corrected: float
    named: bool
    over: str


def measure(figure: Figure, groups: Groups, level: float) -> GroupFigure:
    """A figure of every group, with an interval of each.

    Of a share of one model it is the exact one (Clopper and Pearson); else Student's, over rows, and over seeds where
    there are several models.
    """
    values: list[float] = []
    intervals: list[Interval | None] = []
    rows: list[float] = []
    for group in range(len(groups.names)):
        held = groups.rows(group)
        found, (part, whole) = figure.values(held), figure.sums(held)
        values.append(float(found.mean()))
        rows.append(float(whole.mean()))
        if math.isnan(values[-1]) or whole.mean() < 2:
            intervals.append(None)
        elif figure.share and len(part) == 1:
            intervals.append(Interval(*confidence_interval(int(part[0]), int(whole[0]), level=level), level))
        else:
            error, freedom = spread([(figure, held)], found)
            intervals.append(_student(values[-1], error, freedom, level))
    return GroupFigure(figure.name, figure.title, figure.of, tuple(values), tuple(intervals), tuple(rows))


def gap(figure: Figure, found: GroupFigure, groups: Groups, level: float, seed: int) -> Gap | None:
    """The gap of a figure between the groups that are large enough; None where fewer than two are.

        difference = f[high] - f[low],    ratio = f[low] / f[high]

    Its interval is of the two groups that are farthest apart, at a level that holds for all pairs at once (Bonferroni).
    Of one model it is the percentile bootstrap over the rows of each group: of a share with k of n rows, by draws from
    the share (k + 1) / (n + 2), as a group in which nothing went wrong would else have no width (Agresti and Caffo,
    2000); of means over more than 2,000 rows of each group Student's, which the bootstrap comes to. p is that
    of exchanging groups between rows (Fisher's permutation test) for shares, and Welch's for means. Of several models
    both are over seeds and rows at once: see `spread`.
    """
    large = [g for g in groups.large if found.rows[g] >= FEWEST and not math.isnan(found.values[g])]
    if len(large) < 2:
        return None
    high = max(large, key=lambda g: found.values[g])
    low = min(large, key=lambda g: found.values[g])
    if high == low:  # all are equal
        high, low = large[0], large[1]
    pairs = math.comb(len(large), 2)
    difference = found.values[high] - found.values[low]
    ratio = found.values[low] / found.values[high] if figure.ratios and found.values[high] else None
    inner = 1 - (1 - level) / pairs
    one, two = groups.rows(high), groups.rows(low)
    several = len(figure.part) > 1
    if several or (not figure.share and min(len(one), len(two)) > ENOUGH):
        interval, ratios = _crossed(figure, found, (high, one), (low, two), inner)
    else:
        interval, ratios = _bootstrap(figure, one, two, inner, seed)
    if figure.share and not several:
        p = _permutation_p(figure, [groups.rows(g) for g in large], seed)
    else:
        p = min((_welch_p(figure, groups.rows(a), groups.rows(b)) for a, b in itertools.combinations(large, 2)))
        p = min(1.0, p * pairs)
    over = "seeds and examples" if several else "examples"
    shown = None if ratio is None else ratios
    return Gap(found, high, low, difference, interval, ratio, shown, p, p, False, over)


def corrected(gaps: Sequence[Gap], error: float) -> list[Gap]:
    """The gaps with p corrected for how many there are, and those named whose p is the error or less.

    A figure that is 1 minus another one has the gap of that one, and is not counted again.
    """
    counted = {(x.figure.of, x.figure.name): x.p for x in gaps if x.figure.name not in SAME}
    if not counted:
        return list(gaps)
    p = dict(zip(counted, holm([*counted.values()]), strict=True))
    found = []
    for each in gaps:
        own = float(p.get((each.figure.of, SAME.get(each.figure.name, each.figure.name)), 1.0))
        found.append(replace(each, corrected=own, named=own <= error))
    return found


def spread(parts: Sequence[tuple[Figure, Array]], by_seed: Array) -> tuple[float, float]:
    """The standard error of a figure of one group, or of a difference of two, and its degrees of freedom.

        V = max(A + Σ B - Σ E, A, Σ B),    f = V² / (A² / (S - 1) + Σ B² / (n - 1) + Σ E² / ((S - 1)(n - 1)))

    with A the variance of the S seeds' values over S, B the variance over n of the rows' mean influence, and E the mean
    square of what neither seed nor row explains, over S n: the analysis of variance with crossed random factors of
    `chainrule.report.statistics.crossed_interval`, where each group has rows of its own. With one seed, V is Σ B and f
    Welch's.

    Args:
        parts: a figure and rows of a group; one, or two that are compared.
        by_seed: the value, or the difference, of each model, shape (models,).
    """
    seeds = len(by_seed)
    influences = [figure.influence(rows) for figure, rows in parts]
    row_parts = [(float(u.mean(axis=0).var(ddof=1)) / u.shape[1], u.shape[1] - 1) for u in influences]
    rows = sum(part for part, _ in row_parts)
    terms = list(row_parts)
    total = rows
    if seeds > 1:
        seed_part = float(by_seed.var(ddof=1)) / seeds
        rest = [(_residual(u) / u.size, (seeds - 1) * (u.shape[1] - 1)) for u in influences]
        total = max(seed_part + rows - sum(part for part, _ in rest), seed_part, rows)
        terms += [(seed_part, seeds - 1), *rest]
    if total <= 0:
        return 0.0, float(sum(n for _, n in row_parts))
    return math.sqrt(total), total**2 / sum(part**2 / freedom for part, freedom in terms)


def _residual(u: Array) -> float:
    """The mean square of what neither the seed nor the row explains."""
    left = u - u.mean(axis=1, keepdims=True) - u.mean(axis=0) + u.mean()
    return float(np.square(left).sum() / ((u.shape[0] - 1) * (u.shape[1] - 1)))


def _student(middle: float, error: float, freedom: float, level: float) -> Interval:
    reach = student_quantile(freedom, level) * error
    return Interval(middle - reach, middle + reach, level)


def _welch_p(figure: Figure, one: Array, two: Array) -> float:
    by_seed = figure.values(one) - figure.values(two)
    error, freedom = spread([(figure, one), (figure, two)], by_seed)
    difference = float(by_seed.mean())
    return student_p(difference / error, freedom) if error else float(difference == 0)


def _crossed(
    figure: Figure, found: GroupFigure, high: tuple[int, Array], low: tuple[int, Array], level: float
) -> tuple[Interval, Interval | None]:
    """The intervals of difference and ratio over seeds and rows; of the ratio by its logarithm."""
    values = [figure.values(rows) for _, rows in (high, low)]
    parts = [(figure, high[1]), (figure, low[1])]
    interval = _student(found.values[high[0]] - found.values[low[0]], *spread(parts, values[0] - values[1]), level)
    if not figure.ratios or not all((x > 0).all() for x in values):
        return interval, None
    error = math.hypot(*(spread([part], x)[0] / float(x.mean()) for part, x in zip(parts, values, strict=True)))
    freedom = spread(parts, values[0] - values[1])[1]
    ratio = math.log(found.values[low[0]] / found.values[high[0]])
    around = _student(ratio, error, freedom, level)
    return interval, Interval(math.exp(around.low), math.exp(around.high), level)


def _bootstrap(figure: Figure, one: Array, two: Array, level: float, seed: int) -> tuple[Interval, Interval | None]:
    """The intervals of difference and ratio of one model, by resamples of the rows of each group."""
    drawn = []
    for number, rows in enumerate((one, two)):
        if figure.share:
            part, whole = (int(x[0]) for x in figure.sums(rows))
            source = generator(2 * seed + number, "bootstrap of a share")
            drawn.append(source.binomial(whole, (part + 1) / (whole + 2), DRAWS) / whole)
        else:
            means, _, _ = moments(figure.part[0, rows], 2 * seed + number)
            drawn.append(np.sqrt(np.maximum(means, 0)) if figure.root else means)
    tail, same = (1 - level) / 2, np.full(len(drawn[0]), 1 / len(drawn[0]))
    low, high = quantiles(drawn[0] - drawn[1], same, tail, 1 - tail)
    interval = Interval(low, high, level)
    if not figure.ratios:
        return interval, None
    ratios = np.divide(drawn[1], drawn[0], out=np.full(len(drawn[0]), np.inf), where=drawn[0] > 0)
    low, high = quantiles(ratios, same, tail, 1 - tail)
    return interval, Interval(low, high, level)


def _permutation_p(figure: Figure, groups: Sequence[Array], seed: int) -> float:
    """The share of exchanges of groups between rows in which the greatest gap is as large as the one there is."""
    sums = [figure.sums(rows) for rows in groups]
    parts, wholes = (np.array([int(x[k][0]) for x in sums]) for k in (0, 1))
    shares = parts / wholes
    least = float(np.ptp(shares)) * (1 - 1e-12)
    drawn = generator(seed, "exchanges of groups").multivariate_hypergeometric(
        wholes, int(parts.sum()), DRAWS, method="marginals"
    )
    hits = int((np.ptp(drawn / wholes, axis=1) >= least).sum())
    return (1 + hits) / (1 + DRAWS)
