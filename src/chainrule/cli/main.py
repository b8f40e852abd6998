"""The command line: one sub-command a file, errors in one line, exit code 2 for what a user can mend."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from chainrule.cli import draw, evaluate, predict, summary, train
from chainrule.errors import ChainruleError
from chainrule.version import __version__

COMMANDS = (train, evaluate, predict, summary, draw)


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="chainrule",
        description="Train, evaluate and use text classifiers; draw computational graphs.",
        epilog="chainrule COMMAND --help explains a command.",
    )
    parser.add_argument("--version", action="version", version=f"chainrule {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(subparsers)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code: 0, 2 for an error a user can mend, 130 after Ctrl-C."""
    parsed = make_parser().parse_args(arguments)
    try:
        parsed.run(parsed)
        sys.stdout.flush()
    except ChainruleError as error:
        print(f"chainrule: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("chainrule: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read the output has seen enough; keep Python from complaining when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
