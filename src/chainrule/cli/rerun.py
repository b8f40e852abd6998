"""`chainrule rerun`: a run of a study again, to the same bits."""

from __future__ import annotations

import argparse
from typing import Any

from chainrule.cli.printing import listed, show

#: The exit code where the bits are others.
DIFFERENT = 1


def add_parser(subparsers: Any, arguments: list[str]) -> None:  # noqa: ARG001
    """The options of the command."""
    parser = subparsers.add_parser(
        "rerun",
        help="train a run of a study again, and compare the bits",
        description="Train a run of a study again from what was written down, and say whether its weights have the "
        "same bits. The exit code is 1 where they have not.",
    )
    parser.add_argument("study", metavar="STUDY", help="folder of the study")
    parser.add_argument(
        "run_name", metavar="RUN", help="name of the run, what it begins with, or a pattern, such as 'bow-*-seed0'"
    )
    parser.add_argument("--out", metavar="FOLDER", help="new folder for its model (default: it is not kept)")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train, and compare."""
    from chainrule.experiment import StudyFolder, rerun

    study = StudyFolder(arguments.study)
    again = rerun(study, arguments.run_name, folder=arguments.out, progress=not arguments.quiet)
    measure = study.header["measure"]
    words = {True: "the same", False: "others than before", None: "there were none to compare with, as it failed"}
    rows = [
        (f"validation {measure['title']}", f"{again.run.best.valid[measure['name']]:.4f}"),
        ("bits", words[again.same]),
    ]
    if arguments.out is not None:
        rows.append(("model", arguments.out))
    show(listed(rows))
    return DIFFERENT if again.same is False else 0
