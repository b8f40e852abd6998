"""CSV, TSV and their kin: rows of fields with a separator between them.

Files whose rows are all regular are read by Polars (`chainrule.data.regular`). All others go through Python's `csv`
module in strict mode, which tells what is wrong with them and where.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import chainrule.polars as pl
from chainrule.data.decoding import as_utf_8
from chainrule.data.dialect import AUTO, SEPARATORS, Dialect
from chainrule.data.regular import Regular
from chainrule.data.sources import Source
from chainrule.data.wanted import Wanted, check_columns
from chainrule.dataclasses import dataclass
from chainrule.errors import DataError

if TYPE_CHECKING:
    from _csv import Reader

#: Separators of files in which a double quote may be a letter; with others it always quotes a field.
RAW = ("\t", "|")

#: Rows that tell the separator of a file without header.
SAMPLED = 100


@dataclass(frozen=True)
class _File:
    """A file of fields, about to be read.

    Attributes:
        name: for messages.
        content: in UTF-8.
        separator: between fields.
        header: whether its first row has the names of the columns.
        lines_before: lines of the file that are no part of the content.
    """

    name: str
    content: bytes
    separator: str
    header: bool
    lines_before: int

    def records(self, *, quoted: bool) -> Reader:
        """Its rows, the header among them."""
        lines = io.TextIOWrapper(io.BytesIO(self.content), "utf-8", newline="")
        if quoted:
            return csv.reader(lines, delimiter=self.separator, strict=True)
        return csv.reader(lines, delimiter=self.separator, strict=True, quoting=csv.QUOTE_NONE)


@dataclass(frozen=True)
class _Rows:
    """What was read of a file.

    Attributes:
        frame: the columns that are wanted.
        fields: of each row.
        over_lines: whether a quoted field goes on over the end of a line.
    """

    frame: pl.DataFrame
    fields: int
    over_lines: bool


def read_delimited(source: Source, wanted: Sequence[Wanted], dialect: Dialect, *, everything: bool) -> pl.DataFrame:
    """The columns of a file of fields, as strings.

    Raises:
        DataError: naming the line that is malformed, or the column that is missing.
    """
    content, named, lines_before = as_utf_8(source.content, dialect.encoding, source.name), None, 0
    if line := re.match(rb'"?sep=([^"\r\n])"?\r?\n', content):  # Excel reads and writes it in some countries
        content, named, lines_before = content[line.end() :], line[1].decode(), 1
    separator = dialect.character or named
    if separator is None:
        separator = _found_separator(content, "\t" if source.suffix == ".tsv" else ",", wanted, header=dialect.header)
    file = _File(source.name, content, separator, dialect.header, lines_before)
    if dialect.quoting == AUTO and separator in RAW and b'"' in content:
        return _read_by_evidence(file, wanted, everything=everything)
    return _read(file, wanted, everything=everything, quoted=dialect.quoting != "none").frame


def _read_by_evidence(file: _File, wanted: Sequence[Wanted], *, everything: bool) -> pl.DataFrame:
    """The columns of a file whose double quotes may be CSV's or letters.

    They are letters where each line by itself has as many fields as the header, and with CSV's quotes the file cannot
    be read, or only with fields that go on over the ends of lines.
    """
    try:
        rows = _read(file, wanted, everything=everything, quoted=True)
    except DataError as error:
        try:
            return _read(file, wanted, everything=everything, quoted=False).frame
        except DataError:
            raise error from None
    if rows.over_lines and rows.fields > 1:
        with suppress(DataError):
            return _read(file, wanted, everything=everything, quoted=False).frame
    return rows.frame


def _read(file: _File, wanted: Sequence[Wanted], *, everything: bool, quoted: bool) -> _Rows:
    found = _read_regular(file, wanted, everything=everything, quoted=quoted)
    return _read_strictly(file, wanted, everything=everything, quoted=quoted) if found is None else found


def _read_regular(file: _File, wanted: Sequence[Wanted], *, everything: bool, quoted: bool) -> _Rows | None:
    """What was read of a file whose rows are all regular; None for others."""
    regular = Regular.of(file.content, file.separator, quoted=quoted)
    if regular is None:
        return None
    names = next(file.records(quoted=quoted)) if file.header else [str(n + 1) for n in range(regular.width)]
    check_columns(file.name, names, wanted, everything=everything, advice=_advice(file, names))
    asked = {name for _, name in wanted}
    frame = regular.columns({x: names.index(x) for x in names if everything or x in asked}, header=file.header)
    return None if frame is None else _Rows(frame, regular.width, regular.over_lines)


def _read_strictly(file: _File, wanted: Sequence[Wanted], *, everything: bool, quoted: bool) -> _Rows:
    """What Python's `csv` reads of a file, row by row.

    Raises:
        DataError: naming the line that is malformed, or the column that is missing.
    """
    reader = file.records(quoted=quoted)
    cells: dict[str, list[str]] = {name: [] for _, name in wanted}
    kept: list[tuple[Callable[[str], None], int]] = []  # for each column, where its cells go to, and its place in a row
    width = rows = blank = 0
    line = 1  # where the row begins: a quoted field may run over several lines
    try:
        with _fields_of_any_length():
            for fields in reader:
                if not width and fields:
                    width = len(fields)
                    names = fields if file.header else [str(number + 1) for number in range(width)]
                    check_columns(file.name, names, wanted, everything=everything, advice=_advice(file, names))
                    cells = {name: [] for name in names if everything or name in cells}  # in the order of the file
                    kept = [(column.append, names.index(name)) for name, column in cells.items()]
                    if file.header:
                        line = reader.line_num + 1
                        continue
                if not fields:
                    blank += 1
                elif len(fields) == width:
                    rows += 1
                    for keep, place in kept:
                        keep(fields[place])
                else:
                    raise DataError(_at(file, line, rows) + _unequal(file, fields, width, quoted=quoted))
                line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(_at(file, line, rows) + _malformed(error)) from error
    frame = pl.DataFrame({name: pl.Series(values, dtype=pl.String) for name, values in cells.items()})
    return _Rows(frame, width, reader.line_num > rows + blank + file.header)


def _at(file: _File, line: int, rows: int) -> str:
    return f"{file.name}, line {line + file.lines_before} (row {rows + 1}): "


def _unequal(file: _File, fields: Sequence[str], width: int, *, quoted: bool) -> str:
    """What is wrong with a row of too few or too many fields."""
    found = f"expected {width} fields, got {len(fields)}. "
    if quoted:
        found += f"Put a field that holds {file.separator!r} or a line break in double quotes"
    else:
        found += f"A field cannot hold {file.separator!r} where double quotes are letters (--quoting none)"
    return f"{found}, or name what is between fields with --separator"


def _malformed(error: csv.Error) -> str:
    """What is wrong with the quotes of a row."""
    fault = f"a quoted field goes on after its closing quote ({error})"
    if "end of data" in str(error):
        fault = "a double quote opens a field and nothing closes it"
    return (
        f"{fault}. Inside a quoted field, write each double quote twice; where double quotes are letters, add "
        "--quoting none"
    )


def _advice(file: _File, header: Sequence[str]) -> str:
    """Why a column may be missing."""
    if not file.header:
        return f". Without a header, columns are named by their numbers, 1 to {len(header)}"
    between = f", and what is between fields with --separator (here {file.separator!r})" if len(header) == 1 else ""
    return f"{between}. If the first line is a row already, add --no-header, and name columns by their numbers"


@contextmanager
def _fields_of_any_length() -> Iterator[None]:
    limit = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _found_separator(content: bytes, own: str, wanted: Sequence[Wanted], *, header: bool) -> str:
    """The separator whose header has the columns that are wanted, or by which most rows have as many fields.

    Args:
        content: of the file, in UTF-8.
        own: the separator that the name of the file tells, which wins a tie.
        wanted: the columns.
        header: whether the first row has their names.
    """
    names = {name for _, name in wanted}

    def evidence(separator: str) -> tuple[bool, bool, int]:
        rows: list[list[str]] = []
        with suppress(csv.Error):  # found again when the file is read
            for fields in _File("", content, separator, header, 0).records(quoted=True):
                rows += [fields] if fields else []
                if len(rows) == (1 if header else SAMPLED):
                    break
        first = rows[0] if rows else []
        there = set(first) if header else {str(number + 1) for number in range(len(first))}
        fits = names <= there and all(len(fields) == len(first) for fields in rows)
        return fits, separator == own and len(first) > 1, len(first)

    return max([own, *SEPARATORS.values()], key=evidence)
