"""The formats of a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chainrule.report.study.study import Study


def html(study: Study) -> str:
    """One page that needs nothing else."""
    from chainrule.report.study.build import build, made
    from chainrule.report.study.page import page

    return page(build(study), made=made(study))


def markdown(study: Study) -> str:
    """Text with tables, without pictures."""
    from chainrule.report.study.build import build
    from chainrule.report.study.markdown import markdown as text

    return text(build(study))


def latex(study: Study) -> str:
    """Sections and tables to be put into a document."""
    from chainrule.report.study.build import build
    from chainrule.report.study.latex import latex as text

    return text(build(study))


def json(study: Study) -> str:
    """All figures."""
    from chainrule.report.study.figures import json_text

    return json_text(study)


def csv(study: Study) -> str:
    """A row a run, with its settings and measures."""
    from chainrule.report.study.figures import csv_text

    return csv_text(study)


FORMATS: Mapping[str, Callable[[Study], str]] = {
    "html": html, "markdown": markdown, "latex": latex, "json": json, "csv": csv,
}  # fmt: skip
#: The endings of names that tell the format.
ENDINGS = {".html": "html", ".htm": "html", ".md": "markdown", ".tex": "latex", ".json": "json", ".csv": "csv"}
