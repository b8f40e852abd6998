"""`chainrule evaluate`: how good a saved classifier is on a labelled table."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from chainrule.cli.options import add_eager_option, add_table_options

if TYPE_CHECKING:
    from chainrule.train import Evaluation


def add_parser(subparsers: Any) -> None:
    """The options of the command."""
    parser = subparsers.add_parser(
        "evaluate",
        help="evaluate a classifier on a labelled table",
        description="Accuracy, macro-F1, precision and recall of each class, and the confusion matrix.",
        epilog="example: chainrule evaluate model test.csv --json",
    )
    parser.add_argument("model", help="folder of a trained model")
    parser.add_argument("table", help="labelled texts: .csv, .tsv, .jsonl or .parquet")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    add_eager_option(parser)
    add_table_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Evaluate and print."""
    from chainrule.data import read_table
    from chainrule.models import TextClassifier
    from chainrule.train import evaluate

    model = TextClassifier.load(arguments.model)
    table = read_table(arguments.table, text=arguments.text, label=arguments.label, encoding=arguments.encoding)
    evaluation = evaluate(model, table, eager=arguments.eager)
    if arguments.json:
        unlabelled = {"unlabelled": table.report.unlabelled, "empty": table.report.empty}
        print(json_text({**evaluation.as_dict(), **unlabelled}))
        return
    print(f"examples   {evaluation.examples}", end="")
    print(f" ({table.report.unlabelled} unlabelled rows left out)" if table.report.unlabelled else "")
    print(f"accuracy   {evaluation.accuracy:.4f}")
    print(f"macro-F1   {evaluation.macro_f1:.4f}")
    print(f"loss       {evaluation.loss:.4f} nats")
    print()
    print(format_classes(evaluation))
    print()
    print("confusion matrix (rows: true class, columns: predicted class)")
    print(format_confusion(evaluation))


def json_text(content: dict[str, Any]) -> str:
    """JSON on one line, in ASCII where the output is not Unicode."""
    return json.dumps(content, ensure_ascii=not (sys.stdout.encoding or "").lower().startswith("utf"))


def format_classes(evaluation: Evaluation) -> str:
    """A table of precision, recall, F1 and support by class."""
    columns = (evaluation.precision, evaluation.recall, evaluation.f1)
    rows = [["class", "precision", "recall", "F1", "support"]]
    for i, label in enumerate(evaluation.labels):
        rows.append([one_line(label), *(f"{column[i]:.4f}" for column in columns), str(evaluation.support[i])])
    return align(rows)


def format_confusion(evaluation: Evaluation) -> str:
    """The confusion matrix as a table."""
    labels = [one_line(label) for label in evaluation.labels]
    counts = [[str(count) for count in row] for row in evaluation.confusion]
    return align([["", *labels], *([label, *row] for label, row in zip(labels, counts, strict=True))])


def align(rows: list[list[str]]) -> str:
    """Columns of equal width, the first to the left and the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


def one_line(label: str, limit: int = 40) -> str:
    """A label that fits into a table: no line breaks, not too long."""
    text = label.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return text if len(text) <= limit else text[: limit - 1] + "…"
