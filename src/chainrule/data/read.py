"""Reading a table from a file, or from the Hugging Face `datasets` library."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from chainrule.data.datasets import PREFIX, TRAIN, read_place
from chainrule.data.formats import read_columns
from chainrule.data.roles import names_of
from chainrule.data.table import Table, roles_of


def read_table(
    path: str | os.PathLike[str],
    *,
    text: str | None = "text",
    numbers: str | Sequence[str] = (),
    categories: str | Sequence[str] = (),
    label: str | None = "label",
    target: str = "label",
    separator: str = ",",
    encoding: str = "utf-8",
    splits: Sequence[str] = TRAIN,
    keep: str | Sequence[str] = (),
) -> Table:
    r"""Read a table from a CSV, TSV, JSON-lines or Parquet file, or a `.txt` file in fastText's format.

    Labels of every type become strings (`0`, `true`), stripped of blanks at both ends. Rows without a label
    are left out; a text that is blank is kept, and a missing one is the empty text; `report` counts both.
    Cells of texts are never interpreted: `NA` is a text. Blank lines are not rows.

    Args:
        path: The file; its suffix (`.csv`, `.tsv`, `.jsonl`, `.ndjson`, `.parquet`, `.txt`) tells the format. Or
            `dataset:FOLDER_OR_NAME@CONFIG#SPLIT`, what the `datasets` library saved in a folder or has by a name, of
            which configuration and split may be left out.
        text: The column of the texts; where numbers or categories are named, there are no texts.
        numbers: Columns of numbers; "auto" for all, but those named otherwise, whose cells are numbers. A cell that
            is empty or NaN is missing.
        categories: Columns of categories; "auto" for all that are left.
        label: The column of what is to be predicted; None reads the rest alone.
        target: What a cell of it holds: "label" (one label), "labels" (several, or none) or "number".
        separator: What stands between several labels in one cell; JSON lines and Parquet may hold lists instead.
        encoding: How a text file is encoded, by Python's name for it; a byte order mark is skipped.
        splits: Of a data set, the names of splits, the first of which that is there is read.
        keep: Columns that the table keeps as they are (`Table.kept`), beside those it is made of; "all" for all.

    Raises:
        DataError: A file that cannot be read, is not what it says or lacks a column; the message says where.
        ConfigurationError: A column that is named twice.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "reviews.csv")
        ...     _ = path.write_text('text,label\n"Good, really",pos\nNA,neg\nNo label,\n', encoding="utf-8")
        ...     table = read_table(path)
        >>> table.texts.to_list(), table.labels.to_list()
        (['Good, really', 'NA'], ['pos', 'neg'])
        >>> table.report
        ReadReport(rows=3, unlabelled=1, empty=0, without_labels=0)
    """
    roles = replace(roles_of(text, numbers, categories, label, target, separator), keep=names_of(keep))
    place, wanted = str(path), roles.wanted()
    if place.startswith(PREFIX):
        frame = read_place(place, wanted, splits, everything=roles.automatic)
    else:
        frame = read_columns(Path(path), wanted, encoding, everything=roles.automatic)
    table = Table.of(frame, None if roles.label is None else frame[roles.label], roles, place)
    named = {"text": roles.text, "label": roles.label, "encoding": encoding}
    return replace(table, source={name: value for name, value in named.items() if value is not None})
