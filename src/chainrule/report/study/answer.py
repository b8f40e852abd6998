"""The answer of a study: which learner won, if any did, and what it reaches."""

from __future__ import annotations

from chainrule.report.study.certainty import interval
from chainrule.report.study.ranking import Ranking
from chainrule.report.study.shown import capital, figure, mean, several
from chainrule.shown import one_line


def answer(ranking: Ranking) -> str:
    """Which learner is best, in one sentence, with how certain that is."""
    study = ranking.study
    if not ranking.best:
        if study.failed:
            return f"{several(len(study.failed), 'run')} failed, and none has finished: {_reason(ranking)}."
        return "No run has finished yet."
    first, *others = ranking.best
    if not others and len(ranking) > 1:
        return f"Of {len(ranking)} configurations, {first.label} is the best in validation; there is no other learner."
    if not others:
        return f"{first.label} is the only learner, so there is none to be better than."
    found = ranking.verdict
    if found is None:
        return f"No winner can be named: {first.label} is ahead in validation, but one run of each is too few to tell."
    return found.sentence


def reached(ranking: Ranking) -> str:
    """What the best configuration reaches in validation and test; "" while there is none."""
    study = ranking.study
    if not ranking.best:
        return ""
    best = ranking.best[0]
    found = interval(best.values)
    between = f"{several(len(best.values), 'run')}" + (
        f", 95 % interval {figure(found.low)} to {figure(found.high)}" if found else ""
    )
    test = f", and {figure(mean(best.tested))} on test rows" if best.tested else ""
    failed = f" {several(len(study.failed), 'run')} failed: {_reason(ranking)}." if study.failed else ""
    on = f" {several(len(study.unfinished), 'run')} still to end." if study.unfinished else ""
    told = f"{capital(study.measure.title)} of {best.label}: {figure(best.mean)} in validation ({between}){test}."
    return told + failed + on


def _reason(ranking: Ranking) -> str:
    return one_line(ranking.study.failed[0].reason or "no reason was written", 200)
