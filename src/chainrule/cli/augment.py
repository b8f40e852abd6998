"""`chainrule augment`: training rows, and copies of them whose words are swapped."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from chainrule.cli.explain import require_free
from chainrule.cli.options import add_table_options
from chainrule.cli.printing import show
from chainrule.cli.reweight import add_out, columns_of, read_all
from chainrule.errors import ConfigurationError

EPILOG = """\
examples:
  chainrule augment reviews.csv --swap en --out train.csv --rest valid.csv
  chainrule train train.csv --valid valid.csv --out after
  chainrule bias after test.csv --swap en                          (what is left)

A copy has its row's label, and he is she, James is Mary. Copies are of the rows to train on alone: --rest first deals
out rows to validate with, which get none; a table of training rows alone needs no --rest.
"""


def add_parser(subparsers: Any, arguments: list[str]) -> None:  # noqa: ARG001
    """The options of the command."""
    parser = subparsers.add_parser(
        "augment",
        help="training rows with copies whose words are swapped, such as he and she",
        description="Write rows to train on, and below them a copy of each that has a word of the pairs, swapped.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("table", nargs="+", metavar="TABLE", help="rows with texts and labels")
    parser.add_argument(
        "--swap", metavar="LIST", action="append", help="pairs of words: en, fr or a file (default: en)"
    )
    parser.add_argument("--rest", metavar="FILE", help="new file for rows to validate with, dealt out before by label")
    parser.add_argument(
        "--share", type=float, default=0.2, metavar="PART", help="of the rows, for --rest (default: 0.2)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of what is dealt out (default: 0)")
    add_out(parser)
    add_table_options(parser, weight=True)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Swap, write, and say what changed, and what not.

    Raises:
        ChainruleError: for a table, a list or a file that cannot be used.
    """
    from functools import reduce
    from operator import add

    from chainrule.data.write import write_columns, writer_of
    from chainrule.fairness import Pairs, augmented

    if not 0 < arguments.share < 1:
        raise ConfigurationError(f"--share must be above 0 and below 1, got {arguments.share:g}")
    for place in filter(None, (arguments.out, arguments.rest)):
        writer_of(place)
        require_free(place)
    pairs = reduce(add, map(Pairs.read, arguments.swap or ["en"]))
    table = read_all(arguments)
    rest = None
    if arguments.rest is not None:
        table, rest = table.split(1 - arguments.share, arguments.share, seed=arguments.seed)
    found = augmented(table, pairs)
    columns = columns_of(found.table)
    columns[arguments.text or "text"] = found.table.texts.to_list()
    write_columns(arguments.out, columns)
    show(f"{found}\ntable: {Path(arguments.out)} ({len(found.table):,} rows)")
    if rest is not None:
        write_columns(arguments.rest, columns_of(rest))
        show(f"rest: {Path(arguments.rest)} ({len(rest):,} rows, without copies)")
