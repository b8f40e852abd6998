"""`chainrule predict`: labels and probabilities for texts, a file, or standard input line by line."""

from __future__ import annotations

import argparse
import codecs
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from chainrule.cli.evaluate import json_text, one_line
from chainrule.cli.options import add_eager_option, add_table_options
from chainrule.errors import DataError

if TYPE_CHECKING:
    from chainrule.models import TextClassifier

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
LINES = (".txt", ".text", ".log", ".md", ".json")  # what only the name of a file ends in
CHUNK = 1 << 16

EPILOG = """\
examples:
  chainrule predict model "A warm and funny film." "Dull from start to end."
  chainrule predict model reviews.csv --text review --json
  cat lines.txt | chainrule predict model

An argument that is the name of a file is read: a table (.csv, .tsv, .jsonl, .parquet) by its text column, any other
file line by line. Output, a line a text: label, probability of each label, text, separated by tabs; or a JSON object.
"""


def add_parser(subparsers: Any) -> None:
    """The options of the command."""
    parser = subparsers.add_parser(
        "predict",
        help="classify texts, a file, or standard input",
        description="Classify texts: the most probable label, and the probability of each.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="folder of a trained model")
    parser.add_argument(
        "texts", nargs="*", metavar="TEXT", help="texts or files (default: standard input, line by line)"
    )
    parser.add_argument("--json", action="store_true", help="a JSON object a line")
    add_eager_option(parser)
    add_table_options(parser, label=False)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Classify whatever is given, as it comes."""
    from chainrule.models import TextClassifier

    model = TextClassifier.load(arguments.model)
    for texts in _sources(arguments):
        _print_predictions(model, texts, as_json=arguments.json, eager=arguments.eager)


def _sources(arguments: argparse.Namespace) -> Iterator[Sequence[str]]:
    """Texts in portions, each as soon as it is there."""
    from chainrule.data import read_table

    if not arguments.texts or arguments.texts == ["-"]:
        if sys.stdin is None:
            raise DataError("standard input is closed; give texts or files, or send lines to it")
        yield from stream_lines(sys.stdin.buffer, arguments.encoding, "standard input")
        return
    for argument in arguments.texts:
        is_file = _is_file(argument)
        if argument.lower().endswith(TABLES) and (is_file or " " not in argument):  # or a file that is not there
            yield read_table(argument, text=arguments.text, label=None, encoding=arguments.encoding).texts.to_list()
        elif is_file:
            with Path(argument).open("rb") as stream:
                yield from stream_lines(stream, arguments.encoding, argument)
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
    """The lines that have arrived, in portions: one at a time from a keyboard, thousands from a file.

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


def _is_file(argument: str) -> bool:
    try:
        return Path(argument).is_file()
    except (OSError, ValueError):  # a text too long or too strange to be a name
        return False


def _print_predictions(model: TextClassifier, texts: Sequence[str], *, as_json: bool, eager: bool | None) -> None:
    probabilities = model.predict_probabilities(texts, eager=eager)
    best = probabilities.argmax(axis=1)
    lines = []
    for text, chosen, row in zip(texts, best.tolist(), probabilities.tolist(), strict=True):
        label = model.labels[chosen]
        named = zip(model.labels, row, strict=True)
        if as_json:
            content = {"label": label, "probabilities": {name: round(p, 6) for name, p in named}, "text": text}
            lines.append(json_text(content))
        else:
            shown = " ".join(f"{one_line(name)}={p:.4f}" for name, p in named)
            lines.append(f"{one_line(label)}\t{shown}\t{one_line(text, 1000)}")
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
