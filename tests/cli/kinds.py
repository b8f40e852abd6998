"""What can be chosen on a command line of `chainrule train`, and the settings that come with it."""

from __future__ import annotations

from collections import Counter
from itertools import cycle, islice

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

#: The tasks that each learner can do.
FITTING = {name: [task for task in TASKS if TASKS[task].answers in LEARNERS[name].gives] for name in LEARNERS}
#: Each learner with each of these, and each optimizer at least once.
EVERY_PAIR = [
    (task, learner, optimizer)
    for (task, learner), optimizer in zip(
        [(task, learner) for learner in LEARNERS for task in FITTING[learner]], cycle(OPTIMIZERS), strict=False
    )
]
#: What is chosen together: the names of a task, a learner and an optimizer, each of them at least once. A learner comes
#: with the task, of those that it can do, that came least often before.
CHOICES: list[tuple[str, str, str]] = []
for _learner, _optimizer in islice(
    zip(cycle(LEARNERS), cycle(OPTIMIZERS), strict=False), max(len(LEARNERS), len(OPTIMIZERS))
):
    _count = Counter(task for task, *_ in CHOICES)
    CHOICES.append((min(FITTING[_learner], key=_count.__getitem__), _learner, _optimizer))


def choosing(task: str, learner: str, optimizer: str) -> list[str]:
    """The options that choose these."""
    return ["--task", task, "--learner", learner, "--optimizer", optimizer]


def chosen(task: str, learner: str, optimizer: str) -> list[type[Settings]]:
    """The classes of settings that are chosen: task, inputs, learner, training, optimizer and their schedule."""
    inputs = type(TASKS[task].inputs_for(LEARNERS[learner].reads))
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
