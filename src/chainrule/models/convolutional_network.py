"""The convolutional network over texts: filters of several widths, and the largest answer of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from chainrule.blocks import concatenate, expand, zeros
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError
from chainrule.graph.tensor import Tensor
from chainrule.models.learner import LEARNERS
from chainrule.models.sequence import ROOM, Encoder, SequenceLearner
from chainrule.nn import ACTIVATIONS, Activation
from chainrule.nn.convolution import Convolution
from chainrule.random import Key
from chainrule.settings import setting


class ConvolutionalEncoder(Encoder):
    """f(convolution(x)) for filters of several widths, side by side.

    Attributes:
        convolutions: one a width.
    """

    convolutions: list[Convolution]

    def __init__(
        self, learner: ConvolutionalNetwork, inputs: int, generator: np.random.Generator, *, causal: bool = False
    ) -> None:
        self.size = learner.filters * len(learner.widths)
        activation = ACTIVATIONS.make(learner.activation)
        self.activation = activation.layer(self.size)
        self.convolutions = [
            Convolution(inputs, learner.filters * activation.reads, width=width, causal=causal, generator=generator)
            for width in learner.widths
        ]

    def __call__(self, x: Tensor, offsets: Tensor, key: Key | None = None) -> Tensor:  # noqa: ARG002
        """The answers of all filters, shape (tokens, size)."""
        return self._activated([layer(x, offsets) for layer in self.convolutions])

    def start(self, texts: int, room: int = ROOM) -> list[Tensor]:  # noqa: ARG002
        """Zeros for the tokens before a text that filters may see, shape (texts, widest - 1, inputs)."""
        first = self.convolutions[0]
        if not first.causal:
            raise ConfigurationError(f"{first!r} sees tokens that follow, and so cannot go token by token")
        widest = max(layer.width for layer in self.convolutions)
        return [zeros((texts, widest - 1, first.weight.shape[0]), first.weight.dtype)]

    def step(self, x: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """The answers for one more token of each text, of which the last tokens are kept."""
        seen = concatenate([states[0], expand(x, 1)], 1)
        answers = [layer.window(seen[:, seen.shape[1] - layer.width :]) for layer in self.convolutions]
        return self._activated(answers), [seen[:, 1:]]

    def _activated(self, answers: Sequence[Tensor]) -> Tensor:
        """f of the answers of each width; a gated f reads first all that it lets through, and then all gates."""
        filters = self.size // len(answers)
        starts = range(0, answers[0].shape[1], filters)
        parts = [x[:, start : start + filters] for start in starts for x in answers] if len(starts) > 1 else answers
        activated: Tensor = self.activation(concatenate(parts, 1))
        return activated


@LEARNERS.register
@dataclass(frozen=True, kw_only=True)
class ConvolutionalNetwork(SequenceLearner):
    """Convolutional network: filters that see a few neighbouring tokens, and the largest answer of each.

    Attributes:
        widths: how many tokens a filter sees, for each kind of filter.
        filters: how many there are of each kind.
        activation: of their answers.

    Example:
        >>> import chainrule
        >>> table = chainrule.Table.from_lists(["so good", "good fun", "so bad", "bad luck"] * 5, list("ppnn") * 5)
        >>> training = chainrule.Training(learning_rate=0.01, epochs=10)
        >>> run = chainrule.fit(ConvolutionalNetwork(dim=8, filters=4), table, table, training=training)
        >>> run.model.predict(["good", "bad"])
        ['p', 'n']

    Source: Kim, Convolutional Neural Networks for Sentence Classification (2014). Deviations: a filter may reach beyond
    the ends of a text, where it finds zeros; no limit on the length of weights (`max_norm` of the training sets one).
    """

    name: ClassVar[str] = "cnn"

    widths: tuple[int, ...] = setting((3, 4, 5), "tokens that a filter sees, for each kind", least=1, longest=20)
    filters: int = setting(100, "filters of each kind", least=1)
    activation: str | Activation = setting("relu", "between layers, such as relu or elu:alpha=2", spelled=ACTIVATIONS)

    def encoder(self, inputs: int, generator: np.random.Generator, *, causal: bool = False) -> ConvolutionalEncoder:
        """Filters; causal ones see a token and those before it."""
        return ConvolutionalEncoder(self, inputs, generator, causal=causal)
