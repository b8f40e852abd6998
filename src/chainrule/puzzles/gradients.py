"""Puzzles: write the gradient of a function in NumPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.blocks import gather, prod, softmax, sqrt
from chainrule.graph.tensor import Tensor
from chainrule.nn import cross_entropy
from chainrule.puzzles.examples import drawn
from chainrule.puzzles.puzzle import GradientPuzzle


def _puzzle(
    name: str, title: str, equation: str, text: str, hint: str, of: Callable[..., Tensor], names: Sequence[str],
    by: Sequence[str], inputs: Any,
) -> GradientPuzzle:  # fmt: skip
    wanted = ", ".join(f"∂L/∂{x}" for x in by)
    given = ", ".join(["g", *names])
    start = f'''import numpy as np


def gradient({given}):
    """{wanted} for {equation}, from g = ∂L/∂y."""
    return {", ".join(f"np.zeros_like({x})" for x in by)}  # change this
'''
    task = (
        f"{equation}. Write gradient({given}), which returns {wanted} as NumPy arrays; g is ∂L/∂y, of the shape of y."
    )
    return GradientPuzzle(
        name=name, title=title, text=f"{task} {text}".rstrip(), hint=hint, wants="gradient", start=start, of=of, by=by,
        inputs=inputs,
    )  # fmt: skip


def _looked_up(draws: np.random.Generator) -> dict[str, Any]:
    return {"E": drawn(E="nd")(draws)["E"][:2].repeat(2, axis=0), "ids": np.array([1, 3, 1, *draws.integers(0, 4, 2)])}


def _classes(draws: np.random.Generator) -> dict[str, Any]:
    z = drawn(z="nk")(draws)["z"]
    return {"z": z, "classes": draws.integers(0, z.shape[1], len(z))}


def _with_zero(draws: np.random.Generator) -> dict[str, Any]:
    x = np.round(draws.uniform(0.5, 2, int(draws.integers(3, 6))), 2)
    x[int(draws.integers(len(x)))] = 0
    return {"x": x}


GRADIENTS = (
    _puzzle(
        "sum-gradient", "Backward through a sum", "y = Σᵢ x[i, :], the sum of the rows of x",
        "x has shape (n, d), y and g have shape (d,).", "Each row gets a copy of g: np.broadcast_to(g, x.shape).",
        lambda x: x.sum(axis=0), ("x",), ("x",), drawn(x="nd"),
    ),
    _puzzle(
        "mean-gradient", "Backward through a mean", "y is the mean of all numbers of x, a scalar", "",
        "Each of the x.size numbers has the same share.", lambda x: x.mean(), ("x",), ("x",), drawn(x="nd"),
    ),
    _puzzle(
        "bias-gradient", "Backward through a bias", "y = x + b, where b of shape (d,) is added to each row of x", "",
        "b is used once a row: its gradients add up.", lambda x, b: x + b, ("x", "b"), ("x", "b"), drawn(x="nd", b="d"),
    ),
    _puzzle(
        "linear-gradient", "Backward through a linear layer", "y = x W + b",
        "Shapes: x (n, d), W (d, k), b (k,), y and g (n, k).",
        "Each gradient has the shape of what it belongs to; only one product of two of the matrices has it.",
        lambda x, W, b: x @ W + b, ("x", "W", "b"), ("x", "W", "b"), drawn(x="nd", W="dk", b="k"),
    ),
    _puzzle(
        "product-gradient", "Backward through a product, with a zero",
        "y = x₁ x₂ ... xₙ, the product of all numbers of x",
        "One number of x is 0.", "y / xᵢ fails where xᵢ is 0: multiply all others instead.",
        lambda x: prod(x), ("x",), ("x",), _with_zero,
    ),
    _puzzle(
        "maximum-gradient", "Backward through a maximum", "y[i] is the largest number of the row x[i, :]",
        "No two numbers are equal.", "Only the largest number of a row moves y; it gets all of g[i].",
        lambda x: x.max(axis=1), ("x",), ("x",), drawn(x="nd"),
    ),
    _puzzle(
        "look-up-gradient", "Backward through a look-up", "y = E[ids], rows of a table",
        "ids names some rows twice; others not at all.", "np.add.at(found, ids, g) adds; found[ids] += g does not.",
        lambda E, ids: gather(E, ids), ("E", "ids"), ("E",), _looked_up,
    ),
    _puzzle(
        "softmax-gradient", "Backward through softmax", "y = softmax(x), each row by itself: y = eˣ / Σ eˣ", "",
        "∂L/∂x = y (g - Σ g y), with the sum over the row.", lambda x: softmax(x, axis=1), ("x",), ("x",),
        drawn(x="nk"),
    ),
    _puzzle(
        "cross-entropy-gradient", "Backward through cross-entropy",
        "y is the mean over rows of -log softmax(z)[class]", "z has shape (n, k), classes (n,), y is a scalar.",
        "(softmax(z) - one-hot) / n, times g: what was said minus what is true.",
        lambda z, classes: cross_entropy(z, classes), ("z", "classes"), ("z",), _classes,
    ),
    _puzzle(
        "direction-gradient", "Backward through a unit vector", "y = x / ‖x‖, of length 1",
        "x has shape (n,).", "What points along y is taken away: (g - y (g · y)) / ‖x‖.",
        lambda x: x / sqrt((x * x).sum()), ("x",), ("x",), drawn(x="n"),
    ),
)  # fmt: skip
