"""`chainrule evaluate`: how good a saved model is on a table with what is true."""

from __future__ import annotations

import argparse
import math
from typing import Any

from chainrule.cli.options import add_beam_option, add_engine_option, add_table_options, set_beam, table_options
from chainrule.cli.printing import align, count_cut, counted, json_text, listed, say, say_cut, show
from chainrule.errors import DataError


def add_parser(subparsers: Any, arguments: list[str]) -> None:  # noqa: ARG001
    """The options of the command."""
    parser = subparsers.add_parser(
        "evaluate",
        help="evaluate a model on a labelled table",
        description="The measures of the model's task, such as accuracy, macro-F1 and the confusion matrix.",
        epilog="example: chainrule evaluate model test.csv --json",
    )
    parser.add_argument("model", help="folder of a trained model")
    parser.add_argument(
        "table", nargs="+", metavar="TABLE",
        help="labelled rows: files as train reads them, a pattern, or - for standard input",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    add_beam_option(parser)
    add_engine_option(parser)
    add_table_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Evaluate and print."""
    from chainrule.data.datasets import TEST
    from chainrule.models import Model
    from chainrule.tasks.measures import TITLES

    model = Model.load(arguments.model)
    set_beam(model, arguments.beam)
    table = model.task.read(arguments.table, splits=TEST, **table_options(arguments))
    try:
        evaluation = model.evaluate(table, engine=arguments.engine or "native")
    except DataError as error:
        raise DataError(f"{error} (the task of the model is {model.task.name})") from error
    for remark in getattr(evaluation, "remarks", ()):
        say(remark)
    say_cut(model, count_cut(model, table), len(table))
    report, unseen = table.report, model.unseen_labels(table)
    if arguments.json:
        counts = {"unlabelled": report.unlabelled, "empty": report.empty}
        show(json_text({**evaluation.as_dict(), **counts, "unseen": unseen}))
        return
    left_out = f" ({report.unlabelled} unlabelled rows left out)" if report.unlabelled else ""
    rows = [("examples", f"{len(table)}{left_out}")]
    for name, value in evaluation.measures.items():
        title, unit = TITLES.get(name, (name.replace("_", " "), ""))
        rows.append((title, "undefined" if math.isnan(value) else f"{value:.4f}{unit}"))
    if report.without_labels:
        rows.append(("without labels", str(report.without_labels)))
    if unseen:
        rows.append(("unseen labels", f"{counted(unseen)}; counted as wrong, and left out of the losses"))
    show(listed(rows))
    for title, cells in evaluation.tables():
        show()
        if title:
            show(title)
        if cells:
            show(align(cells))
