"""`chainrule puzzle`: tasks about blocks, gradients and layers, and the check of their solutions."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import Any

from chainrule.cli.printing import show
from chainrule.errors import ConfigurationError, shortened

EPILOG = """\
examples:
  chainrule puzzle list
  chainrule puzzle show square --start solution.py --out square.svg
  chainrule puzzle check square solution.py
"""


def add_parser(subparsers: Any, arguments: list[str]) -> None:
    """The options of the command and of its parts."""
    parser = subparsers.add_parser(
        "puzzle",
        help="small tasks about blocks, gradients and layers, with a check of solutions",
        description="Write this block, this gradient, this layer, find the wrong gradient: tasks whose solutions are "
        "checked by examples and by central differences.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parts = parser.add_subparsers(title="what to do", metavar="WHAT", required=True)
    if arguments[:1] != ["puzzle"]:
        return
    listed = parts.add_parser("list", help="the puzzles, by kind")
    listed.set_defaults(run=list_all)
    shown = parts.add_parser("show", help="the task of a puzzle, with a picture and a file to begin with")
    shown.add_argument("name", metavar="NAME", help="of the puzzle")
    shown.add_argument("--start", type=Path, metavar="FILE.py", help="new file to begin with")
    shown.add_argument(
        "--out", type=Path, metavar="FILE.svg", help="new file for the picture: an example, with numbers"
    )
    shown.add_argument("--hint", action="store_true", help="say a little more")
    shown.set_defaults(run=show_one)
    checked = parts.add_parser(
        "check", help="check a solution", description="Check a solution. The exit code is 0 where it is right, else 1."
    )
    checked.add_argument("name", metavar="NAME", help="of the puzzle")
    checked.add_argument("solution", metavar="FILE.py", help="Python file with the solution; it is run")
    checked.add_argument("--seconds", default="20", metavar="N", help="that it may take (default: 20)")
    checked.set_defaults(run=check_one)


def list_all(arguments: argparse.Namespace) -> None:  # noqa: ARG001
    """One line a puzzle."""
    from chainrule.puzzles import PUZZLES

    widest = max(map(len, PUZZLES))
    for kind in dict.fromkeys(puzzle.kind for puzzle in PUZZLES.values()):
        show(f"{kind}:")
        for puzzle in PUZZLES.values():
            if puzzle.kind == kind:
                show(f"  {puzzle.name:{widest}}  {puzzle.title}")


def show_one(arguments: argparse.Namespace) -> None:
    """The task, and what was asked for."""
    from chainrule.files import write_file
    from chainrule.puzzles.checking import puzzle_named

    puzzle = puzzle_named(arguments.name)
    for option, path, ending in (("--start", arguments.start, ".py"), ("--out", arguments.out, ".svg")):
        if path is not None and path.suffix != ending:
            raise ConfigurationError(f"{option} {path}: expected a name that ends in {ending}")
        if path is not None and path.exists():
            raise ConfigurationError(f"{option} {path}: the file exists; choose another name")
    show(f"{puzzle.name}: {puzzle.title}\n")
    show(textwrap.fill(puzzle.text, 100))
    if arguments.hint:
        show("\n" + textwrap.fill(f"Hint: {puzzle.hint}", 100))
    show("\nan example:")
    for name, array in puzzle.arrays(puzzle.example(0)).items():
        show(f"  {name} {_shape(array)}: {_numbers(array)}")
    if arguments.out is not None:
        show(f"\npicture: {puzzle.picture.save(arguments.out)}")
    if arguments.start is None:
        show(f"\nbegin with:\n\n{puzzle.start}")
    else:
        write_file(arguments.start, puzzle.start)
        show(f"\nbegin with {arguments.start}, then: chainrule puzzle check {puzzle.name} {arguments.start}")


def check_one(arguments: argparse.Namespace) -> int:
    """The verdict; the exit code is 0 where the solution is right, else 1."""
    from chainrule.puzzles import check

    try:
        seconds = float(arguments.seconds)
    except ValueError:
        raise ConfigurationError(f"--seconds: expected a number, got {shortened(arguments.seconds)}") from None
    verdict = check(arguments.name, arguments.solution, seconds=seconds)
    for line in verdict.printed.splitlines():
        show(f"| {line}")
    show(verdict.message)
    return int(not verdict.solved)


def _shape(array: Any) -> str:
    import numpy as np

    return str(np.shape(array)) if np.ndim(array) else "scalar"


def _numbers(array: Any) -> str:
    import numpy as np

    return " ".join(np.array2string(np.asarray(array), precision=4, separator=", ", suppress_small=True).split())
