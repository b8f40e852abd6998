"""`chainrule export`: the records of a study for other tools."""

from __future__ import annotations

import argparse
from typing import Any

from chainrule.cli.printing import say
from chainrule.errors import ConfigurationError, shortened

#: The formats that there are, and how to look at what is written; `chainrule.report.exports` has what makes them.
FORMATS = {
    "tensorboard": "tensorboard --logdir {}",
    "mlflow": "mlflow ui --backend-store-uri sqlite:///{}",
}


def add_parser(subparsers: Any, arguments: list[str]) -> None:  # noqa: ARG001
    """The options of the command."""
    parser = subparsers.add_parser(
        "export",
        help="write the records of a study for TensorBoard or MLflow",
        description="Write the records of a study for other tools: hyper-parameters and figures of each run.",
    )
    parser.add_argument("study", metavar="STUDY", help="folder of the study")
    parser.add_argument("--format", metavar="NAME", help=f"one of {', '.join(FORMATS)}")
    parser.add_argument(
        "--out", metavar="PLACE", help="new folder of event files for TensorBoard, or new SQLite file for MLflow"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Write, and say how to look at it."""
    from chainrule.report.exports import EXPORTS
    from chainrule.report.study import read_study

    if arguments.format not in FORMATS:
        raise ConfigurationError(f"--format: expected {' or '.join(FORMATS)}, got {shortened(arguments.format)}")
    if arguments.out is None:
        raise ConfigurationError("--out: expected a new place for the export; add --out PLACE")
    study = read_study(arguments.study)
    EXPORTS[arguments.format](study, arguments.out)
    say(f"{len(study.runs)} runs: {FORMATS[arguments.format].format(arguments.out)}")
