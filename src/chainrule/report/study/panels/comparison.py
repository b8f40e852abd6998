"""Pairwise comparisons of learners, with what they are over and how certain they are."""

from __future__ import annotations

from chainrule.drawing.intervals import Interval, draw_intervals
from chainrule.report.statistics.dominance import BETTER
from chainrule.report.study.certainty import ERROR, Pair, pairs
from chainrule.report.study.document import Cell, Paragraph, Part, Picture, Row, Section, Table
from chainrule.report.study.ranking import Ranking
from chainrule.report.study.shown import NONE, measured, several, signed_figure

#: Pairs of the picture, at most.
DRAWN = 15


def section(ranking: Ranking) -> Section | None:
    """Whether learners differ by more than chance makes them differ."""
    held = ranking.evidence
    if held is None:
        return None
    found = pairs(ranking.study, held)
    over, count = found[0].comparison.over, several(len(found), "pair")
    told = (
        f"The best configurations of learners, two at a time, by {held.of}: the mean of the first less that of the "
        f"second. It speaks of other {over}. p is the probability of a difference as large, if there were none. Where "
        f"the corrected p (Holm) is {ERROR:g} or less, the two are called different: of equal learners that happens to "
        f"any of {count} with a probability of {ERROR:g} at most."
    )
    parts: list[Part] = [Paragraph(told)]
    if len(found) > 1:
        rows = [_interval(pair) for pair in found[:DRAWN]]
        caption = f"Differences by {held.of}, over other {over}, not corrected. Right of 0 the first is better."
        title = "Difference, with its 95 % interval"
        parts.append(Picture(caption, draw_intervals(rows, title, sheet="", marks=[0.0])))
    caption = (
        f"Differences by {held.of}, with their 95 % interval over other {over}, p, and p corrected for {count}. ε is "
        "of almost stochastic order, over seeds: how far, at most, the validation results of the first are from being "
        "better than those of the second all along (0: they are; 1: those of the second are). Below "
        f"{BETTER:g} the first may be called better in validation."
    )
    head = ["first", "second", "difference", "95 % interval", "p", "corrected p", "called different", "ε at most"]
    parts.append(Table(caption, head, [_row(pair) for pair in found], sortable=True))
    return Section("comparison", "Comparisons", parts)


def _row(pair: Pair) -> Row:
    low, high = pair.comparison.interval.low, pair.comparison.interval.high
    order = pair.order.bound if pair.order is not None else None
    return [
        pair.first.label,
        pair.second.label,
        Cell(signed_figure(pair.comparison.difference), pair.comparison.difference),
        Cell(f"{signed_figure(low)} to {signed_figure(high)}", low),
        Cell(probability(pair.comparison.p), pair.comparison.p),
        Cell(probability(pair.corrected), pair.corrected),
        "yes" if pair.differs else "no",
        Cell(NONE) if order is None else measured(order),
    ]


def _interval(pair: Pair) -> Interval:
    found = pair.comparison
    name = f"{pair.first.label} − {pair.second.label}"
    shown = [signed_figure(x) for x in (found.difference, found.interval.low, found.interval.high)]
    told = f"{name}: {shown[0]}, {shown[1]} to {shown[2]}"
    return Interval(name, found.difference, found.interval.low, found.interval.high, told=told)


def probability(p: float) -> str:
    """A probability as it is shown.

    Example:
        >>> probability(0.0312), probability(0.00001)
        ('0.031', '< 0.001')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
