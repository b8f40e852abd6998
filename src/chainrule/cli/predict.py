"""`chainrule predict`: answers for texts, a file, or standard input line by line."""

from __future__ import annotations

import argparse
import codecs
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from chainrule.cli.options import add_engine_option, add_table_options, table_options
from chainrule.cli.printing import json_text
from chainrule.errors import DataError

if TYPE_CHECKING:
    from chainrule.data import Table
    from chainrule.models import Model

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
LINES = (".txt", ".text", ".log", ".md", ".json")  # what only the name of a file ends in
CHUNK = 1 << 16

EPILOG = """\
examples:
  chainrule predict model "A warm and funny film." "Dull from start to end."
  chainrule predict model reviews.csv --text review --json
  cat lines.txt | chainrule predict model

An argument that is the name of a file is read: a table (.csv, .tsv, .jsonl, .parquet) by its text column, any other
file line by line. A model of columns reads tables alone. Output, a line a row: the answer, the probability of each
label, and the text or the columns, separated by tabs; or a JSON object.
"""


def add_parser(subparsers: Any, arguments: list[str]) -> None:  # noqa: ARG001
    """The options of the command."""
    parser = subparsers.add_parser(
        "predict",
        help="give a model's answers for texts, a file, or standard input",
        description="A model's answer for each row: the most probable label and all probabilities, or a number.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="folder of a trained model")
    parser.add_argument(
        "texts", nargs="*", metavar="TEXT", help="texts or files (default: standard input, line by line)"
    )
    parser.add_argument("--json", action="store_true", help="a JSON object a line")
    add_engine_option(parser)
    add_table_options(parser, label=False)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Answer for whatever is given, as it comes."""
    from chainrule.data import Table
    from chainrule.models import Model

    model = Model.load(arguments.model)
    if model.task.columns():
        for path in arguments.texts:
            _print_answers(model, model.task.read(path, **table_options(arguments, label=None)), arguments)
        if not arguments.texts:
            raise DataError("the model reads columns of a table; give a file, such as rows.csv")
        return
    for texts in _sources(arguments):
        _print_answers(model, Table.from_lists(texts, name="texts"), arguments)


def _sources(arguments: argparse.Namespace) -> Iterator[Sequence[str]]:
    """Texts in chunks, each as soon as it is there."""
    from chainrule.data import read_table
    from chainrule.data.datasets import PREFIX, TEST

    encoding = arguments.encoding or "utf-8"
    if not arguments.texts or arguments.texts == ["-"]:
        if sys.stdin is None:
            raise DataError("standard input is closed; give texts or files, or send lines to it")
        yield from stream_lines(sys.stdin.buffer, encoding, "standard input")
        return
    for argument in arguments.texts:
        is_file = _is_file(argument)
        is_table = argument.lower().endswith(TABLES) and (is_file or " " not in argument)  # or one that is not there
        if argument.startswith(PREFIX):
            yield read_table(argument, splits=TEST, **table_options(arguments, label=None)).texts.to_list()
        elif is_table or (is_file and _is_fasttext(argument)):
            yield read_table(argument, **table_options(arguments, label=None)).texts.to_list()
        elif is_file:
            with Path(argument).open("rb") as stream:
                yield from stream_lines(stream, encoding, argument)
        elif argument.lower().endswith(LINES) and not re.search(r"\s", argument):
            raise DataError(
                f"{argument}: no such file (looked in {Path(argument).absolute().parent}); if it is a text, send it "
                f"through standard input"
            )
        elif argument.encode(errors="replace").decode() == argument:
            yield [argument]
        else:
            raise DataError(f"the text {argument!r} is not valid UTF-8; put it in a file and name its --encoding")


def stream_lines(stream: BinaryIO, encoding: str, name: str) -> Iterator[Sequence[str]]:
    """The lines that have arrived, in chunks: one at a time from a keyboard, thousands from a file.

    Raises:
        DataError: for bytes that are not text in the encoding, with their place, or an unknown encoding.
    """
    try:
        "a".encode(encoding)  # refuses codecs that are not of text, such as zlib
        decoder = codecs.getincrementaldecoder(encoding)()
    except (LookupError, UnicodeError) as error:
        raise DataError(f"encoding {encoding!r} is not known; try utf-8 or latin-1: --encoding NAME") from error
    read = getattr(stream, "read1", stream.read)
    rest, seen, mark = "", 0, "\ufeff"
    while True:
        chunk = read(CHUNK)
        waiting = len(decoder.getstate()[0])
        try:
            *lines, rest = (rest + decoder.decode(chunk, final=not chunk)).split("\n")
        except UnicodeDecodeError as error:
            place = seen - waiting + error.start
            raise DataError(
                f"{name}: byte 0x{error.object[error.start]:02X} at offset {place} is not valid {encoding}: "
                f"{error.reason}. If it is in another encoding, name it: --encoding latin-1"
            ) from error
        seen += len(chunk)
        if rest and not chunk:
            lines.append(rest)
        if lines:
            lines[0], mark = lines[0].removeprefix(mark), ""
            yield [line.rstrip("\r") for line in lines]
        if not chunk:
            return


def _is_fasttext(path: str) -> bool:
    """Whether a file is in fastText's format, whose labels are no part of its texts."""
    from chainrule.data.formats import LABEL_MARK

    with Path(path).open("rb") as stream:
        return path.lower().endswith(".txt") and stream.read(len(LABEL_MARK)) == LABEL_MARK.encode()


def _is_file(argument: str) -> bool:
    try:
        return Path(argument).is_file()
    except (OSError, ValueError):  # a text too long or too strange to be a name
        return False


def _print_answers(model: Model, table: Table, arguments: argparse.Namespace) -> None:
    """Print the answer for each row, and the row."""
    from chainrule.shown import one_line

    lines = []
    rows = table.columns.iter_rows(named=True)
    for answer, row in zip(model.answers(table, engine=arguments.engine), rows, strict=True):
        if arguments.json:
            lines.append(json_text({**answer.json(), **(row if table.textual else {"row": row})}))
        else:
            shown = row["text"] if table.textual else ", ".join(f"{key}={value}" for key, value in row.items())
            lines.append(f"{answer.line()}\t{one_line(shown, 1000)}")
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
