"""File formats: the named columns of a CSV, TSV, JSON-lines or Parquet file, or where the fault is.

CSV and TSV go through Python's `csv` module in strict mode rather than Polars, which is several times faster but
fills short rows with nulls and guesses at malformed quotes, so that texts could be lost without a word.
"""

import codecs
import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import polars as pl

from chainrule.errors import DataError

Columns = Mapping[str, str]
"""The columns wanted, by the command-line option that names each: `{"text": "review", "label": "stars"}`."""


def read_columns(path: Path, columns: Columns, encoding: str) -> pl.DataFrame:
    """Read the wanted columns of a file; its suffix, in any case, tells the format.

    Args:
        path: A `.csv`, `.tsv`, `.jsonl`, `.ndjson` or `.parquet` file.
        columns: The column names, each under the option a user sets it with.
        encoding: How a text file is encoded, by Python's name for it; Parquet files do not need it.

    Returns:
        A frame with the columns under the names they have in the file, at least one row.

    Raises:
        DataError: A file that is missing, unknown, empty, binary, damaged or lacks a column.
    """
    reader = READERS.get(path.suffix.lower())
    try:
        if path.is_dir():
            raise DataError(f"{path}: is a directory; name a file inside it")
        if reader is None:
            known = ", ".join(READERS)
            raise DataError(f"{path}: unknown kind of file {path.suffix!r}; expected one of {known}")
        if not path.exists():
            raise DataError(f"{path}: no such file (looked in {path.absolute().parent})")
        frame = reader(path, columns, encoding)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    if frame.height == 0:
        raise DataError(f"{path}: has a header but no rows; expected one row or more below it")
    return frame


def _decoded(path: Path, encoding: str) -> bytes:
    """The contents of a text file as UTF-8 without byte order mark."""
    data = path.read_bytes()
    try:
        zeros_are_normal = "a".encode(encoding).count(0) > 0  # UTF-16 and UTF-32
        if not zeros_are_normal and (offset := data.find(0)) >= 0:
            utf_16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            hint = "It looks like UTF-16: --encoding utf-16" if utf_16 else "Is it a binary file?"
            raise DataError(f"{path}: NUL byte at offset {offset}; expected text in {encoding}. {hint}")
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        other = "utf-8" if codecs.lookup(encoding).name != "utf-8" else "latin-1"
        raise DataError(
            f"{path}: byte 0x{data[error.start]:02X} at offset {error.start} (line {line}) is not valid "
            f"{encoding}: {error.reason}. If the file is in another encoding, name it: --encoding {other}"
        ) from error
    except LookupError as error:
        raise DataError(
            f"unknown encoding {encoding!r}; expected a name such as utf-8, utf-16, latin-1 or cp1252: --encoding NAME"
        ) from error
    if zeros_are_normal and (position := text.find("\0")) >= 0:
        raise DataError(f"{path}: NUL character at position {position}; expected text in {encoding}")
    if not re.search("[^\ufeff \t\r\n]", text):
        raise DataError(f"{path}: is empty; expected a table with a row for each text")
    is_utf_8 = codecs.lookup(encoding).name in {"utf-8", "utf-8-sig"}
    return data.removeprefix(codecs.BOM_UTF8) if is_utf_8 else text.removeprefix("\ufeff").encode()


def _check_columns(where: Path | str, there: Iterable[str], columns: Columns) -> None:
    names = list(there)
    for option, name in columns.items():
        if names.count(name) == 1:
            continue
        fault = "no column" if name not in names else "more than one column"
        listed = ", ".join(map(repr, names)) or "none"
        raise DataError(
            f"{where}: {fault} {name!r}; the columns are {listed}. "
            f"Name the one that holds the {option}s with --{option} NAME"
        )


def _read_csv(path: Path, columns: Columns, encoding: str) -> pl.DataFrame:
    return _read_delimited(path, columns, encoding, ",")


def _read_tsv(path: Path, columns: Columns, encoding: str) -> pl.DataFrame:
    return _read_delimited(path, columns, encoding, "\t")


def _read_delimited(path: Path, columns: Columns, encoding: str, separator: str) -> pl.DataFrame:
    lines = io.TextIOWrapper(io.BytesIO(_decoded(path, encoding)), "utf-8", newline="")
    reader = csv.reader(lines, delimiter=separator, strict=True)
    limit = csv.field_size_limit(2**31 - 1)
    header: list[str] = []
    places: dict[str, int] = {}
    cells: dict[str, list[str]] = {name: [] for name in columns.values()}
    rows = 0
    line = 1  # where the row begins: a quoted field may run over several lines
    try:
        for fields in reader:
            if fields and not header:
                header = fields
                _check_columns(path, header, columns)
                places = {name: header.index(name) for name in cells}
            elif len(fields) not in {0, len(header)}:
                raise DataError(
                    f"{path}, line {line} (row {rows + 1}): expected {len(header)} fields, "
                    f"got {len(fields)}. Put a field that holds {separator!r} or a line break in double quotes"
                )
            elif fields:
                rows += 1
                for name, place in places.items():
                    cells[name].append(fields[place])
            line = reader.line_num + 1
    except csv.Error as error:
        if "end of data" in str(error):
            fault = "a double quote opens a field and nothing closes it"
        else:
            fault = f"a quoted field goes on after its closing quote ({error})"
        raise DataError(
            f"{path}, line {line} (row {rows + 1}): {fault}. Inside a quoted field, write each double quote twice"
        ) from error
    finally:
        csv.field_size_limit(limit)
    return pl.DataFrame({name: pl.Series(values, dtype=pl.String) for name, values in cells.items()})


def _read_json_lines(path: Path, columns: Columns, encoding: str) -> pl.DataFrame:
    values: dict[str, list[str | None]] = {option: [] for option in columns}
    wanted = set(columns.values())
    for number, line in enumerate(_decoded(path, encoding).decode().split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}: not valid JSON: {error}. Expected one object a line") from error
        if not isinstance(row, dict):
            raise DataError(f'{where}: expected an object such as {{"text": "..."}}, got {type(row).__name__}')
        if not wanted <= row.keys():
            _check_columns(where, row, columns)
        for option, name in columns.items():
            values[option].append(_json_cell(row[name], option, f"{where}, column {name!r}"))
    return pl.DataFrame({n: pl.Series(values[o], dtype=pl.String) for o, n in columns.items()})


def _json_cell(value: object, option: str, where: str) -> str | None:
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise DataError(f"{where}: half of a surrogate pair, which is no character; write it as UTF-8")
        return value
    if value is None:
        return None
    if option == "label" and isinstance(value, bool | int | float):
        return json.dumps(value)
    kinds = "text" if option == "text" else "text, a number or a boolean"
    raise DataError(f"{where}: expected {kinds}, got {type(value).__name__}: {json.dumps(value)[:40]}")


def _read_parquet(path: Path, columns: Columns, encoding: str) -> pl.DataFrame:  # noqa: ARG001
    try:
        lazy = pl.scan_parquet(path, glob=False)
        schema = lazy.collect_schema()
        _check_columns(path, schema, columns)
        frame = lazy.select(set(columns.values())).collect()
    except pl.exceptions.PolarsError as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{path}: not a whole Parquet file: {reason}. Write or copy it again") from error
    for option, name in columns.items():
        kind = schema[name]
        words = isinstance(kind, pl.String | pl.Categorical | pl.Enum | pl.Null)
        if not words and (option == "text" or kind.is_nested() or kind == pl.Binary or kind == pl.Object):
            raise DataError(f"{path}: column {name!r} holds {kind}; expected text. Name another with --{option} NAME")
        if kind.is_float():
            frame = frame.with_columns(pl.col(name).fill_nan(None))
    return frame.cast(pl.String)


READERS: dict[str, Callable[[Path, Columns, str], pl.DataFrame]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".parquet": _read_parquet,
}
