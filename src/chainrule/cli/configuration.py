"""From options and a settings file to task, learner and training: whatever is not given keeps its default.

Which options there are depends on the task, the learner and the optimizer that are chosen, so these are found first, in
the command line or in the settings file.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from chainrule.cli.options import TABLE_OPTIONS
from chainrule.dataclasses import dataclass
from chainrule.engines import engine_named
from chainrule.errors import ChainruleError, ConfigurationError, shortened
from chainrule.models import DEFAULT_LEARNERS, LEARNERS, SUITED_LEARNERS, Learner
from chainrule.optim import OPTIMIZERS, SCHEDULES, Optimizer, Schedule
from chainrule.settings import Registry, Setting, SettingError, Settings, suggestion
from chainrule.settings.file import line_of, read_settings_file
from chainrule.tasks import INPUTS, TASKS, Task
from chainrule.tasks.inputs import Inputs
from chainrule.train import Training
from chainrule.train.training import AUTO

#: What a settings file may hold beside the settings of task, learner and training.
RUN_KEYS = ("seed", "engine")
DATA_KEYS = ("train", "valid", *TABLE_OPTIONS)

TASK, INPUT, LEARNER, TRAINING, OPTIMIZER, SCHEDULE = SECTIONS = (
    "task", "task.inputs", "learner", "training", "training.optimizer", "training.schedule"
)  # fmt: skip
#: The options that choose kinds.
CHOOSERS: tuple[tuple[str, Registry[Any]], ...] = (
    ("task", TASKS), ("learner", LEARNERS), ("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)
)  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """The kinds that a training is made of; their settings become options.

    Attributes:
        kinds: the class of settings of each section.
        file: the settings file, or None.
        content: what it holds.
    """

    kinds: Mapping[str, type[Settings]]
    file: str | None
    content: Mapping[str, Any]

    @classmethod
    def of(cls, arguments: Sequence[str]) -> Choice:
        """What a command line chooses; unknown names are left to the parser that follows, and to `built`."""
        found = _scanned(arguments)
        for option, registry in CHOOSERS:
            if found[option] is not None:
                _require(registry, found[option], f"--{option}")
        content = {} if found["config"] is None else read_settings_file(found["config"])
        wanted = found["learner"] or _named(content, "learner")
        task = _kind(TASKS, found["task"] or _named(content, "task"), "classify")
        inputs = _table(content, INPUT)
        columns = inputs.get("name") == "columns" or bool({"numbers", "categories"} & inputs.keys())
        columns |= found["numbers"] is not None or found["categories"] is not None
        usual = SUITED_LEARNERS.get(task.answers, DEFAULT_LEARNERS["columns" if columns else "text"])
        learner = _kind(LEARNERS, wanted, usual)
        if found["unit"] is not None or "unit" in inputs:
            inputs = {"name": "units", **inputs}
        suited = learner.optimizer_for(
            unit_gradient=_unit_gradient(task, found["loss"] or _table(content, TASK).get("criterion"))
        )
        optimizer = _kind(OPTIMIZERS, found["optimizer"] or _named(content, "training", "optimizer"), suited)
        schedule = learner.schedule_for(optimizer.name)
        kinds: dict[str, type[Settings]] = {
            TASK: task,
            INPUT: _inputs(inputs.get("name"), task, learner),
            LEARNER: learner,
            TRAINING: Training,
            OPTIMIZER: optimizer,
            SCHEDULE: _kind(SCHEDULES, found["schedule"] or _named(content, "training", "schedule"), schedule),
        }
        return cls(kinds, found["config"], content)

    def settings(self, section: str) -> list[Setting]:
        """The settings of a section that have options; those that are settings themselves have sections."""
        return [x for x in self.kinds[section].declared() if x.kinds is None]

    def default(self, section: str, declared: Setting) -> Any:
        """What a setting is unless it is given; of an optimizer, what suits the learner."""
        tuned = self._tuned
        if section == OPTIMIZER:
            return tuned.get(declared.name, declared.default)
        if section == TRAINING and declared.name == "learning_rate":
            optimizer: type[Optimizer] = self.kinds[OPTIMIZER]  # type: ignore[assignment]
            return tuned.get("learning_rate", optimizer.learning_rate)
        if section == TRAINING and declared.name == "patience":
            learner: type[Learner] = self.kinds[LEARNER]  # type: ignore[assignment]
            return learner.patience
        return declared.default

    @property
    def _tuned(self) -> Mapping[str, float]:
        learner: type[Learner] = self.kinds[LEARNER]  # type: ignore[assignment]
        task: type[Task] = self.kinds[TASK]  # type: ignore[assignment]
        tuned = learner.tuned.get(self.kinds[OPTIMIZER].name, {})
        rate = {"learning_rate": tuned["learning_rate"] * task.pace} if "learning_rate" in tuned else {}
        return {**tuned, **rate}

    def built(self, given: Mapping[str, Mapping[str, str]]) -> tuple[Task, Learner, Training]:
        """Task, learner and training.

        Args:
            given: for each section, the texts of the options by the names of settings.

        Raises:
            ConfigurationError: for an unknown name or a value that a setting may not take; the message names the option
                or the line of the settings file.
        """
        self._check_file()
        inputs = self._make(INPUT, given)
        task = self._make(TASK, given, inputs=inputs)
        learner = self._make(LEARNER, given)
        suited = self._tuned.get("learning_rate")
        rate: float | str | None = suited
        schedule: Schedule = self._make(SCHEDULE, given)  # type: ignore[assignment]
        training: Training = self._make(TRAINING, given, schedule=schedule)  # type: ignore[assignment]
        rate = training.learning_rate or rate
        number = suited if rate == AUTO else rate
        optimizer: Optimizer = self._make(OPTIMIZER, given, **({} if number is None else {"learning_rate": number}))  # type: ignore[assignment]
        return task, learner, replace(training, optimizer=optimizer, learning_rate=rate)  # type: ignore[return-value]

    def _make(self, section: str, given: Mapping[str, Mapping[str, str]], **defaults: Any) -> Settings:
        kind = self.kinds[section]
        values, options = dict(defaults), set[str]()
        for declared in self.settings(section):
            if section == OPTIMIZER and declared.name in self._tuned:
                values[declared.name] = self._tuned[declared.name]
            in_file = _table(self.content, section)
            if declared.name in in_file:
                value = in_file[declared.name]
                values[declared.name] = None if value == declared.declaration.none and declared.optional else value
                if isinstance(value, list):
                    values[declared.name] = tuple(value)
            text = given.get(section, {}).get(declared.name)
            if text is not None:
                options.add(declared.name)
                try:
                    values[declared.name] = declared.parsed(kind.name, text)
                except SettingError as error:
                    raise ConfigurationError(f"{declared.option} {_written(declared, error.reason)}") from error
        try:
            return kind(**values)
        except SettingError as error:
            declared = next(x for x in kind.declared() if x.name == error.field)
            if error.field in options or self.file is None:
                raise ConfigurationError(f"{declared.option} {_written(declared, error.reason)}") from error
            reason = error.reason.replace(" or None", f" or {declared.declaration.none}")
            raise self._fault(f"{section}.{error.field}", f"{error.field} {reason}") from error

    def _check_file(self) -> None:
        """Refuse names in the settings file that are not known, so that a slip of the pen is not passed over."""
        self._check_names()
        known: dict[str, set[str]] = {"": {*RUN_KEYS, "task", "learner", "training", "data"}, "data": set(DATA_KEYS)}
        for section in SECTIONS:
            known[section] = {"name", *(declared.name for declared in self.kinds[section].declared())}
        for path, names in known.items():
            table = _table(self.content, path)
            for key, value in table.items():
                full = f"{path}.{key}" if path else key
                if key not in names and path in self.kinds:
                    self._require_own(path, table.get("name"))
                if key not in names:
                    what = (
                        f"{path} {self.kinds[path].name}".rstrip() if path in self.kinds else path or "a settings file"
                    )
                    near = suggestion(key, names) or f"; it has {', '.join(sorted(names - {'name'})) or 'none'}"
                    raise self._fault(full, f"{what} has no setting {shortened(key)}{near}")
                if isinstance(value, Mapping) != (full in known):
                    expected = f"a table, [{full}]" if full in known else "a value"
                    raise self._fault(full, f"{full}: expected {expected}, got {shortened(value)}")
        inputs = _table(self.content, INPUT).get("name")
        if inputs is not None and inputs != self.kinds[INPUT].name:
            held = f"the learner {self.kinds[LEARNER].name} reads {self.kinds[INPUT].name}, not {inputs}"
            raise self._fault(f"{INPUT}.name", held)

    def _require_own(self, section: str, name: object) -> None:
        """Say so where the command line chose another kind than the settings file has settings of."""
        chosen = self.kinds[section].name
        if isinstance(name, str) and name != chosen:
            word = section.rpartition(".")[2]
            raise self._fault(
                f"{section}.name",
                f"the file has settings of {word} {name}, and --{word} {chosen} was given; leave one of them out",
            )

    def _check_names(self) -> None:
        """Refuse kinds that there are not, before the settings that they do not have."""
        registries: dict[str, Registry[Any]] = {
            TASK: TASKS, LEARNER: LEARNERS, OPTIMIZER: OPTIMIZERS, SCHEDULE: SCHEDULES, INPUT: INPUTS
        }  # fmt: skip
        for section, registry in registries.items():
            name = _table(self.content, section).get("name")
            if name is not None and not isinstance(name, Mapping):
                self._named_or_fault(registry, name, f"{section}.name")

    def _named_or_fault(self, registry: Registry[Any], name: object, key: str) -> None:
        try:
            registry.named(name)
        except ConfigurationError as error:
            raise self._fault(key, str(error)) from error

    def _fault(self, key: str, message: str) -> ConfigurationError:
        return ConfigurationError(f"{self.file}, line {line_of(self.file or '', key)}: {message}")

    def run_value(self, name: str, kind: type, default: Any) -> Any:
        """A value of the settings file that is no setting, such as the seed, or one of its table `data`.

        Raises:
            ConfigurationError: when it is of another type.
        """
        table, _, key = name.rpartition(".")
        value = _table(self.content, table).get(key, default)
        if value is not default and (isinstance(value, bool) != (kind is bool) or not isinstance(value, kind)):
            word = {int: "a whole number", str: "a text", bool: "true or false"}[kind]
            raise self._fault(name, f"{name} must be {word}, got {shortened(value)}")
        return value

    def files(self, name: str) -> str | list[str] | None:
        """The file, or the files, that the settings file names in its table `data`; None where it names none.

        Raises:
            ConfigurationError: when it is something else.
        """
        held = _table(self.content, "data").get(name)
        if isinstance(held, list) and held and all(isinstance(file, str) for file in held):
            return held
        file: str | None = self.run_value(f"data.{name}", str, None)
        return file

    def seed(self, text: str | None) -> int:
        """The seed of the option, or else of the settings file.

        Raises:
            ConfigurationError: when it is no whole number of 0 or more.
        """
        if text is not None:
            if not re.fullmatch("[0-9]{1,1000}", text):
                raise ConfigurationError(f"--seed must be a whole number of 0 or more, got {shortened(text)}")
            return int(text)
        seed: int = self.run_value("seed", int, 0)
        if seed < 0:
            raise self._fault("seed", f"seed must be a whole number of 0 or more, got {seed}")
        return seed

    def engine(self, name: str | None) -> str:
        """The engine of the option, or else of the settings file.

        Raises:
            ConfigurationError: when there is none of that name.
        """
        if name is not None:
            return engine_named(name).name
        held = self.run_value("engine", str, "native")
        try:
            return engine_named(held).name
        except ConfigurationError as error:
            raise self._fault("engine", str(error)) from error


def _require(registry: Registry[Any], name: str, option: str) -> None:
    try:
        registry.named(name)
    except ConfigurationError as error:
        raise ConfigurationError(f"{option}: {error}") from error


def _written(declared: Setting, reason: str) -> str:
    """A reason in the words of the command line."""
    examples = {int: ("(128, 64)", "128,64"), float: ("(0.5, 0.1)", "0.5,0.1"), str: ("('a', 'b')", "a,b")}
    reason = reason.replace(" or None", f" or {declared.declaration.none}")
    return reason.replace(*examples[declared.type]) if declared.listed else reason


def _scanned(arguments: Sequence[str]) -> dict[str, Any]:
    """The options that choose kinds, each None where it is not given."""
    names = (*(name for name, _ in CHOOSERS), "config", "numbers", "categories", "unit", "loss")
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for name in names:
        parser.add_argument(f"--{name}", *(["--model"] if name == "learner" else []))
    try:
        return vars(parser.parse_known_args(list(arguments))[0])
    except argparse.ArgumentError:  # a value is missing, which the parser that follows will say
        return dict.fromkeys(names)


def _table(content: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    held: Any = content
    for part in filter(None, path.split(".")):
        held = held.get(part, {}) if isinstance(held, Mapping) else {}
    return held if isinstance(held, Mapping) else {}


def _named(content: Mapping[str, Any], *path: str) -> Any:
    return _table(content, ".".join(path)).get("name")


def _kind(registry: Registry[Any], name: Any, default: str) -> Any:
    return registry.get(name, registry[default]) if isinstance(name, str) else registry[default]


def _inputs(name: Any, task: type[Task], learner: type[Learner]) -> type[Inputs]:
    """The kind of inputs that is asked for, if it may stand in the place of the one that the task takes; else that."""
    kind, usual = INPUTS.get(name) if isinstance(name, str) else None, type(task.inputs_for(learner.reads))
    fits = kind is not None and all(learner.reads in held.layouts for held in (kind, usual))
    return kind if kind is not None and fits else usual


def _unit_gradient(task: type[Task], criterion: Any) -> bool:
    """What the task says of a loss; of one that is none, which its setting refuses later, what it says of its own."""
    try:
        return task.unit_gradient(criterion)
    except ChainruleError:
        return task.unit_gradient(None)


def kinds_with(option: str) -> dict[str, list[str]]:
    """Where an option belongs: by the option that chooses the kind, the names of the kinds that have it."""
    found: dict[str, list[str]] = {}
    for word, registry in CHOOSERS:
        chooser = f"--{word}"
        for name, kind in registry.items():
            declared = list(kind.declared())
            if chooser == "--learner":
                tasks = [task for task in TASKS.values() if task.answers in kind.gives]
                declared += [x for task in tasks for x in task.inputs_for(kind.reads).declared()]
            if any(x.option == option for x in declared):
                found.setdefault(chooser, []).append(name)
    return found
