"""What is done to the rows to learn from: weights under which groups and labels are independent, and swapped copies."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import chainrule.polars as pl
from chainrule.data import Table
from chainrule.data.helper import uses_polars
from chainrule.data.table import ReadReport
from chainrule.errors import DataError
from chainrule.fairness.groups import Groups
from chainrule.fairness.judged import require_rows
from chainrule.fairness.output import aligned
from chainrule.fairness.pairs import Pairs
from chainrule.graph.spec import Array
from chainrule.report.study.shown import figure, several
from chainrule.shown import one_line


@dataclass(frozen=True, eq=False, repr=False)
class Reweighted:
    """A table with weights, and what they did and did not change; `print` shows it.

    Attributes:
        table: with the weights of its rows.
        groups: of the rows.
        labels: there are.
        before: the share of each group's rows that has each label, shape (groups, labels).
        after: the same by weight.
        smallest, largest: weights.
        effective: how many rows of equal weight tell as much, (Σ w)² / Σ w².
    """

    table: Table
    groups: Groups
    labels: tuple[str, ...]
    before: Array
    after: Array
    smallest: float
    largest: float
    effective: float

    def __repr__(self) -> str:
        return f"Reweighted({len(self.table)} rows, weights from {self.smallest:.3g} to {self.largest:.3g})"

    def __str__(self) -> str:
        head = [
            "group",
            "rows",
            *(f"{one_line(label, 20)} {when}" for label in self.labels for when in ("before", "after")),
        ]
        rows = [
            [one_line(name), f"{self.groups.sizes[g]:,}",
             *(figure(x[g, k], 3) for k in range(len(self.labels)) for x in (self.before, self.after))]
            for g, name in enumerate(self.groups.names)
        ]  # fmt: skip
        return "\n".join([
            aligned([head, *rows]), "",
            f"changed: by weight, each label is as frequent in every group; weights from {self.smallest:.3g} "
            f"to {self.largest:.3g}, so that {len(self.table):,} rows tell as much as "
            f"{self.effective:,.0f} of equal weight",
            "not changed: the rows themselves: texts, labels and who is in them, what is missing, and labels that were "
            "given wrongly; whether a model treats groups alike is to be asked of the model (chainrule bias)",
        ])  # fmt: skip


@uses_polars
def reweighted(table: Table, groups: Groups) -> Reweighted:
    """Weights of rows under which groups and labels are independent.

        w = P(g) P(y) / P(g, y)    for a row of the group g with the label y

    with the shares of rows (of the weights that they have); a row of a group that has the label less often than others
    counts more. Weights that rows have are multiplied by that. Their sum stays the same.

    Args:
        table: rows to learn from, each with one label.
        groups: of the rows.

    Raises:
        DataError: for a table without one label a row, or groups of other rows.

    Example:
        >>> table = Table.from_lists(list("abcd"), ["yes", "no", "yes", "yes"])
        >>> found = reweighted(table, Groups.of(["f", "f", "m", "m"]))
        >>> found.table.weights.to_list()
        [1.5, 0.5, 0.75, 0.75]

    Source: Kamiran and Calders, Data Preprocessing Techniques for Classification without Discrimination (2012).
    """
    require_rows(len(groups.codes), len(table), table.name)
    if table.labels is None or table.labels.dtype != pl.String or table.written:
        raise DataError(f"{table.name}: weights are by group and label; expected a table with one label in each row")
    names = table.label_names()
    places = {name: place for place, name in enumerate(names)}
    codes = np.array([places[label] for label in table.labels.to_list()], np.int64)
    held = np.ones(len(table)) if table.weights is None else table.weights.to_numpy().astype(np.float64)
    shape = (len(groups.names), len(names))
    joint = np.bincount(groups.codes * len(names) + codes, held, shape[0] * shape[1]).reshape(shape)
    alone = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True) / joint.sum()
    factor = np.divide(alone, joint, out=np.zeros(shape), where=joint > 0)
    weights = held * factor[groups.codes, codes]
    after = np.bincount(groups.codes * len(names) + codes, weights, shape[0] * shape[1]).reshape(shape)
    return Reweighted(
        replace(table, weights=pl.Series("weight", weights)), groups, names, _shares(joint), _shares(after),
        float(weights.min()), float(weights.max()), float(weights.sum() ** 2 / (weights**2).sum()),
    )  # fmt: skip


def _shares(counts: Array) -> Array:
    totals = counts.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0))


@dataclass(frozen=True, eq=False, repr=False)
class Augmented:
    """A table with swapped copies, and what they did and did not change; `print` shows it.

    Attributes:
        table: the rows as they were, and below them their copies.
        copies: how many there are.
        pairs: the name of the list.
        sides: what both sides are called.
        before: how many texts have words of each side.
        after: the same with the copies.
        guessed: words with several counterparts: how often each was taken for which.
    """

    table: Table
    copies: int
    pairs: str
    sides: tuple[str, str]
    before: tuple[int, int]
    after: tuple[int, int]
    guessed: dict[str, int]

    def __repr__(self) -> str:
        return f"Augmented({len(self.table)} rows, {self.copies} of them copies)"

    def __str__(self) -> str:
        sides = [
            f"{one_line(side)} are in {after:,} texts (before {before:,})"
            for side, before, after in zip(self.sides, self.before, self.after, strict=True)
        ]
        lines = [
            f"changed: {several(self.copies, 'copy', 'copies')} of rows with words of {self.pairs} swapped, with the "
            f"label and the weight of the row: {', '.join(sides)}",
            "not changed: texts without a word of the pairs; what else a text and other columns say of a person; "
            "labels that were given by who it is about; and rows to validate and test, which should have no copy",
        ]
        guessed = [f"{guess} {count:,} times" for guess, count in list(self.guessed.items())[:5]]
        if guessed:
            lines.append(f"words that mean two things were taken by what follows them: {', '.join(guessed)}")
        return "\n".join(lines)


@uses_polars
def augmented(table: Table, pairs: Pairs | str | os.PathLike[str] = "en") -> Augmented:
    """Rows to learn from, and a copy of each whose words are swapped: he is she, James is Mary.

    Give the rows to train on alone: a copy of a row in validation or test rows would be known from training.
    `Table.split` deals them out before.

    Args:
        table: of texts.
        pairs: of words, or what `Pairs.read` takes.

    Raises:
        DataError: for a table that is not of texts, or without a word of the pairs.

    Example:
        >>> found = augmented(Table.from_lists(["He left.", "Rain."], ["x", "y"]))
        >>> found.table.texts.to_list(), found.table.labels.to_list()
        (['He left.', 'Rain.', 'She left.'], ['x', 'y', 'x'])

    Sources: Zhao et al., Gender Bias in Coreference Resolution (2018); Lu et al., Gender Bias in Neural Natural
    Language Processing (2020).
    """
    listed = pairs if isinstance(pairs, Pairs) else Pairs.read(pairs)
    texts = table.texts
    if texts.dtype != pl.String:
        raise DataError(f"{table.name}: words of texts are swapped; expected texts, got lists of tokens")
    found, guessed = listed.all_swapped(texts.to_list())
    rows = np.array([row for row, each in enumerate(found) if sum(each.sides)], np.int64)
    if not len(rows):
        raise DataError(f"{table.name}: no text has a word of the pairs {listed.name}; take another list")
    first, second = (sum(bool(each.sides[side]) for each in found) for side in (0, 1))
    both = np.concatenate([np.arange(len(table)), rows])
    doubled = table.take(both)
    column = pl.Series("text", [*texts.to_list(), *(found[row].text for row in rows.tolist())], dtype=pl.String)
    kept: Any = doubled.kept
    if kept is not None and "text" in kept.columns:
        kept = kept.with_columns(column)
    report = ReadReport(len(doubled), 0, doubled.report.empty, doubled.report.without_labels)
    made = replace(doubled, columns=column.to_frame(), kept=kept, report=report)
    total = first + second
    return Augmented(made, len(rows), listed.name, listed.sides, (first, second), (total, total), guessed)
