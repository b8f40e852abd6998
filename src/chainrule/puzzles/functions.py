"""Puzzles: write a layer or a loss with functions over tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.graph.spec import Array
from chainrule.puzzles.examples import drawn
from chainrule.puzzles.puzzle import FunctionPuzzle


def _puzzle(
    name: str, title: str, text: str, hint: str, wants: str, names: Sequence[str], wanted: Callable[..., Any],
    inputs: Any, equation: str,
) -> FunctionPuzzle:  # fmt: skip
    given = ", ".join(names)
    start = f'''import chainrule


def {wants}({given}):
    """{equation}"""
    return {names[0]}  # change this
'''
    return FunctionPuzzle(
        name=name, title=title, text=f"Write {wants}({given}): {equation} {text}".rstrip(), hint=hint, wants=wants,
        start=start, inputs=inputs, wanted=wanted,
    )  # fmt: skip


def softmax(x: Array) -> Array:
    """Each row by itself."""
    e: Array = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def _masked(draws: np.random.Generator) -> dict[str, Any]:
    x = drawn(x="nd")(draws)["x"]
    return {"x": x, "mask": (draws.random(x.shape) < 0.7).astype(np.int64)}


def _labelled(draws: np.random.Generator) -> dict[str, Any]:
    z = drawn(-3.0, 3.0, z="n")(draws)["z"]
    return {"z": z, "labels": draws.integers(0, 2, len(z))}


def _signed(draws: np.random.Generator) -> dict[str, Any]:
    found = _labelled(draws)
    return {"scores": found["z"] / 2 + 0.003, "signs": 2 * found["labels"] - 1}


def _long(draws: np.random.Generator) -> dict[str, Any]:
    length, d, k = (int(draws.integers(*ends)) for ends in ((3, 6), (1, 4), (1, 4)))
    return {"x": np.round(draws.normal(size=(length, d)), 2), "W": np.round(draws.normal(size=(2 * d, k)), 2)}


def _layer_norm(x: Array) -> Array:
    return np.asarray((x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5))


FUNCTIONS = (
    _puzzle(
        "perceptron", "A perceptron of two layers", "Shapes: x (n, d), W (d, h), b (h,), V (h, k), c (k,).",
        "chainrule.tanh(x @ W + b) is the hidden layer.", "perceptron", ("x", "W", "b", "V", "c"),
        lambda x, W, b, V, c: np.tanh(x @ W + b) @ V + c, drawn(x="nd", W="dh", b="h", V="hk", c="k"),
        "y = tanh(x W + b) V + c.",
    ),
    _puzzle(
        "softmax", "Softmax, also far out",
        "Also for x of 1000, where eˣ is no number that a computer has. Without chainrule.softmax, if you like.",
        "Take the largest number of a row off first: it does not change the quotient.", "softmax", ("x",), softmax,
        lambda draws: {"x": drawn(x="nk")(draws)["x"] + (1000.0 if draws.random() < 0.5 else 0.0)},
        "y = eˣ / Σ eˣ, each row of x by itself.",
    ),
    _puzzle(
        "mean-of-embeddings", "A text as the mean of its words", "Shapes: E (rows, d), ids (words,), y (d,).",
        "chainrule.gather(E, ids) looks up.", "mean_of_embeddings", ("E", "ids"), lambda E, ids: E[ids].mean(axis=0),
        lambda draws: {**drawn(E="nd")(draws), "ids": draws.integers(0, 2, int(draws.integers(2, 6)))},
        "the mean of the rows of E that ids names, each as often as it is there.",
    ),
    _puzzle(
        "dropout", "Dropout in training",
        "mask is 0 where a number is dropped, and else 1. At test nothing is to be done.",
        "Divide by what is kept of a number on average, 1 - p.", "dropout", ("x", "mask", "p"),
        lambda x, mask, p: x * mask / (1 - p), lambda draws: {**_masked(draws), "p": 0.25 + 0.25 * draws.integers(3)},
        "y = x mask / (1 - p), inverted dropout.",
    ),
    _puzzle(
        "layer-norm", "Layer normalisation", "x has shape (n, d); the variance is the mean squared deviation.",
        "x.mean(axis=1, keepdims=True)", "layer_norm", ("x",), _layer_norm, drawn(x="nd"),
        "y = (x - mean) / √(variance + 0.00001), each row of x by itself.",
    ),
    _puzzle(
        "attention", "Attention", "Shapes: Q (n, d), K (m, d), V (m, k), y (n, k).",
        "chainrule.softmax(..., axis=-1); K.T; Q.shape[1] is d.", "attention", ("Q", "K", "V"),
        lambda Q, K, V: softmax(Q @ K.T / np.sqrt(Q.shape[1])) @ V, drawn(Q="nd", K="md", V="mk"),
        "y = softmax(Q Kᵀ / √d) V, softmax by rows.",
    ),
    _puzzle(
        "recurrence", "Two steps of a recurrent layer", "Shapes: x (2, d), W (d, h), U (h, h), h (h,); y is h₂.",
        "Use the same W and U twice.", "recurrence", ("x", "W", "U", "h"),
        lambda x, W, U, h: np.tanh(x[1] @ W + np.tanh(x[0] @ W + h @ U) @ U),
        lambda draws: {name: array[:2] if name == "x" else array
                       for name, array in drawn(x="nd", W="dh", U="hh", h="h")(draws).items()},
        "hₜ = tanh(xₜ W + hₜ₋₁ U), from h₀ = h, for the two rows of x.",
    ),
    _puzzle(
        "convolution", "A convolution of width 2", "Shapes: x (n, d), W (2 d, k), y (n - 1, k).",
        "chainrule.concatenate([x[:-1], x[1:]], axis=1)", "convolution", ("x", "W"),
        lambda x, W: np.concatenate([x[:-1], x[1:]], axis=1) @ W, _long,
        "y[i] = [x[i], x[i + 1]] W: two neighbouring rows side by side, times W.",
    ),
    _puzzle(
        "hinge", "Hinge loss", "Shapes: scores (n,), signs (n,), each 1 or -1; y is a scalar.",
        "chainrule.maximum(..., 0).mean()", "hinge", ("scores", "signs"),
        lambda scores, signs: np.maximum(1 - signs * scores, 0).mean(), _signed,
        "the mean of max(1 - sign · score, 0).",
    ),
    _puzzle(
        "binary-cross-entropy", "Cross-entropy of two classes",
        "Shapes: z (n,), labels (n,), each 0 or 1; y is a scalar.",
        "log(1 + eᶻ) - label z, with log(1 + eᶻ) = max(z, 0) + log(1 + e^(-|z|)).",
        "binary_cross_entropy", ("z", "labels"),
        lambda z, labels: (np.logaddexp(0, z) - labels * z).mean(), _labelled,
        "the mean of -log p, where p = σ(z) for the label 1 and 1 - σ(z) for the label 0.",
    ),
)  # fmt: skip
