"""Optimizer: the contract of update rules."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from chainrule.errors import ConfigurationError
from chainrule.graph.sparse import RowSparse
from chainrule.graph.spec import FLOAT64, Spec
from chainrule.graph.tensor import Mutable, Tensor, tensor
from chainrule.graph.trace import Recording, Update, current_recording
from chainrule.optim.deferred import Deferral, Rest, resting
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
            remembered of them, and let all others rest. Otherwise every row is updated, as if the gradient were dense.
            In a compiled step that costs no more: see `chainrule.optim.deferred`.

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
    #: Whether a row without a gradient stays as it is as long as all that is remembered of it is 0.
    sleeps: ClassVar[bool] = False
    #: Names of the sums that `grow` keeps and `rest` reads.
    sums: ClassVar[tuple[str, ...]] = ()
    #: Names of the coefficients whose products over several steps `rest` or `grow` read.
    compounds: ClassVar[tuple[str, ...]] = ()

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

    def rests_from(self) -> int | None:
        """The first step after which a row may begin to rest for `rest` to be exact enough.

        None, as it is by default, for a rule without a closed form: its own equations are run for every step that a row
        rested.
        """
        return None

    def horizon(self) -> int:
        """After how many steps without a gradient `sums` no longer change."""
        return 1

    def grow(self, rest: Rest) -> dict[str, Tensor]:  # noqa: ARG002
        """The sums by name, for rows that rested since `rest.first`, when the step `rest.last` has been taken too.

        Every rule whose `sums` are not empty defines it; `rest.sums` are those up to the step before.
        """
        return {}

    def rest(
        self,
        parameter: Tensor,  # noqa: ARG002
        state: Mapping[str, Tensor],  # noqa: ARG002
        rest: Rest,  # noqa: ARG002
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Rows and what is remembered of them after a time without a gradient, in a closed form.

        Every rule whose `rests_from` is not None defines it.

        Args:
            parameter: rows of a parameter as they were.
            state: what was remembered of these rows, by the names of `init`.
            rest: how long each row rested, and what happened meanwhile.

        Raises:
            ConfigurationError: by a rule that does not define it.
        """
        raise ConfigurationError(
            f"{type(self).__name__}: rests_from says from when on there is a closed form of steps without a gradient; "
            f"define it as rest, or let rests_from return None"
        )

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
        learning_rate: float | Callable[[int], float] | None = None,
    ) -> None:
        """Take one step: change the parameters and the state in place.

        Args:
            parameters: what to update, in the order `start` was given.
            gradients: one a parameter.
            state: from `start`.
            learning_rate: of this step, when a schedule has it change; or the schedule, a function of the number of the
                step, from 1. A compiled function asks it anew in every call, and keeps a number for good.

        Raises:
            ShapeError: when the lists differ in length, or a gradient or state from its parameter in shape.
            DTypeError: when one differs in dtype.
            ConfigurationError: for a learning rate that is negative or not finite, or a state of another rule.
        """
        schedule = self.learning_rate if learning_rate is None else learning_rate
        recording = current_recording()
        if recording is not None:
            self._record(recording, parameters, gradients, state, schedule)
            return
        number = state.step + 1
        scalars = self.coefficients(number, self._rate(number, schedule))
        c = {name: tensor(value, "float64", name=name) for name, value in scalars.items()}
        commit(updates(self, parameters, gradients, state.slots, c))
        state.step += 1

    def _rate(self, step: int, schedule: float | Callable[[int], float]) -> float:
        """The learning rate of a step.

        Raises:
            ConfigurationError: when it is negative or not finite.
        """
        rate = schedule(step) if callable(schedule) else schedule
        if not (rate >= 0 and math.isfinite(rate)):
            raise ConfigurationError(f"{type(self).__name__}.step: expected a learning_rate of at least 0, got {rate}")
        return rate

    def _record(
        self,
        recording: Recording,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor | RowSparse],
        state: State,
        schedule: float | Callable[[int], float],
    ) -> None:
        """The step as a part of the function being traced; the host computes the coefficients anew for each run."""
        rate, varies = self._rate(1, schedule), callable(schedule)
        c = {name: Tensor(Spec((), FLOAT64), name=name) for name in self.coefficients(1, rate)}
        held = [(name, leaf, np.zeros((), FLOAT64)) for name, leaf in c.items()]  # the same memory in every run
        changed = {update.target for update in recording.updates}
        for parameter in parameters:
            if parameter in changed:
                raise ConfigurationError(
                    f"{type(self).__name__}.step: parameter {parameter.label} is updated twice in one compiled "
                    f"function, whose updates all happen at its end; take one step a call"
                )
        found = updates(self, parameters, gradients, state.slots, c)
        deferral, tables = self._deferral(parameters, gradients, state)

        def before() -> None:
            number = state.count.numpy().item() + 1
            scalars = self.coefficients(number, self._rate(number, schedule) if varies else rate)
            for name, leaf, array in held:
                array[()] = scalars[name]
                leaf.value = array
            if deferral is not None:
                deferral.note(scalars)

        recording.before.append(before)
        recording.updates += [*found, Update(state.count, state.count + 1)]
        if deferral is not None:
            recording.rewrites.append(lambda graph: deferral.rewrite(graph, tables, c))

    def _deferral(
        self, parameters: Sequence[Tensor], gradients: Sequence[Tensor | RowSparse], state: State
    ) -> tuple[Deferral | None, dict[Tensor, RowSparse]]:
        """Who leaves rows behind, or None, and the gradients of the tables of which it may."""
        if self.row_updates or not self.rowwise:
            return None, {}
        tables = {
            parameter: (gradient, slot)
            for parameter, gradient, slot in zip(parameters, gradients, state.slots, strict=True)
            if isinstance(gradient, RowSparse) and isinstance(parameter, Mutable) and self._elementwise(parameter, slot)
        }
        if not tables:
            return None, {}
        found = [deferral for deferral in state.deferrals if deferral.optimizer == self]
        if not found:
            found = [Deferral(self, state.count)]
            state.deferrals += found
        for parameter, (_, slot) in tables.items():
            found[0].table(parameter, slot)
        return found[0], {parameter: gradient for parameter, (gradient, _) in tables.items()}

    def _elementwise(self, parameter: Tensor, slot: Mapping[str, Tensor]) -> bool:
        return self.rests_from() is not None or resting(self, parameter, tuple(slot)) is not None


def require_within(rule: str, name: str, value: float, low: float, high: float) -> None:
    """Refuse a hyper-parameter outside [low, high).

    Raises:
        ConfigurationError: naming the rule, the hyper-parameter, the range and the value.
    """
    if not low <= value < high:
        raise ConfigurationError(f"{rule}: expected {name} of at least {low:g} and below {high:g}, got {value}")
