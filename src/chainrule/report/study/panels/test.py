"""Test rows: all measures of the finalists, each class, and what was taken for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.report.study.certainty import score_interval
from chainrule.report.study.document import Cell, Fold, Part, Row, Section, Table
from chainrule.report.study.ranking import Ranked, Ranking
from chainrule.report.study.shown import NONE, between, counted, mean, measured, several, spread
from chainrule.shown import one_line

#: Classes of a table, at most.
CLASSES = 30
#: Where an evaluation has figures of each class, label or type of entity.
GROUPS = {"classes": "class", "labels": "label", "entities": "entity"}
SCORES = ("precision", "recall", "f1")


def section(ranking: Ranking) -> Section | None:
    """What the best configuration of each learner reaches on test rows, which no run has learned from."""
    study = ranking.study
    judged: dict[str, list[Mapping[str, Any]]] = {}
    for entry in ranking.best:
        found = [x for run in entry.finished if (x := study.judgement(run.name))]
        if found:
            judged[entry.label] = [_evaluation(x) for x in found]
    tested = [x for x in ranking.best if any(run.name in study.tests for run in x.runs)]
    if not tested:
        return None
    parts: list[Part] = [_measures(tested, ranking)]
    parts += [table for key, word in GROUPS.items() if (table := _classes(judged, key, word))]
    parts += [fold for label, found in judged.items() if (fold := _details(label, found))]
    return Section("test", "Test rows", parts)


def _evaluation(judgement: Mapping[str, Any]) -> Mapping[str, Any]:
    held = judgement.get("evaluation")
    return held if isinstance(held, Mapping) else {}


def _measures(entries: Sequence[Ranked], ranking: Ranking) -> Table:
    """All measures of validation and test, as means over runs with the standard deviation."""
    study, measure = ranking.study, ranking.study.measure
    held = [[study.tests[run.name] for run in x.runs if run.name in study.tests] for x in entries]
    names = dict.fromkeys([measure.name, *(name for found in held for tests in found for name in tests)])
    rows: list[Row] = [
        ["runs that were judged", *(counted(len(found)) for found in held)],
        [f"{measure.title} in validation", *(spread(x.values) for x in entries)],
    ]
    for name in names:
        values = [[tests[name] for tests in found if name in tests] for found in held]
        rows.append([measure.title if name == measure.name else name.replace("_", " "), *map(spread, values)])
    told = (
        "Measures of the best configuration of each learner on test rows, which were judged once, after all training: "
        "mean ± standard deviation over runs. Validation, in the second row, is at the best epoch of each run."
    )
    intervals = [score_interval(ranking, x) for x in entries]
    if ranking.evidence is not None and any(intervals):
        rows.append([f"95 % interval of {ranking.evidence.of}", *map(between, intervals)])
        told += (
            " The interval of the score of a row is over other seeds and other test rows at once, or over rows alone "
            "where there is one seed."
        )
    return Table(told, ["measure", *(x.label for x in entries)], rows)


def _classes(judged: Mapping[str, Sequence[Mapping[str, Any]]], key: str, word: str) -> Table | None:
    """F1 of each class, by learner."""
    held = {label: [x[key] for x in found if isinstance(x.get(key), Mapping)] for label, found in judged.items()}
    held = {label: found for label, found in held.items() if found}
    support: dict[str, float] = {}
    for found in held.values():
        for name, scores in found[0].items():
            support.setdefault(name, float(scores.get("support", 0)))
    if not support:
        return None
    shown = sorted(support, key=lambda x: -support[x])[:CLASSES]
    rows: list[Row] = []
    for name in shown:
        means = [mean([x[name]["f1"] for x in found if name in x]) for found in held.values()]
        rows.append([_label(name), counted(support[name]), *map(measured, means)])
    more = f", of the {CLASSES} commonest of {len(support):,}" if len(support) > CLASSES else ""
    caption = (
        f"F1 of each {word} on test rows{more}, as the mean over the runs of the best configuration of each learner."
    )
    return Table(caption, [word, "support", *held], rows, sortable=True)


def _details(label: str, found: Sequence[Mapping[str, Any]]) -> Fold | None:
    """Precision and recall of a learner's classes, and its confusion matrix."""
    parts: list[Part] = []
    for key, word in GROUPS.items():
        held = [x[key] for x in found if isinstance(x.get(key), Mapping)]
        if held and held[0]:
            names = sorted(held[0], key=lambda x: -held[0][x].get("support", 0))[:CLASSES]
            rows: list[Row] = []
            for name in names:
                means = [mean([x[name][score] for x in held if name in x]) for score in SCORES]
                rows.append([_label(name), *map(measured, means), counted(held[0][name].get("support"))])
            told = f"{label}: figures of each {word}, as means over {several(len(held), 'run')}."
            parts.append(Table(told, [word, "precision", "recall", "F1", "support"], rows, sortable=True))
    if table := _matrix(label, found) or _confusions(label, found):
        parts.append(table)
    return Fold(f"{label}: each class, and what was taken for what", parts) if parts else None


def _matrix(label: str, found: Sequence[Mapping[str, Any]]) -> Table | None:
    held = [x["confusion"] for x in found if isinstance(x.get("confusion"), Mapping)]
    held = [x for x in held if x.get("labels") == held[0]["labels"]]
    if not held:
        return None
    labels = held[0]["labels"]
    counts = [[sum(x["counts"][i][j] for x in held) for j in range(len(labels))] for i in range(len(labels))]
    rows: list[Row] = []
    for name, row in zip(labels, counts, strict=True):
        total = sum(row) or 1
        rows.append([_label(name), *(Cell(f"{x:,}" if x else NONE, x, x / total) for x in row)])
    told = (
        f"{label}: confusion matrix, counts of test rows added up over {several(len(held), 'run')}. A row is the true "
        "class, a column the predicted one; the darker, the larger the share of its row."
    )
    return Table(told, ["true", *map(_label, labels)], rows)


def _confusions(label: str, found: Sequence[Mapping[str, Any]]) -> Table | None:
    """The commonest confusions, where there are too many classes for a matrix."""
    counts: dict[tuple[str, str], int] = {}
    for evaluation in found:
        for each in evaluation.get("confusions") or ():
            pair = str(each["true"]), str(each["predicted"])
            counts[pair] = counts.get(pair, 0) + int(each["count"])
    commonest = sorted(counts.items(), key=lambda x: -x[1])[:CLASSES]
    rows: list[Row] = [[_label(true), _label(predicted), counted(count)] for (true, predicted), count in commonest]
    told = f"{label}: the commonest confusions, counts of test rows added up over {several(len(found), 'run')}."
    return Table(told, ["true", "predicted", "rows"], rows, sortable=True) if rows else None


def _label(name: object) -> str:
    return one_line(str(name)) or "(empty)"
