"""Options that several commands share, and those that settings declare."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any

from chainrule.errors import ConfigurationError, shortened

if TYPE_CHECKING:
    from chainrule.models import Model
    from chainrule.settings import Setting


def add_table_options(parser: argparse.ArgumentParser, *, label: bool = True, weight: bool = False) -> None:
    """The options that say how to read a table."""
    group = parser.add_argument_group("reading the table")
    group.add_argument("--text", metavar="COLUMN", help="column with the texts (default: text)")
    if label:
        group.add_argument("--label", metavar="COLUMN", help="column of what is to be predicted (default: label)")
    if weight:
        group.add_argument(
            "--weight", metavar="COLUMN", help="column of how much each row counts in the loss (default: all the same)"
        )
    group.add_argument("--encoding", help="character encoding of text files (default: utf-8)")
    group.add_argument(
        "--separator", metavar="NAME",
        help="between fields: comma, tab, semicolon, pipe, another character, or auto (default: auto)",
    )  # fmt: skip
    group.add_argument(
        "--quoting", metavar="NAME",
        help="what a double quote is: csv (it quotes a field), none (a letter), or auto (default: auto)",
    )  # fmt: skip
    group.add_argument(
        "--no-header", dest="header", action="store_const", const=False,
        help="the first row is a row already; columns are named by their numbers: --text 2 --label 1",
    )  # fmt: skip


#: The options of `add_table_options`, as `Task.read` calls them.
TABLE_OPTIONS = ("text", "label", "weight", "encoding", "separator", "quoting", "header")


def table_options(arguments: argparse.Namespace, **further: Any) -> dict[str, Any]:
    """What `Task.read` is told by these options; those that were not given are left out."""
    given = {name: getattr(arguments, name, None) for name in TABLE_OPTIONS}
    return {**{name: value for name, value in given.items() if value is not None}, **further}


def add_engine_option(parser: argparse.ArgumentParser) -> None:
    """The option that says how functions run; None where it is not given."""
    parser.add_argument(
        "--engine", metavar="NAME", help="native (compiled), eager (block by block on NumPy) or xla (on a GPU or TPU)"
    )
    parser.add_argument(
        "--eager", dest="engine", action="store_const", const="eager", help="the same as --engine eager"
    )


def add_beam_option(parser: argparse.ArgumentParser) -> None:
    """The option that says how widely a model searches for what it writes; None where it is not given."""
    parser.add_argument(
        "--beam", metavar="N", help="texts that are followed at a time, where a model writes texts (default: its own)"
    )


def set_beam(model: Model, given: str | None, least: int = 1) -> None:
    """Have a model search so widely, and at least so.

    Raises:
        ConfigurationError: where it writes no texts, or for a width that is no whole number of 1 or more.
    """
    task: Any = model.task
    if not hasattr(task, "beam"):
        if given is not None:
            raise ConfigurationError(f"--beam: the task {task.name} writes no texts; leave it out")
        return
    if given is not None and not (re.fullmatch("[0-9]{1,6}", given) and int(given)):
        raise ConfigurationError(f"--beam must be a whole number of 1 or more, got {shortened(given)}")
    beam = max(task.beam if given is None else int(given), least)
    if beam != task.beam:
        from dataclasses import replace  # it loads what few commands need

        model.task = replace(task, beam=beam)


def add_setting(group: Any, section: str, declared: Setting, default: Any) -> None:
    """The option of a setting, whose value is kept as the text it is given as.

    Args:
        group: of the parser.
        section: where the setting belongs; with its name it makes the attribute of the parsed arguments.
        declared: the setting.
        default: what it is unless given, for the help.
    """
    destination = f"{section}:{declared.name}"
    if declared.switch:
        text = declared.help if not declared.default else f"turns off: {declared.help}"
        constant = declared.text(not declared.default)
        group.add_argument(declared.option, dest=destination, action="store_const", const=constant, help=text)
        return
    named = declared.declaration.choices or declared.declaration.spelled
    choices = "" if named is None else f": {', '.join(named)}"
    shown = declared.text(default) or "none"
    text = f"{declared.help}{choices} (default: {shown})".replace("%", "%%")
    group.add_argument(declared.option, dest=destination, metavar=declared.metavar, help=text)


def given_settings(arguments: argparse.Namespace) -> dict[str, dict[str, str]]:
    """The texts of the options of settings that were given, by section and name."""
    given: dict[str, dict[str, str]] = {}
    for key, value in vars(arguments).items():
        section, colon, name = key.partition(":")
        if colon and value is not None:
            given.setdefault(section, {})[name] = value
    return given
