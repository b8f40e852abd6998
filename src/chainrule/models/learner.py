"""Learner: a family of networks with its hyper-parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from chainrule.data import Examples
from chainrule.data.layout import Layout, Sizes
from chainrule.errors import ConfigurationError
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn import Dropout, Layer, Linear, Sequential, activation
from chainrule.nn.activation import ACTIVATIONS
from chainrule.random import Key
from chainrule.settings import Registry, Settings, setting


class Network(Layer):
    """A network from the arrays of a layout to the outputs of each row."""

    random: ClassVar[bool] = True

    @abstractmethod
    def __call__(self, *arrays: TensorLike, key: Key | None = None) -> Tensor:
        """The outputs, shape (rows, outputs); with a key it trains, without it evaluates."""

    def count(self, examples: Examples) -> None:
        """Take from the training examples what is counted and not learned; nothing, unless a network says otherwise."""


@dataclass(frozen=True, kw_only=True)
class Learner(Settings, ABC):
    """A family of networks: settings alone, no data and no weights. It does not know what the outputs stand for."""

    #: The arrays that its networks read.
    reads: ClassVar[Layout]
    #: What its networks give an output for: "row".
    gives: ClassVar[frozenset[str]] = frozenset({"row"})
    #: By optimizer, the settings and the learning rate that training takes unless told otherwise.
    tuned: ClassVar[Mapping[str, Mapping[str, float]]] = {}
    #: Validations without a better loss before training stops, unless told otherwise.
    patience: ClassVar[int] = 3

    @abstractmethod
    def network(self, sizes: Sizes, answers: str, generator: np.random.Generator) -> Network:
        """An untrained network.

        Args:
            sizes: of the arrays it reads, and of its output.
            answers: what one output belongs to, one of `gives`.
            generator: where the initial weights are drawn from.
        """

    def require(self, answers: str, task: str) -> None:
        """Refuse a task that needs other answers.

        Raises:
            ConfigurationError: naming the learners that give them.
        """
        if answers not in self.gives:
            able = [name for name, kind in LEARNERS.items() if answers in kind.gives]
            given = " and ".join(f"one answer a {what}" for what in sorted(self.gives))
            advice = f"use {' or '.join(able)}" if able else "no learner gives them"
            raise ConfigurationError(f"{self.name} gives {given}, and {task} needs one a {answers}: {advice}")


LEARNERS: Registry[Learner] = Registry("learner", Learner)


@dataclass(frozen=True, kw_only=True)
class Layered(Learner, ABC):
    """A learner whose networks end in hidden layers.

    Attributes:
        hidden: the sizes of the hidden layers; empty for none.
        activation: between layers: relu, tanh, sigmoid, softplus or identity.
        dropout: the probability of dropping each number after a hidden layer, in training.
    """

    hidden: tuple[int, ...] = setting(
        (100,), "sizes of the hidden layers, up to 100; '' for none", least=1, longest=100
    )
    activation: str = setting("relu", "between layers", choices=ACTIVATIONS)
    dropout: float = setting(
        0.5, "probability of dropping a number after a hidden layer", least=0, below=1, metavar="RATE"
    )

    def layers(self, inputs: int, outputs: int, generator: np.random.Generator) -> Sequential:
        """hₖ = dropout(f(hₖ₋₁ Wₖ + bₖ)) for each hidden layer, and h W + b."""
        sizes = [inputs, *self.hidden]
        layers: list[Layer] = []
        for before, after in pairwise(sizes):
            layers += [Linear(before, after, generator=generator), activation(self.activation), Dropout(self.dropout)]
        return Sequential(*layers, Linear(sizes[-1], outputs, generator=generator))
