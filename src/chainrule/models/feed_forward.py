"""The feed-forward classifier: the mean of embeddings through hidden layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from chainrule.errors import ConfigurationError
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.models.learner import Learner, TextNetwork, require_at_least, require_probability
from chainrule.nn import Dropout, EmbeddingBag, Layer, Linear, Normal, Sequential, WordDropout, activation
from chainrule.nn.activation import ACTIVATIONS
from chainrule.random import Key


class FeedForwardNetwork(TextNetwork):
    """The logits of a text from the mean of its embeddings, through hidden layers.

        h₀ = mean of E[i] over the tokens and n-grams i that word dropout keeps
        hₖ = dropout(f(hₖ₋₁ Wₖ + bₖ)),    logits = h_K W + b

    Attributes:
        embeddings: the bag of embeddings.
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
        self.word_dropout = WordDropout(word_dropout)
        self.embeddings = EmbeddingBag(entries, dim, generator=generator, initializer=Normal(0.1))
        layers: list[Layer] = [Dropout(dropout)]
        sizes = [dim, *hidden]
        for inputs, outputs in pairwise(sizes):
            layers += [Linear(inputs, outputs, generator=generator), activation(activation_name), Dropout(dropout)]
        self.layers = Sequential(*layers, Linear(sizes[-1], classes, generator=generator))

    def __call__(self, ids: TensorLike, offsets: TensorLike, key: Key | None = None) -> Tensor:
        """The logits, shape (texts, classes)."""
        if key is None:
            return self.layers(self.embeddings(ids, offsets))
        kept = self.word_dropout(ids, key=key.at(0))
        return self.layers(self.embeddings(ids, offsets, kept), key=key.at(1))


@dataclass(frozen=True, kw_only=True)
class FeedForward(Learner):
    """Deep averaging network: the mean of embeddings of words and n-grams, then hidden layers.

    Attributes:
        dim: the numbers that stand for one token.
        hidden: the sizes of the hidden layers; empty for none.
        activation: between layers: relu, tanh, sigmoid, softplus or identity.
        dropout: the probability of dropping each number before a linear layer, in training.
        word_dropout: the probability of leaving out each token, in training.

    Example:
        >>> import chainrule
        >>> table = chainrule.Table.from_lists(["so good", "good fun", "so bad", "bad luck"] * 5, list("ppnn") * 5)
        >>> run = chainrule.fit(FeedForward(dim=8, hidden=(8,), epochs=10), table, table)
        >>> run.model.predict(["good", "bad"])
        ['p', 'n']

    Source: Iyyer, Manjunatha, Boyd-Graber and Daumé, Deep Unordered Composition Rivals Syntactic Methods for Text
    Classification (2015); with n-grams in the average as in Joulin et al., Bag of Tricks (2017).
    """

    name: ClassVar[str] = "ffnn"

    dim: int = 100
    hidden: tuple[int, ...] = (128,)
    activation: str = "relu"
    dropout: float = 0.5
    word_dropout: float = 0.3
    learning_rate: float = 0.003

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(self, "dim", 1)
        require_probability(self, "dropout")
        require_probability(self, "word_dropout")
        if any(isinstance(size, bool) or not isinstance(size, int) or size < 1 for size in self.hidden):
            raise ConfigurationError(f"ffnn: hidden must be whole numbers of 1 or more, got {self.hidden}")
        if self.activation not in ACTIVATIONS:
            raise ConfigurationError(
                f"ffnn: activation must be one of {', '.join(ACTIVATIONS)}, got {self.activation!r}"
            )

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
