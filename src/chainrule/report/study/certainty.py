"""How certain the figures of a study are: intervals, comparisons of its learners, and whether one of them won."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.report.statistics import (
    Comparison,
    Dominance,
    Interval,
    Verdict,
    almost_stochastic_order,
    compare,
    compare_on_examples,
    compare_over_seeds,
    crossed_interval,
    holm,
    mean_interval,
    name_winner,
)
from chainrule.report.statistics.results import Array
from chainrule.report.study.ranking import Ranked, Ranking
from chainrule.report.study.study import Study

#: Learners that are compared with each other, at most.
COMPARED = 8
#: The probability of calling even one pair of equal learners different.
ERROR = 0.05


@dataclass(frozen=True, eq=False)
class Evidence:
    """What learners are compared by, the higher the better.

    Attributes:
        of: what it is, in words.
        entries: the best configurations of learners, the best first.
        results: of each entry by its label: scores of test rows, shape (seeds, rows), or results, shape (seeds,).
    """

    of: str
    entries: Sequence[Ranked]
    results: Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class Pair:
    """Two learners, by their best configurations.

    Attributes:
        first: the one that is ranked above.
        second: the other.
        comparison: of them.
        corrected: its p, for how many pairs there are (Holm).
        order: how far the validation results of the first are from being better all along; None with one seed.
    """

    first: Ranked
    second: Ranked
    comparison: Comparison
    corrected: float
    order: Dominance | None

    @property
    def differs(self) -> bool:
        """Whether the two are called different."""
        return self.corrected <= ERROR


def interval(values: Sequence[float]) -> Interval | None:
    """The interval of the mean of results over seeds; None where there are too few."""
    return mean_interval(values) if len(values) > 1 else None


def evidence(ranking: Ranking) -> Evidence | None:
    """What the best configurations of learners are compared by; None where nothing can be compared.

    The scores of test rows, where those of several learners were judged; else the measure that decides, in validation,
    of learners with several seeds.
    """
    study, best = ranking.study, ranking.best[:COMPARED]
    judged = {x.label: found for x in best if (found := _scores(study, x))}
    if len(judged) > 1 and len({array.shape[1] for array, _ in judged.values()}) == 1:
        what = next(iter(judged.values()))[1]
        held = {label: array for label, (array, _) in judged.items()}
        return Evidence(f"the score of a test row ({what})", [x for x in best if x.label in held], held)
    seeded = [x for x in best if len(x.values) > 1]
    if len(seeded) < 2:
        return None
    of = f"{study.measure.title} in validation" + ("" if study.measure.higher else ", turned round as less is better,")
    return Evidence(of, seeded, {x.label: _signed(study, x) for x in seeded})


def score_interval(ranking: Ranking, entry: Ranked) -> Interval | None:
    """The interval of the mean score of test rows: over other seeds and rows, or over rows where there is one seed."""
    held = ranking.evidence
    scores = None if held is None else held.results.get(entry.label)
    if scores is None or scores.ndim != 2:
        return None
    return crossed_interval(scores) if len(scores) > 1 else mean_interval(scores[0])


def verdict(ranking: Ranking) -> Verdict | None:
    """Whether the learner that is ahead may be called the best; None where nothing can be compared."""
    held = ranking.evidence
    if held is None or held.entries[0] is not ranking.best[0]:
        return None
    means = {x.label: float(x.mean or 0.0) for x in held.entries}
    return name_winner(held.results, means, higher=ranking.study.measure.higher)


def pairs(study: Study, held: Evidence) -> list[Pair]:
    """All pairs of the learners that can be compared."""
    both = [(one, other) for place, one in enumerate(held.entries) for other in held.entries[place + 1 :]]
    few = any(array.ndim == 2 and len(array) == 1 for array in held.results.values())
    found = [_compare(held.results[one.label], held.results[other.label], few) for one, other in both]
    corrected = holm([comparison.p for comparison in found]).tolist()
    return [
        Pair(one, other, comparison, p, _order(study, one, other, len(both)))
        for (one, other), comparison, p in zip(both, found, corrected, strict=True)
    ]


def _scores(study: Study, entry: Ranked) -> tuple[Array, str] | None:
    """The scores of test rows, shape (seeds, rows), and what they are; None where there are none to be used.

    With folds, the rows of all parts stand one after another. Seeds of which a part failed are left out.
    """
    found: dict[int, dict[int, list[float]]] = {}
    what = ""
    for run in entry.finished:
        judgement = study.judgement(run.name)
        if judgement is not None and isinstance(judgement.get("scores"), list):
            found.setdefault(run.seed, {})[run.part] = judgement["scores"]
            what = str(judgement.get("score", ""))
    parts = {part for held in found.values() for part in held}
    rows = [[x for part in sorted(held) for x in held[part]] for held in found.values() if set(held) == parts]
    if not rows or len({len(row) for row in rows}) > 1 or len(rows[0]) < 2:
        return None
    array = np.array(rows, np.float64)
    return (array, what) if np.isfinite(array).all() else None


def _compare(one: Array, other: Array, few: bool) -> Comparison:
    """Over seeds and rows; over rows alone where a learner has one seed; over seeds where there are no rows."""
    if one.ndim == 1:
        return compare_over_seeds(one, other)
    return compare_on_examples(one.mean(axis=0), other.mean(axis=0)) if few else compare(one, other)


def _order(study: Study, one: Ranked, other: Ranked, count: int) -> Dominance | None:
    """By Bonferroni's correction, each of so many pairs at a higher level."""
    if min(len(one.values), len(other.values)) < 2:
        return None
    return almost_stochastic_order(_signed(study, one), _signed(study, other), level=1 - ERROR / count)


def _signed(study: Study, entry: Ranked) -> Array:
    """The validation results, turned round where less is better."""
    return np.array(entry.values) * (1 if study.measure.higher else -1)
