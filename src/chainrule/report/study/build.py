"""A report from the records of a study: the answer, and section by section what it rests on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chainrule.report.study.answer import answer, reached
from chainrule.report.study.document import Document, Section
from chainrule.report.study.panels import (
    bias,
    budget,
    calibration,
    comparison,
    curves,
    diagnostics,
    effects,
    examples,
    progress,
    reproducibility,
    test,
    winner,
)
from chainrule.report.study.panels import ranking as ranking_panel
from chainrule.report.study.ranking import Ranking
from chainrule.report.study.shown import several
from chainrule.report.study.study import Study
from chainrule.shown import one_line
from chainrule.version import __version__

#: In the order of the report.
PANELS: Sequence[Callable[[Ranking], Section | None]] = (
    progress.section, ranking_panel.section, comparison.section, curves.section, budget.section, effects.section,
    test.section, calibration.section, examples.section, winner.section, diagnostics.section, bias.section,
    reproducibility.section,
)  # fmt: skip


def build(study: Study) -> Document:
    """The report of a study."""
    ranking = study.ranking()
    sections = [section for panel in PANELS if (section := panel(ranking))]
    runs = several(len(study.runs), "run")
    title = f"{one_line(study.name, 80)}: {several(len(study.description['learners']), 'learner')}, {runs}"
    return Document(title, answer(ranking), reached(ranking), sections)


def made(study: Study) -> str:
    """By what the report was made, and when the study began."""
    began = study.description.get("time")
    return f"Made by chainrule {__version__} from the records of a study" + (
        f" of {one_line(str(began))}." if began else "."
    )
