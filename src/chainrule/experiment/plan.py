"""StudyPlan: what a study asks for, as a settings file (study.toml) says it, fully typed; faults have their line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import field
from typing import Any, TypeVar

from chainrule.data import Table
from chainrule.dataclasses import dataclass
from chainrule.engines import engine_named
from chainrule.errors import ConfigurationError, shortened
from chainrule.experiment.division import Division
from chainrule.experiment.experiment import Experiment
from chainrule.experiment.measure import Measure
from chainrule.experiment.reading import reading_of
from chainrule.experiment.search.place import Place
from chainrule.experiment.search.space import Space, Written, reason_of
from chainrule.experiment.search.sweep import Searching, Sweep
from chainrule.settings import SettingError, Settings, suggestion
from chainrule.settings.file import read_settings_file, toml_text

#: The files that a study may read, and what tells how, with the types that these have; see `Task.read`.
FILES = ("train", "valid", "test")
READING: Mapping[str, type] = {
    "text": str, "label": str, "weight": str, "encoding": str, "separator": str, "quoting": str, "header": bool
}  # fmt: skip
#: The tables of a settings file that say what stays as it is.
FIXED = ("task", "learner", "training")
SEARCH, SPACE, DIVISION, DATA = "search", "space", "division", "data"
KNOWN = ("measure", "engine", SEARCH, SPACE, *FIXED, DIVISION, DATA)

Kind = TypeVar("Kind", bound=Settings)


@dataclass(frozen=True, eq=False)
class StudyPlan:
    """What a study asks for: what varies, what stays as it is, how that is searched, on which rows.

    Attributes:
        space: what varies and what stays as it is.
        searching: how it is searched.
        division: how the table is divided.
        measure: of validation, that decides; None for that of the task.
        engine: that runs steps.
        data: "train", "valid" and "test" are files, and the others what `Task.read` is told.

    Example:
        >>> plan = StudyPlan.of({"space": {"dropout": [0.0, 0.5]}, "learner": {"name": "ffnn"}, "search": {"seeds": 2}})
        >>> print(plan.toml_text())
        engine = "native"
        <BLANKLINE>
        [search]
        method = "random"
        trials = "none"
        minutes = "none"
        batch = 8
        seed = 0
        stopping = "none"
        finalists = 3
        seeds = 2
        <BLANKLINE>
        [space]
        "learner.dropout" = [0.0, 0.5]
        <BLANKLINE>
        [learner]
        name = "ffnn"
        <BLANKLINE>
        [division]
        valid = 0.1
        test = 0.1
        folds = "none"
        repeats = 1
        split_seed = 0
        <BLANKLINE>
    """

    space: Space
    searching: Searching = field(default_factory=Searching)
    division: Division = field(default_factory=Division)
    measure: str | None = None
    engine: str = "native"
    data: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> StudyPlan:
        """The plan in a settings file.

        Raises:
            ConfigurationError: when it cannot be read, or is no plan: the message has the line, and near names.
        """
        return cls.of(read_settings_file(path), place=Place(os.fspath(path)))

    @classmethod
    def of(cls, content: Mapping[str, Any], *, place: Place | None = None) -> StudyPlan:
        """The plan that nested settings say.

        Args:
            content: as a settings file holds it; texts of the command line are `Written`.
            place: where it was given, for messages.

        Raises:
            ConfigurationError: for what is unknown or is no value of its setting, and for a space that is empty.
        """
        place = Place() if place is None else place
        for key, value in content.items():
            if key not in KNOWN:
                near = suggestion(key, KNOWN) or f"; it has {', '.join(KNOWN)}"
                raise place.fault(key, f"a study has no {shortened(key)}{near}")
            if isinstance(value, Mapping) != (key not in KNOWN[:2]):
                expected = "a table, such as [search]" if key not in KNOWN[:2] else "a text"
                raise place.fault(key, f"expected {expected}, got {shortened(value)}")
        searching = _settings(Searching, SEARCH, content, place)
        division = _settings(Division, DIVISION, content, place)
        space = Space(content.get(SPACE, {}), {key: content[key] for key in FIXED if key in content}, place=place)
        return cls(
            space, searching, division, _measure(content, space, place), _engine(content, place), _data(content, place)
        )

    def sweep(self) -> Sweep:
        """Which trials are made.

        Raises:
            ConfigurationError: for a space that cannot be searched so, and when Optuna is needed and missing.
        """
        return Sweep(self.space, Measure.of(self.space.task, self.measure), self.searching, self.division.parts)

    def experiment(
        self, table: Table | None = None, valid: Table | None = None, test: Table | None = None
    ) -> Experiment:
        """The experiment that does it.

        Args:
            table: the rows; None reads those that `data` names.
            valid: rows to stop by; None reads those that `data` names, if it does.
            test: the same of rows for the test.

        Raises:
            ConfigurationError: when no rows are named.
            DataError: when they cannot be read.
        """
        sweep = self.sweep()
        if table is None:
            if "train" not in self.data:
                raise self.space.place.fault(DATA, 'the table is missing; name it, as in [data] train = "reviews.csv"')
            table = self._read("train")
            valid = self._read("valid") if "valid" in self.data else valid
            test = self._read("test") if "test" in self.data else test
        return Experiment(table, sweep, self.space.task, self.division, self.measure, valid, test)

    def content(self) -> dict[str, Any]:
        """All of it, as a settings file holds it."""
        parts = {SEARCH: self.searching, DIVISION: self.division}
        held = {key: {name: _told(x, name) for name in _names(x)} for key, x in parts.items()}
        measure = {} if self.measure is None else {"measure": self.measure}
        content = {
            **measure, "engine": self.engine, SEARCH: held[SEARCH], SPACE: self.space.content(),
            **self.space.fixed_content(), DIVISION: held[DIVISION], DATA: dict(self.data),
        }  # fmt: skip
        return {key: value for key, value in content.items() if value != {}}

    def toml_text(self) -> str:
        """The settings file that says the same."""
        return toml_text(self.content())

    def _read(self, name: str) -> Table:
        reading = {key: value for key, value in self.data.items() if key not in FILES}
        task, further = reading_of(self.space.tasks)
        return task.read(self.data[name], **{**reading, **further})


def _settings(kind: type[Kind], name: str, content: Mapping[str, Any], place: Place) -> Kind:
    """The settings of a table.

    Raises:
        ConfigurationError: for an unknown one, or one that is not what it may be.
    """
    declared = {x.name: x for x in kind.declared()}
    values: dict[str, Any] = {}
    for key, value in content.get(name, {}).items():
        full = f"{name}.{key}"
        if key not in declared:
            near = suggestion(key, declared) or f"; it has {', '.join(declared)}"
            raise place.fault(full, f"[{name}] has no setting {shortened(key)}{near}")
        if isinstance(value, Written):
            try:
                values[key] = declared[key].parsed(kind.name, value.text)
            except SettingError as error:
                raise place.fault(full, reason_of(error)) from error
        else:
            none = declared[key].optional and value == declared[key].declaration.none
            values[key] = None if none else value
    try:
        return kind(**values)
    except SettingError as error:
        raise place.fault(f"{name}.{error.field}", reason_of(error)) from error


def _measure(content: Mapping[str, Any], space: Space, place: Place) -> str | None:
    name = content.get("measure")
    name = name.text if isinstance(name, Written) else name
    try:
        Measure.of(space.task, name)
    except ConfigurationError as error:
        raise place.fault("measure", str(error).removeprefix("measure: ")) from error
    return name


def _engine(content: Mapping[str, Any], place: Place) -> str:
    name = content.get("engine", "native")
    try:
        return engine_named(name.text if isinstance(name, Written) else name).name
    except ConfigurationError as error:
        raise place.fault("engine", str(error).removeprefix("engine: ")) from error


def _data(content: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """What is said of the rows, where each has its type."""
    found = dict(content.get(DATA, {}))
    for key, value in found.items():
        if key not in (*FILES, *READING):
            near = suggestion(key, (*FILES, *READING)) or f"; it has {', '.join((*FILES, *READING))}"
            raise place.fault(f"{DATA}.{key}", f"[data] has no setting {shortened(key)}{near}")
        several = isinstance(value, list) and bool(value) and all(isinstance(file, str) for file in value)
        kind = READING.get(key, str)
        if not isinstance(value, kind) and not (key in FILES and several):
            word = "true or false" if kind is bool else "a file, or a list of files" if key in FILES else "a text"
            raise place.fault(f"{DATA}.{key}", f"must be {word}, got {shortened(value)}")
    return found


def _names(settings: Settings) -> list[str]:
    return [x.name for x in settings.declared()]


def _told(settings: Settings, name: str) -> Any:
    """A setting as a file holds it."""
    value = getattr(settings, name)
    return next(x.declaration.none for x in settings.declared() if x.name == name) if value is None else value
