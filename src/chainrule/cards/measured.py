"""How good a model is on a table, and how sure that is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.data import Examples, Table
from chainrule.data.layout import ROW
from chainrule.errors import DataError
from chainrule.report.statistics import mean_interval
from chainrule.tasks import Evaluation
from chainrule.tasks.measures import confidence_interval, for_json
from chainrule.train.record import describe

if TYPE_CHECKING:
    from chainrule.models import Model

#: Resamples of the rows of a table.
RESAMPLES = 200
#: The share of intervals that hold the truth.
LEVEL = 0.95


def measured(model: Model, table: Table) -> dict[str, Any]:
    """The measures of a model on a table, with intervals over other rows of the same source.

        right or wrong:     the exact interval of a share (Clopper and Pearson, 1934)
        the mean score:     the bootstrap-t of `chainrule.report.statistics.mean_interval`
        all other measures: between the quantiles of 200 resamples of the rows, where each row has an answer of its own

    Raises:
        DataError: for a table without rows or labels, or of whose labels the model knows none.
    """
    examples = model.codec.encode(table, targets=True)
    if not examples.rows:
        raise DataError(f"{table.name}: has no rows to evaluate on")
    bounds: dict[str, tuple[float, float]] = {}
    if model.task.answers == ROW:
        responses = model.responses(examples)
        evaluation = model.task.evaluate(responses, examples, model.codec)
        bounds = _resampled(model, responses, examples)
    else:
        evaluation = model.task.judge(model, examples, "native")
    figures = dict(evaluation.measures)
    name, score, interval = _scored(evaluation)
    figures.setdefault(name, score)
    if interval is not None:
        bounds[name] = interval
    shown = for_json(figures)
    held = evaluation.as_dict()
    return {
        **describe(table),
        "measures": {
            name: {"value": value, "low": low, "high": high}
            for name, value in shown.items()
            for low, high in [bounds.get(name, (None, None))]
        },
        "classes": held.get("classes") or held.get("labels") or held.get("entities") or {},
        "unseen": model.unseen_labels(table),
        "level": LEVEL,
    }


def _scored(evaluation: Evaluation) -> tuple[str, float, tuple[float, float] | None]:
    """The mean score of a row: the measure that it is, or its name; its value; and its interval."""
    scores = np.asarray(evaluation.scores, np.float64)
    mean = float(scores.mean())
    known = [name for name, value in evaluation.measures.items() if math.isclose(value, mean, rel_tol=1e-12)]
    name = known[0] if known else f"mean of: {evaluation.score}"
    if ((scores == 0) | (scores == 1)).all():
        return name, mean, confidence_interval(int(scores.sum()), len(scores), level=LEVEL)
    found = mean_interval(scores, level=LEVEL)
    return name, mean, None if found is None else (found.low, found.high)


def _resampled(model: Model, responses: Any, examples: Examples) -> dict[str, tuple[float, float]]:
    """By measure, between which values it is in resamples of the rows."""
    draws, rows = np.random.default_rng(0), examples.rows
    found: dict[str, list[float]] = {}
    for _ in range(RESAMPLES):
        chosen = draws.integers(0, rows, rows)
        try:
            evaluation = model.task.evaluate(responses[chosen], examples.take(chosen), model.codec)
        except DataError:  # rows of unknown labels alone
            continue
        for name, value in evaluation.measures.items():
            if math.isfinite(value):
                found.setdefault(name, []).append(float(value))
    tail = (1 - LEVEL) / 2
    return {
        name: (float(np.quantile(values, tail)), float(np.quantile(values, 1 - tail)))
        for name, values in found.items()
        if len(values) == RESAMPLES and rows > 1
    }
