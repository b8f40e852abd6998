"""The command line: one sub-command a file, errors in one line, exit code 2 for what a user can mend."""

from __future__ import annotations

import argparse
import gc
import importlib
import io
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from chainrule.cli.printing import say
from chainrule.errors import SHOWN, ChainruleError, ConfigurationError
from chainrule.shown import printable
from chainrule.version import __version__

#: The modules of the commands, in the order in which help lists them. Where one is given, it is loaded alone.
COMMANDS = (
    "train", "compare", "sweep", "report", "watch", "best", "rerun", "export", "import_weights", "check",
    "find_rate", "diagnose", "evaluate", "predict", "generate", "serve", "explain", "filters", "bias", "reweight",
    "augment", "summary", "card", "draw", "animate", "playground", "puzzle", "kinds", "schedule", "vectors",
)  # fmt: skip


class _Parser(argparse.ArgumentParser):
    """A parser, and so those of the commands, that takes an option by its whole name only."""

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """What is given to an option; of `--text=--`, argparse takes the value for the end of options, and loses it."""
        if action.option_strings and action.nargs is None and arg_strings == ["--"]:
            return self._get_value(action, "--")
        return super()._get_values(action, arg_strings)

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """End with a message, which may quote anything; what was given is repeated in part where it is long."""
        super().error(printable(message if len(message) <= 300 else f"{message[:80]}..."))


def make_parser(arguments: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The parser of the whole command line; some options depend on what is chosen in it."""
    parser = _Parser(
        prog="chainrule",
        description="Train, evaluate and use models of texts and tables; draw computational graphs.",
        epilog="chainrule COMMAND --help explains a command.",
    )
    parser.add_argument("--version", action="version", version=f"chainrule {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    given = [command for command in COMMANDS if arguments and command.replace("_", "-") == arguments[0]]
    for command in given or COMMANDS:
        importlib.import_module(f"chainrule.cli.{command}").add_parser(subparsers, list(arguments))
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code: 0, what the command returns, 2 for an error a user can mend, 130 after Ctrl-C."""
    if sys.stdout is None:  # closed before we began (`>&-`): there is nobody to tell
        sys.stdout = io.TextIOWrapper(io.FileIO(os.devnull, "w"), encoding="utf-8")
    try:
        parsed = _parse(sys.argv[1:] if arguments is None else list(arguments))
    except ChainruleError as error:
        say(f"error: {error}")
        return 2
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a text that a terminal cannot show is shown by its codes
    if not gc.isenabled():  # put off by `chainrule_cli` while modules are loaded, none of which is ever garbage
        gc.freeze()
        gc.enable()
    code = 0
    try:
        code = parsed.run(parsed) or 0
        sys.stdout.flush()
    except ChainruleError as error:
        say(f"error: {error}")
        return 2
    except KeyboardInterrupt as stop:
        say(f"interrupted: {stop}".removesuffix(": "))
        return 130
    except BrokenPipeError:
        _drop_output()  # whoever read it has seen enough
    except OSError as error:
        _drop_output()
        say(f"error: {error}")
        return 2
    except MemoryError as error:
        say(f"error: not enough memory: {error}")
        return 2
    return code


def _parse(arguments: list[str]) -> argparse.Namespace:
    """Parse, and let texts and files stand on either side of an option, which argparse alone does not."""
    parser = make_parser(arguments)
    parsed, rest = parser.parse_known_args(arguments)
    end = rest.index("--") if "--" in rest else len(rest)
    several = next(
        (x for name in ("texts", "table", "words") if isinstance(x := getattr(parsed, name, None), list)), None
    )
    if rest and (several is None or any(re.fullmatch(r"-\S+", word) for word in rest[:end])):
        unknown = next((word for word in rest[:end] if re.fullmatch(r"-\S+", word)), None)
        given = " ".join(rest)
        shown = given if len(given) <= SHOWN else f"{given[:SHOWN]}..."
        parser.error(f"unrecognized arguments: {shown}{_advice(unknown, arguments)}")
    if several is not None:
        several += rest[:end] + rest[end + 1 :]
    _require_names(parsed)
    parsed.command_line = ["chainrule", *arguments]
    return parsed


def _require_names(parsed: argparse.Namespace) -> None:
    """Refuse empty names of files and folders, which would mean the current folder.

    Raises:
        ConfigurationError: naming the argument.
    """
    places = {name: name.upper() for name in ("model", "table", "study", "place")}
    options = {name: f"--{name}" for name in ("file", "valid", "test", "out", "rest", "also", "before")}
    for name, shown in (places | options).items():
        given = getattr(parsed, name, None)
        if "" in (given if isinstance(given, list) else [given]):
            raise ConfigurationError(f"{shown} is empty; give the name of a file or folder")


def _advice(option: str | None, arguments: list[str]) -> str:
    """What may be meant by an option that a command does not have."""
    if option is None:
        return ""
    from chainrule.cli.configuration import kinds_with
    from chainrule.settings import suggestion

    name, command = option.partition("=")[0], arguments[0]
    places = kinds_with(name) if command in ("train", "check", "find-rate", "compare", "sweep") else {}
    for chooser, names in places.items():
        return f"; {name} belongs to {chooser} {' or '.join(names)}"
    return suggestion(name, _options(arguments))


def _options(arguments: list[str]) -> list[str]:
    """All options of a command."""
    chosen: argparse.ArgumentParser = make_parser(arguments)
    for word in arguments[:2]:  # a command, and a part of it
        parts = next((x for x in chosen._actions if isinstance(x, argparse._SubParsersAction)), None)  # noqa: SLF001
        if parts is not None:
            chosen = parts.choices.get(word, chosen)
    return [option for action in chosen._actions for option in action.option_strings]  # noqa: SLF001


def _drop_output() -> None:
    """Send what is still to be printed nowhere, to keep Python from complaining when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
