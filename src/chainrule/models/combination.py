"""Combinations: how much each n-gram of a text counts in the sum over its embeddings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from chainrule.blocks import exp, expand, gather, segment_sum, sqrt, where
from chainrule.data import Examples
from chainrule.graph.conversion import as_tensors, tensor
from chainrule.graph.leaves import Parameter
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.models.term_weights import TermWeights
from chainrule.nn import Layer


class Combination(Protocol):
    """What each n-gram of a text counts: wᵢ / norm, the two parts of which come apart, as in `TermWeights`."""

    def __call__(self, ids: TensorLike, offsets: TensorLike) -> tuple[Tensor, Tensor]:
        """w of each id, shape (n,), and the norm of each text, shape (texts, 1)."""

    def count(self, examples: Examples) -> None:
        """Take from the training examples what is counted."""


class Sum(Layer):
    """w = 1, norm = 1: each n-gram counts the same, and so long texts more than short ones.

    Example:
        >>> weights, norm = Sum(3)([0, 1], [0, 2])
        >>> (weights / norm[0]).value
        array([1., 1.], dtype=float32)
    """

    one: Tensor

    def __init__(self, entries: int) -> None:  # noqa: ARG002  (as the others)
        self.one = tensor(np.ones(1), name="one")

    def __call__(self, ids: TensorLike, offsets: TensorLike) -> tuple[Tensor, Tensor]:
        """1 of each id, shape (n,), and 1, shape (1, 1)."""
        (places,) = as_tensors([ids])
        ones = gather(self.one, places * 0)
        return ones, expand(self.norm(ones, offsets), 1)

    def norm(self, ones: Tensor, offsets: TensorLike) -> Tensor:  # noqa: ARG002
        """What the sum over a text is divided by."""
        return self.one

    def count(self, examples: Examples) -> None:
        """Nothing is counted."""


class Mean(Sum):
    """w = 1, norm = n: the mean over the n n-grams of a text.

    Example:
        >>> weights, norm = Mean(3)([0, 1], [0, 2])
        >>> (weights / norm[0]).value
        array([0.5, 0.5], dtype=float32)
    """

    def norm(self, ones: Tensor, offsets: TensorLike) -> Tensor:
        """n; of a text without any, 1."""
        each = segment_sum(ones, offsets)
        return where(each > 0, each, 1)


class LearnedWeights(Layer):
    """w = exp(a), norm = ‖w‖: weights that training learns, one an n-gram, from those of `TermWeights` on.

    Args:
        entries: the size of the vocabulary.

    Attributes:
        logarithms: a, shape (entries,).

    Example:
        >>> weights, norm = LearnedWeights(3)([0, 1], [0, 2])
        >>> (weights / norm[0]).value.round(3)
        array([0.707, 0.707], dtype=float32)
    """

    logarithms: Parameter

    def __init__(self, entries: int) -> None:
        self.logarithms = Parameter.of(np.zeros(entries), name="logarithms")

    def __call__(self, ids: TensorLike, offsets: TensorLike) -> tuple[Tensor, Tensor]:
        """w of each id, shape (n,), and ‖w‖ of each text, shape (texts, 1)."""
        weights = exp(gather(self.logarithms, ids))
        square = segment_sum(weights * weights, offsets)
        return weights, expand(sqrt(where(square > 0, square, 1)), 1)

    def count(self, examples: Examples) -> None:
        """Start from the inverse document frequencies."""
        counted = TermWeights(self.logarithms.shape[0])
        counted.count(examples)
        self.logarithms.assign(np.log(counted.idf.numpy()))


#: How embeddings of a text are combined, by the name of the setting.
COMBINATIONS: dict[str, Callable[[int], Combination]] = {
    "tfidf": TermWeights, "sum": Sum, "mean": Mean, "learned": LearnedWeights
}  # fmt: skip
