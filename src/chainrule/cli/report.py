"""`chainrule report`: the report of a study, from its records alone."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from chainrule.cli.explain import require_free
from chainrule.cli.printing import show, stream
from chainrule.errors import ConfigurationError, DataError

EPILOG = """\
examples:
  chainrule report study
  chainrule report study --format markdown
  chainrule report study --out paper/results.tex
  chainrule report study --strict

Without --out, the page is written to report.html in the folder of the study, and the other formats are printed.
--strict fails on an item of the reproducibility checklist that the records do not fill in; notes.toml in the folder of
the study can, with a line such as: languages = "English"
"""
#: The page of a study, in its folder.
PAGE = "report.html"
#: The formats that there are; `chainrule.report.study.formats` has what makes them.
FORMATS = ("html", "markdown", "latex", "json", "csv")


def add_parser(subparsers: Any, arguments: list[str]) -> None:  # noqa: ARG001
    """The options of the command."""
    parser = subparsers.add_parser(
        "report",
        help="make the report of a study from its records",
        description="The report of a study: which learner is best, how sure that is, what it costs, and why.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("study", help="folder of a study, as chainrule compare writes it")
    parser.add_argument(
        "--format",
        metavar="NAME",
        help=f"one of {', '.join(FORMATS)} (default: what the ending of --out says, or html)",
    )
    parser.add_argument("--out", metavar="FILE", help="new file: .html, .md, .tex, .json or .csv")
    parser.add_argument(
        "--strict", action="store_true", help="fail where an item of the reproducibility checklist is not filled in"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Read the records, and write or print the report.

    Raises:
        ChainruleError: for records that cannot be read, a format that there is not, or a file that cannot be written.
    """
    from chainrule.files import write_file
    from chainrule.report.study import read_study

    format = _format(arguments)
    if arguments.out is not None:
        require_free(arguments.out)
    study = read_study(arguments.study)
    if arguments.strict:
        _require_items(study)
    text = study.report(format)
    if arguments.out is None and format != "html":
        stream(text)
        return
    path = Path(arguments.study) / PAGE if arguments.out is None else Path(arguments.out)
    write_file(path, text)
    conclude(study, path)


def write_page(folder: Path) -> None:
    """Write the page of a study into its folder, and say what came out."""
    from chainrule.files import write_file
    from chainrule.report.study import read_study

    study = read_study(folder)
    write_file(folder / PAGE, study.report("html"))
    conclude(study, folder / PAGE)


def conclude(study: Any, path: Path) -> None:
    """Say which learner won, what it reaches, and where the report is."""
    from chainrule.report.study.answer import answer, reached

    ranking = study.ranking()
    show("\n".join(line for line in (answer(ranking), reached(ranking), f"report: {path}") if line))


def _format(arguments: argparse.Namespace) -> str:
    from chainrule.report.study.formats import ENDINGS
    from chainrule.settings import suggestion

    if arguments.format is not None:
        if arguments.format not in FORMATS:
            given = f"{arguments.format!r:.60}{suggestion(arguments.format, FORMATS)}"
            raise ConfigurationError(f"--format: expected one of {', '.join(FORMATS)}, got {given}")
        return str(arguments.format)
    if arguments.out is None:
        return "html"
    ending = Path(arguments.out).suffix.lower()
    if ending not in ENDINGS:
        raise ConfigurationError(
            f"--out {arguments.out!r:.200}: expected a name that ends in {', '.join(ENDINGS)}; or give --format"
        )
    return ENDINGS[ending]


def _require_items(study: Any) -> None:
    """Refuse a report with an empty item.

    Raises:
        DataError: naming what is empty.
    """
    from chainrule.report.study.reproducibility import NOTES, checklist

    empty = [f"{item.key} ({item.asks})" for item in checklist(study.ranking()) if not item.answer]
    if empty:
        raise DataError(
            f"{study.folder}: the records do not fill in {len(empty)} of the items of the reproducibility checklist: "
            f"{'; '.join(empty)}; finish the study, or tell them in {study.folder / NOTES}"
        )
