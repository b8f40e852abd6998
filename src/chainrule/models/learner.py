"""Learner: a model family with its hyper-parameters."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from chainrule.data import Ragged
from chainrule.errors import ConfigurationError
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn import Layer
from chainrule.optim import SGD, Adam, Optimizer
from chainrule.random import Key

OPTIMIZERS = ("adam", "sgd")


class HyperparameterError(ConfigurationError):
    """A hyper-parameter outside the values it may take: which, and what is wrong."""

    def __init__(self, learner: str, field: str, reason: str) -> None:
        super().__init__(f"{learner}: {field} {reason}")
        self.field = field
        self.reason = reason


class TextNetwork(Layer):
    """A network from bags of ids to one logit a class."""

    random: ClassVar[bool] = True

    @abstractmethod
    def __call__(self, ids: TensorLike, offsets: TensorLike, key: Key | None = None) -> Tensor:
        """The logits, shape (texts, classes), of ragged bags of ids; with a key it trains, without it evaluates."""

    def prepare(self, bags: Ragged) -> None:
        """Take from the training texts what is counted and not learned; nothing, unless a network says otherwise."""


@dataclass(frozen=True, kw_only=True)
class Learner(ABC):
    """The hyper-parameters that every learner for text has.

    Attributes:
        lowercase: whether upper and lower case are the same.
        ngrams: the longest n-gram that has an entry of its own; 1 for single tokens.
        minimum_count: how often a token must occur in the training texts.
        minimum_ngram_count: how often an n-gram must.
        maximum_size: the most entries a vocabulary may have; None for no limit.
        optimizer: "adam" or "sgd" (with momentum 0.9).
        learning_rate: the size of a step; None takes the learner's default for its optimizer.
        batch_size: texts in a mini-batch.
        epochs: passes over the training texts, at most.
        patience: epochs without a better validation loss before training stops.
    """

    name: ClassVar[str]
    #: The default learning rate with each optimizer.
    learning_rates: ClassVar[Mapping[str, float]]

    lowercase: bool = True
    ngrams: int = 2
    minimum_count: int = 1
    minimum_ngram_count: int = 1
    maximum_size: int | None = None
    optimizer: str = "adam"
    learning_rate: float | None = None
    batch_size: int = 64
    epochs: int = 100
    patience: int = 3

    def __post_init__(self) -> None:
        for field in ("ngrams", "minimum_count", "minimum_ngram_count", "batch_size", "epochs", "patience"):
            require_at_least(self, field, 1)
        if self.maximum_size is not None:
            require_at_least(self, "maximum_size", 2)
        if not isinstance(self.lowercase, bool):
            raise HyperparameterError(self.name, "lowercase", f"must be True or False, got {self.lowercase!r}")
        rate = self.learning_rate
        if rate is not None and not (is_number(rate) and math.isfinite(rate) and rate > 0):
            raise HyperparameterError(self.name, "learning_rate", f"must be a number above 0, got {rate!r}")
        if self.optimizer not in OPTIMIZERS:
            expected = f"must be {' or '.join(OPTIMIZERS)}"
            raise HyperparameterError(self.name, "optimizer", f"{expected}, got {self.optimizer!r}")

    @abstractmethod
    def network(self, entries: int, classes: int, generator: np.random.Generator) -> TextNetwork:
        """An untrained network for a vocabulary of that many entries and that many classes."""

    def bags(self, encoded: Ragged) -> Ragged:
        """The ids the network reads: each token and n-gram of a text once, without those that are unknown."""
        return encoded.distinct(without=0)

    def make_optimizer(self) -> Optimizer:
        """The optimizer, for one training."""
        if self.optimizer == "sgd":
            return SGD(learning_rate=self.rate, momentum=0.9)
        return Adam(learning_rate=self.rate)

    @property
    def rate(self) -> float:
        """The learning rate that training uses."""
        return self.learning_rates[self.optimizer] if self.learning_rate is None else self.learning_rate

    def settings(self) -> dict[str, Any]:
        """The hyper-parameters by name, as JSON can hold them."""
        values = {**dataclasses.asdict(self), "learning_rate": self.rate}
        return {"name": self.name, **{k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}}


def require_at_least(learner: Learner, field: str, least: int) -> None:
    """Refuse a whole number that is too small.

    Raises:
        HyperparameterError: naming the hyper-parameter and what it may be.
    """
    value = getattr(learner, field)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise HyperparameterError(learner.name, field, f"must be a whole number of {least} or more, got {value!r}")


def require_probability(learner: Learner, field: str) -> None:
    """Refuse a dropping probability outside [0, 1).

    Raises:
        HyperparameterError: naming the hyper-parameter and what it may be.
    """
    value = getattr(learner, field)
    if not (is_number(value) and 0 <= value < 1):
        raise HyperparameterError(learner.name, field, f"must be at least 0 and below 1, got {value!r}")


def is_number(value: object) -> bool:
    """Whether it is a number, which True and False are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def learner_from(kinds: Mapping[str, type[Learner]], settings: Mapping[str, Any]) -> Learner:
    """The learner with these hyper-parameters; those left out keep their defaults.

    Raises:
        ConfigurationError: for an unknown learner, or a hyper-parameter that it does not have.
    """
    given = dict(settings)
    name = given.pop("name", None)
    if not isinstance(name, str) or name not in kinds:
        raise ConfigurationError(f"learner {name!r} is not known; expected {' or '.join(kinds)}")
    fields = {field.name: field for field in dataclasses.fields(kinds[name])}
    for key in given:
        if key not in fields:
            raise ConfigurationError(
                f"learner {name} has no hyper-parameter {key!r}; it has {', '.join(sorted(fields))}"
            )
    make: Callable[..., Learner] = kinds[name]
    return make(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})
