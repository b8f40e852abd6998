"""Combinations: how the embeddings of a text become one vector."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chainrule.blocks import (
    exp,
    expand,
    gather,
    gather_or_zero,
    greater,
    iota,
    less,
    reshape,
    segment_max,
    segment_sum,
    sqrt,
    where,
)
from chainrule.data import Examples
from chainrule.graph.conversion import as_tensors, tensor
from chainrule.graph.leaves import Parameter
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.models.term_weights import Combination, TermWeights

#: Below any number of a vector.
LOWEST = -1e30


class Sum(Combination):
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


class Largest(Sum):
    """yⱼ = maxᵢ xᵢⱼ over the n-grams of a text that are not dropped; 0 of a text without any.

    Example:
        >>> largest = Largest(3)
        >>> weights, norm = largest([0, 1], [0, 2])
        >>> largest.combine(tensor([[1.0, -2.0], [0.5, -1.0]]), weights, [0, 2]).value
        array([[ 1., -1.]], dtype=float32)
    """

    def combine(self, vectors: Tensor, weights: Tensor, offsets: TensorLike) -> Tensor:
        """The largest number of each column."""
        found = segment_max(where(expand(greater(weights, 0), 1), vectors, LOWEST), offsets)
        return where(greater(found, LOWEST), found, 0)


class Window(Sum):
    """y = [x₁, ..., x_N]: the vectors of the first N tokens of a text, side by side; zeros after its end.

    Args:
        entries: the size of the vocabulary.
        length: N.

    Example:
        >>> window = Window(3, 2)
        >>> weights, norm = window([0, 1, 2], [0, 1, 3])
        >>> window.combine(tensor([[1.0, 2], [3, 4], [5, 6]]), weights, [0, 1, 3]).value.tolist()
        [[1.0, 2.0, 0.0, 0.0], [3.0, 4.0, 5.0, 6.0]]

    Source: Bengio, Ducharme, Vincent and Jauvin, A Neural Probabilistic Language Model (2003).
    """

    def __init__(self, entries: int, length: int) -> None:
        super().__init__(entries)
        self.length = length

    def combine(self, vectors: Tensor, weights: Tensor, offsets: TensorLike) -> Tensor:
        """The vectors side by side."""
        (bounds,) = as_tensors([offsets])
        places = expand(bounds[:-1], 1) + expand(iota(self.length).astype(bounds.dtype), 0)
        inside = less(places, expand(bounds[1:], 1))
        found = gather_or_zero(vectors * expand(weights, 1), where(inside, places, -1))
        return reshape(found, (places.shape[0], self.length * vectors.shape[1]))


class LearnedWeights(Combination):
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
WINDOW = "window"
COMBINATIONS: dict[str, Callable[..., Combination]] = {
    "tfidf": TermWeights, "sum": Sum, "mean": Mean, "max": Largest, "learned": LearnedWeights, WINDOW: Window
}  # fmt: skip
