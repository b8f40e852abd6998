"""From options and a settings file to task, learner and training: whatever is not given keeps its default.

Which options there are depends on the task, the learner and the optimizer that are chosen, so these are found first, in
the command line or in the settings file.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from chainrule.cli.options import TABLE_OPTIONS
from chainrule.dataclasses import dataclass
from chainrule.engines import engine_named
from chainrule.errors import ConfigurationError, shortened
from chainrule.models import LEARNERS
from chainrule.optim import OPTIMIZERS, SCHEDULES
from chainrule.settings import Registry, Setting, SettingError, Settings, suggestion
from chainrule.settings.file import line_of, read_settings_file
from chainrule.tasks import INPUTS, TASKS
from chainrule.train.configuration import (
    INPUT,
    LEARNER,
    OPTIMIZER,
    SCHEDULE,
    SECTIONS,
    TASK,
    Configuration,
    configured,
    default_of,
    kinds_of,
    own_settings,
    table_of,
)

#: What a settings file may hold beside the settings of task, learner and training.
RUN_KEYS = ("seed", "engine")
DATA_KEYS = ("train", "valid", *TABLE_OPTIONS)

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
        found = scanned(arguments)
        for option, registry in CHOOSERS:
            if found[option] is not None:
                _require(registry, found[option], f"--{option}")
        content = {} if found["config"] is None else read_settings_file(found["config"])
        names = {
            TASK: {"name": found["task"], "criterion": found["loss"]},
            INPUT: {name: found[name] for name in ("numbers", "categories", "unit")},
            LEARNER: {"name": found["learner"]},
            OPTIMIZER: {"name": found["optimizer"]},
            SCHEDULE: {"name": found["schedule"]},
        }
        return cls(kinds_of(with_values(content, names)), found["config"], content)

    def settings(self, section: str) -> list[Setting]:
        """The settings of a section that have options."""
        return own_settings(self.kinds[section])

    def default(self, section: str, declared: Setting) -> Any:
        """What a setting is unless it is given; of an optimizer, what suits the learner."""
        return default_of(self.kinds, section, declared)

    def built(self, given: Mapping[str, Mapping[str, str]]) -> Configuration:
        """Task, learner and training.

        Args:
            given: for each section, the texts of the options by the names of settings.

        Raises:
            ConfigurationError: for an unknown name or a value that a setting may not take; the message names the option
                or the line of the settings file.
        """
        self._check_file()
        return configured(self.kinds, partial(self._make, given))

    def _make(self, given: Mapping[str, Mapping[str, str]], section: str, defaults: Mapping[str, Any]) -> Settings:
        kind = self.kinds[section]
        values, options = dict(defaults), set[str]()
        for declared in self.settings(section):
            in_file = table_of(self.content, section)
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
            table = table_of(self.content, path)
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
        inputs = table_of(self.content, INPUT).get("name")
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
            name = table_of(self.content, section).get("name")
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
        value = table_of(self.content, table).get(key, default)
        if value is not default and (isinstance(value, bool) != (kind is bool) or not isinstance(value, kind)):
            word = {int: "a whole number", str: "a text", bool: "true or false"}[kind]
            raise self._fault(name, f"{name} must be {word}, got {shortened(value)}")
        return value

    def files(self, name: str) -> str | list[str] | None:
        """The file, or the files, that the settings file names in its table `data`; None where it names none.

        Raises:
            ConfigurationError: when it is something else.
        """
        held = table_of(self.content, "data").get(name)
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


def scanned(arguments: Sequence[str]) -> dict[str, Any]:
    """The options that choose kinds, each None where it is not given."""
    names = (*(name for name, _ in CHOOSERS), "config", "numbers", "categories", "unit", "loss")
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for name in names:
        parser.add_argument(f"--{name}", *(["--model"] if name == "learner" else []))
    try:
        return vars(parser.parse_known_args(list(arguments))[0])
    except argparse.ArgumentError:  # a value is missing, which the parser that follows will say
        return dict.fromkeys(names)


def with_values(content: Mapping[str, Any], values: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Nested settings, in some sections of which the values that are given go first."""
    changed: dict[str, Any] = dict(content)
    for section, given in values.items():
        held = changed
        for part in section.split("."):
            inner = held.get(part)
            held[part] = held = dict(inner) if isinstance(inner, Mapping) else {}
        held.update((name, value) for name, value in given.items() if value is not None)
    return changed


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
