"""Learning curves: the best configuration of each learner, with bands over its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.drawing.plot import Panel, Series, plot
from chainrule.report.study.document import Paragraph, Picture, Section
from chainrule.report.study.ranking import Ranked, Ranking
from chainrule.report.study.shown import mean

#: Learners in a picture, at most.
SHOWN = 8


def section(ranking: Ranking) -> Section | None:
    """The measure that decides and the losses by epoch."""
    study, shown = ranking.study, ranking.best[:SHOWN]
    records = {x.configuration: [e for run in x.finished if (e := study.epochs(run.name))] for x in shown}
    if not any(records.values()):
        return None
    keys = {f"valid_{study.measure.name}": f"Validation {study.measure.title}", "valid_loss": "Validation loss"}
    keys |= {"train_loss": "Training loss"}
    pictures = []
    for key, title in keys.items():
        series = [line for x in shown if (line := _line(x, records[x.configuration], key))]
        if series:
            whole = all(isinstance(x, int) for line in series for x in line.x)
            panel = Panel(title, series, x_label="epoch", whole=whole, names_points=True)
            pictures.append(Picture(f"{title} by epoch.", plot([panel], sheet="")))
    runs = {len(x) for x in records.values()}
    count = f"{min(runs)} to {max(runs)}" if len(runs) > 1 else f"{max(runs)}"
    told = (
        f"The best configuration of each learner ({count} runs each, over seeds and parts). A line is the mean over "
        "runs, as far as at least half of them went; its shade goes from the lowest run to the highest."
    )
    return Section("curves", "Learning curves", [Paragraph(told), *pictures])


def _line(entry: Ranked, records: Sequence[Sequence[Mapping[str, Any]]], key: str) -> Series | None:
    """A measure by epoch; None where no run has it."""
    found: dict[float, list[float]] = {}
    for epochs in records:
        for line in epochs:
            value, epoch = line.get(key), line.get("epoch")
            if isinstance(value, int | float) and isinstance(epoch, int | float):
                found.setdefault(epoch, []).append(float(value))
    kept = {epoch: values for epoch, values in sorted(found.items()) if 2 * len(values) >= len(records)}
    if not kept:
        return None
    bands = [(min(x), max(x)) for x in kept.values()] if len(records) > 1 else ()
    return Series(entry.label, list(kept), [mean(x) for x in kept.values()], bands)
