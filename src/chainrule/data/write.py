"""Writing columns to a CSV, TSV, JSON-lines or Parquet file, so that what is read back is what was written."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import chainrule.polars as pl
from chainrule.errors import ConfigurationError
from chainrule.files import write_file
from chainrule.shown import json_line, json_value

#: Columns by name, each with a value for every row.
Columns = Mapping[str, Sequence[Any]]


def write_columns(path: str | os.PathLike[str], columns: Columns) -> None:
    r"""Write columns to a file, whole or not at all; its ending tells the format.

    In CSV and TSV a field that holds a separator, a double quote or a line break is quoted, a missing value is empty,
    and a list or an object is JSON. JSON has null for NaN and infinity. A column of Parquet whose values have no common
    type, or are objects, holds JSON.

    Args:
        path: ends in `.csv`, `.tsv`, `.jsonl`, `.ndjson` or `.parquet`; a file that is there is replaced.
        columns: of equal length.

    Raises:
        ConfigurationError: for another ending.
        StorageError: when it cannot be written; what was there is unchanged.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     write_columns(Path(folder, "a.csv"), {"text": ["so, so", "two\nlines"], "stars": [3, None]})
        ...     Path(folder, "a.csv").read_text()
        'text,stars\n"so, so",3\n"two\nlines",\n'
    """
    write_file(path, writer_of(path)(columns))


def writer_of(path: str | os.PathLike[str]) -> Callable[[Columns], bytes]:
    """What makes the content of a file.

    Raises:
        ConfigurationError: when the ending of its name tells no format.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in WRITERS:
        raise ConfigurationError(f"{path}: unknown kind of file {suffix!r}; expected one of {', '.join(WRITERS)}")
    return WRITERS[suffix]


def _csv(columns: Columns) -> bytes:
    return _delimited(columns, ",")


def _tsv(columns: Columns) -> bytes:
    return _delimited(columns, "\t")


def _delimited(columns: Columns, separator: str) -> bytes:
    special = re.compile(f'[{separator}"\r\n]|^\ufeff')  # a mark of byte order would be none of the first name

    def field(value: Any) -> str:
        text = _text(value)
        if not text and len(columns) == 1:
            return '""'  # as a blank line is no row
        return '"' + text.replace('"', '""') + '"' if special.search(text) else text

    rows = [columns.keys(), *zip(*columns.values(), strict=True)]
    return "".join(separator.join(map(field, row)) + "\n" for row in rows if columns).encode()


def _text(value: Any) -> str:
    plain = json_value(value)
    return "" if plain is None else plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _json_lines(columns: Columns) -> bytes:
    rows = zip(*columns.values(), strict=True)
    lines = (json_line({k: json_value(x) for k, x in zip(columns, row, strict=True)}) for row in rows)
    return "".join(f"{line}\n" for line in lines).encode()


def _parquet(columns: Columns) -> bytes:
    stream = io.BytesIO()
    pl.DataFrame({name: _series(name, values) for name, values in columns.items()}).write_parquet(stream)
    return stream.getvalue()


def _series(name: str, values: Sequence[Any]) -> pl.Series:
    """A column of the type that its values have in common; of JSON where they have none."""
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) <= 1 or kinds <= {int, float, Decimal}:
        try:
            series = pl.Series(name, values, strict=False)
        except (TypeError, OverflowError, pl.exceptions.PolarsError):
            pass
        else:
            held, wanted = series.to_list(), list(values)
            numbers = kinds <= {int, float}  # which may become floats
            same = held == wanted if numbers else repr(held) == repr(wanted)  # which tells False from 0, unlike ==
            if (same or kinds <= {float}) and _storable(series.dtype):
                return series
    return pl.Series(name, [None if x is None else json.dumps(json_value(x)) for x in values], dtype=pl.String)


def _storable(dtype: pl.DataType) -> bool:
    """Whether Parquet has the type; it has no object without fields, so that all objects are JSON."""
    while isinstance(dtype, pl.List):
        dtype = dtype.inner  # type: ignore[assignment]
    return not isinstance(dtype, pl.Struct | pl.Object | pl.Int128)


WRITERS: dict[str, Callable[[Columns], bytes]] = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".parquet": _parquet,
}
