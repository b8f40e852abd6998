"""What an export says of a run: its settings, and its figures at each validation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from chainrule.report.record import Line
from chainrule.report.study.runs import Run
from chainrule.report.study.study import Study

#: What of the line of an epoch is no figure.
PLACES = ("kind", "epoch", "step")
#: The parts of the names of figures that are groups of their own.
GROUPS = ("train", "valid")


@dataclass(frozen=True)
class Point:
    """The figures of one moment of a run.

    Attributes:
        step: the number of the validation; where each epoch is validated, that of the epoch.
        time: in seconds since 1970.
        figures: by their names, such as "valid/accuracy".
    """

    step: int
    time: float
    figures: Mapping[str, float]


def points(study: Study, run: Run) -> Iterator[Point]:
    """The points of a run that has ended: one a validation, and one of the test rows at its end, if it was judged.

    Example:
        >>> import tempfile, chainrule
        >>> table = chainrule.Table.from_lists(["good fun", "fun", "bad", "dull film"] * 30, list("ppnn") * 30)
        >>> folder = tempfile.mkdtemp() + "/study"
        >>> _ = chainrule.compare(table, ["bow"], folder=folder, seeds=1, training=chainrule.Training(epochs=2))
        >>> from chainrule.report.study import read_study
        >>> study = read_study(folder)
        >>> [(point.step, "valid/accuracy" in point.figures) for point in points(study, study.runs[0])]
        [(1, True), (2, True), (2, False)]
    """
    time, step = started(study, run), 0
    for step, line in enumerate(study.epochs(run.name), start=1):
        time += float(line.get("seconds", 0.0))
        yield Point(step, time, _figures(line))
    test = study.tests.get(run.name)
    if test:
        yield Point(step, time, {f"test/{name}": value for name, value in test.items()})


def settings(run: Run) -> dict[str, str | float | bool]:
    """The settings of a run by their places, with seed and part; lists and what is left open as texts."""
    held = {**run.settings, "seed": run.seed, "part": run.part}
    return {name: x if isinstance(x, str | bool | int | float) else str(x) for name, x in held.items()}


def started(study: Study, run: Run) -> float:
    """When a run began, in seconds since 1970: by its record, or, where that is gone, when the study did."""
    first = study.first(run.name) or study.description
    try:
        return datetime.fromisoformat(first["time"]).timestamp()
    except (LookupError, TypeError, ValueError):
        return 0.0


def _figures(line: Line) -> dict[str, float]:
    found = {}
    for name, value in line.items():
        if name in PLACES or isinstance(value, bool) or not isinstance(value, int | float):
            continue
        group, _, rest = name.partition("_")
        found[f"{group}/{rest}" if group in GROUPS else name] = float(value)
    return found
