"""What can be chosen on a command line of `chainrule train`, and the settings that come with it."""

from __future__ import annotations

from itertools import cycle, islice, product

from chainrule.models import LEARNERS
from chainrule.optim import OPTIMIZERS, SCHEDULES
from chainrule.settings import Setting, Settings
from chainrule.tasks import INPUTS, TASKS
from chainrule.train import Training

#: All kinds whose settings have options.
KINDS: list[type[Settings]] = [
    *TASKS.values(), *INPUTS.values(), *LEARNERS.values(), Training, *OPTIMIZERS.values(),
    *SCHEDULES.values()
]  # fmt: skip

#: Each task with each learner that gives its answers.
PAIRS = [
    (task, learner) for task, learner in product(TASKS, LEARNERS) if TASKS[task].answers in LEARNERS[learner].gives
]
#: What is chosen together: the names of a task, a learner and an optimizer, each optimizer at least once.
CHOICES = [
    (task, learner, optimizer)
    for (task, learner), optimizer in islice(
        zip(cycle(PAIRS), cycle(OPTIMIZERS), strict=False), max(len(PAIRS), len(OPTIMIZERS))
    )
]


def choosing(task: str, learner: str, optimizer: str) -> list[str]:
    """The options that choose these."""
    return ["--task", task, "--learner", learner, "--optimizer", optimizer]


def chosen(task: str, learner: str, optimizer: str) -> list[type[Settings]]:
    """The classes of settings that are chosen: task, inputs, learner, training, optimizer and their schedule."""
    inputs = next(kind for kind in INPUTS.values() if LEARNERS[learner].reads in kind.layouts)
    schedule = SCHEDULES[LEARNERS[learner].schedule_for(optimizer)]
    return [TASKS[task], inputs, LEARNERS[learner], Training, OPTIMIZERS[optimizer], schedule]


def options(kind: type[Settings]) -> list[Setting]:
    """The settings of a class that have options; those that are settings themselves are classes of their own."""
    return [x for x in kind.declared() if x.kinds is None]


def fitting(kind: type[Settings]) -> list[str]:
    """The options that choose a class."""
    if kind in SCHEDULES.values():
        return ["--schedule", kind.name]
    return choosing(*next(names for names in CHOICES if kind in chosen(*names)))
