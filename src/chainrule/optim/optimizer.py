"""Optimizer: the contract of update rules."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from chainrule.errors import ConfigurationError
from chainrule.graph.sparse import RowSparse
from chainrule.graph.spec import FLOAT64, Spec
from chainrule.graph.tensor import Tensor, tensor
from chainrule.graph.trace import Recording, current_recording
from chainrule.optim.state import State
from chainrule.optim.updates import commit, updates


@dataclass(frozen=True)
class Optimizer(ABC):
    """An update rule: how a gradient changes a parameter, and what it remembers from step to step.

    A rule is its equations in blocks (`update`), on whole tensors or on the rows of an embedding table alike. The rule
    itself holds hyper-parameters only; what it remembers lives in a `State`.

    Attributes:
        learning_rate: the learning rate, unless `step` is given another.
        lazy: for a row-sparse gradient (an embedding table's), update only the rows that were read, and what is
            remembered of them. Otherwise every row is updated, as if the gradient were dense, which costs a pass over
            the whole table.

    Raises:
        ConfigurationError: for a learning rate that is not a finite number above 0.

    Example (an own rule, the sign of the gradient as direction):
        >>> from dataclasses import dataclass
        >>> import chainrule
        >>> @dataclass(frozen=True)
        ... class Sign(Optimizer):
        ...     def init(self, parameter):
        ...         return {}
        ...     def update(self, parameter, gradient, state, c):
        ...         return parameter - c["learning_rate"] * chainrule.sign(gradient), {}
        >>> weight = chainrule.Parameter.of([1.0, -2.0])
        >>> rule = Sign(learning_rate=0.5)
        >>> state = rule.start([weight])
        >>> rule.step([weight], [chainrule.tensor([3.0, -4.0])], state)
        >>> weight.value, state.step
        (array([ 0.5, -1.5], dtype=float32), 1)
    """

    learning_rate: float
    lazy: bool = field(default=False, kw_only=True)

    #: Whether `update` treats every row by itself, so that it may be given some rows instead of a whole tensor.
    rowwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not (self.learning_rate > 0 and math.isfinite(self.learning_rate)):
            raise ConfigurationError(
                f"{type(self).__name__}: expected a finite learning_rate above 0, got {self.learning_rate}"
            )

    @property
    def row_updates(self) -> bool:
        """Whether a row-sparse gradient updates its rows only."""
        return self.rowwise and self.lazy

    @abstractmethod
    def init(self, parameter: Tensor) -> dict[str, Tensor]:
        """What is remembered of a parameter, at the start: leaves of its shape and dtype, by name."""

    def coefficients(self, step: int, learning_rate: float) -> dict[str, float]:  # noqa: ARG002
        """The numbers of one step that are the same for all elements, such as a bias correction.

        They enter the graph of an update as scalar leaves, so that one graph serves every step.

        Args:
            step: the number of the step, from 1.
            learning_rate: of this step.
        """
        return {"learning_rate": learning_rate}

    @abstractmethod
    def update(
        self, parameter: Tensor, gradient: Tensor, state: Mapping[str, Tensor], c: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The new parameter and what is remembered from now on.

        Args:
            parameter: the parameter, or rows of it.
            gradient: of the same shape.
            state: what was remembered, by the names of `init`, each of the same shape.
            c: the coefficients of the step, as scalar tensors.
        """

    def start(self, parameters: Sequence[Tensor]) -> State:
        """The state before the first step.

        Raises:
            ConfigurationError: when a parameter is listed twice.
        """
        for i, parameter in enumerate(parameters):
            if any(parameter is other for other in parameters[:i]):
                raise ConfigurationError(f"{type(self).__name__}: parameter {i}, {parameter.label}, is listed twice")
        return State(0, [self.init(parameter) for parameter in parameters])

    def step(
        self,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor | RowSparse],
        state: State,
        *,
        learning_rate: float | None = None,
    ) -> None:
        """Take one step: change the parameters and the state in place.

        Args:
            parameters: what to update, in the order `start` was given.
            gradients: one a parameter.
            state: from `start`.
            learning_rate: of this step, when a schedule has it change.

        Raises:
            ShapeError: when the lists differ in length, or a gradient or state from its parameter in shape.
            DTypeError: when one differs in dtype.
            ConfigurationError: for a learning rate that is negative or not finite, or a state of another rule.
        """
        rate = self.learning_rate if learning_rate is None else learning_rate
        if not (rate >= 0 and math.isfinite(rate)):
            raise ConfigurationError(f"{type(self).__name__}.step: expected a learning_rate of at least 0, got {rate}")
        recording = current_recording()
        if recording is not None:
            self._record(recording, parameters, gradients, state, rate)
            return
        scalars = self.coefficients(state.step + 1, rate)
        c = {name: tensor(value, "float64", name=name) for name, value in scalars.items()}
        commit(updates(self, parameters, gradients, state.slots, c))
        state.step += 1

    def _record(
        self,
        recording: Recording,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor | RowSparse],
        state: State,
        rate: float,
    ) -> None:
        """The step as a part of the function being traced; the host computes the coefficients anew for each run."""
        c = {name: Tensor(Spec((), FLOAT64), name=name) for name in self.coefficients(1, rate)}
        held = [(name, leaf, np.zeros((), FLOAT64)) for name, leaf in c.items()]  # the same memory in every run

        def before() -> None:
            values = self.coefficients(state.step + 1, rate)
            for name, leaf, number in held:
                number[()] = values[name]
                leaf.value = number

        def after() -> None:
            state.step += 1

        changed = {update.target for update in recording.updates}
        for parameter in parameters:
            if parameter in changed:
                raise ConfigurationError(
                    f"{type(self).__name__}.step: parameter {parameter.label} is updated twice in one compiled "
                    f"function, whose updates all happen at its end; take one step a call"
                )
        recording.before.append(before)
        recording.updates.extend(updates(self, parameters, gradients, state.slots, c))
        recording.after.append(after)


def require_within(rule: str, name: str, value: float, low: float, high: float) -> None:
    """Refuse a hyper-parameter outside [low, high).

    Raises:
        ConfigurationError: naming the rule, the hyper-parameter, the range and the value.
    """
    if not low <= value < high:
        raise ConfigurationError(f"{rule}: expected {name} of at least {low:g} and below {high:g}, got {value}")
