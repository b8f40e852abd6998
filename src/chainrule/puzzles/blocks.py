"""Puzzles: write a block, forward and backward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.puzzles.examples import drawn
from chainrule.puzzles.puzzle import BlockPuzzle


def _start(name: str, equation: str, inputs: Sequence[str]) -> str:
    """A file that defines the block, and computes something else."""
    given = ", ".join(inputs)
    answer = ", ".join(["gradient"] * len(inputs)) + ("," if len(inputs) == 1 else "")
    return f'''import chainrule


class {name}(chainrule.Elementwise):
    """{equation}"""

    floating = True  # whole numbers are made floating-point first

    def forward(self, xp, {given}):  # xp is NumPy, or computes like it: xp.exp, xp.log, xp.where, ...
        return {inputs[0]}  # change this

    def backward(self, gradient, output, {given}):  # with functions of chainrule; a tuple, one for each input
        return ({answer})  # and this
'''


def _puzzle(name: str, title: str, equation: str, text: str, hint: str, wants: str, **settings: Any) -> BlockPuzzle:
    inputs = settings.pop("names", ("x",))
    text = f"Write the block {wants}: {equation} {text}".rstrip()
    return BlockPuzzle(
        name=name, title=title, text=text, hint=hint, wants=wants, start=_start(wants, equation, inputs), **settings
    )


BLOCKS = (
    _puzzle(
        "square", "A square", "y = x².", "x and y have the same shape.", "The derivative of x² is 2 x.", "Square",
        inputs=drawn(x="nd"), wanted=lambda x: x * x,
    ),
    _puzzle(
        "product", "A product", "y = a · b.", "Element by element; backward returns a gradient for a and one for b.",
        "Each of the two gets the other one.", "Product", names=("a", "b"), inputs=drawn(a="nd", b="nd"),
        wanted=lambda a, b: a * b,
    ),
    _puzzle(
        "quotient", "A quotient", "y = a / b.", "Element by element, b is never 0.",
        "∂y/∂a = 1 / b and ∂y/∂b = -a / b², which is -y / b.", "Quotient", names=("a", "b"),
        inputs=drawn(0.5, 2.0, a="nd", b="nd"), wanted=lambda a, b: a / b,
    ),
    _puzzle(
        "rectifier", "The rectifier", "y = max(x, 0).", "Its gradient is 0 where x is below 0.",
        "chainrule.where(x > 0, gradient, 0)", "Rectifier", inputs=drawn(x="nd"), wanted=lambda x: np.maximum(x, 0),
    ),
    _puzzle(
        "logit", "Log-odds", "y = log(x / (1 - x)).", "x is a probability between 0 and 1.",
        "Its derivative is 1 / (x (1 - x)).", "Logit", inputs=drawn(0.1, 0.9, x="nd"),
        wanted=lambda x: np.log(x / (1 - x)),
    ),
    _puzzle(
        "swish", "Swish", "y = x σ(x), where σ(x) = 1 / (1 + e⁻ˣ).", "",
        "A product has two paths: σ(x) + x σ(x) (1 - σ(x)); chainrule.sigmoid is σ.", "Swish", inputs=drawn(x="nd"),
        wanted=lambda x: x / (1 + np.exp(-x)),
    ),
    _puzzle(
        "softplus", "Softplus, also far out", "y = log(1 + eˣ).",
        "Its derivative is σ(x). It has to give 1000 for x = 1000, although e¹⁰⁰⁰ is no number that a computer has.",
        "log(1 + eˣ) = max(x, 0) + log(1 + e^(-|x|)); xp.log1p(z) is log(1 + z).", "Softplus", inputs=drawn(x="nd"),
        wanted=lambda x: np.log1p(np.exp(x)), extremes=(((1000.0,), 1000.0), ((-1000.0,), 0.0)),
    ),
    _puzzle(
        "hypotenuse", "The longest side", "y = √(a² + b²).", "Element by element.", "∂y/∂a = a / y.", "Hypotenuse",
        names=("a", "b"), inputs=drawn(a="nd", b="nd"), wanted=lambda a, b: np.hypot(a, b),
    ),
)  # fmt: skip
