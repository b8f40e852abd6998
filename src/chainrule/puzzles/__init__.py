"""Puzzles: small tasks about blocks, gradients and layers, whose solutions are checked."""

from __future__ import annotations

from chainrule.puzzles.blocks import BLOCKS
from chainrule.puzzles.checking import Verdict, check
from chainrule.puzzles.functions import FUNCTIONS
from chainrule.puzzles.gradients import GRADIENTS
from chainrule.puzzles.puzzle import Puzzle
from chainrule.puzzles.steps import STEPS
from chainrule.puzzles.wrong import WRONG

#: All puzzles by name, the easier ones of each kind first.
PUZZLES: dict[str, Puzzle] = {puzzle.name: puzzle for puzzle in (*BLOCKS, *GRADIENTS, *FUNCTIONS, *STEPS, *WRONG)}

__all__ = ["PUZZLES", "Puzzle", "Verdict", "check"]
