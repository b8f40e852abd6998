"""The figures of a study as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import json
import statistics
from typing import Any

from chainrule.report.statistics import Verdict
from chainrule.report.study.answer import answer, reached
from chainrule.report.study.build import build
from chainrule.report.study.certainty import interval
from chainrule.report.study.document import Fold, Part, Table
from chainrule.report.study.ranking import Ranked
from chainrule.report.study.reproducibility import checklist
from chainrule.report.study.study import Study
from chainrule.shown import json_value, printable

COLUMNS = (
    "run", "rank", "label", "configuration", "stage", "state", "reason", "seed", "part", "epochs", "best_epoch",
    "seconds", "parameters", "memory",
)  # fmt: skip


def json_text(study: Study) -> str:
    """The answer, the ranking, all tables of the report and the checklist as one JSON object."""
    ranking = study.ranking()
    content = {
        "kind": "report",
        "format": 1,
        "answer": answer(ranking),
        "reached": reached(ranking),
        "verdict": _verdict(ranking.verdict),
        "measure": {"name": study.measure.name, "title": study.measure.title, "higher": study.measure.higher},
        "ranking": [_entry(x) for x in ranking],
        "sections": {
            section.name: [_table(table) for table in _tables(section.parts)]
            for section in build(study).sections
            if section.name not in ("ranking", "reproducibility")
        },
        "checklist": {item.key: {"asks": item.asks, "answer": item.answer} for item in checklist(ranking)},
    }
    return json.dumps(json_value(content), ensure_ascii=False, indent=1) + "\n"


def csv_text(study: Study) -> str:
    """A row a run: its configuration with its rank, its settings, and its measures of validation and test."""
    places = {run.name: entry for entry in study.ranking() for run in entry.runs}
    settings = dict.fromkeys(place for run in study.runs for place in run.settings)
    valid = dict.fromkeys(name for run in study.runs for name in run.valid)
    test = dict.fromkeys(name for tests in study.tests.values() for name in tests)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    head = [*COLUMNS, *(f"valid.{x}" for x in valid), *(f"test.{x}" for x in test), *settings]
    writer.writerow(map(printable, head))
    for run in study.runs:
        entry, tests = places[run.name], study.tests.get(run.name, {})
        own = [
            run.name, entry.rank, entry.label, run.configuration, run.stage, run.state, run.reason, run.seed, run.part,
            run.epochs, run.best_epoch, run.seconds, run.parameters, run.memory,
        ]  # fmt: skip
        held = [run.settings.get(place) for place in settings]
        row = [*own, *(run.valid.get(x) for x in valid), *(tests.get(x) for x in test), *held]
        writer.writerow(map(_csv_cell, row))
    return stream.getvalue()


def _csv_cell(value: object) -> object:
    """Several values as words, and nothing that acts on a terminal."""
    if isinstance(value, tuple):
        return printable(" ".join(map(str, value)))
    return printable(value) if isinstance(value, str) else value


def _verdict(found: Verdict | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"winner": found.winner, "named": found.named, "alpha": found.alpha, "over": found.over}


def _entry(entry: Ranked) -> dict[str, Any]:
    found = interval(entry.values)
    return {
        "rank": entry.rank, "label": entry.label, "configuration": entry.configuration, "learner": entry.learner,
        "final": entry.final, "varied": dict(entry.varied), "runs": [run.name for run in entry.runs],
        "valid": {
            "values": entry.values, "mean": entry.mean, "deviation": statistics.stdev(entry.values) if found else None,
            "interval": found and [found.low, found.high],
        },
        "test": {"values": entry.tested},
        "seconds": entry.seconds, "parameters": entry.parameters, "memory": entry.memory,
    }  # fmt: skip


def _tables(parts: Any) -> list[Table]:
    found: list[Table] = []
    for part in parts:
        held: Part = part
        if isinstance(held, Fold):
            found += _tables(held.parts)
        elif isinstance(held, Table):
            found.append(held)
    return found


def _table(table: Table) -> dict[str, Any]:
    """Its cells as numbers where they are."""
    rows = [[x if isinstance(x, str) else x.text if x.number is None else x.number for x in row] for row in table.rows]
    return {"caption": table.caption, "columns": list(table.head), "rows": rows}
