"""`chainrule schedule`: the learning rates of a schedule, as a plot of characters, and as a picture."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeVar

from chainrule.cli.options import add_setting, given_settings
from chainrule.cli.printing import say, show
from chainrule.errors import ConfigurationError, shortened

#: Characters of the plot, and eighths of one from the bottom.
WIDTH, HEIGHT, EIGHTHS = 72, 10, " ▁▂▃▄▅▆▇█"
#: The most steps that are plotted, and the largest learning rate.
MOST = 10_000_000

Number = TypeVar("Number", int, float)


def add_parser(subparsers: Any, arguments: list[str]) -> None:
    """The command, with the options of the schedule that is named."""
    text = "plot a schedule: how the learning rate changes from step to step"
    parser = subparsers.add_parser("schedule", help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.add_argument("name", metavar="NAME", help="of the schedule; `chainrule schedules` lists them")
    parser.add_argument("--steps", metavar="N", help="steps of the training (default: 100)")
    parser.add_argument("--lr", metavar="RATE", help="the learning rate (default: 1)")
    parser.add_argument("--out", metavar="FILE", help="draw it as a picture, too (.svg)")
    parser.set_defaults(run=run)
    if arguments[:1] == ["schedule"]:
        from chainrule.optim import SCHEDULES

        chosen = next((SCHEDULES[word] for word in arguments[1:] if word in SCHEDULES), None)
        if chosen is not None and chosen.declared():
            group = parser.add_argument_group(f"the schedule {chosen.name}")
            for declared in chosen.declared():
                add_setting(group, "schedule", declared, declared.default)


def run(arguments: argparse.Namespace) -> None:
    """Print the plot."""
    from chainrule.optim import SCHEDULES, Schedule
    from chainrule.report import draw_schedule
    from chainrule.settings import SettingError

    kind = SCHEDULES.named(arguments.name)
    declared = {x.name: x for x in kind.declared()}
    given = given_settings(arguments).get("schedule", {})
    try:
        schedule = kind(**{name: declared[name].parsed(kind.name, text) for name, text in given.items()})
    except SettingError as error:
        raise ConfigurationError(f"{declared[error.field].option} {error.reason}") from error
    rate = 1.0 if arguments.lr is None else _number("--lr", arguments.lr, float)
    steps = 100 if arguments.steps is None else _number("--steps", arguments.steps, int)
    values = [rate * schedule.factor(step, steps) for step in range(1, steps + 1)]
    if arguments.out is not None:
        draw_schedule(kind.name, values, arguments.out)
    show("\n".join(plotted(values)))
    if kind.scale is not Schedule.scale and not kind.falls:
        show("and it is reduced when validation gets no better, which no step tells beforehand")
    if arguments.out is not None:
        say(f"the learning rate by step is drawn in {arguments.out}")


def _number(option: str, text: str, kind: type[Number]) -> Number:
    """The number of an option, above 0.

    Raises:
        ConfigurationError: for anything else.
    """
    with suppress(ValueError, OverflowError):
        number = kind(text)
        if 0 < number < math.inf and number <= MOST:
            return number
    word = "a whole number" if kind is int else "a number"
    raise ConfigurationError(f"{option} must be {word} above 0, and at most {MOST:,}, got {shortened(text)}")


def plotted(values: Sequence[float]) -> list[str]:
    """Lines of characters: columns as high as the values, from 0 to the largest."""
    width, most = min(WIDTH, len(values)), max(values)
    columns = [values[i * (len(values) - 1) // max(width - 1, 1)] for i in range(width)]
    heights = [round(value / most * HEIGHT * 8) for value in columns]
    lines = []
    for row in reversed(range(HEIGHT)):
        label = {HEIGHT - 1: f"{most:.4g}", 0: "0"}.get(row, "")
        lines.append(f"{label:>10} │" + "".join(EIGHTHS[min(max(x - 8 * row, 0), 8)] for x in heights).rstrip())
    return [*lines, f"{'step':>10} └{'─' * width}", f"{'':>12}1{len(values):>{max(width - 1, 1)},}"]
