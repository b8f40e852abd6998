"""Term weights: how much each n-gram of a text counts."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from chainrule.blocks import expand, gather, segment_sum, sqrt, where
from chainrule.data import Examples
from chainrule.graph.conversion import tensor
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn import Layer


class Combination(Layer, ABC):
    """How the vectors of a text become one: Σ wᵢ xᵢ / norm, unless it says otherwise."""

    @abstractmethod
    def __call__(self, ids: TensorLike, offsets: TensorLike) -> tuple[Tensor, Tensor]:
        """w of each id, shape (n,), and the norm of each text, shape (texts, 1) or (1, 1)."""

    def combine(self, vectors: Tensor, weights: Tensor, offsets: TensorLike) -> Tensor:
        """What is to be divided by the norm: Σ wᵢ xᵢ of each text.

        Args:
            vectors: x, shape (n, size).
            weights: w, some of which may be dropped, that is 0; shape (n,).
            offsets: where texts begin, shape (texts + 1,).
        """
        return segment_sum(vectors * expand(weights, 1), offsets)

    def count(self, examples: Examples) -> None:
        """Take from the training examples what is counted; nothing, unless it says otherwise."""


class TermWeights(Combination):
    """v = idf / ‖idf‖ over the n-grams of each text, so that rare n-grams count more and each text has length 1.

        idfᵢ = ln((1 + n) / (1 + nᵢ)) + 1,    where nᵢ of the n training texts hold n-gram i

    The two parts come apart, so that a sum over a text is divided once: Σ vᵢ xᵢ = (Σ idfᵢ xᵢ) / ‖idf‖. They are counted
    (`count`), not learned.

    Args:
        entries: the size of the vocabulary.

    Attributes:
        idf: shape (entries,).

    Example:
        >>> from chainrule.data import Ragged
        >>> weights = TermWeights(3)
        >>> weights.count(Examples({"ids": Ragged(np.array([0, 1, 1], np.int32), np.array([0, 2, 3]))}))
        >>> idf, norm = weights([0, 1], [0, 2])
        >>> (idf / norm[0]).value.round(3)
        array([0.815, 0.58 ], dtype=float32)

    Source: Spärck Jones, A Statistical Interpretation of Term Specificity (1972), in the smoothed form of scikit-learn.
    """

    idf: Tensor

    def __init__(self, entries: int) -> None:
        self.idf = tensor(np.ones(entries), name="idf")

    def __call__(self, ids: TensorLike, offsets: TensorLike) -> tuple[Tensor, Tensor]:
        """idf of each id, shape (n,), and ‖idf‖ of each text, shape (texts, 1).

        Args:
            ids: shape (n,).
            offsets: shape (texts + 1,).
        """
        idf = gather(self.idf, ids)
        square = segment_sum(idf * idf, offsets)
        return idf, expand(sqrt(where(square > 0, square, 1)), 1)  # a text without a known n-gram has nothing to scale

    def count(self, examples: Examples) -> None:
        """Count how many of these texts hold each entry; ids of a text are in ascending order."""
        held = examples.arrays()
        ids, starts = held["ids"], held["offsets"][:-1]
        first = np.append(True, ids[1:] != ids[:-1])[: len(ids)]
        first[starts[starts < len(ids)]] = True
        texts = np.bincount(ids[first], minlength=self.idf.shape[0])
        self.idf.assign(np.log((1 + examples.rows) / (1 + texts)) + 1)

    def __repr__(self) -> str:
        return f"TermWeights({self.idf.shape[0]})"
