"""File formats: columns of a CSV, TSV, JSON-lines, Parquet or fastText file, or where the fault is.

CSV and TSV go through Python's `csv` module in strict mode rather than Polars, which is several times faster but
fills short rows with nulls and guesses at malformed quotes, so that texts could be lost without a word.
"""

import codecs
import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import polars as pl

from chainrule.data.json_cells import checked, column
from chainrule.errors import DataError, shortened
from chainrule.shown import listing

#: What marks a label in fastText's format: `__label__pos __label__long a text`.
LABEL_MARK = "__label__"

#: Columns that a message lists.
LISTED = 30

#: A column that is wanted: the command-line option that names it, without dashes, and its name.
Wanted = tuple[str, str]


def read_columns(path: Path, wanted: Sequence[Wanted], encoding: str, *, everything: bool = False) -> pl.DataFrame:
    """Read the wanted columns of a file; its suffix, in any case, tells the format.

    Args:
        path: A `.csv`, `.tsv`, `.jsonl`, `.ndjson` or `.parquet` file, or a `.txt` file in fastText's format.
        wanted: The columns.
        encoding: How a text file is encoded, by Python's name for it; Parquet files do not need it.
        everything: Whether to read all other columns as well.

    Returns:
        A frame with the columns under the names they have in the file, at least one row. Columns of text files are
        strings, and lists of strings where a cell of JSON lines or fastText's format holds several labels.

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
        frame = reader(path, wanted, encoding, everything)
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


def check_columns(where: Path | str, there: Iterable[str], wanted: Sequence[Wanted], *, everything: bool) -> None:
    """Refuse columns that are missing or doubled.

    Raises:
        DataError: naming the column, those that are there, and the option that names another.
    """
    names = list(there)
    for option, name in [*wanted, *(("column", name) for name in names if everything)]:
        if names.count(name) == 1:
            continue
        fault = "no column" if name not in names else "more than one column"
        advice = f"Name the one that holds the {option}s with --{option} NAME"
        if option in ("numbers", "categories"):
            advice = f"It is wanted as one of the {option}"
        if option == "column":
            advice = "Rename one, or, to predict, name those to keep: --keep NAME,NAME"
        if option == "keep":
            advice = "Name columns that are there: --keep NAME,NAME"
        raise DataError(f"{where}: {fault} {shortened(name)}; the columns are {listing(names, LISTED)}. {advice}")


def _read_csv(path: Path, wanted: Sequence[Wanted], encoding: str, everything: bool) -> pl.DataFrame:
    return _read_delimited(path, wanted, encoding, everything, ",")


def _read_tsv(path: Path, wanted: Sequence[Wanted], encoding: str, everything: bool) -> pl.DataFrame:
    return _read_delimited(path, wanted, encoding, everything, "\t")


def _read_delimited(
    path: Path, wanted: Sequence[Wanted], encoding: str, everything: bool, separator: str
) -> pl.DataFrame:
    lines = io.TextIOWrapper(io.BytesIO(_decoded(path, encoding)), "utf-8", newline="")
    reader = csv.reader(lines, delimiter=separator, strict=True)
    limit = csv.field_size_limit(2**31 - 1)
    header: list[str] = []
    places: dict[str, int] = {}
    cells: dict[str, list[str]] = {name: [] for _, name in wanted}
    rows = 0
    line = 1  # where the row begins: a quoted field may run over several lines
    try:
        for fields in reader:
            if fields and not header:
                header = fields
                check_columns(path, header, wanted, everything=everything)
                cells = {name: [] for name in header if everything or name in cells}
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


def _read_json_lines(path: Path, wanted: Sequence[Wanted], encoding: str, everything: bool) -> pl.DataFrame:
    options = {name: option for option, name in wanted}
    values: dict[str, list[object]] = {name: [] for name in options}
    rows = 0
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
        if not options.keys() <= row.keys():
            check_columns(where, row, wanted, everything=False)
        if everything:
            values = values if rows else {name: [] for name in row}  # in the order of the file
            values |= {name: [None] * rows for name in row if name not in values}
        for name, cells in values.items():
            cells.append(checked(row.get(name), options.get(name, "column"), f"{where}, column {name!r}"))
        rows += 1
    return pl.DataFrame({name: column(name, cells, options.get(name, "column")) for name, cells in values.items()})


def _read_parquet(path: Path, wanted: Sequence[Wanted], encoding: str, everything: bool) -> pl.DataFrame:  # noqa: ARG001
    try:
        lazy = pl.scan_parquet(path, glob=False)
        schema = lazy.collect_schema()
        check_columns(path, schema, wanted, everything=everything)
        chosen = lazy if everything else lazy.select(list(dict.fromkeys(name for _, name in wanted)))
        return chosen.collect()
    except pl.exceptions.PolarsError as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{path}: not a whole Parquet file: {reason}. Write or copy it again") from error


def _read_fasttext(path: Path, wanted: Sequence[Wanted], encoding: str, everything: bool) -> pl.DataFrame:  # noqa: ARG001
    """The text and the labels of each line; the columns get the names that are wanted, as the format has none."""
    names = dict(wanted)
    texts: list[str] = []
    labels: list[list[str]] = []
    for number, line in enumerate(_decoded(path, encoding).decode().split("\n"), start=1):
        if not line.strip():
            continue
        words = line.rstrip("\r").split(" ")
        start = next((i for i, word in enumerate(words) if not word.startswith(LABEL_MARK)), len(words))
        if not start and not texts:
            raise DataError(
                f"{path}, line {number}: expected {LABEL_MARK} and a label first, as in fastText's format; save a "
                f"table as {path.with_suffix('.csv').name}"
            )
        texts.append(" ".join(words[start:]))
        labels.append([word.removeprefix(LABEL_MARK) for word in words[:start]])
    if all(len(row) <= 1 for row in labels):
        column = pl.Series([row[0] if row else None for row in labels], dtype=pl.String)
    else:
        column = pl.Series(labels, dtype=pl.List(pl.String))
    columns = {"text": pl.Series(texts, dtype=pl.String), "label": column}
    for option, name in wanted:
        if option not in columns:
            raise DataError(f"{path}: fastText's format has texts and labels alone; --{option} {name} is not in it")
    return pl.DataFrame({names[option]: column for option, column in columns.items() if option in names})


READERS: dict[str, Callable[[Path, Sequence[Wanted], str, bool], pl.DataFrame]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".parquet": _read_parquet,
    ".txt": _read_fasttext,
}
