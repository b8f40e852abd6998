"""`chainrule reweight`: training rows with weights under which groups and labels are independent."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.cli.explain import require_free
from chainrule.cli.options import add_table_options, table_options
from chainrule.cli.printing import show
from chainrule.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    from chainrule.data import Table

EPILOG = """\
examples:
  chainrule reweight train.csv --groups gender --out weighted.csv
  chainrule train weighted.csv --weight weight --out after
  chainrule bias after test.csv --groups gender --before model     (what it changed)

A row of a group that has its label less often than others counts more (Kamiran and Calders 2012). Weights change how
much rows count, and neither the rows nor who is in them.
"""
#: The column of weights that is written.
WEIGHT = "weight"


def add_parser(subparsers: Any, arguments: list[str]) -> None:  # noqa: ARG001
    """The options of the command."""
    parser = subparsers.add_parser(
        "reweight",
        help="weights of training rows under which groups and labels are independent",
        description="Write a table with a column of weights, under which each label is as frequent in every group.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("table", nargs="+", metavar="TABLE", help="rows to train on, with a label and a group")
    parser.add_argument("--groups", metavar="COLUMN", help="a column with the group of each row; or several, as in a,b")
    parser.add_argument("--lexicon", metavar="LIST", help="groups by the words of texts: en, fr or a file of lists")
    add_out(parser)
    add_table_options(parser, weight=True)
    parser.set_defaults(run=run)


def add_out(parser: argparse.ArgumentParser) -> None:
    """Where a table is written."""
    parser.add_argument("--out", required=True, metavar="FILE", help="new file: .csv, .tsv, .jsonl or .parquet")


def run(arguments: argparse.Namespace) -> None:
    """Weigh, write, and say what changed, and what not.

    Raises:
        ChainruleError: for a table, a column or a file that cannot be used.
    """
    from chainrule.data.write import write_columns, writer_of
    from chainrule.fairness import Groups, reweighted

    if (arguments.groups is None) == (arguments.lexicon is None):
        raise ConfigurationError("groups: give one of --groups COLUMN and --lexicon LIST")
    writer_of(arguments.out)
    require_free(arguments.out)
    table = read_all(arguments)
    if arguments.lexicon is not None:
        groups = Groups.by_words(table.texts.to_list(), arguments.lexicon)
    else:
        groups = Groups.by_columns(table, [name.strip() for name in arguments.groups.split(",") if name.strip()])
    found = reweighted(table, groups)
    columns = columns_of(table)
    name = arguments.weight or WEIGHT
    if arguments.weight is None and name in columns:
        raise DataError(
            f"{table.name}: has a column {name!r} already; name it with --weight {name}, and it is multiplied"
        )
    weights = found.table.weights
    write_columns(arguments.out, {**columns, name: [] if weights is None else weights.to_list()})
    show(f"{found}\ntable: {Path(arguments.out)} ({len(table):,} rows, column {name!r})")


def read_all(arguments: argparse.Namespace) -> Table:
    """The rows of a table with all their columns."""
    from chainrule.data import read_table

    return read_table(arguments.table, keep="all", **table_options(arguments))


def columns_of(table: Table) -> dict[str, list[Any]]:
    """The columns of a table, as they were read."""
    kept = table.kept
    return {} if kept is None else {name: kept[name].to_list() for name in kept.columns}
