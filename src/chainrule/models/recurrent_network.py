"""Recurrent networks over texts: simple recurrence, gated units, long short-term memory."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from chainrule.data.layout import CARRIED
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError
from chainrule.graph.tensor import Tensor
from chainrule.models.learner import LEARNERS
from chainrule.models.sequence import ROOM, Encoder, SequenceLearner, dropped
from chainrule.nn import Dropout, TextDropout
from chainrule.nn.recurrent import GRU, LSTM, RNN, Bidirectional, Recurrent
from chainrule.random import Key
from chainrule.settings import setting

#: Where the keys of states begin, behind those of layers.
STATES = 1000


class RecurrentEncoder(Encoder):
    """Recurrent layers one after another, with dropout between them.

    Attributes:
        layers: each of one direction or of both.
        dropout: between them; of a kind that drops the same numbers of all tokens of a text, where that is asked for.
        state_dropout: of the states, before they are mapped.
    """

    layers: list[Recurrent | Bidirectional]
    dropout: Dropout | TextDropout
    state_dropout: TextDropout

    def __init__(
        self, learner: RecurrentLearner, inputs: int, generator: np.random.Generator, *, causal: bool = False
    ) -> None:
        bidirectional = learner.bidirectional and not causal
        self.size = learner.size * (2 if bidirectional else 1)
        self.dropout = learner.token_dropout()
        self.state_dropout = TextDropout(learner.recurrent_dropout)
        self.layers = []
        for _ in range(learner.layers):
            forward = learner.layer(inputs, learner.size, generator=generator)
            if bidirectional:
                backward = learner.layer(inputs, learner.size, backwards=True, generator=generator)
                self.layers.append(Bidirectional(forward, backward))
            else:
                self.layers.append(forward)
            inputs = self.size

    def __call__(self, x: Tensor, offsets: Tensor, key: Key | None = None) -> Tensor:
        """The outputs of the last layer, shape (tokens, size)."""
        for number, layer in enumerate(self.layers):
            x, mask = self._entering(number, x, offsets, key)
            x, _ = layer(x, offsets, state_mask=mask)
        return x

    def resume(
        self, x: Tensor, offsets: Tensor, states: Sequence[Tensor], key: Key | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """The same for texts that go on from states, and the states of all layers after them."""
        after: list[Tensor] = []
        for number, layer in enumerate(self._forward):
            x, mask = self._entering(number, x, offsets, key)
            x, last = layer(x, offsets, states[len(after) : len(after) + layer.states], state_mask=mask)
            after += last
        return x, after

    def _entering(self, number: int, x: Tensor, offsets: Tensor, key: Key | None) -> tuple[Tensor, Tensor | None]:
        """What a layer reads, and what its states are multiplied by."""
        if number:
            x = dropped(self.dropout, x, offsets, key and key.at(number))
        if key is None or not self.state_dropout.rate:
            return x, None
        return x, self.state_dropout.mask(x, self.size, offsets, key.at(STATES + number))

    def start(self, texts: int, room: int = ROOM) -> list[Tensor]:  # noqa: ARG002
        """The states of all layers, each of shape (texts, size)."""
        return [state for layer in self._forward for state in layer.start(texts)]

    def step(self, x: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One more token of each text, through all layers."""
        after: list[Tensor] = []
        for layer in self._forward:
            x, held = layer.advance(x, states[len(after) : len(after) + layer.states])
            after += held
        return x, after

    @property
    def _forward(self) -> list[Recurrent]:
        """The layers, which must not need the tokens that follow.

        Raises:
            ConfigurationError: where they do.
        """
        layers = [layer for layer in self.layers if isinstance(layer, Recurrent)]
        if len(layers) < len(self.layers):
            raise ConfigurationError(f"{self.layers[0]!r} goes from both ends, and so not token by token")
        return layers


@dataclass(frozen=True, kw_only=True)
class RecurrentLearner(SequenceLearner, ABC):
    """A learner whose state goes through the text, token by token.

    Attributes:
        size: the size of the state.
        layers: how many layers there are, one over the other.
        bidirectional: whether another goes through the text from its end, beside each of them.
        variational: whether dropout drops the same numbers of all tokens of a text.
        recurrent_dropout: the probability of dropping a number of the state before it is mapped to the next one, in
            training: the same numbers at all tokens of a text.
    """

    by_length: ClassVar[bool] = True
    gives: ClassVar[frozenset[str]] = SequenceLearner.gives | {CARRIED}
    #: What one layer is.
    layer: ClassVar[type[Recurrent]]

    size: int = setting(100, "numbers of the state of a recurrent layer", least=1, option="--state-size")
    layers: int = setting(1, "layers, one over the other", least=1)
    bidirectional: bool = setting(True, "a layer goes from the end to the beginning, too", option="--forward-only")
    variational: bool = setting(False, "dropout is of the same numbers in all tokens of a text")
    recurrent_dropout: float = setting(
        0.0, "probability of dropping a number of a state, at all tokens of a text", least=0, below=1, metavar="RATE"
    )

    def token_dropout(self) -> Dropout | TextDropout:
        """Of the same numbers in all tokens of a text, if it is to be."""
        return TextDropout(self.dropped) if self.variational else Dropout(self.dropped)

    def encoder(self, inputs: int, generator: np.random.Generator, *, causal: bool = False) -> RecurrentEncoder:
        """Recurrent layers; causal ones go from the beginning to the end alone."""
        return RecurrentEncoder(self, inputs, generator, causal=causal)


@LEARNERS.register
@dataclass(frozen=True, kw_only=True)
class RecurrentNetwork(RecurrentLearner):
    """Simple recurrent network: hₜ = tanh(xₜ W + hₜ₋₁ U + b).

    Example:
        >>> import chainrule
        >>> table = chainrule.Table.from_lists(["so good", "good fun", "so bad", "bad luck"] * 5, list("ppnn") * 5)
        >>> training = chainrule.Training(learning_rate=0.01, epochs=30)
        >>> run = chainrule.fit(RecurrentNetwork(dim=8, size=8), table, table, training=training)
        >>> run.model.predict(["good", "bad"])
        ['p', 'n']

    Source: see `chainrule.nn.RNN`.
    """

    name: ClassVar[str] = "rnn"
    layer: ClassVar[type[Recurrent]] = RNN


@LEARNERS.register
@dataclass(frozen=True, kw_only=True)
class GatedRecurrentNetwork(RecurrentLearner):
    """Recurrent network of gated units.

    Example:
        >>> import chainrule
        >>> table = chainrule.Table.from_lists(["so good", "good fun", "so bad", "bad luck"] * 5, list("ppnn") * 5)
        >>> training = chainrule.Training(learning_rate=0.01, epochs=10)
        >>> run = chainrule.fit(GatedRecurrentNetwork(dim=8, size=8), table, table, training=training)
        >>> run.model.predict(["good", "bad"])
        ['p', 'n']

    Source: see `chainrule.nn.GRU`.
    """

    name: ClassVar[str] = "gru"
    layer: ClassVar[type[Recurrent]] = GRU


@LEARNERS.register
@dataclass(frozen=True, kw_only=True)
class LongShortTermMemory(RecurrentLearner):
    """Recurrent network of long short-term memory.

    Example:
        >>> import chainrule
        >>> table = chainrule.Table.from_lists(["so good", "good fun", "so bad", "bad luck"] * 5, list("ppnn") * 5)
        >>> training = chainrule.Training(learning_rate=0.01, epochs=10)
        >>> run = chainrule.fit(LongShortTermMemory(dim=8, size=8), table, table, training=training)
        >>> run.model.predict(["good", "bad"])
        ['p', 'n']

    Source: see `chainrule.nn.LSTM`.
    """

    name: ClassVar[str] = "lstm"
    layer: ClassVar[type[Recurrent]] = LSTM
