"""File formats: which reader reads a file, and what happens to whatever a reader raises."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import chainrule.polars as pl
from chainrule.data.compression import DECOMPRESSORS
from chainrule.data.conllu import is_conllu, read_conllu
from chainrule.data.delimited import read_delimited
from chainrule.data.dialect import AUTO, Dialect
from chainrule.data.fasttext import LABEL_MARK, read_fasttext
from chainrule.data.json_rows import read_json
from chainrule.data.parquet import read_parquet
from chainrule.data.refusal import refused
from chainrule.data.roles import TOKENS
from chainrule.data.sources import Source, opened
from chainrule.data.spreadsheet import read_spreadsheet
from chainrule.data.token_lines import has_token_lines, read_token_lines
from chainrule.data.wanted import Wanted
from chainrule.errors import DataError


class Reader(Protocol):
    """Reads the columns that are wanted of a file, or all."""

    def __call__(self, source: Source, wanted: Sequence[Wanted], dialect: Dialect, *, everything: bool) -> pl.DataFrame:
        """The columns by name."""


#: The readers by the end of a file's name, that of a compressed file left out.
READERS: dict[str, Reader] = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".jsonl": read_json,
    ".ndjson": read_json,
    ".json": read_json,
    ".parquet": read_parquet,
    ".xlsx": read_spreadsheet,
    ".txt": read_fasttext,
    ".conllu": read_conllu,
    **dict.fromkeys((".conll", ".bio", ".iob", ".iob2"), read_token_lines),
}

#: Ends of names that stand for a token a line where tokens are wanted, unless the content says otherwise.
OF_TOKENS = (".txt", ".tsv", *(suffix for suffix, reader in READERS.items() if reader is read_token_lines))

#: The readers by what a file begins with, where its name has no end, or standard input has none.
MARKS: dict[bytes, Reader] = {
    LABEL_MARK.encode(): read_fasttext,
    b"PAR1": read_parquet,
    b"PK\x03\x04": read_spreadsheet,
    b"{": read_json,
    b"[": read_json,
}

#: Files that are refused by name, and what to do with them.
REFUSED = {
    **dict.fromkeys((".xls", ".xlsb", ".ods", ".numbers"), "is another spreadsheet; save it as .xlsx or .csv"),
    **dict.fromkeys((".zip", ".tar", ".tgz", ".7z", ".rar"), "is an archive; unpack it, and give the table inside it"),
}


def is_table(name: str) -> bool:
    """Whether the end of a name says that a file is a table, which may be compressed; `.txt` says nothing.

    Example:
        >>> is_table("reviews.CSV.gz"), is_table("notes.txt"), is_table("book.xls")
        (True, False, True)
    """
    suffix = Source(name, Path(name)).suffix
    return suffix in REFUSED or (suffix in READERS and suffix != ".txt")


def is_fasttext(path: str) -> bool:
    """Whether a file, which may be compressed, is in fastText's format: labels are no part of its texts."""
    with opened(path) as stream:
        return stream.read(len(LABEL_MARK)) == LABEL_MARK.encode()


def read_columns(
    source: Source, wanted: Sequence[Wanted], dialect: Dialect, *, everything: bool = False
) -> pl.DataFrame:
    """Read the wanted columns of a file; the end of its name, in any case, tells the format.

    Args:
        source: the file, or standard input.
        wanted: the columns.
        dialect: how a text file is written.
        everything: whether to read all other columns as well.

    Returns:
        A frame with the columns under the names they have in the file, at least one row. Columns of text files are
        strings, and lists of strings where a cell of JSON or fastText's format holds several labels.

    Raises:
        DataError: A file that is unknown, empty, binary, damaged or lacks a column.
    """
    with refused(source.name, wanted):
        frame = _reader(source, wanted, dialect)(source, wanted, dialect, everything=everything)
    if frame.height == 0:
        raise DataError(f"{source.name}: has a header but no rows; expected one row or more below it")
    return frame


def is_token_lines(path: str) -> bool:
    """Whether a file, which may be compressed, has a token a line, and other columns or CoNLL-U's."""
    with opened(path) as stream:
        start = stream.read(1 << 16)
    return is_conllu(start) or has_token_lines(start)


def _reader(source: Source, wanted: Sequence[Wanted], dialect: Dialect) -> Reader:
    """The reader of a file: by the end of its name, by what it begins with, or by an option that makes it a table.

    Raises:
        DataError: for a file that is none of these.
    """
    suffix = source.suffix
    if suffix in REFUSED:
        raise DataError(f"{source.name}: {REFUSED[suffix]}")
    reader = READERS.get(suffix)
    if tokens := dict(wanted).get(TOKENS):
        reader = _reader_of_tokens(source, tokens, reader)
    if reader is None or (suffix == ".txt" and reader is read_fasttext):
        start = source.content[:16].removeprefix(BOM_UTF8)
        marked = next((found for mark, found in MARKS.items() if start.startswith(mark)), None)
        if marked is read_fasttext or (suffix == "" and marked is not None):
            reader = marked
        elif suffix == "" or dialect.separator != AUTO:
            reader = read_delimited
    if reader is None:
        known = ", ".join(READERS)
        raise DataError(
            f"{source.name}: unknown kind of file {suffix!r}; expected one of {known}, any of them also compressed "
            f"({', '.join(DECOMPRESSORS)}), or name what is between fields: --separator tab"
        )
    if not dialect.header and reader not in (read_delimited, read_spreadsheet):
        raise DataError(f"{source.name}: --no-header is for rows of fields (.csv, .tsv, .xlsx); leave it out")
    return reader


def _reader_of_tokens(source: Source, name: str, reader: Reader | None) -> Reader | None:
    """The reader of a file whose rows are lists of tokens, where the end of its name says less than its content.

    Args:
        source: the file.
        name: of the column of tokens.
        reader: by the end of the name of the file.
    """
    if source.suffix in READERS and source.suffix not in OF_TOKENS:
        return reader
    content = source.content.removeprefix(BOM_UTF8)
    if content.startswith(tuple(MARKS)) and not source.suffix:
        return reader
    header = content.partition(b"\n")[0].rstrip(b"\r").decode("utf-8", "replace").split("\t")
    if name in header and len(header) > 1 and source.suffix == ".tsv":
        return reader
    return read_conllu if is_conllu(content) else read_token_lines
