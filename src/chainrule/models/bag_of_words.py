"""The linear baseline: logistic regression over weighted n-grams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from chainrule.data import Examples
from chainrule.data.layout import BAGS, Layout, Sizes
from chainrule.graph.leaves import Parameter
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.models.learner import LEARNERS, Bagged, Network
from chainrule.models.term_weights import TermWeights
from chainrule.nn import EmbeddingBag, Zeros
from chainrule.random import Key


class BagOfWordsNetwork(Network):
    """y = s Σ vᵢ W[i] + b over the n-grams i of a text, with the term weights v and a fixed s.

    Attributes:
        scale: s.
        weights: v.
        bag: W, shape (entries, outputs), which starts at zero: the loss is convex, so no other start is better.
        bias: b, shape (outputs,); what a text without a known n-gram gives.
    """

    row_by_row: ClassVar[bool] = True

    weights: TermWeights
    bag: EmbeddingBag
    bias: Parameter

    def __init__(self, scale: float, entries: int, outputs: int, generator: np.random.Generator) -> None:
        self.scale = scale
        self.weights = TermWeights(entries)
        self.bag = EmbeddingBag(entries, outputs, mode="sum", generator=generator, initializer=Zeros())
        self.bias = Parameter.of(np.zeros(outputs), name="bias")

    def __call__(self, ids: TensorLike, offsets: TensorLike, *, key: Key | None = None) -> Tensor:  # type: ignore[override]  # noqa: ARG002
        """The outputs, shape (texts, outputs)."""
        idf, norm = self.weights(ids, offsets)
        return self.bag(ids, offsets, idf) * (self.scale / norm) + self.bias

    def count(self, examples: Examples) -> None:
        """Count the term weights."""
        self.weights.count(examples)


@LEARNERS.register
class BagOfWords(Bagged):
    """Bag of words and n-grams, and one linear map: the baseline that any network has to beat.

    Logistic regression (or linear regression) over the tokens and n-grams of a text, weighted by inverse document
    frequency and scaled to one length. Of those that a text repeats, `Text.term_frequency` says how often they count.

    Attributes:
        scale: that length; None for what suits the number of outputs. With SGD, weights learn its square times as fast
            as the bias does.

    Example:
        >>> import chainrule
        >>> table = chainrule.Table.from_lists(["so good", "good fun", "so bad", "bad luck"] * 5, list("ppnn") * 5)
        >>> run = chainrule.fit(BagOfWords(), table, table, training=chainrule.Training(epochs=5))
        >>> run.model.predict(["good", "bad"])
        ['p', 'n']

    Source: Wang and Manning, Baselines and Bigrams (2012), for the strength of binary bigram features.
    """

    name: ClassVar[str] = "bow"
    reads: ClassVar[Layout] = BAGS
    tuned: ClassVar[Mapping[str, Mapping[str, float]]] = {
        "adam": {"learning_rate": 0.003},
        "adamw": {"learning_rate": 0.003},
        "sgd": {"learning_rate": 1.0},
    }
    scales: ClassVar[tuple[float, float]] = (8.0, 16.0)

    def network(self, sizes: Sizes, answers: str, generator: np.random.Generator) -> BagOfWordsNetwork:  # noqa: ARG002
        """A linear map that starts at zero."""
        return BagOfWordsNetwork(self.scale_for(sizes.outputs), sizes.entries, sizes.outputs, generator)
