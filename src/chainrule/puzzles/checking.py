"""Checking a file of a solution, in a process of its own and with a limit of time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, DataError
from chainrule.puzzles.puzzle import Puzzle
from chainrule.settings import suggestion

#: Seconds that a solution may take.
SECONDS = 20.0


@dataclass(frozen=True)
class Verdict:
    """What was found of a solution.

    Attributes:
        solved: whether it is right.
        message: what is wrong, or that it is right.
        printed: what the solution printed.
    """

    solved: bool
    message: str
    printed: str = ""


def puzzle_named(name: str) -> Puzzle:
    """The puzzle of a name.

    Raises:
        ConfigurationError: for an unknown one, with near ones.
    """
    from chainrule.puzzles import PUZZLES

    if name not in PUZZLES:
        raise ConfigurationError(f"no puzzle {name!r}; chainrule puzzle list names all{suggestion(name, [*PUZZLES])}")
    return PUZZLES[name]


def check(name: str, path: str | os.PathLike[str], *, seconds: float = SECONDS) -> Verdict:
    """Check a file with the solution of a puzzle, by examples that are not shown and by central differences.

    The file is run in a process of its own, which is ended after so many seconds.

    Args:
        name: of the puzzle.
        path: a Python file.
        seconds: how long it may take, above 0.

    Raises:
        ConfigurationError: for an unknown puzzle, or seconds that are none.
        DataError: when there is no such file.

    Example:
        >>> import pathlib, tempfile
        >>> from chainrule.puzzles import PUZZLES, check
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "solution.py"
        >>> _ = path.write_text(PUZZLES["square"].start)
        >>> check("square", path).solved
        False
    """
    puzzle_named(name)
    if not seconds > 0:
        raise ConfigurationError(f"seconds: expected a number above 0, got {seconds}")
    if not Path(path).is_file():
        raise DataError(
            f"{path}: there is no such file; chainrule puzzle show {name} --start FILE writes one to begin with"
        )
    with tempfile.TemporaryDirectory() as folder:
        verdict = Path(folder) / "verdict.json"
        here = str(Path(__file__).parents[2])
        paths = os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])
        command = [sys.executable, "-m", "chainrule.puzzles.judge", name, str(path), str(verdict)]
        try:
            ran = subprocess.run(
                command, env={**os.environ, "PYTHONPATH": paths}, timeout=seconds, check=False, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace",
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Verdict(False, f"it ran longer than {seconds:g} seconds; is there a loop that does not end?")
        if not verdict.exists():
            return Verdict(False, f"it ended Python (exit code {ran.returncode}) before it could be judged", ran.stdout)
        return Verdict(**json.loads(verdict.read_text(encoding="utf-8")), printed=ran.stdout)
