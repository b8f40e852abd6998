"""`chainrule predict`: answers for texts, a file, or standard input line by line."""

from __future__ import annotations

import argparse
import codecs
import csv
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

from chainrule.cli.options import add_beam_option, add_engine_option, add_table_options, set_beam, table_options
from chainrule.cli.printing import count_cut, json_text, say_cut, show
from chainrule.errors import ConfigurationError, DataError, shortened
from chainrule.shown import json_value, one_line

if TYPE_CHECKING:
    from chainrule.data import Table
    from chainrule.models import Model

#: Rows to answer for: texts, or a table.
Rows: TypeAlias = "list[str] | Table"

LINES = (".txt", ".text", ".log", ".md")  # what only the name of a file ends in
CHUNK = 1 << 18
STANDARD_INPUT = "-"

#: As many texts of the command line are answered block by block on NumPy, unless told otherwise.
FEWEST_COMPILED = 64

EPILOG = """\
examples:
  chainrule predict model "A warm and funny film." "Dull from start to end."
  chainrule predict model --file reviews.csv --text review --keep id,date --out answers.csv
  cat lines.txt | chainrule predict model --json --top 3

A file is a table by the end of its name (.csv, .tsv, .jsonl, .parquet), which is read by its text column; any other
holds a text a line. A model of columns reads tables alone. Output, a line a row: the answer, the probability of each
label (of more than 30 labels, of the 5 likeliest) or the score of a text that was written, and the text or the columns,
separated by tabs. For programs: --json, or --out, which writes the columns of the file and then "prediction" and
"probability".
"""


def add_parser(subparsers: Any, arguments: list[str]) -> None:  # noqa: ARG001
    """The options of the command."""
    parser = subparsers.add_parser(
        "predict",
        help="give a model's answers for texts, a file, or standard input",
        description="A model's answer for each row: the most probable label and all probabilities, a number or text.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="folder of a trained model")
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="texts (default: standard input, line by line)")
    parser.add_argument("--file", action="append", metavar="FILE", help="a table or a file of lines, instead of texts")
    parser.add_argument(
        "--keep", metavar="NAMES",
        help="columns of the file beside the answers, such as id,date; all or none (default: all for --json and --out)",
    )  # fmt: skip
    parser.add_argument(
        "--top", metavar="K", type=int, help="the K likeliest labels or texts, with their probabilities"
    )
    parser.add_argument("--json", action="store_true", help="a JSON object a line")
    parser.add_argument("--out", metavar="FILE", help="new file for rows and answers: .csv, .tsv, .jsonl or .parquet")
    parser.add_argument("--force", action="store_true", help="overwrite a file that is there")
    add_beam_option(parser)
    add_engine_option(parser)
    add_table_options(parser, label=False)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Answer for whatever is given, as it comes."""
    from chainrule.models import Model

    model = Model.load(arguments.model)
    _check(model, arguments)
    if arguments.out is not None:
        _write_answers(model, arguments)
        return
    read = cut = 0
    for rows in _rows(model, arguments):
        read, cut = read + len(rows), cut + count_cut(model, rows)
        for row, answer in _answered(model, rows, arguments):
            if arguments.json:
                found = answer.json(arguments.top)
                show(json_text(_apart(json_value(row), found)))
            else:
                textual = isinstance(rows, list) or rows.textual
                text = row.get("text", "") if textual and arguments.keep is None else _pairs(row)
                text = text if isinstance(text, str) else " ".join(text)
                show(f"{answer.line(arguments.top)}\t{one_line(text, 1000)}")
        sys.stdout.flush()
    say_cut(model, cut, read)


def _check(model: Model, arguments: argparse.Namespace) -> None:
    """Refuse options that do not go together, before anything is read."""
    if arguments.texts and arguments.file:
        raise ConfigurationError("expected texts or --file, got both; predict them one after another")
    if arguments.keep is not None and not arguments.file:
        raise ConfigurationError("--keep names columns of a file, and there is none; add --file FILE")
    if arguments.top is not None:
        if arguments.top < 1:
            raise ConfigurationError(f"--top must be a whole number of 1 or more, got {arguments.top}")
        if not model.ranks:
            raise ConfigurationError(f"--top: the task {model.task.name} answers by something else than a label a row")
    set_beam(model, arguments.beam, arguments.top or 1)
    if arguments.out is None:
        if arguments.force:
            raise ConfigurationError("--force overwrites the file of --out, and there is none; leave it out")
        return
    from chainrule.data.write import writer_of
    from chainrule.files import refuse_existing

    if arguments.json:
        raise ConfigurationError("--json prints, and --out writes a file; for JSON in a file, give --out FILE.jsonl")
    writer_of(arguments.out)
    out = Path(arguments.out)
    if not (arguments.force and _is_file(arguments.out)):
        refuse_existing(out)
    if any(_is_file(arguments.out) and _is_file(file) and out.samefile(file) for file in arguments.file or ()):
        raise ConfigurationError(f"--out {out}: is the file that is read; choose another name")


def _rows(model: Model, arguments: argparse.Namespace) -> Iterator[Rows]:
    """Rows in chunks, each as soon as it is there; few texts as they are need no table, and no Polars."""
    if arguments.file:
        for file in arguments.file:
            yield from _file_rows(model, file, arguments)
        return
    if model.task.columns():
        raise DataError("the model reads columns of a table; give a file: --file rows.csv")
    if arguments.texts in ([], [STANDARD_INPUT]):
        if sys.stdin is None:
            raise DataError("standard input is closed; give texts or --file FILE, or send lines to it")
        yield from stream_lines(sys.stdin.buffer, arguments.encoding or "utf-8", "standard input")
        return
    for text in arguments.texts:
        require_text(text)
    yield arguments.texts


def require_text(argument: str) -> None:
    """Refuse an argument that may be meant as a file, or is no text."""
    if _is_file(argument) or (not re.search(r"\s", argument) and _names_file(argument)):
        raise DataError(
            f"{one_line(argument, 80)} is the name of a file; to read it, give --file {one_line(argument, 80)}; if it "
            "is a text, send it through standard input"
        )
    if argument.encode(errors="replace").decode() != argument:
        raise DataError(f"the text {shortened(argument)} is not valid UTF-8; put it in a file and name its --encoding")


def _names_file(argument: str) -> bool:
    """Whether a word ends or begins as what is read does."""
    from chainrule.data.datasets import PREFIX
    from chainrule.data.formats import is_table

    return is_table(argument) or argument.lower().endswith(LINES) or argument.startswith(PREFIX)


def _file_rows(model: Model, file: str, arguments: argparse.Namespace) -> Iterator[Rows]:
    """The rows of a file: of a table all at once, of another in chunks of lines."""
    from chainrule.data.datasets import PREFIX, TEST
    from chainrule.data.formats import is_fasttext, is_table, is_token_lines
    from chainrule.data.sources import opened

    a_table = file == STANDARD_INPUT or file.startswith(PREFIX) or is_table(file) or bool(model.task.columns())
    a_table |= any(x is not None for x in (arguments.separator, arguments.quoting, arguments.header))
    a_table |= model.task.target == "tags" and _is_file(file) and is_token_lines(file)
    if a_table or (_is_file(file) and is_fasttext(file)):
        options = table_options(arguments, label=None, keep=_kept(arguments))
        yield model.task.read(file, splits=TEST, **options)
        return
    if _kept(arguments) not in ((), ("all",), ("text",)):
        raise ConfigurationError(f"--keep {arguments.keep}: {file} holds a text a line, and no columns to keep")
    if not _is_file(file):
        raise DataError(f"{file}: no such file (looked in {Path(file).absolute().parent})")
    with opened(file) as stream:
        yield from stream_lines(stream, arguments.encoding or "utf-8", file)


def _kept(arguments: argparse.Namespace) -> tuple[str, ...]:
    """The columns of a file that are kept; names that hold commas may be quoted, as in CSV."""
    if arguments.keep is None:
        return ("all",) if arguments.json or arguments.out is not None else ()
    try:
        return () if arguments.keep in ("", "none") else tuple(next(csv.reader([arguments.keep])))
    except csv.Error as error:
        raise ConfigurationError(f"--keep {shortened(arguments.keep)}: expected NAME,NAME: {error}") from error


def _answered(model: Model, held: Rows, arguments: argparse.Namespace) -> Iterator[tuple[dict[str, Any], Any]]:
    """Rows, as they are shown beside their answers, with these."""
    shown = arguments.keep is None or bool(_kept(arguments))
    rows: Iterable[dict[str, Any]]
    if isinstance(held, list):
        rows = ({"text": text} if shown else {} for text in held)
    else:
        frame = held.columns if held.kept is None and shown else held.kept
        rows = ({} for _ in range(len(held))) if frame is None else frame.iter_rows(named=True)
    return zip(rows, model.answers(held, engine=_engine(arguments)), strict=True)


def _engine(arguments: argparse.Namespace) -> str:
    """The engine: a few texts, and no more to come, are done on NumPy before native code is ready."""
    few = 0 < len(arguments.texts) <= FEWEST_COMPILED and arguments.texts != [STANDARD_INPUT]
    return arguments.engine or ("eager" if few else "native")


def _apart(row: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    """A row beside its answer, which no column hides: one of the same name is called `name (file)`."""
    held: dict[str, Any] = {}
    for name, value in row.items():
        free = name
        while free in answer or (free != name and free in row):
            free += " (file)"
        held[free] = value
    return {**held, **answer}


def _pairs(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in row.items())


def _write_answers(model: Model, arguments: argparse.Namespace) -> None:
    """Write the rows and their answers to a file."""
    from chainrule.data.write import write_columns

    as_json = Path(arguments.out).suffix.lower() in (".jsonl", ".ndjson")
    columns: dict[str, list[Any]] = {}
    rows = cut = 0
    for held in _rows(model, arguments):
        cut += count_cut(model, held)
        for row, answer in _answered(model, held, arguments):
            found = answer.json(arguments.top) if as_json else answer.cells(arguments.top)
            cells = _apart(row, found)
            columns |= {name: [None] * rows for name in cells if name not in columns}
            for name, values in columns.items():
                values.append(cells.get(name))
            rows += 1
    if not rows:  # no line came: the names of the columns alone
        (answer,) = model.answers([""], engine="eager")
        columns = {name: [] for name in _apart({"text": ""}, answer.cells(arguments.top))}
    write_columns(arguments.out, columns)
    show(f"{rows:,} answers  {arguments.out}")
    say_cut(model, cut, rows)


def stream_lines(stream: BinaryIO, encoding: str, name: str) -> Iterator[list[str]]:
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
