"""Learner: a family of networks with its hyper-parameters."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from itertools import pairwise
from typing import ClassVar

import numpy as np

from chainrule.data import Examples
from chainrule.data.layout import CARRIED, NEXT_TOKEN, ROW, SEQUENCE, TOKEN, Layout, Sizes
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn import (
    ACTIVATIONS,
    INITIALIZERS,
    NORMALIZATIONS,
    Activation,
    Dropout,
    GaussianNoise,
    Initializer,
    Layer,
    Linear,
    Mixture,
    Normalization,
    Sequential,
)
from chainrule.random import Key
from chainrule.settings import Registry, Settings, setting

#: Of so many outputs or more, the scale of a sum is the same.
MANY = 8

#: The part of a network's key that mixtures are drawn from.
MIXED = 100

#: Passes over few rows, at most.
MOST_PASSES = 100


class Network(Layer):
    """A network from the arrays of a layout to the outputs of each row."""

    random: ClassVar[bool] = True
    #: Whether the outputs of a row have the same bits whatever rows are beside it. A matrix product does not have: it
    #: adds up in another order when it has more rows.
    row_by_row: ClassVar[bool] = False
    #: Whether it is trained on mixtures of examples (`Mixture`).
    mixes: bool = False
    #: The arrays that it reads, where these are not those of its learner.
    reads: ClassVar[Layout | None] = None

    @abstractmethod
    def __call__(self, *arrays: TensorLike, key: Key | None = None) -> Tensor:
        """The outputs, shape (rows, outputs); with a key it trains, without it evaluates."""

    def count(self, examples: Examples) -> None:
        """Take from the training examples what is counted and not learned; nothing, unless a network says otherwise."""

    def mixture(self, rows: int, key: Key | None) -> Mixture | None:
        """How the rows of a mini-batch are mixed in training; None where they are not."""
        return Mixture(rows, key.at(MIXED)) if self.mixes and key is not None else None

    def pass_begins(self, passes: int) -> None:
        """Told before each pass over the training examples, and where one goes on, how many came before."""

    def take_over(self, generator: np.random.Generator) -> list[str]:  # noqa: ARG002
        """Take over what training starts from, where that was learned before; what is to be said of it, a line each.

        Args:
            generator: where what is to be learned beside it is drawn from.
        """
        return []

    def groups(self) -> tuple[str, ...]:
        """What is other for some parameters in training, as entries of `Training.groups`, which come after these."""
        return ()

    def settled(self) -> Network:
        """The network as it is kept: without what only its training needs."""
        return self


@dataclass(frozen=True, kw_only=True)
class Learner(Settings, ABC):
    """A family of networks: settings alone, no data and no weights. It does not know what the outputs stand for."""

    #: The arrays that its networks read.
    reads: ClassVar[Layout]
    #: What its networks may give an output for; see `Task.answers`.
    gives: ClassVar[frozenset[str]] = frozenset({ROW})
    #: Whether rows of a mini-batch are to be of like length, as its networks go through all of them at the same time.
    by_length: ClassVar[bool] = False
    #: Whether its networks compute much for each token, so that memory for many of them is what bounds rows at once.
    by_token: ClassVar[bool] = False
    #: By optimizer, the settings and the learning rate that training takes unless told otherwise.
    tuned: ClassVar[Mapping[str, Mapping[str, float]]] = {}
    #: The optimizer, unless told otherwise, where no row has a large gradient (`Task.unit_gradient`).
    optimizer: ClassVar[str] = "adam"
    #: How the learning rate of that optimizer changes, unless told otherwise.
    schedule: ClassVar[str] = "constant"
    #: By schedule, the settings that training takes unless told otherwise.
    tuned_schedules: ClassVar[Mapping[str, Mapping[str, float]]] = {}
    #: Validations without a better loss before training stops, unless told otherwise.
    patience: ClassVar[int] = 3
    #: Passes over the training rows, unless told otherwise, at least; and steps, which few rows take more passes for.
    passes: ClassVar[int] = 20
    steps: ClassVar[int] = 1000

    @abstractmethod
    def network(self, sizes: Sizes, answers: str, generator: np.random.Generator) -> Network:
        """An untrained network.

        Args:
            sizes: of the arrays it reads, and of its output.
            answers: what one output belongs to, one of `gives`.
            generator: where the initial weights are drawn from.
        """

    def layout(self, answers: str) -> Layout:  # noqa: ARG002
        """The arrays that its networks read for a task with such answers; see `network`."""
        return self.reads

    @classmethod
    def optimizer_for(cls, *, unit_gradient: bool) -> str:
        """The optimizer, unless told otherwise: Adam, which no scale of a loss matters to, where gradients have any."""
        return cls.optimizer if unit_gradient else "adam"

    @classmethod
    def schedule_for(cls, optimizer: str) -> str:
        """How the learning rate of an optimizer changes, unless told otherwise: constant where none was tuned."""
        return cls.schedule if optimizer == cls.optimizer else "constant"

    def epochs(self, batches: int) -> int:
        """Passes over training rows of so many mini-batches, unless told otherwise, for a learning rate that falls."""
        return min(max(self.passes, math.ceil(self.steps / batches)), MOST_PASSES)

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


LEARNERS: Registry[Learner] = Registry(
    "learner",
    Learner,
    {
        "bow": "chainrule.models.bag_of_words",
        "cnn": "chainrule.models.convolutional_network",
        "ffnn": "chainrule.models.feed_forward",
        "linear": "chainrule.models.linear",
        "mlp": "chainrule.models.multilayer_perceptron",
        "pretrained": "chainrule.models.pretrained_transformer",
        "rnn": "chainrule.models.recurrent_network",
        "gru": "chainrule.models.recurrent_network",
        "lstm": "chainrule.models.recurrent_network",
        "seq2seq": "chainrule.models.sequence_to_sequence",
        "transformer": "chainrule.models.transformer",
    },
)

#: By the name of inputs, the learner that reads them unless told otherwise.
DEFAULT_LEARNERS: Mapping[str, str] = {"text": "bow", "columns": "mlp"}
#: The same for tasks with other answers than one a row, by what these belong to.
SUITED_LEARNERS: Mapping[str, str] = {
    TOKEN: "lstm", NEXT_TOKEN: "lstm", CARRIED: "lstm", SEQUENCE: "seq2seq"
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Bagged(Learner, ABC):
    """A learner whose networks begin with a weighted sum over the n-grams of a text.

    Attributes:
        scale: what that sum is multiplied by; None for what suits the number of outputs: the fewer classes, the more
            examples each has, and the sooner it is overfitted. With SGD, what is summed learns the square of the scale
            times as fast as the rest of the network, so that the learning rate may be one that suits biases and layers.
    """

    optimizer: ClassVar[str] = "sgd"
    schedule: ClassVar[str] = "linear"
    passes: ClassVar[int] = 5
    steps: ClassVar[int] = 300
    #: The scale for two outputs, and for `MANY` or more.
    scales: ClassVar[tuple[float, float]]

    scale: float | None = setting(None, "what the sum over a text is multiplied by, so that it learns faster", above=0)

    def scale_for(self, outputs: int) -> float:
        """The scale that is given, or else that of two outputs, of many, or between these, linearly in logarithms."""
        if self.scale is not None:
            return self.scale
        (few, many), share = self.scales, math.log(min(max(outputs, 2), MANY) / 2) / math.log(MANY / 2)
        return few * math.pow(many / few, share)


@dataclass(frozen=True, kw_only=True)
class Layered(Learner, ABC):
    """A learner whose networks end in hidden layers.

    Attributes:
        hidden: the sizes of the hidden layers; empty for none.
        activation: between layers: a name, alone or with settings as in "leaky_relu:slope=0.02", or an `Activation`.
        dropout: the probability of dropping each number after a hidden layer, in training.
        noise: the deviation of normal numbers that are added to what enters the first of these layers, in training.
        mixup: whether to train on mixtures of two examples, of what enters the first of these layers; see `Mixture`.
        normalization: what comes before each activation: "batch", "layer", "group" or "rms"; None for nothing.
        initializer: how weights of layers are drawn: a name, alone or with settings as in "he_normal:gain=1", or an
            `Initializer`. One that takes a gain and is given none has that of the activation, and 1 for the outputs.
            None for "xavier_uniform:gain=1".
    """

    hidden: tuple[int, ...] = setting(
        (100,), "sizes of the hidden layers, up to 100; '' for none", least=1, longest=100
    )
    activation: str | Activation = setting("relu", "between layers, such as relu or elu:alpha=2", spelled=ACTIVATIONS)
    dropout: float = setting(
        0.5, "probability of dropping a number after a hidden layer", least=0, below=1, metavar="RATE"
    )
    noise: float = setting(0.0, "deviation of noise on what enters hidden layers", least=0, metavar="DEVIATION")
    mixup: bool = setting(False, "train on mixtures of two examples and of their targets")
    normalization: str | Normalization | None = setting(
        None, "what gives hidden layers a mean and a size", spelled=NORMALIZATIONS
    )
    initializer: str | Initializer | None = setting(
        None, "how first weights of layers are drawn; none for xavier_uniform:gain=1", spelled=INITIALIZERS
    )

    def layers(self, inputs: int, outputs: int, generator: np.random.Generator) -> Sequential:
        """hₖ = dropout(f(norm(hₖ₋₁ Wₖ + bₖ))) for each hidden layer, and h W + b; noise comes first."""
        sizes, activation = [inputs, *self.hidden], ACTIVATIONS.make(self.activation)
        initializer = INITIALIZERS.make("xavier_uniform:gain=1" if self.initializer is None else self.initializer)
        suited = initializer.with_gain(activation.gain)
        layers: list[Layer] = [GaussianNoise(self.noise)] if self.noise else []
        for before, after in pairwise(sizes):
            layers.append(Linear(before, after * activation.reads, generator=generator, initializer=suited))
            if self.normalization is not None:
                layers.append(NORMALIZATIONS.make(self.normalization).layer(after * activation.reads))
            layers += [activation.layer(after), Dropout(self.dropout)]
        return Sequential(
            *layers, Linear(sizes[-1], outputs, generator=generator, initializer=initializer.with_gain(1.0))
        )
