"""fastText's format: a text a line, its labels among its words: `__label__pos __label__long a text`."""

from __future__ import annotations

import re
from collections.abc import Sequence

import chainrule.polars as pl
from chainrule.data.decoding import as_utf_8
from chainrule.data.dialect import Dialect
from chainrule.data.sources import Source
from chainrule.data.wanted import Wanted
from chainrule.errors import DataError

#: What marks a label.
LABEL_MARK = "__label__"

#: A word that is a label, and the blanks that part it from the text.
LABEL = re.compile(rf"(?:^|(?<=[ \t])){LABEL_MARK}([^ \t]*)(?:[ \t]|$)")


def read_fasttext(source: Source, wanted: Sequence[Wanted], dialect: Dialect, *, everything: bool) -> pl.DataFrame:  # noqa: ARG001
    """The text and the labels of each line; the columns get the names that are wanted, as the format has none.

    Raises:
        DataError: for a file without labels, or another column.
    """
    names = dict(wanted)
    texts: list[str] = []
    labels: list[list[str]] = []
    for number, line in enumerate(as_utf_8(source.content, dialect.encoding, source.name).decode().split("\n"), 1):
        if not line.strip():
            continue
        marked = line.rstrip("\r")
        labels.append(LABEL.findall(marked))
        texts.append(LABEL.sub("", marked))
        if not labels[0]:
            raise DataError(
                f"{source.name}, line {number}: expected {LABEL_MARK} and a label first, as in fastText's format; a "
                "table is read by the end of its name: save it as .csv or .tsv"
            )
    if all(len(row) <= 1 for row in labels):
        column = pl.Series([row[0] if row else None for row in labels], dtype=pl.String)
    else:
        column = pl.Series(labels, dtype=pl.List(pl.String))
    columns = {"text": pl.Series(texts, dtype=pl.String), "label": column}
    for option, name in wanted:
        if option not in columns:
            raise DataError(
                f"{source.name}: fastText's format has texts and labels alone; --{option} {name} is not in it"
            )
    return pl.DataFrame({names[option]: column for option, column in columns.items() if option in names})
