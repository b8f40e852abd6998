"""Columns as inputs: numbers, brought to mean 0 and deviation 1, and categories, by their ids."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

import chainrule.polars as pl
from chainrule.data import Table
from chainrule.data.beside import columns_beside
from chainrule.data.helper import uses_polars
from chainrule.data.layout import ROWS, Layout, Sizes
from chainrule.data.roles import AUTO
from chainrule.dataclasses import dataclass
from chainrule.errors import DataError, ModelError, shortened
from chainrule.settings import SettingError, setting
from chainrule.shown import listing
from chainrule.tasks.codec import Fields, InputPart, is_finite_number
from chainrule.tasks.inputs import INPUTS, Inputs

COLUMNS = "columns.json"
REFUSE, MEAN, INDICATOR = MISSING = ("refuse", "mean", "indicator")


@INPUTS.register
@dataclass(frozen=True, kw_only=True)
class Columns(Inputs):
    """Columns of numbers and of categories.

    A number x becomes (x - m) / s, with the mean m and the standard deviation s of its column in the training rows; a
    column that is constant there becomes 0. Each category of the training rows has an id in its column, and one that is
    not among them has the id 0. Where missing cells are allowed, a missing category is a category of its own.

    Attributes:
        numbers: the columns of numbers; ("auto",) for all whose cells are numbers. Where neither numbers nor categories
            are named, both are found so; where one is named, the other is empty.
        categories: the columns of categories; ("auto",) for all that are left.
        missing: what becomes of a cell that is missing: "refuse" (an error), "mean" (the mean of its column), or
            "indicator" (the mean, and a further feature that is 1, for each column with missing cells in training).
        minimum_category_count: how often a category must occur in training; rarer ones share the id 0.
    """

    name: ClassVar[str] = "columns"
    layouts: ClassVar[tuple[Layout, ...]] = (ROWS,)
    files: ClassVar[tuple[str, ...]] = (COLUMNS,)

    numbers: tuple[str, ...] | None = setting(None, "columns of numbers; auto for all whose cells are numbers")
    categories: tuple[str, ...] | None = setting(None, "columns of categories; auto for all that are left")
    missing: str = setting(REFUSE, "what becomes of missing cells", choices=MISSING)
    minimum_category_count: int = setting(
        1, "how often a category must occur; rarer ones count as unknown", least=1, option="--min-category-count"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.numbers and not self.categories and (self.numbers is not None or self.categories is not None):
            raise SettingError(self.name, "numbers", "and categories must not both be empty")

    def columns(self) -> dict[str, Any]:
        """The columns of numbers and of categories."""
        if self.numbers is None and self.categories is None:
            return {"numbers": AUTO, "categories": AUTO}
        return {"numbers": self.numbers or (), "categories": self.categories or ()}

    @uses_polars
    def learn(self, table: Table, reads: Layout) -> tuple[ColumnsCodec, Fields]:  # noqa: ARG002
        """Means, deviations and categories of training rows, and their arrays.

        Raises:
            DataError: for missing cells, unless they are allowed.
        """
        table = columns_beside(table, **self.columns())
        columns = table.columns.get_columns()
        numbers, categories = [], []
        for column in columns:
            if column.dtype == pl.Float64:
                held = column.drop_nulls().to_numpy()
                mean = float(held.mean()) if len(held) else 0.0
                deviation = float(held.std()) if len(held) else 0.0
                indicator = self.missing == INDICATOR and column.null_count() > 0
                numbers.append(NumberColumn(column.name, mean, deviation or 1.0, indicator))
            else:
                values = column.fill_null("") if self.missing != REFUSE else column.drop_nulls()
                counts = values.alias("value").value_counts()
                frequent = counts.filter(pl.col("count") >= self.minimum_category_count)["value"]
                categories.append(CategoryColumn(column.name, tuple(frequent.sort().to_list())))
        codec = ColumnsCodec(numbers, categories, self.missing)
        return codec, codec.encode(table)

    def found(self, part: InputPart) -> Columns:
        """The inputs with the names of the columns instead of "auto"."""
        names = part.describe()
        return replace(self, numbers=tuple(names["numbers"]), categories=tuple(names["categories"]))

    def load(self, folder: Path, description: Mapping[str, Any], reads: Layout) -> ColumnsCodec:  # noqa: ARG002
        """What a model folder holds of its columns.

        Raises:
            ModelError: when the file is missing or damaged.
        """
        path = folder / COLUMNS
        try:
            content = json.loads(path.read_bytes())
            json.dumps(content, ensure_ascii=False).encode()  # refuses halves of characters, which JSON can hold
            numbers = [NumberColumn(**column) for column in content["numbers"]]
            categories = [CategoryColumn(x["name"], tuple(map(str, x["values"]))) for x in content["categories"]]
            _require_whole(numbers, categories)
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise ModelError(f"{path}: is not a description of columns; copy the folder again") from error
        return ColumnsCodec(numbers, categories, self.missing)


def _require_whole(numbers: Sequence[NumberColumn], categories: Sequence[CategoryColumn]) -> None:
    """Refuse columns of a file that no training can have found.

    Raises:
        ValueError: for such.
    """
    for column in numbers:
        scale = column.deviation > 0 and (is_finite_number(column.deviation) or column.deviation == math.inf)
        if not (scale and is_finite_number(column.mean) and isinstance(column.indicator, bool)):
            raise ValueError(column)
    names = [*(x.name for x in numbers), *(x.name for x in categories)]
    for held in (names, *(column.values for column in categories)):
        if len(set(held)) < len(held) or not all(isinstance(text, str) for text in held):
            raise ValueError(held)


@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers.

    Attributes:
        name: of the column.
        mean: of the training rows.
        deviation: their standard deviation, or 1 where that is 0.
        indicator: whether a feature tells where a cell is missing.
    """

    name: str
    mean: float
    deviation: float
    indicator: bool


@dataclass(frozen=True)
class CategoryColumn:
    """A column of categories: the value at place i has id i + 1, and 0 stands for all others."""

    name: str
    values: tuple[str, ...]


class ColumnsCodec:
    """From columns to standardised numbers and the ids of categories.

    Ids of all columns are counted through, so that one table of embeddings serves all: those of the first column come
    first, each column beginning with the id that stands for what is not known.
    """

    remarks: tuple[str, ...] = ()

    def __init__(self, numbers: Sequence[NumberColumn], categories: Sequence[CategoryColumn], missing: str) -> None:
        self.numbers = tuple(numbers)
        self.categories = tuple(categories)
        self.missing = missing

    @property
    def sizes(self) -> Sizes:
        """The number of features, and of ids in all and in each column."""
        cardinalities = tuple(1 + len(column.values) for column in self.categories)
        features = len(self.numbers) + sum(column.indicator for column in self.numbers)
        return Sizes(outputs=0, entries=sum(cardinalities), features=features, cardinalities=cardinalities)

    @uses_polars
    def encode(self, table: Table) -> Fields:
        """The numbers, float32 of shape (rows, features), and the ids, int64 of shape (rows, columns of categories).

        Raises:
            DataError: for a column that the table lacks, or a missing cell, unless those are allowed.
        """
        named = {"numbers": [x.name for x in self.numbers], "categories": [x.name for x in self.categories]}
        if table.kept is not None and {*named["numbers"], *named["categories"]} <= {*table.kept.columns}:
            table = columns_beside(table, **named)
        for name in [*named["numbers"], *named["categories"]]:
            if name not in table.columns.columns:
                listed = listing(table.columns.columns, 30)
                raise DataError(f"{table.name}: no column {shortened(name)}, which the model reads; there are {listed}")
        numbers, indicators = [np.zeros((len(table), 0))], []
        for column in self.numbers:
            series = table.columns[column.name]
            missing = self._missing(series, table)
            values = np.array(series.fill_null(column.mean).to_numpy(), np.float64)
            numbers.append(((values - column.mean) / column.deviation)[:, None])
            if column.indicator:
                indicators.append(missing[:, None].astype(np.float64))
        ids, start = np.zeros((len(table), len(self.categories)), np.int64), 0
        for place, category in enumerate(self.categories):
            series = table.columns[category.name].cast(pl.String)
            self._missing(series, table)
            codes = series.fill_null("").cast(pl.Enum(category.values), strict=False).to_physical()
            ids[:, place] = start + np.asarray((codes.cast(pl.Int64) + 1).fill_null(0).to_numpy())
            start += 1 + len(category.values)
        return {"numbers": np.concatenate([*numbers, *indicators], 1).astype(np.float32), "categories": ids}

    def _missing(self, series: pl.Series, table: Table) -> np.ndarray:
        """Which cells of a column are missing."""
        missing = series.is_null().to_numpy()
        if self.missing == REFUSE and missing.any():
            row = int(table.rows[missing.argmax()])
            raise DataError(
                f"{table.name}: row {row} (the first is 0) of column {shortened(series.name)} is empty, and so are "
                f"{int(missing.sum())} in all; fill them, leave the column out, or train with --missing mean or "
                f"--missing indicator"
            )
        return np.asarray(missing)

    def files(self) -> dict[str, bytes]:
        """The columns."""
        content = {
            "numbers": [vars(column) for column in self.numbers],
            "categories": [{"name": column.name, "values": list(column.values)} for column in self.categories],
        }
        return {COLUMNS: (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode()}

    def describe(self) -> dict[str, Any]:
        """The names of the columns."""
        return {"numbers": [x.name for x in self.numbers], "categories": [x.name for x in self.categories]}
