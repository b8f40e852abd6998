"""Spreadsheets: the first sheet of an `.xlsx` file, its cells as a table shows them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime, time
from typing import Any

import chainrule.polars as pl
from chainrule.data.dialect import Dialect
from chainrule.data.sources import Source
from chainrule.data.wanted import Wanted, check_columns
from chainrule.errors import ConfigurationError, DataError


def read_spreadsheet(source: Source, wanted: Sequence[Wanted], dialect: Dialect, *, everything: bool) -> pl.DataFrame:
    """The columns of the first sheet, as strings; rows without any cell are left out.

    Raises:
        DataError: for a file without rows, or a column that is missing.
        ConfigurationError: where the library is missing.
    """
    try:
        from python_calamine import CalamineWorkbook
    except ImportError as error:
        raise ConfigurationError(
            f"{source.name}: reading .xlsx files needs a library: pip install 'chainrule[xlsx]'; or save it as .csv"
        ) from error
    book = CalamineWorkbook.from_filelike(io.BytesIO(source.content))
    sheet = book.get_sheet_by_index(0)
    rows = [row for row in sheet.to_python() if any(cell != "" for cell in row)]
    if not rows:
        raise DataError(f"{source.name}: the sheet {sheet.name!r} is empty; expected a table with a row for each text")
    if dialect.header:
        header, rows = [_string(cell) or "" for cell in rows[0]], rows[1:]
        advice = ". If the first row has no names, add --no-header, and name columns by their numbers"
    else:
        header = [str(number + 1) for number in range(len(rows[0]))]
        advice = f". Without a header, columns are named by their numbers, 1 to {len(header)}"
    others = len(book.sheet_names) - 1
    where = f"{source.name}, sheet {sheet.name!r}" + (f", the first of {others + 1}" if others else "")
    check_columns(where, header, wanted, everything=False, advice=advice)
    names = [name for _, name in wanted]
    names += [name for name in header if everything and name and name not in names]
    places = {name: header.index(name) for name in names}
    return pl.DataFrame(
        {name: pl.Series([_string(row[place]) for row in rows], dtype=pl.String) for name, place in places.items()}
    )


def _string(cell: Any) -> str | None:
    """A cell as text; None where it is empty."""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))  # spreadsheets keep all numbers as floats
    if isinstance(cell, datetime) and cell.time() == time():
        return cell.date().isoformat()
    return None if cell == "" else str(cell)
