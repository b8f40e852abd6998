"""What the process of a check runs: python -m chainrule.puzzles.judge NAME FILE VERDICT."""

from __future__ import annotations

import json
import runpy
import sys
import traceback
from pathlib import Path

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.puzzles.checking import puzzle_named
from chainrule.puzzles.comparing import SolutionError
from chainrule.puzzles.puzzle import Puzzle


def judged(puzzle: Puzzle, path: str) -> tuple[bool, str]:
    """Whether the file solves the puzzle, and what is to be said of it."""
    try:
        with np.errstate(all="ignore"):  # infinities and NaN are told of as what they are: wrong answers
            puzzle.judge(runpy.run_path(path))
    except SolutionError as mistake:
        return False, str(mistake)
    except SyntaxError as error:
        return False, f"line {error.lineno} is not Python: {error.msg}"
    except Exception as error:  # noqa: BLE001 - whatever the solution raises is told
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
        where = f"line {lines[-1]}: " if lines else ""
        kind = "" if isinstance(error, ChainruleError) else f"{type(error).__name__}: "
        return False, f"{where}{kind}{error}"
    return True, f"{puzzle.name} is solved"


def main(arguments: list[str]) -> None:
    """Judge a file and write the verdict."""
    name, path, verdict = arguments
    solved, message = judged(puzzle_named(name), path)
    Path(verdict).write_text(json.dumps({"solved": solved, "message": message}), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
