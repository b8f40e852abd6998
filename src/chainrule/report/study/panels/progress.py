"""How far a study is, while runs go on."""

from __future__ import annotations

from chainrule.report.study.document import Paragraph, Part, Row, Section, Table
from chainrule.report.study.ranking import Ranking
from chainrule.report.study.shown import counted, several
from chainrule.shown import one_line


def section(ranking: Ranking) -> Section | None:
    """The runs that are on; None where none is."""
    study = ranking.study
    if not study.unfinished:
        return None
    wanted = study.wanted
    of = f" of {wanted:,}" if wanted >= len(study.runs) else ""
    told = f"{several(len(study.runs), 'run')}{of} ended, {len(study.unfinished):,} on or interrupted."
    rows: list[Row] = [[one_line(name, 60), counted(epochs)] for name, epochs in study.unfinished.items()]
    table = Table("Runs without an end so far, and the epochs that each has behind it.", ["run", "epochs"], rows)
    parts: list[Part] = [Paragraph(told), table]
    return Section("progress", "Progress", parts)
