"""Puzzles: write a step of an optimizer in NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.graph.spec import Array
from chainrule.puzzles.examples import drawn
from chainrule.puzzles.puzzle import FunctionPuzzle


def _momentum(theta: Array, g: Array, v: Array) -> Mapping[str, Array]:
    v = 0.9 * v + g
    return {"new θ": theta - 0.1 * v, "new v": v}


def _adam(theta: Array, g: Array, m: Array, s: Array, t: int) -> Mapping[str, Array]:
    m, s = 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g * g
    change = 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(s / (1 - 0.999**t)) + 1e-8)
    return {"new θ": theta - change, "new m": m, "new s": s}


def _moments(draws: np.random.Generator) -> dict[str, Any]:
    found = drawn(theta="n", g="n", m="n", s="n")(draws)
    return {**found, "s": np.abs(found["s"]), "t": int(draws.integers(1, 6))}


STEPS = (
    FunctionPuzzle(
        name="momentum", title="A step with momentum", wants="momentum", differentiable=False, wanted=_momentum,
        inputs=drawn(theta="n", g="n", v="n"), hint="The new v first; θ moves by it.",
        text="Write momentum(theta, g, v), which returns the new θ and the new v: v ← 0.9 v + g, then θ ← θ - 0.1 v. "
        "All are NumPy arrays of the same shape.",
        start='''def momentum(theta, g, v):
    """One step with a learning rate of 0.1 and a momentum of 0.9: the new theta, the new v."""
    return theta, v  # change this
''',
    ),
    FunctionPuzzle(
        name="adam", title="A step of Adam", wants="adam", differentiable=False, wanted=_adam, inputs=_moments,
        hint="The corrections use t of this step, which is 1 for the first; only θ sees them, m and s do not.",
        text="Write adam(theta, g, m, s, t), which returns the new θ, m and s: m ← 0.9 m + 0.1 g, "
        "s ← 0.999 s + 0.001 g², θ ← θ - 0.1 m̂ / (√ŝ + 10⁻⁸) with m̂ = m / (1 - 0.9ᵗ) and ŝ = s / (1 - 0.999ᵗ). "
        "All are NumPy arrays of the same shape, but t, which is a number.",
        start='''import numpy as np


def adam(theta, g, m, s, t):
    """One step with a learning rate of 0.1: the new theta, the new m, the new s."""
    return theta, m, s  # change this
''',
    ),
)  # fmt: skip
