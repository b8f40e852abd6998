"""The feed-forward network over texts: the weighted sum of embeddings through hidden layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from chainrule.data import Examples
from chainrule.data.layout import BAGS, SEQUENCES, Layout, Sizes
from chainrule.dataclasses import dataclass
from chainrule.errors import SettingError
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.models.combination import COMBINATIONS, WINDOW
from chainrule.models.learner import LEARNERS, Bagged, Layered
from chainrule.models.term_weights import Combination
from chainrule.models.word_vectors import Vectored, VectoredNetwork
from chainrule.nn import ACTIVATIONS, Activation, Dropout, EmbeddingDropout, Sequential, Uniform
from chainrule.random import Key
from chainrule.settings import setting

#: Numbers of embeddings, times the scale, are drawn from minus this to this.
START = 0.1
#: Tokens that the combination "window" takes unless told otherwise.
LENGTH = 16


#: What of `FeedForward` is other with word vectors, which know something already: they change less, and longer.
WITH_VECTORS: Mapping[str, Any] = {
    "tuned": {"adam": {"learning_rate": 0.0003}, "adamw": {"learning_rate": 0.0003}, "sgd": {"learning_rate": 0.1}},
    "scales": (4.0, 4.0),
    "passes": 10,
}
#: How often tokens are left out unless told otherwise: without word vectors, and with.
LEFT_OUT = (0.3, 0.5)


class FeedForwardNetwork(VectoredNetwork):
    """The outputs for a text from the weighted sum of its embeddings, through hidden layers.

        h₀ = s Σ dropout(vᵢ) E[i] over the n-grams i of the text, with their weights v and a fixed s
        hₖ = dropout(f(hₖ₋₁ Wₖ + bₖ)),    y = h_K W + b

    Combinations other than sums have their own h₀.

    Attributes:
        scale: s.
        weights: v.
        word_dropout: drops whole n-grams.
        embedding_dropout: drops rows of E, each wherever it occurs in a mini-batch; None where none is dropped.
        embeddings: E.
        layers: what comes after it.
    """

    weights: Combination
    word_dropout: Dropout
    layers: Sequential

    def __init__(self, learner: FeedForward, sizes: Sizes, generator: np.random.Generator) -> None:
        self.scale = learner.scale_for(sizes.outputs)
        lengths = {} if learner.length is None else {"length": learner.length}
        self.weights = COMBINATIONS[learner.combination](sizes.entries, **lengths)
        self.word_dropout = Dropout(learner.left_out)
        rate = learner.embedding_dropout
        self.embedding_dropout = EmbeddingDropout(sizes.entries, rate) if rate else None
        self.mixes = learner.mixup
        start = Uniform(-START / self.scale, START / self.scale)
        self.embed(learner, sizes.entries, learner.dim, generator, start)
        self.layers = learner.layers(learner.dim * (learner.length or 1), sizes.outputs, generator)

    def __call__(self, ids: TensorLike, offsets: TensorLike, *, key: Key | None = None) -> Tensor:  # type: ignore[override]
        """The outputs, shape (texts, outputs)."""
        weights, norm = self.weights(ids, offsets)
        weights = self.word_dropout(weights, key=key and key.at(0))
        if self.embedding_dropout is not None and key is not None:
            weights = weights * self.embedding_dropout(ids, key.at(2))
        combined = self.weights.combine(self.embeddings.rows(ids), weights, offsets) * (self.scale / norm)
        mixture = self.mixture(combined.shape[0], key)
        return self.layers(combined if mixture is None else mixture(combined), key=key and key.at(1))

    def count(self, examples: Examples) -> None:
        """Count what weights are counted from."""
        self.weights.count(examples)


@LEARNERS.register
@dataclass(frozen=True, kw_only=True)
class FeedForward(Vectored, Bagged, Layered):
    """Deep averaging network: the weighted sum of the embeddings of words and n-grams, then hidden layers.

    Attributes:
        hidden: the sizes of the hidden layers; empty for none.
        activation: between layers; see `Layered`.
        dropout: the probability of dropping each number after a hidden layer, in training.
        dim: the numbers that stand for one token; with `vectors`, those of the file.
        vectors: a file of word vectors that embeddings of words start from; with `vectors_training` and
            `unknown_words` see `Vectored`. With it, what is not given is other: the scale (4), `word_dropout`, the
            learning rate (0.1) and the epochs (10), as vectors that know something already should change less.
        scale: what their sum is multiplied by; None for what suits the number of outputs. Embeddings learn so many
            times as fast as the layers after them with Adam, and its square times with SGD: otherwise, the layers
            overfit first.
        word_dropout: the probability of leaving out each token or n-gram, in training; None for 0.3, and with `vectors`
            0.5.
        embedding_dropout: the probability of leaving out each row of the table, wherever it occurs in a mini-batch.
        combination: how the embeddings of a text are combined: "tfidf" (inverse document frequencies, scaled to length
            1), "sum", "mean", "max" (the largest number of each column), "learned": weights that begin as "tfidf" has
            them, and that training changes, or "window": those of the first tokens, in order, side by side.
        window: how many tokens the combination "window" takes; None for 16, where it is that.

    Example:
        >>> import chainrule
        >>> table = chainrule.Table.from_lists(["so good", "good fun", "so bad", "bad luck"] * 5, list("ppnn") * 5)
        >>> training = chainrule.Training(learning_rate=0.01, epochs=10)
        >>> run = chainrule.fit(FeedForward(dim=8, hidden=(8,)), table, table, training=training)
        >>> run.model.predict(["good", "bad"])
        ['p', 'n']

    Source: Iyyer, Manjunatha, Boyd-Graber and Daumé, Deep Unordered Composition Rivals Syntactic Methods for Text
    Classification (2015). Deviations: n-grams in the bag, as in Joulin et al., Bag of Tricks (2017), and term weights
    instead of a plain mean.
    """

    name: ClassVar[str] = "ffnn"
    reads: ClassVar[Layout] = BAGS
    tuned: ClassVar[Mapping[str, Mapping[str, float]]] = {
        "adam": {"learning_rate": 0.0001},
        "adamw": {"learning_rate": 0.0001},
        "sgd": {"learning_rate": 0.03},
    }
    scales: ClassVar[tuple[float, float]] = (20.0, 96.0)
    passes: ClassVar[int] = 3

    activation: str | Activation = setting("tanh", "between layers, such as relu or elu:alpha=2", spelled=ACTIVATIONS)
    dropout: float = setting(
        0.2, "probability of dropping a number after a hidden layer", least=0, below=1, metavar="RATE"
    )

    dim: int = setting(100, "numbers that stand for one token or category", least=1)
    word_dropout: float | None = setting(
        None, "probability of leaving out a token; none for what suits", least=0, below=1, metavar="RATE"
    )
    embedding_dropout: float = setting(
        0.0, "probability of leaving out a row of the table in a mini-batch", least=0, below=1, metavar="RATE"
    )
    combination: str = setting("tfidf", "how the embeddings of a text are combined", choices=COMBINATIONS)
    window: int | None = setting(None, "tokens that the combination window takes (16)", least=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window is not None and self.combination != WINDOW:
            raise SettingError(self.name, "window", f"needs combination {WINDOW}, got {self.combination}")
        for name, value in WITH_VECTORS.items() if self.vectors is not None else ():
            object.__setattr__(self, name, value)
        if self.length is not None:  # the only one to which the order of tokens matters
            object.__setattr__(self, "reads", SEQUENCES)

    @property
    def left_out(self) -> float:
        """The probability of leaving out a token: what is given, or else what suits."""
        return LEFT_OUT[self.vectors is not None] if self.word_dropout is None else self.word_dropout

    @property
    def length(self) -> int | None:
        """Tokens that are read in order; None where all of a text are, in none."""
        return (self.window or LENGTH) if self.combination == WINDOW else None

    def network(self, sizes: Sizes, answers: str, generator: np.random.Generator) -> FeedForwardNetwork:  # noqa: ARG002
        """A network with weights drawn from the generator."""
        return FeedForwardNetwork(self, sizes, generator)
