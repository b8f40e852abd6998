"""Learners that read the tokens of a text in order: embeddings, an encoder, pooling, and a map to the outputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from chainrule.blocks import where
from chainrule.data.layout import NEXT_TOKEN, ROW, SEQUENCES, TOKEN, Layout, Sizes
from chainrule.errors import ConfigurationError
from chainrule.graph.conversion import as_tensors
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.models.pretrained import Pretrained, PretrainedNetwork
from chainrule.nn import Dropout, Layer, Linear, Normal, WordDropout, XavierUniform
from chainrule.nn.pooling import POOLINGS, Pooling
from chainrule.random import Key
from chainrule.settings import setting

#: The probability of taking a word for an unknown one, unless told otherwise.
LEFT_OUT = 0.1


class Encoder(Layer):
    """From the vectors of tokens to others, that know their neighbours.

    Attributes:
        size: of the vectors it gives.
    """

    random: ClassVar[bool] = True
    size: int

    @abstractmethod
    def __call__(self, x: Tensor, offsets: Tensor, key: Key | None = None) -> Tensor:
        """From shape (tokens, inputs) to shape (tokens, size)."""

    def start(self, texts: int) -> list[Tensor]:
        """What is known of so many texts before their first token: states, whose first axis is the texts.

        Rows of states may be taken, repeated and put in another order, as texts may: a beam is a row.

        Raises:
            ConfigurationError: when it cannot go token by token, as it needs those that follow.
        """
        raise ConfigurationError(f"{self!r} does not go through texts token by token")

    def step(self, x: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """What `__call__` gives for one more token of each text, from what is known of those before it.

        Args:
            x: of the tokens, shape (texts, inputs).
            states: as `start` or another step gave them.

        Returns:
            shape (texts, size), and the states after these tokens.

        Raises:
            ConfigurationError: as of `start`.
        """
        raise ConfigurationError(f"{self!r} does not go through texts token by token")


class SequenceNetwork(PretrainedNetwork):
    """y = dropout(pool(encode(dropout(E[ids])))) W + b, with words dropped as if they were unknown.

    Where each token has an answer, nothing is pooled; where that is the next token, it may know no later one.

    Attributes:
        word_dropout: which words become unknown ones in training.
        embeddings: E.
        encoder: from the vectors of tokens to others.
        pooling: from those of tokens to those of texts; None where each token has an answer.
        output: W and b.
    """

    word_dropout: WordDropout
    dropout: Dropout
    encoder: Encoder
    pooling: Pooling | None
    output: Linear

    def __init__(self, learner: SequenceLearner, sizes: Sizes, answers: str, generator: np.random.Generator) -> None:
        self.word_dropout = WordDropout(LEFT_OUT if learner.word_dropout is None else learner.word_dropout)
        self.embed(learner, sizes.entries, learner.dim, generator, Normal(deviation=learner.dim**-0.5))
        self.dropout = Dropout(learner.dropout)
        self.encoder = learner.encoder(learner.dim, generator, causal=answers == NEXT_TOKEN)
        self.pooling = POOLINGS[learner.pooling](self.encoder.size, generator=generator) if answers == ROW else None
        self.output = Linear(self.encoder.size, sizes.outputs, generator=generator, initializer=XavierUniform(gain=1.0))

    def __call__(self, ids: TensorLike, offsets: TensorLike, *, key: Key | None = None) -> Tensor:  # type: ignore[override]
        """The outputs, shape (texts, outputs), or (tokens, outputs)."""
        ids, offsets = as_tensors([ids, offsets])
        if key is not None and self.word_dropout.rate:
            ids = where(self.word_dropout(ids, key.at(0)) > 0, ids, 0)
        x = self.dropout(self.embeddings.rows(ids), key and key.at(1))
        x = self.encoder(x, offsets, key and key.at(2))
        if self.pooling is not None:
            x = self.pooling(x, offsets)
        return self.output(self.dropout(x, key and key.at(3)))

    def start(self, texts: int) -> list[Tensor]:
        """What is known of so many texts before their first token; see `Encoder.start`."""
        return self.encoder.start(texts)

    def step(self, ids: TensorLike, states: Sequence[TensorLike]) -> tuple[Tensor, list[Tensor]]:
        """The outputs after one more token of each text, shape (texts, outputs), and the states after it.

        Args:
            ids: of the tokens, shape (texts,).
            states: as `start` or another step gave them.
        """
        (ids, *held) = as_tensors([ids, *states])
        x, after = self.encoder.step(self.embeddings.rows(ids), held)
        return self.output(x), after


@dataclass(frozen=True, kw_only=True)
class SequenceLearner(Pretrained, ABC):
    """A learner that reads the tokens of a text in order.

    Attributes:
        vectors: a file of word vectors that embeddings start from; with `vectors_training` and `unknown_words` see
            `Pretrained`.
        dim: the numbers that stand for one token; with `vectors`, those of the file.
        pooling: how the vectors of tokens become that of a text: "max", "mean", "last" or "attention".
        dropout: the probability of dropping each number of the tokens' and of the texts' vectors, in training.
        word_dropout: the probability of taking a word for an unknown one, in training; None for 0.1.
    """

    reads: ClassVar[Layout] = SEQUENCES
    gives: ClassVar[frozenset[str]] = frozenset({ROW, TOKEN, NEXT_TOKEN})
    tuned: ClassVar[Mapping[str, Mapping[str, float]]] = {
        "adam": {"learning_rate": 0.001},
        "adamw": {"learning_rate": 0.001},
        "sgd": {"learning_rate": 0.1},
    }

    dim: int = setting(100, "numbers that stand for one token or category", least=1)
    pooling: str = setting("max", "how the vectors of tokens become that of a text", choices=POOLINGS)
    dropout: float = setting(
        0.5, "probability of dropping a number after a hidden layer", least=0, below=1, metavar="RATE"
    )
    word_dropout: float | None = setting(
        None, "probability of leaving out a token; none for what suits", least=0, below=1, metavar="RATE"
    )

    @abstractmethod
    def encoder(self, inputs: int, generator: np.random.Generator, *, causal: bool = False) -> Encoder:
        """What gives tokens vectors that know their neighbours, or only those before them, with weights drawn."""

    def network(self, sizes: Sizes, answers: str, generator: np.random.Generator) -> SequenceNetwork:
        """A network with weights drawn from the generator."""
        return SequenceNetwork(self, sizes, answers, generator)
