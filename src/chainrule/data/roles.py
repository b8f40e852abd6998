"""Roles: which columns of a file are read, and what their cells are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np

import chainrule.polars as pl
from chainrule.data.helper import uses_polars
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, DataError, shortened

#: In the place of names: all columns whose cells are numbers, or all others.
AUTO = ("auto",)

#: In the place of names of columns that are kept: all there are.
ALL = ("all",)

#: What the column of texts is wanted for, where a text may be a list of its tokens; it is named by --text, too.
TOKENS = "tokens"

#: What a cell of the label column holds: one label, several labels, a number, a tag for each token, or a text.
TARGETS = ("label", "labels", "number", "tags", "text")

#: How booleans are spelt, whatever Python, R, a spreadsheet or a database writes.
BOOLEANS = {"True": "true", "TRUE": "true", "False": "false", "FALSE": "false"}

#: What a missing value of NumPy and pandas looks like.
MISSING = ("nan", "NaT", "<NA>")

#: Texts that are no label, as a number that is missing is written so.
NO_LABELS = ("", "nan", "NaN")

#: What labels are before they become strings.
TEXT, INTEGER, FLOAT, BOOLEAN = "text", "integer", "float", "boolean"

#: Python's and NumPy's types of them; a boolean is an `int` too, and so comes first.
TYPES = {BOOLEAN: (bool, np.bool_), INTEGER: (int, np.integer), FLOAT: (float, np.floating)}


@dataclass(frozen=True)
class Roles:
    """The columns that a table is made of.

    Attributes:
        text: the column of the texts; None where rows are numbers and categories.
        numbers: columns of numbers; ("auto",) for all columns, but those named otherwise, whose cells are numbers.
        categories: columns of categories; ("auto",) for all that are left.
        label: the column of what is to be predicted; None reads the rest alone.
        target: what a cell of it holds: "label", "labels", "number", "tags" or "text"; with "tags", a text may be a
            list of its tokens.
        label_separator: what stands between several labels in one cell.
        weight: the column of how much each row counts; None where all count the same.
        keep: columns to keep as they are, also those that have another role; ("all",) for all.

    Raises:
        ConfigurationError: for a column that has two roles, another target, or an empty separator.
    """

    text: str | None = "text"
    numbers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    label: str | None = "label"
    target: str = "label"
    label_separator: str = ","
    weight: str | None = None
    keep: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise ConfigurationError(f"target: expected {' or '.join(TARGETS)}, got {self.target!r}")
        if not self.label_separator:
            raise ConfigurationError("label_separator: expected one character or more between labels, got none")
        taken: dict[str, str] = {}
        for option, name in self.named():
            if name in taken:
                other = f"in --{taken[name]} and --{option}" if taken[name] != option else f"twice in --{option}"
                raise ConfigurationError(f"column {name!r} is named {other}; give each column one role")
            taken[name] = option

    @property
    def automatic(self) -> bool:
        """Whether columns are to be found out from the file."""
        return AUTO in (self.numbers, self.categories) or self.keep == ALL

    def wanted(self) -> list[tuple[str, str]]:
        """The columns that are read whatever there is, each with its option."""
        named = self.named()
        kept = [] if self.keep == ALL else [name for name in self.keep if name not in {name for _, name in named}]
        if self.target == "tags":
            named = [(TOKENS if option == "text" else option, name) for option, name in named]
        return [*named, *(("keep", name) for name in kept)]

    def named(self) -> list[tuple[str, str]]:
        """The columns that have a role, each with its option."""
        found = [("text", self.text), ("label", self.label), ("weight", self.weight)]
        for option, names in (("numbers", self.numbers), ("categories", self.categories)):
            found += [(option, name) for name in names] if names != AUTO else []
        return [(option, name) for option, name in found if name is not None]

    @staticmethod
    def column(frame: pl.DataFrame, name: str | None) -> pl.Series | None:
        """A column of a frame that has a role; None where the role has no column."""
        return None if name is None else frame[name]


def as_texts(column: pl.Series, where: str, option: str = "text") -> pl.Series:
    """A column of texts, in which a missing one is the empty text.

    Raises:
        DataError: when its cells are something else.
    """
    if not isinstance(column.dtype, pl.String | pl.Categorical | pl.Enum | pl.Null):
        raise DataError(
            f"{where}: column {column.name!r} holds {column.dtype}; expected text. Name another with --{option} NAME"
        )
    return column.cast(pl.String).fill_null("")


@uses_polars
def as_labels(column: pl.Series, where: str) -> pl.Series:
    """A column of labels as strings, stripped of blanks at both ends; null where there is none.

    Raises:
        DataError: when a cell is a list of several labels, or something that is no label.
    """
    kind = column.dtype
    if isinstance(kind, pl.List):
        raise DataError(
            f"{where}: column {column.name!r} holds {kind}; expected text. Name another with --label NAME; the task "
            f"classify takes one label a row: for several, train with --task multi-label"
        )
    if kind.is_nested() or kind in (pl.Binary, pl.Object):
        raise DataError(f"{where}: column {column.name!r} holds {kind}; expected text. Name another with --label NAME")
    labels = _strings(column, where, "label").replace(BOOLEANS)
    return labels.set(labels.is_in(NO_LABELS), None)


def as_label_lists(column: pl.Series, where: str, label_separator: str) -> pl.Series:
    """A column of lists of labels, each label once, stripped, in the order given; empty lists where there is none.

    Raises:
        DataError: when its cells are neither lists of texts nor texts.
    """
    kind = column.dtype
    if isinstance(kind, pl.List) and _listable(kind.inner):
        lists = column.cast(pl.List(pl.String))
    elif kind.is_nested() or kind in (pl.Binary, pl.Object):
        raise DataError(
            f"{where}: column {column.name!r} holds {kind}; expected lists of texts, or texts with {label_separator!r} "
            f"between labels. Name another with --label NAME"
        )
    else:
        lists = _strings(column, where, "label").str.split(label_separator)
    label = pl.element().str.strip_chars().replace(BOOLEANS)
    cleaned = lists.list.eval(label.filter(label.is_in(NO_LABELS).not_()))
    return cleaned.fill_null([]).list.unique(maintain_order=True)


def _listable(inner: Any) -> bool:
    """Whether a list of this type may be a list of labels."""
    return isinstance(inner, pl.String | pl.Categorical | pl.Enum | pl.Null) or bool(inner.is_integer())


def as_numbers(column: pl.Series, where: str, advice: str = "") -> pl.Series:
    """A column of numbers as Float64, null where a cell is empty or NaN.

    Args:
        column: numbers, booleans (0 and 1), or texts that are numbers.
        where: for messages.
        advice: what to do when it is not one.

    Raises:
        DataError: naming the row and the cell that is not a finite number.
    """
    kind = column.dtype
    if isinstance(kind, pl.String | pl.Categorical | pl.Enum | pl.Null):
        texts = column.cast(pl.String).str.strip_chars()
        texts = texts.set(texts.str.to_lowercase().is_in(["", "nan", "na", "null", "none"]), None)
        numbers = texts.cast(pl.Float64, strict=False)
        wrong = texts.is_not_null() & numbers.is_null()
    elif kind.is_numeric() or kind == pl.Boolean:
        texts = numbers = column.cast(pl.Float64)
        wrong = numbers.is_null() & False
    else:
        raise DataError(f"{where}: column {column.name!r} holds {kind}; expected numbers{advice}")
    numbers = numbers.fill_nan(None)
    wrong |= numbers.is_infinite().fill_null(value=False)
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        raise DataError(
            f"{where}: row {row} (the first is 0) of column {column.name!r} holds {str(texts[row])[:80]!r}; expected a "
            f"finite number{advice}"
        )
    return numbers.alias(column.name)


def as_weights(column: pl.Series, where: str) -> pl.Series:
    """A column of weights as Float64: how much each row counts.

    Raises:
        DataError: naming the row whose weight is not a finite number of 0 or more.
    """
    weights = as_numbers(column, where, " of 0 or more, as each row has a weight")
    wrong = weights.is_null() | (weights < 0).fill_null(value=True)
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        found = "no number" if weights[row] is None else f"{weights[row]:g}"
        raise DataError(
            f"{where}: row {row} (the first is 0) of column {column.name!r} holds {found}; expected a finite number of "
            "0 or more, as each row has a weight"
        )
    return weights


def as_categories(column: pl.Series, where: str) -> pl.Series:
    """A column of categories as strings, stripped of blanks; null where a cell is empty.

    Raises:
        DataError: when its cells are lists or bytes.
    """
    kind = column.dtype
    if kind.is_nested() or kind in (pl.Binary, pl.Object):
        raise DataError(f"{where}: column {column.name!r} holds {kind}; expected categories")
    categories = _strings(column, where, "categories")
    return categories.set(categories == "", None).alias(column.name)


def _strings(column: pl.Series, where: str, option: str) -> pl.Series:
    """Cells as strings, stripped of blanks at both ends; null for NaN.

    Raises:
        DataError: for a type that has no strings, such as a duration.
    """
    try:
        return (column.fill_nan(None) if column.dtype.is_float() else column).cast(pl.String).str.strip_chars()
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{where}: column {column.name!r} holds {column.dtype}; expected text. Name another with --{option} NAME"
        ) from error


def are_numbers(column: pl.Series) -> bool:
    """Whether all cells that are not empty are numbers, and one is not empty."""
    try:
        return as_numbers(column, "").null_count() < len(column)
    except DataError:
        return False


def divided(frame: pl.DataFrame, roles: Roles, where: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the columns of numbers and of categories.

    Raises:
        DataError: when nothing is left for them.
    """
    named = {name for _, name in roles.named()}
    free = [name for name in frame.columns if name not in named]
    numbers, categories = roles.numbers, roles.categories
    if numbers == AUTO:
        numbers = tuple(name for name in free if are_numbers(frame[name]))
    if categories == AUTO:
        plain = [name for name in free if not (frame[name].dtype.is_nested() or frame[name].dtype == pl.Binary)]
        categories = tuple(name for name in plain if name not in numbers)
    if not numbers and not categories:
        listed = ", ".join(map(repr, frame.columns)) or "none"
        raise DataError(f"{where}: no column of numbers or categories to learn from; the columns are {listed}")
    return numbers, categories


def label_column(labels: Sequence[object], name: str) -> pl.Series:
    """Labels as strings; where a row has a list of them, one by itself is a list of one, and none an empty list."""
    if not any(isinstance(label, list | tuple | set) for label in labels):
        held = [_label_string(label, f"{name}: labels[{row}]") for row, label in enumerate(labels)]
        return pl.Series(held, dtype=pl.String)
    rows = [label if isinstance(label, list | tuple | set) else [label] for label in labels]
    lists = [[_label_string(item, f"{name}: labels[{row}]") for item in items] for row, items in enumerate(rows)]
    return pl.Series(lists, dtype=pl.List(pl.String))


def _label_string(label: object, where: str) -> str | None:
    """A label of any type as a string; None for None, and for what NumPy and pandas have for a missing value.

    Raises:
        DataError: for bytes and collections, which are no label.
    """
    if label is None or isinstance(label, str):
        return label
    if isinstance(label, bytes | bytearray | memoryview | Mapping | Set | Sequence | np.ndarray | pl.Series):
        raise DataError(
            f"{where} is of type {type(label).__name__}: {shortened(label)}; expected a text, a number or a boolean. "
            "Several labels a row are a list of these, for the task multi-label"
        )
    text = str(label)
    return None if text in MISSING else text


def roles_of(
    text: str | None,
    numbers: str | Sequence[str],
    categories: str | Sequence[str],
    label: str | None,
    target: str,
    label_separator: str,
    weight: str | None = None,
) -> Roles:
    """The roles of columns as `read_table` is told them."""
    numbers, categories = names_of(numbers), names_of(categories)
    return Roles(None if numbers or categories else text, numbers, categories, label, target, label_separator, weight)


def column_type(labels: pl.Series) -> str:
    """What the labels of a column are: "integer", "float", "boolean", and "text" for all else; in lists too."""
    kind: pl.DataType = labels.dtype
    if isinstance(kind, pl.List):
        kind = kind.inner  # type: ignore[assignment]
    if kind == pl.Boolean:
        return BOOLEAN
    return INTEGER if kind.is_integer() else FLOAT if kind.is_float() else TEXT


def list_type(labels: Sequence[object]) -> str:
    """What labels in a Python list are, as of `column_type`: one type that all have, where they are there.

    Example:
        >>> list_type([1, 0, None]), list_type([1, 2.5]), list_type([True, False]), list_type([[1], [2, 3]])
        ('integer', 'text', 'boolean', 'integer')
    """
    nested = [label if isinstance(label, list | tuple | set) else [label] for label in labels]
    held = [label for row in nested for label in row if _label_string(label, "labels") is not None]
    kinds = {next((kind for kind, types in TYPES.items() if isinstance(label, types)), TEXT) for label in held}
    return kinds.pop() if len(kinds) == 1 else TEXT


def names_of(given: str | Sequence[str]) -> tuple[str, ...]:
    """Column names as given in Python: "auto", one name, or several."""
    return (given,) if isinstance(given, str) else tuple(given)
