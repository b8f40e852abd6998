"""Learners that read the tokens of a text in order: embeddings, an encoder, pooling, and a map to the outputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Self

import numpy as np

from chainrule.blocks import concatenate, where
from chainrule.data.layout import CARRIED, NEXT_TOKEN, ROW, SEQUENCES, SPELLED, TOKEN, Layout, Sizes
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError
from chainrule.graph.conversion import as_tensors
from chainrule.graph.spec import Array
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.models.learner import Network
from chainrule.models.word_vectors import Vectored, VectoredNetwork
from chainrule.nn import Dropout, Layer, Linear, Normal, TextDropout, WordDropout, XavierUniform
from chainrule.nn.pooling import POOLINGS, Pooling
from chainrule.nn.speller import Speller
from chainrule.random import Key
from chainrule.settings import setting

#: Tokens of a text that steps keep, unless told otherwise, where they keep all.
ROOM = 512
#: The probability of taking a word for an unknown one, unless told otherwise.
LEFT_OUT = 0.1
#: The probability of dropping a number, and where tokens are written.
DROPPED, DROPPED_WHERE_WRITTEN = 0.5, 0.1
#: Filters over the characters of tokens, where they suit.
FILTERS = 50


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

    def start(self, texts: int, room: int = ROOM) -> list[Tensor]:  # noqa: ARG002
        """What is known of so many texts before their first token: states, whose first axis is the texts.

        Rows of states may be taken, repeated and put in another order, as texts may: a beam is a row.

        Args:
            texts: how many.
            room: tokens of each that are kept, at most, where all are kept.

        Raises:
            ConfigurationError: when it cannot go token by token, as it needs those that follow.
        """
        raise ConfigurationError(f"{self!r} does not go through texts token by token")

    def resume(
        self, x: Tensor, offsets: Tensor, states: Sequence[Tensor], key: Key | None = None  # noqa: ARG002
    ) -> tuple[Tensor, list[Tensor]]:  # fmt: skip
        """What `__call__` gives for texts that go on from states, and the states after their last tokens.

        Raises:
            ConfigurationError: where all that was read is needed, and not a state alone.
        """
        raise ConfigurationError(f"{self!r} carries no state from one stretch of a text to the next")

    def step(self, x: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:  # noqa: ARG002
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


def moved(states: Sequence[Array], larger: Sequence[Tensor]) -> list[Array]:
    """States of texts, where others were started with more room."""
    found = []
    for held, start in zip(states, larger, strict=True):
        room = np.array(start.numpy())
        room[tuple(slice(size) for size in held.shape)] = held
        found.append(room)
    return found


def dropped(dropout: Dropout | TextDropout, x: Tensor, offsets: Tensor, key: Key | None) -> Tensor:
    """Tokens of all texts, of which some numbers are dropped where there is a key."""
    return dropout(x, offsets, key) if isinstance(dropout, TextDropout) else dropout(x, key)


class SequenceNetwork(VectoredNetwork):
    """y = dropout(pool(encode(dropout([E[ids], S])))) W + b, with words dropped as if they were unknown.

    Where each token has an answer, nothing is pooled; where that is the next token, it may know no later one. S are the
    vectors of tokens by their characters, if these are read.

    Attributes:
        word_dropout: which words become unknown ones in training.
        dropout: of vectors of texts.
        token_dropout: of vectors of tokens.
        embeddings: E.
        speller: from the characters of tokens to S; None where they are not read.
        encoder: from the vectors of tokens to others.
        pooling: from those of tokens to those of texts; None where each token has an answer.
        output: W and b.
    """

    word_dropout: WordDropout
    dropout: Dropout
    token_dropout: Dropout | TextDropout
    speller: Speller | None
    encoder: Encoder
    pooling: Pooling | None
    output: Linear

    def __init__(self, learner: SequenceLearner, sizes: Sizes, answers: str, generator: np.random.Generator) -> None:
        writes = answers in (NEXT_TOKEN, CARRIED)
        left_out = 0.0 if writes else LEFT_OUT  # what writes knows all that it has written
        self.word_dropout = WordDropout(left_out if learner.word_dropout is None else learner.word_dropout)
        self.embed(learner, sizes.entries, learner.dim, generator, Normal(deviation=learner.dim**-0.5))
        self.dropout = Dropout(learner.dropped)
        self.token_dropout = learner.token_dropout()
        filters = learner.filters_for(answers)
        self.speller = Speller(sizes.characters, filters, generator=generator) if filters else None
        self.encoder = learner.encoder(learner.dim + filters, generator, causal=writes)
        self.pooling = POOLINGS[learner.pooling](self.encoder.size, generator=generator) if answers == ROW else None
        size = self.encoder.size if self.pooling is None else self.pooling.outputs
        self.output = Linear(size, sizes.outputs, generator=generator, initializer=XavierUniform(gain=1.0))

    def __call__(  # type: ignore[override]
        self, ids: TensorLike, offsets: TensorLike, *spelled: TensorLike, key: Key | None = None
    ) -> Tensor:
        """The outputs, shape (texts, outputs), or (tokens, outputs); `Speller` says what arrays are spelled."""
        ids, offsets = as_tensors([ids, offsets])
        x = self._vectors(ids, offsets, spelled, key)
        return self._answered(self.encoder(x, offsets, key and key.at(2)), offsets, key)

    def carry(
        self, ids: TensorLike, offsets: TensorLike, *, states: Sequence[Tensor], key: Key | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """The outputs for texts that go on from states, and the states after them; see `Encoder.resume`.

        Args:
            ids: the tokens, as of `__call__`.
            offsets: where each text begins, and the last one ends.
            states: as `start` or another call gave them, a row a text.
            key: for training.
        """
        ids, offsets = as_tensors([ids, offsets])
        x = self._vectors(ids, offsets, (), key)
        x, after = self.encoder.resume(x, offsets, states, key and key.at(2))
        return self._answered(x, offsets, key), after

    def _vectors(self, ids: Tensor, offsets: Tensor, spelled: Sequence[TensorLike], key: Key | None) -> Tensor:
        """The vectors of tokens, as the encoder reads them."""
        if key is not None and self.word_dropout.rate:
            ids = where(self.word_dropout(ids, key.at(0)) > 0, ids, 0)
        x = self.embeddings.rows(ids)
        if self.speller is not None:
            x = concatenate([x, self.speller(*spelled)], 1)
        return dropped(self.token_dropout, x, offsets, key and key.at(1))

    def _answered(self, x: Tensor, offsets: Tensor, key: Key | None) -> Tensor:
        """The outputs, from what the encoder gives."""
        if self.pooling is None:
            return self.output(dropped(self.token_dropout, x, offsets, key and key.at(3)))
        return self.output(self.dropout(self.pooling(x, offsets), key and key.at(3)))

    def start(self, texts: int, room: int = ROOM) -> list[Tensor]:
        """What is known of so many texts before their first token; see `Encoder.start`."""
        return self.encoder.start(texts, room)

    def with_room(self, states: Sequence[Array], room: int) -> list[Array]:
        """States with room for so many tokens, of which there was less before."""
        return moved(states, self.start(len(states[0]), room))

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
class SequenceLearner(Vectored, ABC):
    """A learner that reads the tokens of a text in order.

    Attributes:
        vectors: a file of word vectors that embeddings start from; with `vectors_training` and `unknown_words` see
            `Vectored`.
        dim: the numbers that stand for one token; with `vectors`, those of the file.
        pooling: how the vectors of tokens become that of a text: "max", "k_max" (the three largest), "mean",
            "last" or "attention".
        dropout: the probability of dropping each number of the tokens' and of the texts' vectors, in training; None for
            0.5, and for 0.1 where tokens are to come or to be written, of which there are many more than rows.
        word_dropout: the probability of taking a word for an unknown one, in training; None for 0.1, and for 0 where
            the answer is the next token.
        character_filters: how many filters read the characters of each token, beside its embedding (see `Speller`); 0
            for none; None for 50 where each token has an answer, which the ends of words tell much of, and else none.
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
    dropout: float | None = setting(
        None,
        "probability of dropping a number after a hidden layer; none for what suits",
        least=0,
        below=1,
        metavar="RATE",
    )
    word_dropout: float | None = setting(
        None, "probability of leaving out a token; none for what suits", least=0, below=1, metavar="RATE"
    )

    character_filters: int | None = setting(
        None, "filters that read the characters of a token; 0 for none, none for what suits", least=0
    )

    @property
    def dropped(self) -> float:
        """The probability of dropping a number."""
        return DROPPED if self.dropout is None else self.dropout

    def token_dropout(self) -> Dropout | TextDropout:
        """What drops numbers of tokens."""
        return Dropout(self.dropped)

    def filters_for(self, answers: str) -> int:
        """How many filters read the characters of tokens, for a task with such answers."""
        suited = FILTERS if answers == TOKEN else 0
        return suited if self.character_filters is None else self.character_filters

    def layout(self, answers: str) -> Layout:
        """The tokens, with their characters where filters read these."""
        return SPELLED if self.filters_for(answers) else SEQUENCES

    @abstractmethod
    def encoder(self, inputs: int, generator: np.random.Generator, *, causal: bool = False) -> Encoder:
        """What gives tokens vectors that know their neighbours, or only those before them, with weights drawn."""

    def network(self, sizes: Sizes, answers: str, generator: np.random.Generator) -> Network:
        """A network with weights drawn from the generator."""
        return SequenceNetwork(self.suited(answers), sizes, answers, generator)

    def suited(self, answers: str) -> Self:
        """The learner with what suits such answers in the place of what is not given."""
        if self.dropout is None and answers not in (ROW, TOKEN):
            return replace(self, dropout=DROPPED_WHERE_WRITTEN)
        return self
