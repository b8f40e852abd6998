"""`chainrule filters`: the n-grams that the filters of a convolutional network answer to most."""

from __future__ import annotations

import argparse
from typing import Any

from chainrule.cli.explain import require_free
from chainrule.cli.options import add_engine_option, add_table_options, table_options
from chainrule.cli.printing import show


def add_parser(subparsers: Any, arguments: list[str]) -> None:  # noqa: ARG001
    """The options of the command."""
    parser = subparsers.add_parser(
        "filters",
        help="show the n-grams that the filters of a model of the learner cnn answer to most",
        description="For each label, the filters of a convolutional network that speak most for it, by their weights, "
        "and the n-grams of a table that each answers to most.",
        epilog="example: chainrule filters model reviews.csv --most 5 --out filters.html",
    )
    parser.add_argument("model", help="folder of a model that was trained with --learner cnn")
    parser.add_argument("table", help="texts, such as those it was trained on")
    parser.add_argument("--most", type=int, default=10, metavar="N", help="filters under each label (default: 10)")
    parser.add_argument("--ngrams", type=int, default=5, metavar="N", help="n-grams of each filter (default: 5)")
    parser.add_argument("--out", metavar="FILE.html", help="new file for a page, instead of printing")
    add_engine_option(parser)
    add_table_options(parser, label=False)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Read, look, and print or write.

    Raises:
        ChainruleError: for a model, a table or a file that cannot be used.
    """
    from chainrule.explanation.best_ngrams import filters, require_filters, require_page
    from chainrule.models import Model

    if arguments.out is not None:
        require_page(arguments.out)
        require_free(arguments.out)
    model = Model.load(arguments.model)
    require_filters(model)
    table = model.task.read(arguments.table, **table_options(arguments, label=None))
    engine = arguments.engine or "native"
    found = filters(model, table, most=arguments.most, ngrams=arguments.ngrams, engine=engine)
    show(str(found) if arguments.out is None else f"filters: {found.save(arguments.out)}")
