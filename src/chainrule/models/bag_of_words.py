"""The linear baseline: logistic regression over weighted n-grams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from chainrule.data import Ragged
from chainrule.graph.leaves import Parameter
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.models.learner import Learner, TextNetwork
from chainrule.models.term_weights import TermWeights
from chainrule.nn import EmbeddingBag, Zeros
from chainrule.random import Key


class BagOfWordsNetwork(TextNetwork):
    """y = Σ vᵢ W[i] + b over the distinct n-grams i of a text, with the term weights v.

    Attributes:
        weights: v.
        bag: W, shape (entries, classes), which starts at zero: the loss is convex, so no other start is better.
        bias: b, shape (classes,); what a text without a known n-gram gives.
    """

    def __init__(self, entries: int, classes: int, generator: np.random.Generator) -> None:
        self.weights = TermWeights(entries)
        self.bag = EmbeddingBag(entries, classes, mode="sum", generator=generator, initializer=Zeros())
        self.bias = Parameter.of(np.zeros(classes), name="bias")

    def __call__(self, ids: TensorLike, offsets: TensorLike, key: Key | None = None) -> Tensor:  # noqa: ARG002
        """The logits, shape (texts, classes)."""
        idf, norm = self.weights(ids, offsets)
        return self.bag(ids, offsets, idf) / norm + self.bias

    def prepare(self, bags: Ragged) -> None:
        """Count the term weights."""
        self.weights.count(bags)


@dataclass(frozen=True, kw_only=True)
class BagOfWords(Learner):
    """Bag of words and n-grams, and one linear map: the baseline that any network has to beat.

    Multinomial logistic regression over the distinct tokens and n-grams of a text, weighted by inverse document
    frequency and scaled to length 1.

    Example:
        >>> import chainrule
        >>> table = chainrule.Table.from_lists(["so good", "good fun", "so bad", "bad luck"] * 5, list("ppnn") * 5)
        >>> run = chainrule.fit(BagOfWords(epochs=5), table, table)
        >>> run.model.predict(["good", "bad"])
        ['p', 'n']

    Source: Wang and Manning, Baselines and Bigrams (2012), for the strength of binary bigram features.
    """

    name: ClassVar[str] = "bow"
    learning_rates: ClassVar[Mapping[str, float]] = {"adam": 0.03, "sgd": 0.5}

    def network(self, entries: int, classes: int, generator: np.random.Generator) -> BagOfWordsNetwork:
        """A linear map that starts at zero."""
        return BagOfWordsNetwork(entries, classes, generator)
