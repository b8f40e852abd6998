"""Configuration: task, learner and training from settings by section; whatever is not given keeps its default.

Which settings there are depends on the kinds of task, learner, optimizer, ... that are chosen: these are found first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from chainrule.errors import ChainruleError
from chainrule.models import DEFAULT_LEARNERS, LEARNERS, SUITED_LEARNERS, Learner
from chainrule.optim import OPTIMIZERS, SCHEDULES, Optimizer
from chainrule.settings import Registry, Setting, Settings
from chainrule.tasks import INPUTS, TASKS, Task
from chainrule.tasks.inputs import Inputs
from chainrule.train.training import AUTO, Training

TASK, INPUT, LEARNER, TRAINING, OPTIMIZER, SCHEDULE = SECTIONS = (
    "task", "task.inputs", "learner", "training", "training.optimizer", "training.schedule"
)  # fmt: skip

#: Of each section, the class of its settings.
Kinds = Mapping[str, type[Settings]]


class Configuration(NamedTuple):
    """What a training is, but for its data and its seed."""

    task: Task
    learner: Learner
    training: Training


def table_of(content: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    """What nested settings hold of a section; an empty mapping where there is none.

    Example:
        >>> table_of({"training": {"optimizer": {"name": "sgd"}}}, "training.optimizer")
        {'name': 'sgd'}
    """
    held: Any = content
    for part in filter(None, section.split(".")):
        held = held.get(part, {}) if isinstance(held, Mapping) else {}
    return held if isinstance(held, Mapping) else {}


def kinds_of(content: Mapping[str, Any]) -> dict[str, type[Settings]]:
    """The kinds that nested settings choose; those that are not chosen are the usual ones.

    Names of kinds that there are not are passed over: who made the settings says so, with the place.

    Example:
        >>> kinds = kinds_of({"learner": {"name": "ffnn"}, "training": {"optimizer": {"name": "adamw"}}})
        >>> [kinds[section].name for section in (LEARNER, INPUT, OPTIMIZER, SCHEDULE)]
        ['ffnn', 'text', 'adamw', 'constant']
    """
    task = _kind(TASKS, table_of(content, TASK).get("name"), "classify")
    inputs = table_of(content, INPUT)
    columns = inputs.get("name") == "columns" or bool({"numbers", "categories"} & inputs.keys())
    usual = SUITED_LEARNERS.get(task.answers, DEFAULT_LEARNERS["columns" if columns else "text"])
    learner = _kind(LEARNERS, table_of(content, LEARNER).get("name"), usual)
    if "unit" in inputs:
        inputs = {"name": "units", **inputs}
    suited = learner.optimizer_for(unit_gradient=_unit_gradient(task, table_of(content, TASK).get("criterion")))
    optimizer = _kind(OPTIMIZERS, table_of(content, OPTIMIZER).get("name"), suited)
    schedule = learner.schedule_for(optimizer.name)
    return {
        TASK: task,
        INPUT: _inputs(inputs.get("name"), task, learner),
        LEARNER: learner,
        TRAINING: Training,
        OPTIMIZER: optimizer,
        SCHEDULE: _kind(SCHEDULES, table_of(content, SCHEDULE).get("name"), schedule),
    }


def own_settings(kind: type[Settings]) -> list[Setting]:
    """The settings of a kind that are values; those that are settings themselves have sections."""
    return [x for x in kind.declared() if x.kinds is None]


def default_of(kinds: Kinds, section: str, declared: Setting) -> Any:
    """What a setting is unless it is given; of an optimizer and a schedule, what suits the learner."""
    task: type[Task] = kinds[TASK]  # type: ignore[assignment]
    learner: type[Learner] = kinds[LEARNER]  # type: ignore[assignment]
    optimizer: type[Optimizer] = kinds[OPTIMIZER]  # type: ignore[assignment]
    suited = _tuned(learner, task, optimizer)
    if section == OPTIMIZER:
        return suited.get(declared.name, declared.default)
    if section == SCHEDULE:
        return learner.tuned_schedules.get(kinds[SCHEDULE].name, {}).get(declared.name, declared.default)
    if section == TRAINING and declared.name == "learning_rate":
        return suited.get("learning_rate", optimizer.learning_rate)
    if section == TRAINING and declared.name == "patience":
        return learner.patience
    return declared.default


def _tuned(
    learner: Learner | type[Learner], task: Task | type[Task], optimizer: type[Optimizer]
) -> Mapping[str, float]:
    """The settings of an optimizer, and the learning rate, that suit learner and task.

    A learner may have others than its kind: with word vectors from a file, rates are lower.
    """
    found = learner.tuned.get(optimizer.name, {})
    rate = {"learning_rate": found["learning_rate"] * task.pace} if "learning_rate" in found else {}
    return {**found, **rate}


def configured(kinds: Kinds, make: Callable[[str, Mapping[str, Any]], Any]) -> Configuration:
    """Task, learner and training of such kinds.

    Args:
        kinds: of each section.
        make: what makes the settings of a section, which is told their defaults where these are not those of the class.
    """
    task: Task = make(TASK, {"inputs": make(INPUT, {})})
    learner: Learner = make(LEARNER, {})
    schedule = make(SCHEDULE, learner.tuned_schedules.get(kinds[SCHEDULE].name, {}))
    training: Training = make(TRAINING, {"schedule": schedule})
    suited = _tuned(learner, task, kinds[OPTIMIZER])  # type: ignore[arg-type]
    rate = training.learning_rate or suited.get("learning_rate")
    number = suited.get("learning_rate") if rate == AUTO else rate
    optimizer = make(OPTIMIZER, suited if number is None else {**suited, "learning_rate": number})
    return Configuration(task, learner, replace(training, optimizer=optimizer, learning_rate=rate))


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
