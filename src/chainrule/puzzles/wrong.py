"""Puzzles: find the wrong gradient among several, and mend it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from chainrule.puzzles.examples import drawn
from chainrule.puzzles.puzzle import WrongGradientPuzzle


def _block(name: str, arguments: str, forward: str, backward: str) -> str:
    return f"""

class {name}(chainrule.Elementwise):
    floating = True

    def forward(self, xp, {arguments}):
        return {forward}

    def backward(self, gradient, output, {arguments}):
        return ({backward})
"""


def _puzzle(
    name: str, title: str, hint: str, blocks: Mapping[str, tuple[str, str, str, Callable[..., Any]]], answer: str,
    inputs: Any,
) -> WrongGradientPuzzle:  # fmt: skip
    start = 'import chainrule\n\nwrong = ""  # the name of the block whose gradient is wrong; mend it, too\n'
    start += "".join(_block(block, *parts[:3]) for block, parts in blocks.items())
    text = (
        f"Of {', '.join(blocks)} one has a wrong backward; every forward is right. Set wrong to its name, and mend it. "
        "Paper will do; chainrule.testing.check_gradient(Block(), [0.5, -1.0]) finds it, too."
    )
    return WrongGradientPuzzle(
        name=name, title=title, text=text, hint=hint, wants="wrong", start=start, inputs=inputs, answer=answer,
        blocks={block: parts[3] for block, parts in blocks.items()},
    )  # fmt: skip


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


WRONG = (
    _puzzle(
        "wrong-activation", "One of four activations", "Write each derivative by the output alone.",
        {
            "Sigmoid": ("x", "1 / (1 + xp.exp(-x))", "gradient * output * (1 - output),", _sigmoid),
            "Tanh": ("x", "xp.tanh(x)", "gradient * (1 - output),", np.tanh),
            "Exponential": ("x", "xp.exp(x)", "gradient * output,", np.exp),
            "Reciprocal": ("x", "1 / x", "gradient * -output * output,", lambda x: 1 / x),
        },
        "Tanh", drawn(x="nd"),
    ),
    _puzzle(
        "wrong-pair", "One of three blocks of two inputs", "Look at the signs.",
        {
            "Difference": ("a, b", "a - b", "gradient, -gradient", lambda a, b: a - b),
            "SquaredError": (
                "a, b", "(a - b) * (a - b)", "gradient * 2 * (a - b), gradient * 2 * (a - b)",
                lambda a, b: (a - b) ** 2,
            ),
            "Ratio": ("a, b", "a / b", "gradient / b, gradient * -output / b", lambda a, b: a / b),
        },
        "SquaredError", drawn(a="nd", b="nd"),
    ),
    _puzzle(
        "wrong-chain", "One of three functions of functions",
        "The chain rule: outer derivative times inner derivative.",
        {
            "Gaussian": ("x", "xp.exp(-x * x)", "gradient * -2 * x * output,", lambda x: np.exp(-x * x)),
            "LogOfSquare": ("x", "xp.log(x * x + 1)", "gradient / (x * x + 1),", lambda x: np.log(x * x + 1)),
            "RootOfSquare": (
                "x", "xp.sqrt(x * x + 1)", "gradient * x / output,", lambda x: np.sqrt(x * x + 1),
            ),
        },
        "LogOfSquare", drawn(x="nd"),
    ),
    _puzzle(
        "wrong-gate", "One of three gates", "Each gate has two paths, one for each input.",
        {
            "Gate": (
                "a, b", "a / (1 + xp.exp(-b))",
                "gradient * chainrule.sigmoid(b), gradient * output * (1 - chainrule.sigmoid(b))",
                lambda a, b: a * _sigmoid(b),
            ),
            "Forget": (
                "a, b", "a * xp.tanh(b)", "gradient * chainrule.tanh(b), gradient * (1 - chainrule.tanh(b) ** 2)",
                lambda a, b: a * np.tanh(b),
            ),
            "Blend": (
                "a, b", "a * a + a * b", "gradient * (2 * a + b), gradient * a", lambda a, b: a * a + a * b,
            ),
        },
        "Forget", drawn(a="nd", b="nd"),
    ),
)  # fmt: skip
