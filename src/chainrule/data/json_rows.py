"""JSON: an object a line (JSON lines), or one array of objects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import chainrule.polars as pl
from chainrule.data.decoding import as_utf_8
from chainrule.data.dialect import Dialect
from chainrule.data.json_cells import checked, column
from chainrule.data.sources import Source
from chainrule.data.wanted import Wanted, check_columns
from chainrule.errors import DataError


def read_json(source: Source, wanted: Sequence[Wanted], dialect: Dialect, *, everything: bool) -> pl.DataFrame:
    """The columns of JSON lines, or of an array of objects; see `json_cells`.

    Raises:
        DataError: naming the line or row that is malformed, and the column.
    """
    options = {name: option for option, name in wanted}
    values: dict[str, list[object]] = {name: [] for name in options}
    for rows, (where, row) in enumerate(_objects(as_utf_8(source.content, dialect.encoding, source.name), source.name)):
        if not options.keys() <= row.keys():
            check_columns(where, row, wanted, everything=False)
        if everything:
            values = values if rows else {name: [] for name in row}  # in the order of the file
            values |= {name: [None] * rows for name in row if name not in values}
        for name, cells in values.items():
            cells.append(checked(row.get(name), options.get(name, "column"), f"{where}, column {name!r}"))
    return pl.DataFrame({name: column(name, cells, options.get(name, "column")) for name, cells in values.items()})


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
