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

LINES = (".txt", ".text", ".log", ".md")  # what only the name of a file ends in
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
    from chainrule.models import Model

    model = Model.load(arguments.model)
    if model.task.columns():
        for path in arguments.texts:
            _print_answers(model, model.task.read(path, **table_options(arguments, label=None)), arguments)
        if not arguments.texts:
            raise DataError("the model reads columns of a table; give a file, such as rows.csv")
        return
    for texts in _sources(arguments):
        _print_answers(model, texts, arguments)


def _sources(arguments: argparse.Namespace) -> Iterator[Sequence[str]]:
    """Texts in chunks, each as soon as it is there."""
    from chainrule.data import read_table
    from chainrule.data.datasets import PREFIX, TEST
    from chainrule.data.formats import is_fasttext, is_table
    from chainrule.data.sources import opened

    encoding = arguments.encoding or "utf-8"
    if not arguments.texts or arguments.texts == ["-"]:
        if sys.stdin is None:
            raise DataError("standard input is closed; give texts or files, or send lines to it")
        yield from stream_lines(sys.stdin.buffer, encoding, "standard input")
        return
    for argument in arguments.texts:
        is_file = _is_file(argument)
        a_table = is_table(argument) and (is_file or " " not in argument)  # or one that is not there
        a_table |= is_file and any(x is not None for x in (arguments.separator, arguments.quoting, arguments.header))
        if argument.startswith(PREFIX):
            yield read_table(argument, splits=TEST, **table_options(arguments, label=None)).texts.to_list()
        elif a_table or (is_file and is_fasttext(argument)):
            yield read_table(argument, **table_options(arguments, label=None)).texts.to_list()
        elif is_file:
            with opened(argument) as stream:
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
    from chainrule.data.decoding import advice, require_encoding

    require_encoding(encoding)
    decoder = codecs.getincrementaldecoder(encoding)()
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
                f"{error.reason}. {advice(error.object, encoding)}"
            ) from error
        except UnicodeError as error:
            raise DataError(f"{name}: is not valid {encoding}: {error}. {advice(chunk, encoding)}") from error
        seen += len(chunk)
        if rest and not chunk:
            lines.append(rest)
        if lines:
            lines[0], mark = lines[0].removeprefix(mark), ""
            yield [line.rstrip("\r") for line in lines]
        if not chunk:
            return


def _is_file(argument: str) -> bool:
    try:
        return Path(argument).is_file()
    except (OSError, ValueError):  # a text too long or too strange to be a name
        return False


def _print_answers(model: Model, held: Table | Sequence[str], arguments: argparse.Namespace) -> None:
    """Print the answer for each row, and the row; few texts as they are need no table, and no Polars."""
    from chainrule.data import Table
    from chainrule.tasks.labels import one_line

    lines = []
    textual = not isinstance(held, Table)
    rows = held.columns.iter_rows(named=True) if isinstance(held, Table) else ({"text": text} for text in held)
    for answer, row in zip(model.answers(held, engine=arguments.engine), rows, strict=True):
        if arguments.json:
            lines.append(json_text({**answer.json(), **(row if textual else {"row": row})}))
        else:
            shown = row["text"] if textual else ", ".join(f"{key}={value}" for key, value in row.items())
            lines.append(f"{answer.line()}\t{one_line(shown, 1000)}")
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
