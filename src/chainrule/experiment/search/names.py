"""Which setting a name means: "learner.hidden", "hidden" alone, or "lr", as its option is called."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from chainrule.errors import ConfigurationError, shortened
from chainrule.models import LEARNERS
from chainrule.optim import OPTIMIZERS, SCHEDULES
from chainrule.settings import Registry, Setting, Settings, suggestion
from chainrule.tasks import INPUTS, TASKS
from chainrule.train.configuration import (
    INPUT,
    LEARNER,
    OPTIMIZER,
    SCHEDULE,
    SECTIONS,
    TASK,
    Kinds,
    own_settings,
)

#: Where the kinds of a section are found.
REGISTRIES: dict[str, Registry[Any]] = {
    TASK: TASKS, INPUT: INPUTS, LEARNER: LEARNERS, OPTIMIZER: OPTIMIZERS, SCHEDULE: SCHEDULES
}  # fmt: skip
#: The name that stands for the kind itself.
NAME = "name"


def declared_in(kind: type[Settings], name: str) -> Setting | None:
    """The setting of a kind that has this name, or this option."""
    for declared in own_settings(kind):
        turns_off = declared.switch and declared.default
        if name == declared.name or (f"--{name}" == declared.option and not turns_off):
            return declared
    return None


def chosen_section(key: str) -> str | None:
    """The section whose kind a name means: "learner", "optimizer", "training.optimizer.name"; None for settings."""
    bare = key.removesuffix(f".{NAME}")
    found = [x for x in REGISTRIES if bare in (x, x.rpartition(".")[2])]
    return "learner" if bare == "model" else found[0] if found else None


def setting_named(key: str, reachable: Sequence[Kinds]) -> tuple[str, str]:
    """The section and the name of the setting that is meant, among those of kinds that may be chosen.

    Raises:
        ConfigurationError: when none has it, with the near names, or several have.

    Example:
        >>> from chainrule.train.configuration import kinds_of
        >>> setting_named("lr", [kinds_of({})]), setting_named("task.inputs.ngrams", [kinds_of({})])
        (('training', 'learning_rate'), ('task.inputs', 'ngrams'))
    """
    prefix, _, name = key.rpartition(".")
    if prefix and prefix not in SECTIONS:
        near = suggestion(prefix, SECTIONS) or f"; expected {', '.join(SECTIONS)}"
        raise ConfigurationError(f"there is no section {shortened(prefix)} of settings{near}")
    found = {}
    for section in SECTIONS if not prefix else (prefix,):
        for kinds in reachable:
            declared = declared_in(kinds[section], name)
            if declared is not None:
                found[section, declared.name] = declared
    if len(found) > 1:
        names = " or ".join(f"{section}.{name}" for section, name in found)
        raise ConfigurationError(f"{name} is a setting of several: write {names}")
    if not found:
        raise ConfigurationError(_unknown(key, prefix, name, reachable))
    return next(iter(found))


def _unknown(key: str, prefix: str, name: str, reachable: Sequence[Kinds]) -> str:
    """What to say of a name that no kind has that may be chosen."""
    sections = (prefix,) if prefix else SECTIONS
    owners = {
        section: names
        for section in sections
        if (names := [kind.name for kind in REGISTRIES.get(section, {}).values() if declared_in(kind, name)])
    }
    if owners:
        belongs = " or ".join(f"{_word(section)} {', '.join(names)}" for section, names in owners.items())
        here = " and ".join(f"the {_word(x)} is {' or '.join(_kinds(x, reachable))}" for x in owners)
        return f"{key} belongs to {belongs}; here {here}"
    known = {declared.name for x in sections for kinds in reachable for declared in own_settings(kinds[x])}
    others = {
        declared.name for x in sections for kind in REGISTRIES.get(x, {}).values() for declared in own_settings(kind)
    }
    near = suggestion(name, known) or suggestion(name, others)
    if prefix:
        near = near or f"; it has {', '.join(sorted(known)) or 'none'}"
        chosen = f"{_word(prefix)} {' or '.join(_kinds(prefix, reachable))}".rstrip()
        return f"{chosen} has no setting {shortened(name)}{near}"
    return f"no setting is called {shortened(name)}{near}"


def _word(section: str) -> str:
    """What the kind of a section is called."""
    return section.rpartition(".")[2]


def _kinds(section: str, reachable: Iterable[Kinds]) -> list[str]:
    return list(dict.fromkeys(kinds[section].name for kinds in reachable))
