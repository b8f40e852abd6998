"""The end of an experiment: which configuration won, rows that it got wrong, and which models are kept."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from chainrule.data import Table
from chainrule.data.layout import ROW
from chainrule.drawing.draw import draw
from chainrule.errors import ChainruleError
from chainrule.experiment.division import Part
from chainrule.experiment.measure import Measure
from chainrule.experiment.store import FAILED, FINISHED, WINNER, Line, StudyFolder
from chainrule.explanation import explain
from chainrule.graph.trace import trace
from chainrule.models import Model
from chainrule.models.folder import DESCRIPTION
from chainrule.train.run_folder import RECORD, SETTINGS

#: Rows of each kind that are shown, and characters of a text.
EXAMPLES, LONGEST = 8, 400
#: Files of a run that are no part of its model.
RECORDS = (RECORD, SETTINGS, "test.json")


def conclude(study: StudyFolder, parts: Sequence[Part], measure: Measure, lines: Sequence[Line], *, keep: str) -> None:
    """Write down the winner, and remove the models that are not kept.

    Args:
        study: where.
        parts: how the table was divided.
        measure: that decides.
        lines: of the runs of finalists.
        keep: "winner" or "all".
    """
    ranked = measure.ranked(lines)
    if not ranked:
        return
    best = [line for line in lines if line["configuration"] == ranked[0][0] and line["state"] == FINISHED]
    run = sorted(best, key=lambda line: -measure.value(line) if measure.higher else measure.value(line))[0]
    if (study.folder(run["run"]) / DESCRIPTION).exists():
        model = Model.load(study.folder(run["run"]))
        study.write(WINNER, {
            "configuration": run["configuration"], "run": run["run"], "learner": run["learner"]["name"],
            "examples": _wrong(model, parts[run["part"]].test), "graph": _graph(model), "summary": model.summary(),
        })  # fmt: skip
    if keep == "winner":
        kept = {line["run"] for line in best}
        for line in study.ended().values():
            # The folder of one that failed may be whole, where its process died after that; it is tried again from it.
            if line["run"] not in kept and line["state"] != FAILED:
                _remove_model(study, line["run"])


def _remove_model(study: StudyFolder, run: str) -> None:
    """Leave the record of a run alone; what cannot be removed does no harm."""
    folder = study.folder(run)
    with suppress(OSError):
        (folder / DESCRIPTION).unlink(missing_ok=True)  # first, so that no half of a model is left
        for file in folder.iterdir():
            if file.name not in RECORDS:
                file.unlink()


def _graph(model: Model) -> str:
    """The picture of the network; "" where it has none, as one that is too large."""
    try:
        return str(draw(trace(model.network, *model.specs(1))))
    except ChainruleError:
        return ""


def _wrong(model: Model, test: Table) -> list[dict[str, Any]]:
    """Test rows that the model got wrong: those where it was surest, and those that it found hardest."""
    if model.task.answers != ROW or not test.textual or test.columns["text"].dtype.is_nested():
        return []
    examples = model.codec.encode(test, targets=True)
    evaluation = model.task.judge(model, examples, "native")
    scores, confidence = evaluation.scores, evaluation.confidence
    answers = [answer.value for answer in model.answers(test)]
    order = np.lexsort((np.arange(len(scores)), scores))
    chosen: list[tuple[str, int]] = []
    if confidence is not None:
        wrong = np.flatnonzero(scores < 1)
        sure = wrong[np.argsort(-confidence[wrong], kind="stable")][:EXAMPLES]
        chosen += [("confidently wrong", int(row)) for row in sure]
        unsure = np.argsort(confidence, kind="stable")[:EXAMPLES]
        chosen += [("hardest", int(row)) for row in unsure if row not in sure]
    else:
        chosen += [("hardest", int(row)) for row in order[:EXAMPLES]]
    labels = test.labels
    return [
        {
            "row": int(test.rows[row]),
            "text": test.texts[row][:LONGEST],
            "truth": None if labels is None else _plain(labels[row]),
            "answer": _plain(answers[row]),
            "confidence": None if confidence is None else round(float(confidence[row]), 4),
            "kind": kind,
            "words": _words(model, test.texts[row]),
        }
        for kind, row in chosen
    ]


def _words(model: Model, text: str) -> list[tuple[str, float]]:
    """The words of a text, and what each contributed to the answer; none where that cannot be told."""
    try:
        explanation = explain(model, text[:LONGEST])
    except ChainruleError:
        return []
    return [
        (word, round(float(share), 4)) for word, share in zip(explanation.words, explanation.contributions, strict=True)
    ]


def _plain(value: Any) -> Any:
    return value.to_list() if hasattr(value, "to_list") else value
