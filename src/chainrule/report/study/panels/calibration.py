"""Calibration: how often answers are right, by how sure they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.drawing.plot import Panel, Series, plot
from chainrule.report.study.document import Fold, Paragraph, Picture, Row, Section, Table
from chainrule.report.study.ranking import Ranking
from chainrule.report.study.shown import counted, measured

#: Bins of equal width, as those of the calibration error have.
BINS = 15
#: Learners in a picture, at most.
SHOWN = 7


def section(ranking: Ranking) -> Section | None:
    """The share of right answers by confidence, of the best configuration of each learner."""
    study = ranking.study
    lines: list[Series] = []
    rows: list[Row] = []
    for entry in ranking.best[:SHOWN]:
        pooled = [pair for run in entry.finished if (pair := _pairs(study.judgement(run.name)))]
        if not pooled:
            continue
        confidence, right = (np.concatenate([pair[i] for pair in pooled]) for i in (0, 1))
        bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
        counts = np.bincount(bins, minlength=BINS)
        sums = [np.bincount(bins, weights=x, minlength=BINS) for x in (confidence, right)]
        held = [(sums[0][b] / counts[b], sums[1][b] / counts[b], counts[b]) for b in range(BINS) if counts[b]]
        lines.append(Series(entry.label, [float(x) for x, _, _ in held], [float(y) for _, y, _ in held]))
        rows += [[entry.label, measured(float(x)), measured(float(y)), counted(int(n))] for x, y, n in held]
    if not lines:
        return None
    least = min(x for line in lines for x in line.x)
    equal = Series("as often as sure", [least, 1.0], [least, 1.0])
    panel = Panel("Share of right answers", lines, "confidence of the answer", guides=[equal], names_points=True)
    told = (
        "Above the dashed line answers are right more often than the model is sure of, below it less often. Test rows "
        f"of all runs of the best configuration of each learner, in {BINS} bins of equal width."
    )
    table = Table(
        "Mean confidence and share of right answers in each bin of test rows.",
        ["learner", "confidence", "right", "rows"], rows, sortable=True,
    )  # fmt: skip
    picture = Picture("Share of right answers by confidence, on test rows.", plot([panel], sheet=""))
    return Section(
        "calibration", "Calibration", [Paragraph(told), picture, Fold("The figures of the picture", [table])]
    )


def _pairs(judgement: Mapping[str, Any] | None) -> tuple[Any, Any] | None:
    """Confidence and whether the answer is right, a row; None where that was not written down."""
    scores: Sequence[float] = (judgement or {}).get("scores") or ()
    confidence: Sequence[float] = (judgement or {}).get("confidence") or ()
    if not scores or len(scores) != len(confidence) or None in confidence or not set(scores) <= {0, 1}:
        return None
    return np.array(confidence, np.float64), np.array(scores, np.float64)
