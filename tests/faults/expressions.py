"""Drawn expressions for `chainrule draw`: right values for those of the language, and messages for all others."""

from __future__ import annotations

import math
import re
import warnings
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np

from tests.faults.command import answer

VALUES = {"x": "2", "y": "-0.5", "a": "[1,2,3]", "b": "[0.5,-1,4]"}
#: The functions as NumPy computes them, in double precision.
NUMPY = {
    "exp": np.exp, "tanh": np.tanh, "abs": np.abs, "relu": lambda v: np.maximum(v, 0),
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)), "softplus": lambda v: np.logaddexp(v, 0), "sum": np.sum, "mean": np.mean,
    "maximum": np.maximum, "minimum": np.minimum, "max": np.max,
    **{name: np.array(eval(text), np.float64) for name, text in VALUES.items()},
}  # fmt: skip
CHARACTERS = "xyab01.9e+-*/@()[],<=>!_ '\"#\\\n\x00éλ∞𝑥:;{}~^%"


def run_expressions(place: Path, count: int, seed: int) -> None:
    """Draw so many: of four, two of the language, one with changed characters, and one of any characters."""
    for number in range(count):
        draws = np.random.default_rng([seed, number])
        text, right = _expression(draws, 3), number % 4 < 2
        if number % 4 == 2:
            text = _changed(text, draws)
        elif number % 4 == 3:
            text = "".join(_pick(CHARACTERS, draws) for _ in range(int(draws.integers(40))))
        out = ["--out", place / "graph.svg", "--force"] if number % 10 == 0 else []
        used = [f"{name}={value}" for name, value in VALUES.items() if not right or re.search(rf"\b{name}\b", text)]
        given = ["--at", *used] if used else []
        try:
            found = answer("draw", *given, *out, "--", text)
            if right:
                _check_value(found, text)
            if out and found.code == 0:
                assert ET.parse(place / "graph.svg").getroot().tag.endswith("svg")
        except BaseException as error:
            error.add_note(f"expression {number} of seed {seed}: {text!r}")
            raise


def _check_value(found, text):
    """The value is NumPy's, where float32 holds it."""
    assert found.code == 0, found
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        expected = float(eval(text, {"__builtins__": {}}, NUMPY))
    shown = found.out.splitlines()[0].removeprefix("value: ")
    if math.isfinite(expected) and abs(expected) < 1e30:
        assert math.isclose(float(shown), expected, rel_tol=1e-3, abs_tol=1e-3), (shown, expected)


def _expression(draws, depth):
    """A scalar: a reduction of vectors, or a number, a name, a function or an operation of scalars."""
    kind = int(draws.integers(7))
    if depth == 0 or kind == 0:
        return _pick(["x", "y", "0.25", "3", "1e-2"], draws)
    if kind == 1:
        return f"{_pick(['sum', 'mean', 'max'], draws)}({_pick(['a', 'b', 'a*b', 'a+x', '[1, -2, 3]*b'], draws)})"
    inner = _expression(draws, depth - 1)
    if kind == 2:
        return f"{_pick(['tanh', 'sigmoid', 'softplus', 'relu', 'abs'], draws)}({inner})"
    if kind == 3:
        return f"exp(tanh({inner}))"
    if kind == 4:
        return f"-({inner})"
    other = _expression(draws, depth - 1)
    if kind == 5:
        return f"{_pick(['maximum', 'minimum'], draws)}({inner}, {other})"
    return f"({inner}) {_pick(['+', '-', '*'], draws)} ({other})"


def _changed(text, draws):
    characters = list(text)
    for _ in range(int(draws.integers(1, 4))):
        place = int(draws.integers(len(characters) + 1))
        characters[place : place + int(draws.integers(2))] = _pick(CHARACTERS, draws) * int(draws.integers(2))
    return "".join(characters)


def _pick(values, draws):
    return values[int(draws.integers(len(values)))]
