"""Files with a token a line and its tag: columns between tabs or blanks, a blank line after each sentence.

So are the data of the shared tasks of CoNLL, such as those of 2003. A line that begins with -DOCSTART- stands between
documents and is no token. What CoNLL-U has besides is read by `chainrule.data.conllu`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field

import chainrule.polars as pl
from chainrule.data.decoding import as_utf_8
from chainrule.data.dialect import Dialect
from chainrule.data.sources import Source
from chainrule.data.wanted import Wanted
from chainrule.dataclasses import dataclass
from chainrule.errors import DataError, shortened
from chainrule.shown import listing

#: What stands between documents.
DOCUMENT = "-DOCSTART-"
#: What the columns are called unless told otherwise: they are the first and the last.
DEFAULTS = {"tokens": "text", "label": "label"}
#: Lines that tell whether a file has a token a line.
SAMPLED = 200


@dataclass
class Sentences:
    """Columns of tokens and tags, as they are gathered.

    Attributes:
        columns: for each option, a list of the cells of each sentence.
        open: the cells of the sentence that has not ended.
    """

    columns: dict[str, list[list[str]]]
    open: dict[str, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        self.open = {option: [] for option in self.columns}

    def add(self, option: str, cell: str, where: str) -> None:
        """Add a cell to the sentence.

        Raises:
            DataError: for an empty one.
        """
        if not cell:
            what = "token" if option == "tokens" else "tag"
            raise DataError(
                f"{where}: the {what} is empty; expected one in each line, and a blank line after a sentence"
            )
        self.open[option].append(cell)

    def end(self) -> None:
        """The sentence ends, if there is one."""
        if any(self.open.values()):
            for option, cells in self.open.items():
                self.columns[option].append(cells)
            self.open = {option: [] for option in self.columns}

    def frame(self, names: dict[str, str]) -> pl.DataFrame:
        """The columns under the names that are wanted."""
        self.end()
        return pl.DataFrame(
            {names[option]: pl.Series(rows, dtype=pl.List(pl.String)) for option, rows in self.columns.items()}
        )


def started(source: Source, wanted: Sequence[Wanted]) -> tuple[dict[str, str], Sentences]:
    """The names of the columns by their options, and sentences without any yet.

    Raises:
        DataError: for a task that reads no tokens, or a column that such files do not have.
    """
    names = dict(wanted)
    for option, name in wanted:
        if option not in DEFAULTS:
            advice = "the task tag reads it (--task tag)" if option == "text" else "it has tokens and tags alone"
            raise DataError(f"{source.name}: holds a token a line; --{option} {shortened(name)} is not in it: {advice}")
    return names, Sentences({option: [] for option in names})


def numbered_lines(source: Source, dialect: Dialect) -> Iterator[tuple[int, str]]:
    """The lines of a file without what ends them, from 1."""
    text = as_utf_8(source.content, dialect.encoding, source.name).decode()
    return ((number, line.removesuffix("\r")) for number, line in enumerate(text.split("\n"), start=1))


def read_token_lines(source: Source, wanted: Sequence[Wanted], dialect: Dialect, *, everything: bool) -> pl.DataFrame:  # noqa: ARG001
    """The tokens and the tags of each sentence, as lists.

    The columns are named by their numbers, from 1; "text" is the first and "label" the last. Between them are tabs, if
    the first line has one, and else blanks.

    Raises:
        DataError: naming the line that has too few or too many columns, or an empty one.
    """
    names, sentences = started(source, wanted)
    separator = dialect.character
    width = first = 0
    places: dict[str, int] = {}
    for number, line in numbered_lines(source, dialect):
        if not line.strip() or line.startswith(DOCUMENT):
            sentences.end()
            continue
        where = f"{source.name}, line {number}"
        if not width and separator is None and "\t" in line:
            separator = "\t"
        cells = line.split() if separator in (None, " ") else [cell.strip() for cell in line.split(separator)]
        if not width:
            width, first = len(cells), number
            places = {option: _place(option, name, width, where) for option, name in names.items()}
        if len(cells) != width:
            between = "blanks" if separator in (None, " ") else "tabs" if separator == "\t" else repr(separator)
            spaces = separator == "\t" and len(line.split()) == width
            advice = "; it has blanks where others have tabs" if spaces else ""
            raise DataError(
                f"{where}: expected {width} columns between {between}, as in line {first}, got {len(cells)}: "
                f"{shortened(line)}{advice}"
            )
        for option, place in places.items():
            sentences.add(option, cells[place], where)
    return sentences.frame(names)


def _place(option: str, name: str, width: int, where: str) -> int:
    """The place of a column."""
    numbers = [str(number) for number in range(1, width + 1)]
    if name == DEFAULTS[option]:
        if option == "label" and width == 1:
            raise DataError(
                f"{where}: expected a token and its tag, with a tab or a blank between them, got one column"
            )
        return 0 if option == "tokens" else width - 1
    if name not in numbers:
        asked = "--text" if option == "tokens" else "--label"
        raise DataError(
            f"{where}: no column {shortened(name)}; columns of files with a token a line are named by their numbers, "
            f"{listing(numbers)}: {asked} 1"
        )
    return numbers.index(name)


def has_token_lines(content: bytes) -> bool:
    r"""Whether a text looks like a token a line with other columns: as many, two or more, in each, and blank lines.

    Example:
        >>> has_token_lines(b"EU\tORG\nrejects\tO\n\nPeter\tPER\n"), has_token_lines(b"so good\nso bad\n")
        (True, False)
    """
    lines = content[: 1 << 16].decode("utf-8", "replace").split("\n")[:SAMPLED]
    if lines[0].removeprefix("\ufeff").startswith(DOCUMENT):
        return True
    lines = [line.strip() for line in lines]
    filled = [line for line in lines if line and not line.startswith("#")]
    widths = {len(line.split("\t" if "\t" in filled[0] else None)) for line in filled[:-1] or filled}
    apart = "" in lines[: len(lines) - lines[::-1].index(filled[-1]) - 1] if filled else False
    tabs = bool(filled) and "\t" in filled[0]
    return len(widths) == 1 and min(widths) > 1 and (tabs or apart)
