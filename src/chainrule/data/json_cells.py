"""Cells of JSON: which values a column of a table may hold, and the column that they become."""

from __future__ import annotations

import json
from collections.abc import Sequence

import chainrule.polars as pl
from chainrule.errors import DataError
from chainrule.shown import one_line

#: Columns whose cells become strings, unless all are numbers or booleans of one type.
STRINGS = ("text", "tokens", "label", "categories")
#: Columns whose cells may be lists.
LISTS = ("tokens", "label")
#: Columns whose cells may be anything: those that are kept as they are, and those that nobody names.
ANYTHING = ("keep", "column")


def checked(value: object, option: str, where: str) -> object:
    """A value that a cell may hold.

    Args:
        value: as JSON has it.
        option: that names the column.
        where: for messages.

    Raises:
        DataError: for a value that a column of this option does not hold.
    """
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise DataError(f"{where}: half of a surrogate pair, which is no character; write it as UTF-8")
        return value
    if (
        value is None
        or option in ANYTHING
        or (option not in ("text", "tokens") and isinstance(value, bool | int | float))
    ):
        return value
    if option in LISTS and isinstance(value, list):
        held = [item for item in value if not isinstance(item, str if option == "tokens" else str | int | float)]
        if not held:
            return value
    kinds = {"text": "text", "tokens": "text, or a list of tokens"}.get(option, "text, a number or a boolean")
    raise DataError(f"{where}: expected {kinds}, got {type(value).__name__}: {one_line(json.dumps(value), 80)}")


def column(name: str, cells: Sequence[object], option: str) -> pl.Series:
    """A column of checked values.

    Numbers and booleans stay what they are, where all cells are of one type. Else, where strings are wanted, they
    become strings, and a string among lists a list of one. A column that may hold anything, and holds what no type of
    Polars does, is one of Python's objects.
    """
    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds <= {str}:
        return pl.Series(name, cells, dtype=pl.String)
    if len(kinds) == 1 and (kinds <= {int, float, bool} or option not in STRINGS):
        typed = _typed(name, cells)
        if typed is not None:
            return typed
    if option in ANYTHING:
        return pl.Series(name, cells, dtype=pl.Object)
    if list not in kinds:
        return pl.Series(name, [None if cell is None else _string(cell) for cell in cells], dtype=pl.String)
    rows = [cell if isinstance(cell, list) or cell is None else [cell] for cell in cells]
    whole = {type(item) for row in rows if isinstance(row, list) for item in row} == {int}
    typed = _typed(name, rows) if whole else None
    if typed is not None:
        return typed
    lists = [None if row is None else list(map(_string, row)) for row in rows]
    return pl.Series(name, lists, dtype=pl.List(pl.String))


def _typed(name: str, cells: Sequence[object]) -> pl.Series | None:
    """A column of the type that Polars finds, if it holds just these values."""
    try:
        typed = pl.Series(name, cells, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
        return None
    wide = pl.Int128 in (typed.dtype, getattr(typed.dtype, "inner", None))  # which files and arrays do not know
    same = repr(typed.to_list()) == repr(list(cells))  # which tells False from 0, unlike ==
    return typed if same and not wide else None


def with_strings(frame: pl.DataFrame) -> pl.DataFrame:
    """A frame in which columns of Python's objects are strings, where the objects are texts, numbers and booleans."""
    objects = [x for x in frame.get_columns() if x.dtype == pl.Object]
    plain = [x for x in objects if all(isinstance(cell, str | bool | int | float | None) for cell in x)]
    return frame.with_columns(column(x.name, x.to_list(), STRINGS[0]) for x in plain)


def _string(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
