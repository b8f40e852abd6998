"""Space: the settings that a search varies, those that stay as they are, and the configurations these make."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, shortened
from chainrule.experiment.search.domain import Choices, Domain, domain_of, written_domain
from chainrule.experiment.search.names import NAME, REGISTRIES, chosen_section, declared_in, setting_named
from chainrule.experiment.search.place import Place
from chainrule.settings import NO_VALUE, Setting, SettingError, suggestion
from chainrule.tasks import Task
from chainrule.train.configuration import (
    INPUT,
    LEARNER,
    OPTIMIZER,
    SCHEDULE,
    SECTIONS,
    TASK,
    Configuration,
    Kinds,
    configured,
    kinds_of,
    own_settings,
)

#: Sections whose kinds may vary, in the order in which they are chosen.
CHOSEN = (LEARNER, OPTIMIZER, SCHEDULE)
#: Settings that say something of kinds that are not chosen: a loss, of the optimizer; columns, of the learner.
TELLING = {
    "criterion": (TASK, "criterion"), "loss": (TASK, "criterion"),
    "numbers": (INPUT, "numbers"), "categories": (INPUT, "categories"), "unit": (INPUT, "unit"),
}  # fmt: skip
#: The paths of those that vary and decide kinds, in the order in which they are drawn.
DECIDING = (f"{TASK}.criterion", *CHOSEN)
#: Between a setting and the learners or optimizers that its values are for.
FOR = "@"


@dataclass(frozen=True)
class Written:
    """What an option of the command line gives, which is read when it is known which setting it is for."""

    text: str


@dataclass(frozen=True)
class Dimension:
    """A setting that varies.

    Attributes:
        section: where the setting belongs, such as "training.optimizer".
        name: of the setting; "name" for the kind itself.
        domain: what it may be.
        only: the learners or optimizers that it is for; empty for all that have the setting.
        given: the key by which it was given, for messages.
    """

    section: str
    name: str
    domain: Domain
    only: tuple[str, ...] = ()
    given: str = ""

    @property
    def path(self) -> str:
        """What varies, such as "learner" or "learner.hidden"."""
        return self.section if self.name == NAME else f"{self.section}.{self.name}"

    @property
    def key(self) -> str:
        """The same with what it is for, such as "training.learning_rate@sgd"."""
        return f"{self.path}{FOR}{','.join(self.only)}" if self.only else self.path

    def belongs(self, kinds: Kinds) -> bool:
        """Whether it is drawn where these kinds are chosen."""
        if self.only and not {kinds[LEARNER].name, kinds[OPTIMIZER].name} & set(self.only):
            return False
        return self.name == NAME or declared_in(kinds[self.section], self.name) is not None


class Space:
    """What a search varies, and what it leaves as it is.

    A setting is called by its section and name, "training.learning_rate", by its name alone, or by the name of its
    option, "lr". What varies are choices (a list) or a range of numbers (`Range`). Settings that a learner, optimizer
    or schedule lacks are not drawn for it; "training.learning_rate@sgd" is drawn for that learner or optimizer alone.

    Args:
        vary: by the names of settings, what they may be.
        fixed: by the names of settings, or nested by section as in a settings file, what they are.
        place: where these were given, for messages.

    Raises:
        ConfigurationError: for an unknown name (the message has the near ones), a value that its setting refuses, a
            range that holds nothing, a setting that is fixed and varied, and learners that cannot do the task.

    Example:
        >>> from chainrule.experiment.search.domain import Range
        >>> space = Space({"learner": ["bow", "ffnn"], "lr": Range(0.01, 1, scale="log"), "hidden": [[64], [128, 64]]})
        >>> [dimension.path for dimension in space.dimensions]
        ['learner', 'training.learning_rate', 'learner.hidden']
        >>> task, learner, training = space.configuration(space.walk(lambda dimension: dimension.domain.listed()[0]
        ...     if dimension.domain.listed() else 0.1))
        >>> learner.name, training.learning_rate
        ('bow', 0.1)
        >>> Space({"hiden": [[64]]}, {"learner.name": "ffnn"})
        Traceback (most recent call last):
        chainrule.errors.ConfigurationError: space.hiden: no setting is called 'hiden'; did you mean 'hidden'?
    """

    def __init__(
        self, vary: Mapping[str, Any], fixed: Mapping[str, Any] | None = None, *, place: Place | None = None
    ) -> None:
        self.place = Place() if place is None else place
        self._known: dict[tuple[Any, ...], Kinds] = {}
        #: In the order in which they are drawn.
        self.dimensions: list[Dimension] = []
        #: By section and name, the settings that stay as they are.
        self.fixed: dict[tuple[str, str], Any] = {}
        self._choose_kinds(list(_flat(fixed or {})))
        varied = sorted(_flat(vary), key=lambda item: _turn(item[0]))
        choosing = [item for item in varied if _turn(item[0]) < len(DECIDING)]
        self._vary(choosing)
        self._require_learners(next((f"space.{x}" for x, _ in choosing if _turn(x) == 1), "learner.name"))
        for key, value in _flat(fixed or {}):
            if chosen_section(key) is None:
                self._fix(key, value)
        self._known.clear()  # what a setting tells of kinds is known now in its own type
        self._vary(varied[len(choosing) :])

    def walk(self, choose: Callable[[Dimension], Any]) -> dict[str, Any]:
        """What varies, by the paths of settings, where something chooses a value of each.

        Args:
            choose: is asked for each setting that the kinds have that were chosen before.
        """
        values: dict[str, Any] = {}
        for dimension in self.dimensions:
            if dimension.belongs(self.kinds(values)):
                values[dimension.path] = choose(dimension)
        return values

    def kinds(self, values: Mapping[str, Any]) -> Kinds:
        """The kinds that values choose."""
        chosen = tuple(values.get(path) for path in DECIDING)
        if chosen not in self._known:
            drawn = {_key_of(path): values[path] for path in DECIDING if path in values}
            self._known[chosen] = kinds_of(_nested({**self.fixed, **drawn}))
        return self._known[chosen]

    def configuration(self, values: Mapping[str, Any]) -> Configuration:
        """Task, learner and training with these values, as `walk` gives them.

        Raises:
            ConfigurationError: for values that do not go together.
        """
        make = self._maker(values)
        task, learner, training = configured(self.kinds(values), make)
        learner.require(task.answers, task.name)
        task = task.resolved(learner.reads, learner.name)
        training.resolved(learner, task)
        return Configuration(task, learner, training)

    @property
    def task(self) -> Task:
        """What is asked, with the settings that stay as they are."""
        make = self._maker({})
        task: Task = make(TASK, {"inputs": make(INPUT, {})})
        return task

    @property
    def tasks(self) -> list[Task]:
        """The same for all kinds that may be chosen together, each with its inputs, which some read as texts."""
        found = []
        for kinds in self.reachable:
            make = self._maker_of(kinds, self.fixed)
            found.append(make(TASK, {"inputs": make(INPUT, {})}))
        return found

    def _maker(self, values: Mapping[str, Any]) -> Callable[[str, Mapping[str, Any]], Any]:
        """What makes the settings of a section."""
        given = {**self.fixed, **{_key_of(path): value for path, value in values.items()}}
        return self._maker_of(self.kinds(values), given)

    @staticmethod
    def _maker_of(kinds: Kinds, given: Mapping[tuple[str, str], Any]) -> Callable[[str, Mapping[str, Any]], Any]:
        def make(section: str, defaults: Mapping[str, Any]) -> Any:
            names = (x.name for x in own_settings(kinds[section]))
            held = {name: given[section, name] for name in names if (section, name) in given}
            return kinds[section](**{**defaults, **held})

        return make

    def content(self) -> dict[str, Any]:
        """What varies, as a settings file holds it."""
        return {x.key: x.domain.content(self._none(x.section, x.name)) for x in self.dimensions}

    def fixed_content(self) -> dict[str, Any]:
        """What stays as it is, nested by section as a settings file holds it."""
        held = {key: Choices((value,)).content(self._none(*key))[0] for key, value in self.fixed.items()}
        return _nested(held)

    @property
    def reachable(self) -> list[Kinds]:
        """All kinds that may be chosen together."""
        found: list[dict[str, Any]] = [{}]
        for path in DECIDING:
            longer: list[dict[str, Any]] = []
            for values in found:
                kinds = self.kinds(values)
                domains = [x.domain for x in self.dimensions if x.path == path and x.belongs(kinds)]
                choices = domains[0].listed() if domains else None
                longer += [{**values, path: choice} for choice in choices or ()] or [values]
            found = longer
        return [self.kinds(values) for values in found]

    def _choose_kinds(self, given: list[tuple[str, Any]]) -> None:
        """The kinds that stay as they are, and what tells of them."""
        for key, value in given:
            if (section := chosen_section(key)) is not None:
                self.fixed[section, NAME] = self._kind_named(section, value, key)
            elif told := TELLING.get(key.rpartition(".")[2]):
                self.fixed[told] = value.text if isinstance(value, Written) else value

    def _kind_named(self, section: str, value: Any, key: str) -> str:
        name = value.text if isinstance(value, Written) else value
        try:
            return str(REGISTRIES[section].named(name).name)
        except ConfigurationError as error:
            raise self.place.fault(key, error) from error

    def _require_learners(self, where: str) -> None:
        """Refuse learners that cannot do the task, or do not read what is given."""
        for kinds in self.reachable:
            learner, task = kinds[LEARNER], kinds[TASK]
            try:
                learner().require(task.answers, task.name)  # type: ignore[attr-defined]
            except ConfigurationError as error:
                raise self.place.fault(where, error) from error
            inputs = self.fixed.get((INPUT, NAME))
            if inputs not in (None, kinds[INPUT].name):
                held = f"the learner {learner.name} reads {kinds[INPUT].name}, not {inputs}"
                raise self.place.fault(f"{INPUT}.{NAME}", held)

    def _fix(self, key: str, value: Any) -> None:
        """A setting that stays as it is."""
        try:
            section, name = setting_named(key, self.reachable)
            for kind, declared in self._declared(Dimension(section, name, Choices((None,)))):
                if isinstance(value, Written):
                    held = declared.parsed(kind, value.text)
                else:
                    (held,) = Choices((value,)).checked(declared, kind).values
                self.fixed[section, name] = held
        except ConfigurationError as error:
            raise self.place.fault(key, reason_of(error)) from error

    def _vary(self, varied: list[tuple[str, Any]]) -> None:
        """Settings that vary."""
        for key, value in varied:
            try:
                self._add(self._dimension(key, value))
            except ConfigurationError as error:
                raise self.place.fault(f"space.{key}", reason_of(error)) from error

    def _dimension(self, key: str, value: Any) -> Dimension:
        bare, _, only = key.partition(FOR)
        section, name = chosen_section(bare), NAME
        if section is None:
            section, name = setting_named(bare, self.reachable)
        elif section not in CHOSEN:
            raise ConfigurationError(f"a study is about one {section}, which does not vary")
        if (section, name) in self.fixed and not only:
            held = shortened(self.fixed[section, name])
            raise ConfigurationError(f"{section}.{name} is fixed, as {held}, and varies; leave one of them out")
        empty = Dimension(section, name, Choices((None,)), self._only(only), key)
        return replace(empty, domain=self._kinds_in(section, value) if name == NAME else self._domain_in(empty, value))

    def _kinds_in(self, section: str, value: Any) -> Choices:
        """The kinds that may be chosen."""
        domain = domain_of(value.text.split(",") if isinstance(value, Written) else value)
        if not isinstance(domain, Choices):
            raise ConfigurationError(f"expected names such as {shortened(list(REGISTRIES[section])[:2])}, got a range")
        return Choices(tuple(str(REGISTRIES[section].named(name).name) for name in domain.values))

    def _domain_in(self, dimension: Dimension, value: Any) -> Domain:
        """What a setting may be, in the types of all kinds that have it."""
        domain = value if isinstance(value, Written) else domain_of(value)
        for kind, declared in self._declared(dimension):
            if isinstance(domain, Written):
                domain = written_domain(domain.text, declared, kind)
            domain = domain.checked(declared, kind)
        return domain  # type: ignore[return-value]  # some kind has it

    def _declared(self, dimension: Dimension) -> list[tuple[str, Setting]]:
        """The kinds that may be chosen and have the setting of a dimension, and what they declare of it.

        Raises:
            ConfigurationError: when none has it that the dimension is for.
        """
        section, name = dimension.section, dimension.name
        found = {
            kinds[section].name: declared
            for kinds in self.reachable
            if (declared := declared_in(kinds[section], name)) and dimension.belongs(kinds)
        }
        if not found:
            raise ConfigurationError(f"{' and '.join(dimension.only)} has no setting {name}")
        return list(found.items())

    def _none(self, section: str, name: str) -> str:
        """What stands for None of a setting in a settings file."""
        found = [declared_in(kinds[section], name) for kinds in self.reachable]
        return next((x.declaration.none for x in found if x is not None), NO_VALUE)

    def _only(self, text: str) -> tuple[str, ...]:
        """The learners and optimizers that a dimension is for."""
        names = tuple(filter(None, text.split(",")))
        known = list(dict.fromkeys(kinds[x].name for x in (LEARNER, OPTIMIZER) for kinds in self.reachable))
        for name in names:
            if name not in known:
                near = suggestion(name, known) or f"; there is {', '.join(known)}"
                raise ConfigurationError(f"{shortened(name)} is no learner and no optimizer of this study{near}")
        return names

    def _add(self, dimension: Dimension) -> None:
        """Take a dimension, if no other has values for the same setting of the same kinds."""
        others = [other for other in self.dimensions if other.path == dimension.path]
        for kinds in self.reachable if others else ():
            clash = next((other for other in others if other.belongs(kinds) and dimension.belongs(kinds)), None)
            if clash is not None:
                where = f"{kinds[LEARNER].name} with {kinds[OPTIMIZER].name}"
                raise ConfigurationError(f"{clash.key} has values for {where} already; leave one of them out")
        self.dimensions.append(dimension)


def reason_of(error: ConfigurationError) -> str:
    """What is wrong with a setting whose name the message has already."""
    return error.reason.replace(" or None", f" or {NO_VALUE}") if isinstance(error, SettingError) else str(error)


def _turn(key: str) -> int:
    """When a setting is drawn: those that decide kinds first."""
    bare = key.partition(FOR)[0]
    path = chosen_section(bare) or ".".join(TELLING.get(bare.rpartition(".")[2], (bare,)))
    return DECIDING.index(path) if path in DECIDING else len(DECIDING) - (path in REGISTRIES)


def _key_of(path: str) -> tuple[str, str]:
    """Section and name of what a path leads to."""
    section, _, name = path.rpartition(".")
    return (path, NAME) if path in CHOSEN else (section, name)


def choosing(vary: Mapping[str, Any], fixed: Mapping[str, Any], *, place: Place | None = None) -> list[Kinds]:
    """The kinds that a space may choose together, found without a look at other settings.

    Raises:
        ConfigurationError: for kinds that there are not.
    """
    choosers = {key: value for key, value in _flat(vary) if _turn(key) in range(1, len(DECIDING))}
    told = {key: x for key, x in _flat(fixed) if chosen_section(key) or key.rpartition(".")[2] in TELLING}
    return Space(choosers, told, place=place).reachable


def identity(configuration: Configuration) -> str:
    """A text that two configurations share when all their settings are the same."""
    return json.dumps([part.settings() for part in configuration], sort_keys=True)


def _flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Settings by their paths, of a mapping that may be nested by section."""
    for key, value in content.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and path in SECTIONS and not {"low", "high"} & value.keys():
            yield from _flat(value, f"{path}.")
        else:
            yield path, value


def _nested(settings: Mapping[tuple[str, str], Any]) -> dict[str, Any]:
    """Settings by section and name, nested as a settings file has them."""
    content: dict[str, Any] = {}
    for (section, name), value in settings.items():
        held = content
        for part in section.split("."):
            held = held.setdefault(part, {})
        held[name] = value
    return content
