"""`chainrule learners`, `tasks`, `optimizers`, `schedules`, `activations`, `losses`, `initializers`: a line each."""

from __future__ import annotations

import argparse
from typing import Any

from chainrule.cli.printing import listed, show

COMMANDS = {
    "learners": "list the learners: families of networks",
    "tasks": "list the tasks: what a model may be asked",
    "optimizers": "list the optimizers: update rules",
    "schedules": "list the schedules: how the learning rate changes from step to step",
    "activations": "list the activations: functions between layers",
    "losses": "list the losses: what tasks may minimise",
    "initializers": "list the initializers: how first weights are drawn",
}


def add_parser(subparsers: Any, arguments: list[str]) -> None:  # noqa: ARG001
    """The commands, which have no options."""
    for name, text in COMMANDS.items():
        parser = subparsers.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        parser.set_defaults(run=run, kinds=name)


def run(arguments: argparse.Namespace) -> None:
    """Print name and first line of each."""
    from chainrule.models import LEARNERS
    from chainrule.nn import ACTIVATIONS, INITIALIZERS, LOSSES
    from chainrule.optim import OPTIMIZERS, SCHEDULES
    from chainrule.tasks import TASKS

    registries: dict[str, Any] = {
        "learners": LEARNERS, "tasks": TASKS, "optimizers": OPTIMIZERS, "schedules": SCHEDULES,
        "activations": ACTIVATIONS, "losses": LOSSES, "initializers": INITIALIZERS,
    }  # fmt: skip
    rows = [(name, (kind.__doc__ or "").partition("\n")[0]) for name, kind in registries[arguments.kinds].items()]
    show(listed(rows))
