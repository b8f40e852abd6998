"""`chainrule check`: what experts check before they train."""

from __future__ import annotations

import argparse
from typing import Any

from chainrule.cli.printing import json_text, listed, show
from chainrule.cli.train import add_training_options, asked, read_tables

EPILOG = """\
examples:
  chainrule check reviews.csv
  chainrule check houses.csv --task regress --label price --numbers auto && echo "all is well"
"""


def add_parser(subparsers: Any, arguments: list[str]) -> None:
    """The options of the command: those of `train` that say what is trained, and how."""
    parser = subparsers.add_parser(
        "check",
        help="check network, loss and rows before training, in seconds",
        description="What experts check before they train: loss and calibration at the start, rows that do not depend "
        "on those beside them, a gradient for every parameter, a baseline that is worse, and a mini-batch learned by "
        "heart. The exit code is 1 where something is not as it should be. No model is kept.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    if arguments[:1] != ["check"]:
        return
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_training_options(parser, arguments)


def run(arguments: argparse.Namespace) -> int:
    """Check, and say what was found."""
    from chainrule.train import check

    choice = arguments.choice
    task, learner, training = asked(arguments)
    table, _ = read_tables(arguments, task)
    found = check(learner, table, task=task, training=training, seed=choice.seed(arguments.seed))
    if arguments.json:
        from dataclasses import asdict

        show(json_text({"checks": [asdict(each) for each in found]}))
    else:
        show(listed([(f"{'ok' if each.passed else 'NOT OK'}  {each.name}", each.sentence) for each in found]))
    return int(not all(each.passed for each in found))
