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
    from chainrule.report.statistics import Verdict
    from chainrule.report.study.certainty import Evidence
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
        runs: of it, whatever they came to.
        final: whether it is one of those that were chosen to be judged on test rows; without a search all are.
        values: of the measure that decides, in validation, a run that counts; see `finished`.
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

    @cached_property
    def mean(self) -> float | None:
        """Of the values."""
        return mean(self.values)

    @property
    def finished(self) -> tuple[Run, ...]:
        """Its runs that count: those that finished; of a finalist, not the one by which it was chosen."""
        return _counted(self.runs)

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
        """What tells it from other configurations of its learner; "" where its label says so."""
        if len(self.varied) <= NAMED:
            return ""
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
        for digits, runs in groups.items():
            values = tuple(run.valid[name] for run in _counted(runs) if name in run.valid)
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

    @cached_property
    def evidence(self) -> Evidence | None:
        """What the best configurations of learners are compared by; None where nothing can be compared.

        Raises:
            DataError: when the record of a test cannot be read.
        """
        from chainrule.report.study.certainty import evidence

        return evidence(self)

    @cached_property
    def verdict(self) -> Verdict | None:
        """Whether the learner that is ahead may be called the best; None where nothing can be compared.

        Raises:
            DataError: when the record of a test cannot be read.
        """
        from chainrule.report.study.certainty import verdict

        return verdict(self)


def _counted(runs: Sequence[Run]) -> tuple[Run, ...]:
    """Finished runs; those by which a search chose the configuration flatter it, and are left out beside others."""
    finished = tuple(run for run in runs if run.state == "finished")
    return tuple(run for run in finished if run.stage == "final") or finished


def _with_rank(entry: Ranked, rank: int | None) -> Ranked:
    return Ranked(
        rank, entry.configuration, entry.label, entry.varied, entry.runs, entry.final, entry.values, entry.tested
    )


def _varied(groups: Mapping[str, Sequence[Run]]) -> dict[str, dict[str, Any]]:
    """Of each configuration the settings in which those of its learner differ."""
    learners: dict[str, dict[str, Mapping[str, Any]]] = {}
    for digits, runs in groups.items():
        parts = {"learner": runs[0].learner, "training": runs[0].training, "task": runs[0].task}
        learners.setdefault(runs[0].learner_name, {})[digits] = parts
    found = {}
    for held in learners.values():
        first = next(iter(held.values()))
        places: dict[tuple[str, ...], None] = {}
        for settings in held.values():
            _add_differences(first, settings, (), places)
        for digits, settings in held.items():
            values = ((place, _at(settings, place)) for place in places)
            found[digits] = {".".join(place): value for place, value in values if value is not _MISSING}
    return found


#: Stands for a setting that is not there.
_MISSING: Any = object()


def _add_differences(
    one: Mapping[str, Any], other: Mapping[str, Any], place: tuple[str, ...], found: dict[tuple[str, ...], None]
) -> None:
    """Note the places of settings that are not the same in both; most are, and are compared as a whole."""
    if one == other:
        return
    for name in dict.fromkeys([*one, *other]):
        here, there = one.get(name, _MISSING), other.get(name, _MISSING)
        if here == there:
            continue
        nested = [x for x in (here, there) if isinstance(x, dict)]
        if nested:
            _add_differences(nested[0], nested[1] if len(nested) > 1 else {}, (*place, name), found)
        if len(nested) < 2:
            found[*place, name] = None


def _at(settings: Mapping[str, Any], place: tuple[str, ...]) -> Any:
    """The setting of a place, where it is one, and not several."""
    held: Any = settings
    for name in place:
        held = held.get(name, _MISSING) if isinstance(held, dict) else _MISSING
    return _MISSING if isinstance(held, dict) else tuple(held) if isinstance(held, list) else held


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
