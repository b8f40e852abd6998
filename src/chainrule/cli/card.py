"""`chainrule card`: what is to be known of a saved model before it is used."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from chainrule.cli.explain import require_free
from chainrule.cli.options import add_table_options, table_options
from chainrule.cli.printing import show, stream
from chainrule.errors import ConfigurationError, shortened

#: The formats that there are, with the endings of names that tell them; `chainrule.cards.Card` makes them.
ENDINGS = {".html": "html", ".htm": "html", ".md": "markdown", ".json": "json"}
FORMATS = tuple(dict.fromkeys(ENDINGS.values()))

EPILOG = """\
examples:
  chainrule card model
  chainrule card model test.csv --out card.html --license "CC BY 4.0"
  chainrule card model test.csv --notes notes.toml --format json

Rows with labels are what it is measured on. What only people know is marked as to be filled in; a file of notes fills
it in, a line each: intended_use, out_of_scope, factors, data, ethics, caveats, license, contact.
"""


def add_parser(subparsers: Any, arguments: list[str]) -> None:  # noqa: ARG001
    """The options of the command."""
    parser = subparsers.add_parser(
        "card",
        help="print the model card of a saved model",
        description="What is to be known of a model before it is used: data, measures and intervals, limits, settings.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="folder of a trained model")
    parser.add_argument("table", nargs="*", metavar="TABLE", help="rows of a test, with labels, to measure it on")
    parser.add_argument(
        "--format",
        metavar="NAME",
        help=f"one of {', '.join(FORMATS)} (default: what the ending of --out says, or markdown)",
    )
    parser.add_argument("--out", metavar="FILE", help="new file: .html, .md or .json (default: print it)")
    parser.add_argument("--license", metavar="TEXT", help="under which the model may be used")
    parser.add_argument("--notes", metavar="FILE", help="TOML file of what only people know")
    add_table_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Make the card, and print or write it.

    Raises:
        ChainruleError: for a model or tables that cannot be used, or a file that cannot be written.
    """
    format = _format(arguments)
    if arguments.out is not None:
        require_free(arguments.out)
    from chainrule.cards import model_card, read_notes
    from chainrule.data.datasets import TEST
    from chainrule.models import Model

    notes = {} if arguments.notes is None else read_notes(arguments.notes)
    model = Model.load(arguments.model)
    tables = [model.task.read(place, splits=TEST, **table_options(arguments)) for place in arguments.table]
    card = model_card(model, tables, folder=arguments.model, notes=notes, license=arguments.license)
    text = card.text(format)
    if arguments.out is None:
        stream(text)
        return
    from chainrule.files import write_file

    write_file(Path(arguments.out), text)
    show(f"model card: {arguments.out}")


def _format(arguments: argparse.Namespace) -> str:
    if arguments.format is not None:
        if arguments.format not in FORMATS:
            raise ConfigurationError(
                f"--format: expected one of {', '.join(FORMATS)}, got {shortened(arguments.format)}"
            )
        return str(arguments.format)
    if arguments.out is None:
        return "markdown"
    ending = Path(arguments.out).suffix.lower()
    if ending not in ENDINGS:
        raise ConfigurationError(
            f"--out {shortened(arguments.out)}: expected a name that ends in {', '.join(ENDINGS)}; or give --format"
        )
    return ENDINGS[ending]
