"""The ranking of a study: its configurations, the best first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

from chainrule.report.study.runs import Run
from chainrule.report.study.shown import figure, mean, setting_name, setting_text, several
from chainrule.shown import one_line

if TYPE_CHECKING:
    from chainrule.report.study.study import Study

#: Settings that a label names, at most; with more of them the digits of the configuration tell it from others.
NAMED = 2


@dataclass(frozen=True, eq=False, repr=False)
class Ranked:
    """A configuration with its place.

    Attributes:
        rank: from 1; None where no run of it has finished.
        configuration: its 8 digits.
        label: its name in the report, which no other has.
        varied: the settings in which configurations of its learner differ, by their place.
        runs: of it, whatever they came to; of a finalist, those after the search.
        final: whether it is one of those that were chosen to be judged on test rows; without a search all are.
        values: of the measure that decides, in validation, a finished run.
        tested: of the same measure, on test rows, a judged run.
    """

    rank: int | None
    configuration: str
    label: str
    varied: Mapping[str, Any]
    runs: tuple[Run, ...]
    final: bool
    values: tuple[float, ...]
    tested: tuple[float, ...]

    def __repr__(self) -> str:
        return f"Ranked({self.rank}, {self.label}, {figure(self.mean)})"

    @property
    def learner(self) -> str:
        """The name of its learner."""
        return self.runs[0].learner_name

    @property
    def mean(self) -> float | None:
        """Of the values."""
        return mean(self.values)

    @property
    def finished(self) -> tuple[Run, ...]:
        """Its runs that finished."""
        return tuple(run for run in self.runs if run.state == "finished")

    @property
    def seconds(self) -> float | None:
        """The mean duration of a finished run."""
        return mean([run.seconds for run in self.finished])

    @property
    def parameters(self) -> int | None:
        """How many there are; the most, where runs differ."""
        return max((run.parameters for run in self.finished if run.parameters is not None), default=None)

    @property
    def memory(self) -> int | None:
        """Bytes of weights and of the optimizer's state; None where they were not measured."""
        return max((run.memory for run in self.finished if run.memory is not None), default=None)

    @property
    def settings(self) -> str:
        """What tells it from other configurations of its learner."""
        return ", ".join(f"{setting_name(place)} {setting_text(x)}" for place, x in self.varied.items())

    @property
    def state(self) -> str:
        """How its runs ended, where not all finished."""
        counts = {state: sum(run.state == state for run in self.runs) for state in ("failed", "stopped")}
        return ", ".join(f"{several(count, 'run')} {state}" for state, count in counts.items() if count)


class Ranking(Sequence[Ranked]):
    """The configurations of a study, the best first.

    Those come first that were chosen to be judged on test rows, in the order of the mean over seeds and parts of the
    measure that decides, in validation at the best epoch; then those that were only searched; then those without a
    finished run.

    Attributes:
        study: it is of.
    """

    def __init__(self, study: Study, entries: Sequence[Ranked]) -> None:
        self.study = study
        self._entries = tuple(entries)

    @classmethod
    def of(cls, study: Study) -> Ranking:
        """The ranking of a study."""
        groups: dict[str, list[Run]] = {}
        for run in study.runs:
            groups.setdefault(run.configuration, []).append(run)
        varied = _varied(groups)
        labels = _labels(groups, varied)
        chosen = {run.configuration for run in study.runs if run.stage == "final" or run.name in study.tests}
        name = study.measure.name
        found = []
        for digits, held in groups.items():
            # What made it a finalist was good luck in part: that run does not count once more.
            runs = [run for run in held if run.stage == "final"] or held
            values = tuple(run.valid[name] for run in runs if run.state == "finished" and name in run.valid)
            tested = tuple(x[name] for run in runs if (x := study.tests.get(run.name)) and name in x)
            found.append(
                Ranked(
                    None, digits, labels[digits], varied[digits], tuple(runs),
                    digits in chosen or study.search is None, values, tested,
                )
            )  # fmt: skip
        sign = -1 if study.measure.higher else 1
        found.sort(key=lambda x: (x.mean is None, not x.final, sign * (x.mean or 0.0)))
        entries = [_with_rank(x, number if x.mean is not None else None) for number, x in enumerate(found, start=1)]
        return cls(study, entries)

    @overload
    def __getitem__(self, index: int) -> Ranked: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Ranked]: ...
    def __getitem__(self, index: int | slice) -> Ranked | Sequence[Ranked]:
        return self._entries[index]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Ranked]:
        return iter(self._entries)

    def __str__(self) -> str:
        """The table of the ranking, as Markdown."""
        from chainrule.report.study.markdown import table_lines
        from chainrule.report.study.panels.ranking import table

        return "\n".join(table_lines(table(self)))

    @cached_property
    def finalists(self) -> tuple[Ranked, ...]:
        """Those with a rank that were chosen to be judged."""
        return tuple(x for x in self if x.rank is not None and x.final)

    @cached_property
    def best(self) -> tuple[Ranked, ...]:
        """The best configuration of each learner, the best learner first."""
        found: dict[str, Ranked] = {}
        for each in self:
            if each.rank is not None:
                found.setdefault(each.learner, each)
        return tuple(found.values())


def _with_rank(entry: Ranked, rank: int | None) -> Ranked:
    return Ranked(
        rank, entry.configuration, entry.label, entry.varied, entry.runs, entry.final, entry.values, entry.tested
    )


def _varied(groups: Mapping[str, Sequence[Run]]) -> dict[str, dict[str, Any]]:
    """Of each configuration the settings in which those of its learner differ."""
    held: dict[str, dict[str, dict[str, Any]]] = {}
    for digits, runs in groups.items():
        held.setdefault(runs[0].learner_name, {})[digits] = runs[0].settings
    found = {}
    for settings in held.values():
        values: dict[str, list[Any]] = {}
        for each in settings.values():
            for place, value in each.items():
                values.setdefault(place, []).append(value)
        differ = [place for place, x in values.items() if len(x) < len(settings) or any(y != x[0] for y in x)]
        for digits, each in settings.items():
            found[digits] = {place: each[place] for place in differ if place in each}
    return found


def _labels(groups: Mapping[str, Sequence[Run]], varied: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """A name for each configuration: the learner, and what tells it from others of it."""
    labels = {}
    for digits, runs in groups.items():
        name, settings = one_line(runs[0].learner_name), varied[digits]
        if len(settings) > NAMED:
            name = f"{name} {one_line(digits)}"
        elif settings:
            name = f"{name} ({', '.join(f'{setting_name(x)} {setting_text(y)}' for x, y in settings.items())})"
        labels[digits] = name
    taken: dict[str, int] = {}
    for name in labels.values():
        taken[name] = taken.get(name, 0) + 1
    return {digits: f"{x} {one_line(digits)}" if taken[x] > 1 else x for digits, x in labels.items()}
