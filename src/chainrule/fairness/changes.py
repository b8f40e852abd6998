"""Change: what a measure against bias changed, and what it did not."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data import Table
from chainrule.errors import ConfigurationError
from chainrule.fairness.groups import FEWEST, Groups
from chainrule.fairness.judged import SAME, TRUE_SHARE, Figure, Judged, require_rows
from chainrule.fairness.output import LIMITS, aligned, interval_record, number, ranged
from chainrule.graph.spec import Array
from chainrule.models import Model
from chainrule.report.statistics import Interval
from chainrule.report.statistics.bootstrap import student_quantile
from chainrule.report.statistics.results import LEVEL, require_level
from chainrule.report.study.document import Document, Paragraph, Row, Section
from chainrule.report.study.document import Table as Shown
from chainrule.report.study.shown import figure, several
from chainrule.shown import json_value, one_line


@dataclass(frozen=True, eq=False)
class Moved:
    """A figure before and after.

    Attributes:
        title: of the figure, or of its gap.
        before: the value.
        after: the value.
        interval: of after - before.
    """

    title: str
    before: float
    after: float
    interval: Interval

    @property
    def moved(self) -> bool:
        """Whether the interval is clear of 0."""
        return not self.interval.low <= 0 <= self.interval.high


@dataclass(frozen=True, eq=False, repr=False)
class Change:
    """What was found; `print` shows it, `save` writes a page or JSON.

    Attributes:
        table: the name of the table.
        by: what the groups are by.
        overall: figures of all rows.
        gaps: between the two groups that are farthest apart before, in each figure: the one with the greater value
            before minus the other one, so that a gap may become negative.
    """

    table: str
    by: str
    overall: tuple[Moved, ...]
    gaps: tuple[Moved, ...]

    def __repr__(self) -> str:
        return f"Change({self.by}: {sum(x.moved for x in self.gaps)} of {len(self.gaps)} gaps moved)"

    def __str__(self) -> str:
        head = ["before and after", "before", "after", "change"]
        rows = [[x.title, figure(x.before, 3), figure(x.after, 3), _shown(x)] for x in (*self.overall, *self.gaps)]
        return f"{aligned([head, *rows])}\n\n{self.answer}\n{LIMITS}"

    @property
    def answer(self) -> str:
        """What changed, and what did not."""
        smaller = [x.title for x in self.gaps if x.moved and abs(x.after) < abs(x.before)]
        larger = [x.title for x in self.gaps if x.moved and abs(x.after) > abs(x.before)]
        still = [x.title for x in (*self.overall, *self.gaps) if not x.moved]
        costs = [f"{x.title} {figure(x.before, 3)} to {figure(x.after, 3)}" for x in self.overall if x.moved]
        told = [
            f"Smaller: {_listed(smaller)}.", f"Larger: {_listed(larger)}.", f"Of all rows changed: {_listed(costs)}.",
            f"Not changed, as far as these rows tell: {_listed(still)}.",
        ]  # fmt: skip
        return " ".join(told)

    def document(self) -> Document:
        """A page."""
        head = ["figure", "before", "after", "after - before"]
        rows: list[Row] = [
            [x.title, number(x.before), number(x.after), ranged(x.after - x.before, x.interval)]
            for x in (*self.overall, *self.gaps)
        ]
        shown = Shown("Figures of all rows, and gaps between the groups farthest apart before.", head, rows)
        section = Section("change", "Before and after", [shown, Paragraph(LIMITS)])
        return Document(f"Before and after: {self.by}", self.answer, self.table, [section])

    def as_dict(self) -> dict[str, Any]:
        """All of it, as JSON can hold it."""
        rows = {
            part: [
                {"title": x.title, "before": x.before, "after": x.after, "interval": interval_record(x.interval),
                 "moved": x.moved}
                for x in held
            ]
            for part, held in (("overall", self.overall), ("gaps", self.gaps))
        }  # fmt: skip
        found: dict[str, Any] = json_value(
            {"kind": "change of bias", "format": 1, "answer": self.answer, "table": self.table, "by": self.by, **rows}
        )
        return found

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a page that needs nothing else (.html), or all figures (.json), and return the path.

        Raises:
            ConfigurationError: for another ending.
            StorageError: when it cannot be written.
        """
        from chainrule.fairness.output import save

        return save(path, self.document, self.as_dict)


def change(
    before: Model | Sequence[Model],
    after: Model | Sequence[Model],
    table: Table,
    groups: Groups,
    *,
    positive: object = None,
    level: float = LEVEL,
    engine: str = "native",
) -> Change:
    """What became of figures and gaps, from models to others of the same question, on the same rows.

    The interval of a change is Student's over rows, as pairs: both answer the same ones; and over seeds, where there
    are several models before or after. None is corrected for how many there are.

    Args:
        before: one model, or several seeds of a learner.
        after: the same after a measure against bias: reweighted rows, swapped copies, other vectors.
        table: rows that neither was trained on.
        groups: of the rows.
        positive: the label to look at; None for all, and of two for the second.
        level: of intervals.
        engine: "native" or "eager".

    Raises:
        ConfigurationError: for models of different tasks or labels, or a level that is no share.
        DataError: as of `by_group`.
    """
    require_level(level)
    require_rows(len(groups.codes), len(table), table.name)
    held = [[x] if isinstance(x, Model) else list(x) for x in (before, after)]
    judged = [Judged.by(models, table, positive=positive, engine=engine) for models in held]
    if judged[0].task != judged[1].task or judged[0].labels != judged[1].labels:
        raise ConfigurationError("before and after: expected models of the same task and labels; see chainrule bias")
    overall, gaps = [], []
    everything = np.arange(len(table))
    for pair in zip(judged[0].figures(), judged[1].figures(), strict=True):
        name, of = pair[0].name, pair[0].of
        if name == TRUE_SHARE or name in SAME:
            continue
        title = f"{pair[0].title} of {one_line(of)}" if of else pair[0].title
        overall += moved(title, pair, [everything], level)
        large = [g for g in groups.large if all(x.sums(groups.rows(g))[1].mean() >= FEWEST for x in pair)]
        if len(large) < 2:
            continue
        values = {g: float(pair[0].values(groups.rows(g)).mean()) for g in large}
        high, low = max(large, key=values.__getitem__), min(large, key=values.__getitem__)
        if high == low:  # all are equal
            high, low = large[0], large[1]
        names = f"{one_line(groups.names[high])} - {one_line(groups.names[low])}"
        gaps += moved(f"{title}, {names}", pair, [groups.rows(high), groups.rows(low)], level)
    return Change(table.name, groups.by, tuple(overall), tuple(gaps))


def moved(title: str, pair: Sequence[Figure], rows: Sequence[Array], level: float) -> list[Moved]:
    """A figure, or a gap of one, before and after; nothing where it divides by nothing."""
    by_seed = [x.values(rows[0]) - (x.values(rows[1]) if len(rows) > 1 else 0) for x in pair]
    first, second = (float(x.mean()) for x in by_seed)
    if math.isnan(first) or math.isnan(second) or min(map(len, rows)) < 2:
        return []
    parts = []
    for own in rows:
        influence = pair[1].influence(own).mean(axis=0) - pair[0].influence(own).mean(axis=0)
        parts.append((float(influence.var(ddof=1)) / len(own), len(own) - 1))
    parts += [(float(x.var(ddof=1)) / len(x), len(x) - 1) for x in by_seed if len(x) > 1]
    total = sum(part for part, _ in parts)
    freedom = total**2 / sum(part**2 / n for part, n in parts) if total else 1.0
    reach = student_quantile(freedom, level) * math.sqrt(total)
    return [Moved(title, first, second, Interval(second - first - reach, second - first + reach, level))]


def _shown(x: Moved) -> str:
    return ranged(x.after - x.before, x.interval).text + ("" if x.moved else "  not clear of 0")


def _listed(names: Sequence[str], most: int = 4) -> str:
    more = f" and {several(len(names) - most, 'other')}" if len(names) > most else ""
    return (", ".join(names[:most]) + more) or "nothing"
