"""Bias by group: how well each group is treated by the models, the gaps between groups, and how sure these are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data import Table
from chainrule.fairness.gaps import Gap, GroupFigure, corrected, gap, measure
from chainrule.fairness.groups import FEWEST, Groups
from chainrule.fairness.judged import TRUE_SHARE, Judged, require_rows
from chainrule.graph.spec import Array
from chainrule.models import Model
from chainrule.report.statistics.results import LEVEL, require_level
from chainrule.report.study.document import Document
from chainrule.tasks import measures

#: Shares of rows whose scores are told.
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores that a group gets for a label, of all models together.

    Attributes:
        of: the label; "" for numbers.
        group: the place of the group.
        quantiles: of the scores, for the shares in `QUANTILES`.
        error: the expected calibration error; NaN for numbers.
        curve: mean score, share that is true and rows of each bin that has rows.
    """

    of: str
    group: int
    quantiles: tuple[float, ...]
    error: float
    curve: tuple[tuple[float, float, int], ...]


@dataclass(frozen=True, eq=False, repr=False)
class GroupBias:
    """What was found; `print` shows it, `save` writes a page or JSON.

    Attributes:
        table: the name of the table.
        rows: it has.
        models: how many models there are.
        task: theirs.
        groups: of the rows.
        figures: of each group.
        gaps: between the groups that are large enough, figure by figure.
        scores: of each label and group.
        level: of the intervals; a gap is named where its corrected p is 1 - level or less.
    """

    table: str
    rows: int
    models: int
    task: str
    groups: Groups
    figures: tuple[GroupFigure, ...]
    gaps: tuple[Gap, ...]
    scores: tuple[Scores, ...]
    level: float

    def __repr__(self) -> str:
        gaps = f"{len(self.named)} of {len(self.gaps)} gaps named"
        return f"GroupBias({self.groups.by}: {len(self.groups.names)} groups, {gaps})"

    @property
    def named(self) -> tuple[Gap, ...]:
        """The gaps that are called gaps."""
        return tuple(x for x in self.gaps if x.named)

    def figure(self, name: str, of: str = "") -> GroupFigure:
        """A figure by its name and label.

        Raises:
            KeyError: when there is none.
        """
        return {(x.name, x.of): x for x in self.figures}[name, of]

    def gap(self, name: str, of: str = "") -> Gap:
        """The gap of a figure by its name and label.

        Raises:
            KeyError: when there is none.
        """
        return {(x.figure.name, x.figure.of): x for x in self.gaps}[name, of]

    def notions(self) -> dict[str, float]:
        """The gaps by the names that fairness criteria have, of each label, as Fairlearn defines them.

        Demographic parity: the gap of the selection rate. Equal opportunity: that of the true positive rate. Equalized
        odds: the greater of those of the true and the false positive rate; as a ratio the least one.
        """
        found = {}
        for of in dict.fromkeys(x.figure.of for x in self.gaps if x.figure.of):
            held = {x.figure.name: x for x in self.gaps if x.figure.of == of}
            wanted = {
                "demographic_parity": ["selection_rate"],
                "equal_opportunity": ["tpr"],
                "equalized_odds": ["tpr", "fpr"],
            }
            for name, needed in wanted.items():
                if not all(x in held for x in needed):
                    continue
                ratios = [ratio for x in needed if (ratio := held[x].ratio) is not None]
                found[f"{name}_difference of {of}"] = max(held[x].difference for x in needed)
                if len(ratios) == len(needed):
                    found[f"{name}_ratio of {of}"] = min(ratios)
        return found

    def __str__(self) -> str:
        from chainrule.fairness.group_document import group_text

        return group_text(self)

    def as_dict(self) -> dict[str, Any]:
        """All of it, as JSON can hold it."""
        from chainrule.fairness.group_document import group_record

        return group_record(self)

    def document(self) -> Document:
        """A page."""
        from chainrule.fairness.group_document import group_document

        return group_document(self)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a page that needs nothing else (.html), or all figures (.json), and return the path.

        Raises:
            ConfigurationError: for another ending.
            StorageError: when it cannot be written.
        """
        from chainrule.fairness.output import save

        return save(path, self.document, self.as_dict)


def by_group(
    models: Model | Sequence[Model],
    table: Table,
    groups: Groups | str | Sequence[str],
    *,
    positive: object = None,
    level: float = LEVEL,
    seed: int = 0,
    engine: str = "native",
) -> GroupBias:
    """How a model treats groups of rows: figures of each group, and the gaps between groups.

    Of labels these are accuracy, and of each label (of two, the second one) the selection rate (the share of rows that
    get it), the true positive, false negative and false positive rate, precision, and how far the mean probability is
    above the share that is true; of several labels a row, the share of labels right in the place of accuracy; of
    numbers mean prediction, mean error, mean absolute error and its root mean square. Scores are told by their
    quantiles and their calibration. The definitions are Fairlearn's; where one divides by nothing, such as a true
    positive rate without a positive row, there is no figure, and Fairlearn has 0.

    Groups of fewer than 30 rows, and figures over fewer than 30 rows of a group, are shown and not compared. A gap is
    *named* where it would hardly come by chance: where p, corrected for all gaps that are looked at (Holm), is
    1 - level or less. That no gap is named does not say that there is none.

    Args:
        models: one, or several of the same learner trained with other seeds: gaps are over other seeds then, too.
        table: rows with labels that the models were not trained on.
        groups: of the rows; or the name of a column that the table keeps, or several, for groups by all of them.
        positive: the label to look at; None for all, and of two for the second.
        level: of intervals.
        seed: of what is drawn.
        engine: "native" or "eager".

    Raises:
        ConfigurationError: for models of different tasks or labels, a task without an answer a row, a label that there
            is not, or a level that is no share.
        DataError: for a table without rows or labels, a column that it does not keep, or groups of other rows.

    Example:
        >>> import chainrule
        >>> texts, labels = ["good fun", "so good", "dull film", "so bad"] * 40, list("ppnn") * 40
        >>> table = chainrule.Table.from_lists(texts, labels)
        >>> model = chainrule.fit(chainrule.BagOfWords(), table, table).model
        >>> found = by_group(model, table, Groups.of(["old", "old", "young", "young"] * 40, "age"))
        >>> found.figure("selection_rate", "p").values, found.gap("selection_rate", "p").named
        ((1.0, 0.0), True)

    Sources: Weerts et al., Fairlearn: Assessing and Improving Fairness of AI Systems (2023); Hardt, Price and Srebro,
    Equality of Opportunity in Supervised Learning (2016).
    """
    require_level(level)
    held = [models] if isinstance(models, Model) else list(models)
    if not isinstance(groups, Groups):
        groups = Groups.by_columns(table, [groups] if isinstance(groups, str) else groups)
    require_rows(len(groups.codes), len(table), table.name)
    judged = Judged.by(held, table, positive=positive, engine=engine)
    figures, gaps = [], []
    for figure in judged.figures():
        figures.append(measure(figure, groups, level))
        found = None if figure.name == TRUE_SHARE else gap(figure, figures[-1], groups, level, seed)
        gaps += [found] if found is not None else []
    return GroupBias(
        table.name, len(table), judged.models, judged.task, groups, tuple(figures),
        tuple(corrected(gaps, 1 - level)), tuple(_scores(judged, groups)), level,
    )  # fmt: skip


def _scores(judged: Judged, groups: Groups) -> list[Scores]:
    """Quantiles and calibration of the scores of each label and group."""
    found = []
    for place, of in enumerate(judged.labels or ("",)):
        scores = judged.scores[:, :, place] if judged.labels else judged.scores
        for group in range(len(groups.names)):
            rows = groups.rows(group)
            if not len(rows):
                continue
            own = scores[:, rows].astype(np.float64).reshape(-1)
            quantiles = tuple(np.quantile(own, QUANTILES).tolist())
            if not judged.labels:
                found.append(Scores(of, group, quantiles, float("nan"), ()))
                continue
            true = np.tile(judged.truth[rows, place], judged.models)
            error = measures.calibration_error(own, true)
            found.append(Scores(of, group, quantiles, error, tuple(_curve(own, true))))
    return found


def _curve(scores: Array, true: Array) -> list[tuple[float, float, int]]:
    """Mean score, share that is true and rows in each bin of equal width that has rows."""
    bins = np.clip(np.ceil(scores * measures.BINS).astype(int) - 1, 0, measures.BINS - 1)
    counts = np.bincount(bins, minlength=measures.BINS)
    sums = [np.bincount(bins, weights=x, minlength=measures.BINS) for x in (scores, true)]
    return [
        (float(sums[0][b] / counts[b]), float(sums[1][b] / counts[b]), int(counts[b]))
        for b in range(measures.BINS)
        if counts[b]
    ]


def too_small(groups: Groups) -> list[str]:
    """The compared groups that have fewer than 30 rows."""
    return [groups.names[g] for g in groups.compared if groups.sizes[g] < FEWEST]
