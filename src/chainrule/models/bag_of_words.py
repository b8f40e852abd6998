"""The linear baseline: logistic regression over weighted n-grams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from chainrule.blocks import expand, gather, segment_sum, sqrt, where
from chainrule.graph.tensor import Parameter, Tensor, TensorLike, tensor
from chainrule.models.learner import Learner, TextNetwork
from chainrule.random import Key
from chainrule.text import Ragged


class BagOfWordsNetwork(TextNetwork):
    """y = Σ_{i in text} vᵢ W[i] + b,   v = idf / ‖idf‖ over the distinct n-grams i of the text.

    idfᵢ = ln((1 + n) / (1 + nᵢ)) + 1, where nᵢ of the n training texts hold n-gram i (scikit-learn's smoothed form of
    Spärck Jones, 1972). It is counted, not learned. A text without a known n-gram gives b.

    Attributes:
        weight: W, shape (entries, classes), which starts at zero: the loss is convex, so no other start is better.
        bias: b, shape (classes,).
        idf: shape (entries,).
    """

    def __init__(self, entries: int, classes: int) -> None:
        self.idf = tensor(np.ones(entries), name="idf")
        self.weight = Parameter.of(np.zeros((entries, classes)), name="weight")
        self.bias = Parameter.of(np.zeros(classes), name="bias")

    def __call__(self, ids: TensorLike, offsets: TensorLike, key: Key | None = None) -> Tensor:  # noqa: ARG002
        """The logits, shape (texts, classes)."""
        value = gather(self.idf, ids)
        square = segment_sum(value * value, offsets)
        length = sqrt(where(square > 0, square, 1))
        total = segment_sum(expand(value, 1) * gather(self.weight, ids), offsets)
        return total / expand(length, 1) + self.bias

    def prepare(self, bags: Ragged) -> None:
        """Count how many training texts hold each entry."""
        texts = np.bincount(bags.ids, minlength=self.idf.shape[0])
        self.idf.assign(np.log((1 + len(bags)) / (1 + texts)) + 1)

    def __repr__(self) -> str:
        return f"BagOfWords({self.weight.shape[0]} → {self.weight.shape[1]})"


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

    minimum_ngram_count: int = 1
    learning_rate: float = 0.01

    def network(self, entries: int, classes: int, generator: np.random.Generator) -> BagOfWordsNetwork:  # noqa: ARG002
        """A linear map that starts at zero."""
        return BagOfWordsNetwork(entries, classes)

    def bags(self, encoded: Ragged) -> Ragged:
        """Each n-gram of a text once, without those that are unknown."""
        return encoded.distinct(without=0)
