"""`chainrule diagnose`: what was wrong with a training, from its record."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from chainrule.cli.printing import json_text, listed, say, show
from chainrule.errors import DataError


def add_parser(subparsers: Any, arguments: list[str]) -> None:  # noqa: ARG001
    """The options of the command."""
    parser = subparsers.add_parser(
        "diagnose",
        help="say what was wrong with the training of a model",
        description="What the diagnostics say of a training, from its record: of the learning rate, of overfitting, of "
        "units, gradients and labels. The exit code is 1 where they found something, but for that it has converged.",
        epilog="example: chainrule diagnose model --picture diagnosis.svg",
    )
    parser.add_argument("model", help="folder of a trained model, or its record.jsonl")
    parser.add_argument("--picture", metavar="FILE", help="draw what was looked at, by epoch (.svg)")
    parser.add_argument("--json", action="store_true", help="print one JSON object, with the rows that were listed")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Read the record, and say what was found."""
    from chainrule.report import draw_diagnosis, read_record
    from chainrule.train.diagnostics import Course, findings
    from chainrule.train.diagnostics.contract import HEALTHY
    from chainrule.train.run_folder import RECORD

    path = Path(arguments.model)
    record = read_record(path / RECORD if path.is_dir() else path)
    if not any(line.get("kind") == "epoch" for line in record):
        raise DataError(f"{path}: the record has no epoch; expected that of a training")
    try:
        found, course = findings(record), Course(record)
        rows = [
            (part, row) for _, seen in course.observed("labels") for part in ("train", "valid") for row in seen[part]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: the record is not that of a training: {error!r}") from error
    if arguments.json:
        listing = [{"part": part, **row} for part, row in rows]
        show(json_text({"findings": [each.as_line() for each in found], "labels": listing}))
    elif found:
        show(listed([(each.name, each.sentence) for each in found]))
    else:
        show("nothing was found to be wrong")
    if arguments.picture is not None:
        draw_diagnosis(record, arguments.picture)
        say(f"what was looked at is drawn in {arguments.picture}")
    return int(any(each.name not in HEALTHY for each in found))
