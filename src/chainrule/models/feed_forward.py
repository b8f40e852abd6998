"""The feed-forward classifier: the weighted sum of embeddings through hidden layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from chainrule.data import Ragged
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.models.learner import HyperparameterError, Learner, TextNetwork, require_at_least, require_probability
from chainrule.models.term_weights import TermWeights
from chainrule.nn import Dropout, EmbeddingBag, Layer, Linear, Sequential, Uniform, activation
from chainrule.nn.activation import ACTIVATIONS
from chainrule.random import Key

#: What the bag of embeddings is multiplied by. Adam moves every number by about the learning rate a step, so the factor
#: lets the embeddings learn this many times as fast as the layers after them; without it, the layers overfit first.
EMBEDDING_SCALE = 10.0


class FeedForwardNetwork(TextNetwork):
    """The logits of a text from the weighted sum of its embeddings, through hidden layers.

        h₀ = s Σ dropout(vᵢ) E[i] over the distinct n-grams i of the text, with the term weights v and a fixed s
        hₖ = dropout(f(hₖ₋₁ Wₖ + bₖ)),    logits = h_K W + b

    Attributes:
        weights: v.
        word_dropout: drops whole n-grams.
        embeddings: E.
        layers: what comes after it.
    """

    def __init__(
        self,
        entries: int,
        classes: int,
        *,
        dim: int,
        hidden: Sequence[int],
        activation_name: str,
        dropout: float,
        word_dropout: float,
        generator: np.random.Generator,
    ) -> None:
        self.weights = TermWeights(entries)
        self.word_dropout = Dropout(word_dropout)
        start = Uniform(-0.01, 0.01)
        self.embeddings = EmbeddingBag(entries, dim, mode="sum", generator=generator, initializer=start)
        layers: list[Layer] = []
        for inputs, outputs in pairwise([dim, *hidden]):
            layers += [Linear(inputs, outputs, generator=generator), activation(activation_name), Dropout(dropout)]
        self.layers = Sequential(*layers, Linear([dim, *hidden][-1], classes, generator=generator))

    def __call__(self, ids: TensorLike, offsets: TensorLike, key: Key | None = None) -> Tensor:
        """The logits, shape (texts, classes)."""
        idf, norm = self.weights(ids, offsets)
        idf = self.word_dropout(idf, key=key and key.at(0))
        return self.layers(self.embeddings(ids, offsets, idf) * (EMBEDDING_SCALE / norm), key=key and key.at(1))

    def prepare(self, bags: Ragged) -> None:
        """Count the term weights."""
        self.weights.count(bags)


@dataclass(frozen=True, kw_only=True)
class FeedForward(Learner):
    """Deep averaging network: the weighted sum of the embeddings of words and n-grams, then hidden layers.

    Attributes:
        dim: the numbers that stand for one token.
        hidden: the sizes of the hidden layers; empty for none.
        activation: between layers: relu, tanh, sigmoid, softplus or identity.
        dropout: the probability of dropping each number after a hidden layer, in training.
        word_dropout: the probability of leaving out each token or n-gram, in training.

    Example:
        >>> import chainrule
        >>> table = chainrule.Table.from_lists(["so good", "good fun", "so bad", "bad luck"] * 5, list("ppnn") * 5)
        >>> run = chainrule.fit(FeedForward(dim=8, hidden=(8,), learning_rate=0.01, epochs=10), table, table)
        >>> run.model.predict(["good", "bad"])
        ['p', 'n']

    Source: Iyyer, Manjunatha, Boyd-Graber and Daumé, Deep Unordered Composition Rivals Syntactic Methods for Text
    Classification (2015). Deviations: n-grams in the bag, as in Joulin et al., Bag of Tricks (2017), and term weights
    instead of a plain mean.
    """

    name: ClassVar[str] = "ffnn"
    learning_rates: ClassVar[Mapping[str, float]] = {"adam": 0.0001, "sgd": 0.003}

    dim: int = 100
    hidden: tuple[int, ...] = (100,)
    activation: str = "relu"
    dropout: float = 0.5
    word_dropout: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(self, "dim", 1)
        require_probability(self, "dropout")
        require_probability(self, "word_dropout")
        sizes = self.hidden if isinstance(self.hidden, tuple | list) else (None,)
        if any(isinstance(size, bool) or not isinstance(size, int) or size < 1 for size in sizes):
            reason = f"must be whole numbers of 1 or more, such as (128, 64), got {self.hidden!r}"
            raise HyperparameterError(self.name, "hidden", reason)
        if not isinstance(self.activation, str) or self.activation not in ACTIVATIONS:
            reason = f"must be one of {', '.join(ACTIVATIONS)}, got {self.activation!r}"
            raise HyperparameterError(self.name, "activation", reason)

    def network(self, entries: int, classes: int, generator: np.random.Generator) -> FeedForwardNetwork:
        """A network with weights drawn from the generator."""
        return FeedForwardNetwork(
            entries,
            classes,
            dim=self.dim,
            hidden=self.hidden,
            activation_name=self.activation,
            dropout=self.dropout,
            word_dropout=self.word_dropout,
            generator=generator,
        )
