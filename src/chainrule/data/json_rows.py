"""JSON: an object a line (JSON lines), or one array of objects."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import chainrule.polars as pl
from chainrule.data.decoding import as_utf_8
from chainrule.data.dialect import Dialect
from chainrule.data.sources import Source
from chainrule.data.wanted import Wanted, check_columns
from chainrule.errors import DataError


def read_json(source: Source, wanted: Sequence[Wanted], dialect: Dialect, *, everything: bool) -> pl.DataFrame:
    """The columns of JSON lines, or of an array of objects: strings, or lists of strings.

    Raises:
        DataError: naming the line or row that is malformed, and the column.
    """
    options = {name: option for option, name in wanted}
    values: dict[str, list[str | list[str] | None]] = {name: [] for name in options}
    for rows, (where, row) in enumerate(_objects(as_utf_8(source.content, dialect.encoding, source.name), source.name)):
        if not options.keys() <= row.keys():
            check_columns(where, row, wanted, everything=False)
        if everything:
            values |= {name: [None] * rows for name in row if name not in values}
        for name, cells in values.items():
            cells.append(_cell(row.get(name), options.get(name, "column"), f"{where}, column {name!r}"))
    return pl.DataFrame({name: _strings(name, cells) for name, cells in values.items()})


def _objects(content: bytes, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects, each with the place where it stands."""
    text = content.decode()
    if text.lstrip().startswith("["):
        rows = _parsed(text, name, "an array of objects, or one object a line")
        places = (f"{name}, row {number} (the first is 0)" for number in range(len(rows)))
    else:
        lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
        places = (f"{name}, line {number}" for number, _ in lines)
        rows = (
            _parsed(line, f"{name}, line {number}", "one object a line, or an array of objects")
            for number, line in lines
        )
    for where, row in zip(places, rows, strict=True):
        if not isinstance(row, dict):
            raise DataError(f'{where}: expected an object such as {{"text": "..."}}, got {type(row).__name__}')
        yield where, row


def _parsed(text: str, where: str, expected: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not valid JSON: {error}. Expected {expected}") from error


def _cell(value: object, option: str, where: str) -> str | list[str] | None:
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise DataError(f"{where}: half of a surrogate pair, which is no character; write it as UTF-8")
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if option != "text" and isinstance(value, bool | int | float):
        return json.dumps(value)
    if option == "label" and isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        return [item if isinstance(item, str) else json.dumps(item) for item in value]
    kinds = "text" if option == "text" else "text, a number or a boolean"
    raise DataError(f"{where}: expected {kinds}, got {type(value).__name__}: {json.dumps(value)[:40]}")


def _strings(name: str, cells: Sequence[str | list[str] | None]) -> pl.Series:
    """A column of strings, or of lists of strings where any cell is one; a string among lists is a list of one."""
    if not any(isinstance(cell, list) for cell in cells):
        return pl.Series(name, cells, dtype=pl.String)
    lists = [[cell] if isinstance(cell, str) else cell for cell in cells]
    return pl.Series(name, lists, dtype=pl.List(pl.String))
