"""What the diagnostics said of the runs, and which runs failed and why."""

from __future__ import annotations

import re

from chainrule.report.study.document import Fold, Paragraph, Part, Row, Section, Table
from chainrule.report.study.ranking import Ranking
from chainrule.report.study.shown import counted, several
from chainrule.shown import one_line

#: Sentences and failed runs of a table, at most.
SHOWN = 100


def section(ranking: Ranking) -> Section:
    """How often each finding was made; what went wrong."""
    study = ranking.study
    failures, stopped = study.failed, sum(run.state == "stopped" for run in study.runs)
    parts: list[Part] = []
    if failures:
        rows: list[Row] = [
            [one_line(run.name, 60), one_line(run.reason or "no reason was written", 300)] for run in failures[:SHOWN]
        ]
        parts.append(Table(f"{several(len(failures), 'run')} of {len(study.runs):,} failed.", ["run", "reason"], rows))
    if stopped:
        parts.append(Paragraph(f"{several(stopped, 'run')} of {len(study.runs):,} stopped early, as hopeless."))
    found: dict[str, dict[str, int]] = {}
    told = []
    for run in study.runs:
        for sentence in run.findings:
            by_learner = found.setdefault(re.split("[:;,]", sentence, maxsplit=1)[0], {})
            by_learner[run.learner_name] = by_learner.get(run.learner_name, 0) + 1
            told.append([one_line(run.name, 60), one_line(sentence, 300)])
    if not found:
        parts.append(Paragraph(f"The diagnostics found nothing in {several(len(study.runs), 'run')}."))
        return Section("diagnostics", "Diagnostics", parts)
    rows_found: list[Row] = [
        [one_line(name, 80), counted(sum(counts.values())), ", ".join(f"{one_line(x)} {n}" for x, n in counts.items())]
        for name, counts in sorted(found.items(), key=lambda x: -sum(x[1].values()))
    ]
    caption = f"What the diagnostics found, in how many of {several(len(study.runs), 'run')}."
    parts.append(Table(caption, ["finding", "runs", "by learner"], rows_found, sortable=True))
    shown = f", the first {SHOWN} of {len(told):,}" if len(told) > SHOWN else ""
    parts.append(Fold("Each finding", [Table(f"Findings of each run{shown}.", ["run", "finding"], told[:SHOWN])]))
    return Section("diagnostics", "Diagnostics", parts)
