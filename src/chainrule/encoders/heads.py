"""Heads: what makes answers of an encoder's vectors, and an encoder with one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from chainrule.encoders.configuration import FAMILIES, TEXT, TOKEN, EncoderConfiguration
from chainrule.encoders.encoder import PretrainedEncoder
from chainrule.errors import ConfigurationError, shortened
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn import Dropout, FirstPooling, Linear
from chainrule.nn.activations import activation
from chainrule.nn.initializers import Normal
from chainrule.nn.layer import Layer
from chainrule.random import Key

#: How heads are drawn.
DRAWN = Normal(deviation=0.02)


class TextHead(Layer):
    """One answer a text, from the vector x of its first token: y = f(x U + a) V + b.

    f is tanh in BERT and RoBERTa, gelu in ELECTRA and relu in DistilBERT. In training numbers are dropped before V, and
    in RoBERTa and ELECTRA before U.

    Args:
        configuration: of the encoder.
        outputs: how many numbers an answer has; 0 for a head without V, as encoders bring it from their pretraining.
        generator: where weights are drawn from.
        dtype: float32 or float64.

    Attributes:
        dense: U and a.
        output: V and b, or None.
    """

    random: ClassVar[bool] = True

    output: Linear | None

    def __init__(
        self,
        configuration: EncoderConfiguration,
        outputs: int,
        *,
        generator: np.random.Generator,
        dtype: DTypeLike = "float32",
    ) -> None:
        size, family = configuration.size, FAMILIES[configuration.family]
        self.first = FirstPooling(size, generator=generator)
        self.dense = Linear(size, size, initializer=DRAWN, generator=generator, dtype=dtype)
        self.activation = activation(family.head)
        self.output = _output(size, outputs, generator, dtype) if outputs else None
        self.dropout = Dropout(configuration.head_dropout)
        self.dropout_of_input = configuration.family not in ("bert", "distilbert")

    def __call__(self, x: TensorLike, offsets: TensorLike, key: Key | None = None) -> Tensor:
        """The answers, shape (texts, outputs), from the vectors of tokens, shape (tokens, size), and their offsets."""
        first = self.first(x, offsets)
        if self.dropout_of_input:
            first = self.dropout(first, key and key.at(0))
        y = self.activation(self.dense(first))
        return y if self.output is None else self.output(self.dropout(y, key and key.at(1)))


class TokenHead(Layer):
    """One answer a token, from its vector x: y = x V + b; in training numbers of x are dropped.

    Args:
        configuration: of the encoder.
        outputs: how many numbers an answer has.
        generator: where weights are drawn from.
        dtype: float32 or float64.

    Attributes:
        output: V and b.
    """

    random: ClassVar[bool] = True

    def __init__(
        self,
        configuration: EncoderConfiguration,
        outputs: int,
        *,
        generator: np.random.Generator,
        dtype: DTypeLike = "float32",
    ) -> None:
        distilled = configuration.family == "distilbert"  # whose other rate is that of heads for texts
        self.dropout = Dropout(configuration.dropout if distilled else configuration.head_dropout)
        self.output = _output(configuration.size, outputs, generator, dtype)

    def __call__(self, x: TensorLike, offsets: TensorLike, key: Key | None = None) -> Tensor:  # noqa: ARG002
        """The answers, shape (tokens, outputs), from the vectors of tokens, shape (tokens, size)."""
        return self.output(self.dropout(x, key))


class PretrainedModel(Layer):
    """An encoder, and a head if it has one: y = head(encoder(ids)).

    Args:
        encoder: a `PretrainedEncoder`.
        head: a `TextHead`, a `TokenHead`, or None.
        configuration: of both; None for that of the encoder.
    """

    random: ClassVar[bool] = True

    def __init__(
        self,
        encoder: PretrainedEncoder,
        head: TextHead | TokenHead | None = None,
        configuration: EncoderConfiguration | None = None,
    ) -> None:
        self.configuration = configuration or encoder.configuration
        self.encoder, self.head = encoder, head

    @classmethod
    def of(
        cls,
        configuration: EncoderConfiguration,
        *,
        pooler: bool = False,
        generator: np.random.Generator,
        dtype: DTypeLike = "float32",
    ) -> PretrainedModel:
        """A new model, with the head that the configuration says.

        Args:
            configuration: of all.
            pooler: whether an encoder alone has a `TextHead` without outputs.
            generator: where weights are drawn from.
            dtype: float32 or float64.
        """
        encoder = PretrainedEncoder(configuration, generator=generator, dtype=dtype)
        head: TextHead | TokenHead | None = None
        if configuration.head == TOKEN:
            head = TokenHead(configuration, len(configuration.labels), generator=generator, dtype=dtype)
        elif configuration.head == TEXT or pooler:
            head = TextHead(configuration, len(configuration.labels), generator=generator, dtype=dtype)
        return cls(encoder, head, configuration)

    def with_head(
        self, head: str, labels: Sequence[str], generator: np.random.Generator, *, problem: str | None = None
    ) -> PretrainedModel:
        """The same encoder with a new head, whose U is the one that the encoder brings, if it does.

        Args:
            head: "text" or "token".
            labels: of the outputs.
            generator: where weights are drawn from.
            problem: what it is for, as transformers calls it: "regression", "single_label_classification" or
                "multi_label_classification".

        Raises:
            ConfigurationError: for another head, or no labels.
        """
        if head not in (TEXT, TOKEN) or not labels:
            raise ConfigurationError(
                f"with_head: expected a head of {TEXT} or {TOKEN} and one label or more, got {shortened(head)} and "
                f"{len(labels)} labels"
            )
        configuration = replace(self.configuration, head=head, labels=tuple(labels), problem=problem)
        dtype = self.encoder.words.table.dtype
        if head == TOKEN:
            return PretrainedModel(
                self.encoder, TokenHead(configuration, len(labels), generator=generator, dtype=dtype), configuration
            )
        made = TextHead(configuration, len(labels), generator=generator, dtype=dtype)
        if isinstance(self.head, TextHead) and (self.head.output or configuration.family == "bert"):
            made.dense = self.head.dense  # RoBERTa's pooler was never trained, and transformers starts anew, too
        return PretrainedModel(self.encoder, made, configuration)

    def __call__(
        self, ids: TensorLike, offsets: TensorLike, types: TensorLike | None = None, key: Key | None = None
    ) -> Tensor:
        """The answers of the head, or the vectors of tokens where there is none; see `PretrainedEncoder`."""
        x = self.encoder(ids, offsets, types, key and key.at(0))
        return x if self.head is None else self.head(x, offsets, key and key.at(1))

    def __repr__(self) -> str:
        return f"PretrainedModel({self.configuration.family}, {self.configuration.head or 'no'} head)"


def _output(size: int, outputs: int, generator: np.random.Generator, dtype: DTypeLike) -> Linear:
    return Linear(size, outputs, initializer=DRAWN, generator=generator, dtype=dtype)
