"""How the rows of a table are dealt out to parts, each label in proportion."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

import chainrule.polars as pl


def rows_by_label(labels: pl.Series | None, rows: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """The row numbers of each label, shuffled; all rows under one empty name unless each has one label."""
    shuffled = generator.permutation(rows)
    if labels is None or labels.dtype != pl.String:
        return {"": shuffled}
    names = labels.unique().sort().to_list()
    codes = labels.cast(pl.Enum(names)).to_physical().to_numpy()[shuffled]
    grouped = shuffled[np.argsort(codes, kind="stable")]
    ends = np.cumsum(np.bincount(codes, minlength=len(names)))
    return dict(zip(names, np.split(grouped, ends[:-1]), strict=True))


def dealt(classes: Mapping[str, np.ndarray], parts: Sequence[float]) -> list[np.ndarray]:
    """The row numbers of each part, ascending.

    Each label's rows are dealt out by largest remainder (Hamilton's method); rows left over at a tie go to the part
    that is furthest behind over all labels so far. A label with fewer rows than there are parts stays in the first.

    Args:
        classes: the row numbers of each label, in the order in which they are dealt.
        parts: the proportions.
    """
    pieces: list[list[np.ndarray]] = [[] for _ in parts]
    shares = np.asarray(parts, np.float64) / math.fsum(parts)
    behind = np.zeros(len(parts))
    for rows in classes.values():
        rare = len(rows) < len(shares)
        counts = _all_in_first(len(rows), len(shares)) if rare else _largest_remainder(len(rows), shares, behind)
        behind += len(rows) * shares - counts
        for part, piece in zip(pieces, np.split(rows, np.cumsum(counts)[:-1]), strict=True):
            part.append(piece)
    return [np.sort(np.concatenate(part)) for part in pieces]


def with_every_label(pieces: Sequence[np.ndarray], labels: pl.Series) -> list[np.ndarray]:
    """Parts the first of which has a row of every label: rows that it lacks come over from the others.

    Args:
        pieces: the row numbers of each part.
        labels: of each row, a list.
    """
    part = np.empty(len(labels), np.int64)
    for number, piece in enumerate(pieces):
        part[piece] = number
    held = pl.DataFrame({"row": np.arange(len(labels)), "label": labels}).explode("label").drop_nulls()
    held = held.with_columns(part=pl.Series(part[held["row"].to_numpy()]))
    first = held.filter(pl.col("part") == 0)["label"].unique()
    missing = held.filter(~pl.col("label").is_in(first.implode())).group_by("label", maintain_order=True)
    part[missing.agg(pl.col("row").min())["row"].to_numpy()] = 0
    return [np.flatnonzero(part == number) for number in range(len(pieces))]


def rows_of_each_label(labels: pl.Series | None) -> dict[str, int]:
    """How many rows have each label, in ascending order of the labels; nothing where there are no labels, or numbers.

    Args:
        labels: one label a row, or a list of labels.
    """
    if labels is None or labels.dtype == pl.Float64:
        return {}
    each = labels.explode().drop_nulls() if labels.dtype.is_nested() else labels
    counted = each.alias("label").value_counts().sort("label")
    return dict(zip(counted["label"].to_list(), counted["count"].to_list(), strict=True))


def _all_in_first(count: int, parts: int) -> np.ndarray:
    return np.array([count] + [0] * (parts - 1), np.int64)


def _largest_remainder(count: int, shares: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """Whole numbers, each 1 or more, that sum to `count` and are nearest `count * shares`."""
    exact: np.ndarray = count * shares
    counts: np.ndarray = np.floor(exact).astype(np.int64)
    remainder = np.round(exact - counts, 9)  # rounding makes equal shares tie in floating point too
    left = count - int(counts.sum())
    counts[np.lexsort((np.arange(len(shares)), -np.round(behind, 9), -remainder))[:left]] += 1
    while (counts == 0).any():
        counts[np.argmin(counts)] += 1
        counts[np.argmax(np.where(counts > 1, counts - exact, -np.inf))] -= 1  # from whom has most above its share
    return counts
