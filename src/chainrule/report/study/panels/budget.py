"""Validation against budget: what the best of so many runs of a search may be expected to reach."""

from __future__ import annotations

import math

import numpy as np

from chainrule.drawing.plot import Panel, Series, plot
from chainrule.report.statistics import Budget, expected_best
from chainrule.report.study.document import Cell, Fold, Paragraph, Picture, Row, Section, Table
from chainrule.report.study.ranking import Ranking
from chainrule.report.study.shown import NONE, capital, counted, duration, figure, mean, measured, several

#: Learners in a picture, points of a line, and rows of a table for a learner, at most.
SHOWN, POINTS, ROWS = 8, 200, 12


def section(ranking: Ranking) -> Section | None:
    """By learner, the expected best of the runs of a search by their number; None without a search."""
    study, measure = ranking.study, ranking.study.measure
    values: dict[str, list[float]] = {}
    seconds: dict[str, list[float]] = {}
    for run in study.searched:
        seconds.setdefault(run.learner_name, []).append(run.seconds)
        if measure.name in run.valid:
            values.setdefault(run.learner_name, []).append(run.valid[measure.name])
    names = [x.learner for x in ranking.best if len(values.get(x.learner, ())) > 1][:SHOWN]
    if not names:
        return None
    found = {name: expected_best(values[name], higher=measure.higher) for name in names}
    series = [_line(name, budget) for name, budget in found.items()]
    panel = Panel(
        capital(f"{measure.title} in validation"), series, x_label="runs of a search", whole=True, names_points=True
    )
    drawn = str((study.search or {}).get("method"))
    told = (
        f"The best validation {measure.title} that a search of so many runs of a learner may be expected to find: the "
        "mean over all choices of so many of its runs, with one seed (the unbiased estimator of Tang et al., 2020, "
        "after Dodge et al., 2019). The shade is its 95 % interval, where there are ten times as many runs."
    )
    if drawn != "random":
        told += f" The runs of a {drawn} search are not drawn independently, so that this describes them and no more."
    caption = f"Expected best {measure.title} in validation, by how many runs a search has."
    table = Table(
        f"Expected best {measure.title} in validation by the number of runs of a search, the standard deviation over "
        "all choices of so many runs, the 95 % interval of the expected value, and the time of so many runs.",
        ["learner", "runs", "expected best", "deviation", "95 % interval", "time"],
        [row for name, budget in found.items() for row in _rows(name, budget, mean(seconds[name]) or 0.0)],
        sortable=True,
    )  # fmt: skip
    fold = Fold(f"The figures of the picture, {several(len(names), 'learner')}", [table])
    picture = Picture(caption, plot([panel], sheet=""))
    return Section("budget", "Validation against budget", [Paragraph(told), picture, fold])


def _chosen(count: int, most: int) -> list[int]:
    """Numbers of runs from 1 to all, equally far apart by their ratio."""
    return sorted({round(math.exp(math.log(count) * k / max(most - 1, 1))) for k in range(most)})


def _line(name: str, budget: Budget) -> Series:
    places = [n - 1 for n in _chosen(len(budget.runs), POINTS)]
    bands = [None if np.isnan(budget.low[i]) else (float(budget.low[i]), float(budget.high[i])) for i in places]
    return Series(name, [int(budget.runs[i]) for i in places], [float(budget.expected[i]) for i in places], bands)


def _rows(name: str, budget: Budget, seconds: float) -> list[Row]:
    rows: list[Row] = []
    for n in _chosen(len(budget.runs), ROWS):
        low, high = float(budget.low[n - 1]), float(budget.high[n - 1])
        rows.append([
            name, counted(n), measured(float(budget.expected[n - 1])), measured(float(budget.deviation[n - 1])),
            Cell(NONE if math.isnan(low) else f"{figure(low)} to {figure(high)}", None if math.isnan(low) else low),
            Cell(duration(n * seconds), n * seconds),
        ])  # fmt: skip
    return rows
