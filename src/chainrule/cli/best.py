"""`chainrule best`: the model that won a study, as a folder of its own."""

from __future__ import annotations

import argparse
from typing import Any

from chainrule.cli.printing import listed, show
from chainrule.errors import ConfigurationError


def add_parser(subparsers: Any, arguments: list[str]) -> None:  # noqa: ARG001
    """The options of the command."""
    parser = subparsers.add_parser(
        "best",
        help="export the model that won a study",
        description="Copy the best model of a study, by validation, to a folder of its own; one that was not kept is "
        "trained again, to the same bits.",
    )
    parser.add_argument("study", metavar="STUDY", help="folder of the study")
    parser.add_argument("--out", metavar="FOLDER", help="new folder for the model")
    parser.add_argument("--learner", metavar="NAME", help="the best of this learner (default: of all)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Copy, and say which it is."""
    from chainrule.experiment import StudyFolder, best

    if arguments.out is None:
        raise ConfigurationError("--out: expected a new folder for the model; add --out FOLDER")
    study = StudyFolder(arguments.study)
    line = best(study, arguments.out, learner=arguments.learner)
    measure = study.header["measure"]
    figure = line["valid"][measure["name"]]
    show(listed([("run", line["run"]), (f"validation {measure['title']}", f"{figure:.4f}"), ("model", arguments.out)]))
