"""Reading a table from files, or from the Hugging Face `datasets` library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TypeAlias

import chainrule.polars as pl
from chainrule.data.datasets import PREFIX, TRAIN, read_place
from chainrule.data.dialect import AUTO, Dialect
from chainrule.data.formats import read_columns
from chainrule.data.helper import uses_polars
from chainrule.data.refusal import refused
from chainrule.data.roles import Roles, names_of, roles_of
from chainrule.data.sources import Places, listed, sources_of
from chainrule.data.table import Table
from chainrule.errors import DataError

#: The name of a file, and what it holds.
Part: TypeAlias = "tuple[str, pl.DataFrame]"

#: Files that the name of a table lists.
SHOWN = 3


@uses_polars
def read_table(
    path: Places,
    *,
    text: str | None = "text",
    numbers: str | Sequence[str] = (),
    categories: str | Sequence[str] = (),
    label: str | None = "label",
    target: str = "label",
    label_separator: str = ",",
    encoding: str = "utf-8",
    separator: str = AUTO,
    quoting: str = AUTO,
    header: bool = True,
    splits: Sequence[str] = TRAIN,
    weight: str | None = None,
    keep: str | Sequence[str] = (),
) -> Table:
    r"""Read a table from a CSV, TSV, JSON, Parquet or `.xlsx` file, one in fastText's format, or several files.

    Labels of every type become strings (`0`, `true`), stripped of blanks at both ends. Rows without a label
    are left out, and one that is NaN is none; a text that is blank is kept, and a missing one is the empty text;
    `report` counts both. Cells of texts are never interpreted: `NA` is a text. Blank lines are not rows.

    Args:
        path: The file; the end of its name (`.csv`, `.tsv`, `.jsonl`, `.ndjson`, `.json`, `.parquet`, `.xlsx`, `.txt`,
            each of them also with `.gz`, `.bz2`, `.xz` or `.zst` after it) tells the format. Or a pattern
            (`reviews-*.csv`), several of these, `-` for standard input, or `dataset:FOLDER_OR_NAME@CONFIG#SPLIT`, what
            the `datasets` library saved in a folder or has by a name, of which configuration and split may be left out.
        text: The column of the texts; where numbers or categories are named, there are no texts.
        numbers: Columns of numbers; "auto" for all, but those named otherwise, whose cells are numbers. A cell that
            is empty or NaN is missing.
        categories: Columns of categories; "auto" for all that are left.
        label: The column of what is to be predicted; None reads the rest alone.
        target: What a cell of it holds: "label" (one label), "labels" (several, or none), "number", or
            "text" (one to be written; a row where it is blank is left out, as one without a label is).
        label_separator: What stands between several labels in one cell; JSON and Parquet may hold lists instead.
        encoding: How a text file is encoded, by Python's name for it; a byte order mark is skipped.
        separator: What stands between the fields of CSV and TSV: "comma", "tab", "semicolon", "pipe", another
            character, or "auto", which finds it by the header or a line such as `sep=;`.
        quoting: "csv", where a field in double quotes may hold separators and line breaks; "none", where a double quote
            is a letter; "auto" for what the rows of a file with tabs or pipes speak for, and for "csv" in others.
        header: Whether the first row of CSV, TSV and `.xlsx` names the columns; without, their names are "1", "2", ...
        splits: Of a data set, the names of splits, the first of which that is there is read.
        weight: The column of how much each row counts in the loss, finite numbers of 0 or more; rows with 0 are left
            out, and counted. None where all count the same.
        keep: Columns that the table keeps as they are (`Table.kept`), beside those it is made of; "all" for all.

    Raises:
        DataError: A file that cannot be read, is not what it says or lacks a column; the message says where.
        ConfigurationError: A column that is named twice, an option outside its values, or a library that is missing.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "reviews.csv")
        ...     _ = path.write_text('text,label\n"Good, really",pos\nNA,neg\nNo label,\n', encoding="utf-8")
        ...     table = read_table(path)
        >>> table.texts.to_list(), table.labels.to_list()
        (['Good, really', 'NA'], ['pos', 'neg'])
        >>> table.report
        ReadReport(rows=3, unlabelled=1, empty=0, without_labels=0, weightless=0)
    """
    roles = roles_of(text, numbers, categories, label, target, label_separator, weight)
    roles = replace(roles, keep=names_of(keep))
    dialect = Dialect(encoding, separator, quoting, header)
    places = listed(path)
    parts = [part for place in places for part in _parts(place, roles, dialect, splits)]
    table = _joined(parts, roles, _name(places, parts))
    columns = {"text": roles.text, "label": roles.label, "weight": roles.weight}
    held = {name: value for name, value in columns.items() if value is not None} | asdict(dialect)
    held |= {"keep": list(roles.keep)} if roles.keep else {}
    return replace(table, source={"files": places[0] if len(places) == 1 else places, **held})


def _parts(place: str, roles: Roles, dialect: Dialect, splits: Sequence[str]) -> list[Part]:
    """What the files behind a place hold."""
    wanted, everything = roles.wanted(), roles.automatic
    if place.startswith(PREFIX):
        return [(place, read_place(place, wanted, splits, everything=everything))]
    with refused(place[:200], wanted):  # a text may be taken for the name of a file, and be long
        sources = sources_of(place)
        return [(source.name, read_columns(source, wanted, dialect, everything=everything)) for source in sources]


def _name(places: Sequence[str], parts: Sequence[Part]) -> str:
    """What a table is called in messages."""
    if len(parts) == 1:
        return parts[0][0]
    more = f" and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
    return ", ".join(places[:SHOWN]) + more


def _joined(parts: Sequence[Part], roles: Roles, name: str) -> Table:
    """The rows of all files, one after another."""

    def table(name: str, frame: pl.DataFrame) -> Table:
        return Table.of(frame, roles.column(frame, roles.label), roles, name, roles.column(frame, roles.weight))

    try:
        return table(name, stacked(parts))
    except DataError:
        for part in parts[: len(parts) if len(parts) > 1 else 0]:
            table(*part)  # raises the same error with the name of the file that it is in
        raise


def stacked(parts: Sequence[Part]) -> pl.DataFrame:
    """Frames one below another; a string becomes a list of one where another file has lists in its column.

    Raises:
        DataError: for columns whose types do not join.
    """
    frames = [frame for _, frame in parts]
    if len(frames) == 1:
        return frames[0]
    lists = {name for frame in frames for name, dtype in frame.schema.items() if isinstance(dtype, pl.List)}
    wrapped = [
        frame.with_columns(
            pl.when(pl.col(name).is_not_null()).then(pl.concat_list(pl.col(name).cast(pl.String))).alias(name)
            for name, dtype in frame.schema.items()
            if name in lists and not isinstance(dtype, pl.List)
        )
        for frame in frames
    ]
    try:
        return pl.concat(wrapped, how="diagonal_relaxed")
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{parts[0][0]} and {parts[-1][0]}: columns of the same name hold what does not join: "
            f"{str(error).partition(chr(10))[0]}"
        ) from error
