"""Optimizer: a rule that takes steps, eagerly or as a part of a compiled function."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, ShapeError, shortened
from chainrule.graph.errstate import IGNORE, reset_errors, set_errors
from chainrule.graph.leaves import Mutable
from chainrule.graph.sparse import RowSparse
from chainrule.graph.spec import FLOAT64, Spec
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph, Recording, Update, current_recording
from chainrule.optim.contract import coefficients_of, is_number, remembered, require_gradients, require_leaves
from chainrule.optim.deferral import Deferral, without_gradient
from chainrule.optim.rewrite import defer_updates
from chainrule.optim.rule import Rule
from chainrule.optim.state import State
from chainrule.optim.together import Together, groups_of
from chainrule.optim.updates import commit, require_fit, updates, updates_of_fitting
from chainrule.settings import Registry

#: A number, a function of the number of the step, or a scalar tensor.
LearningRate = float | Callable[[int], float] | Tensor


@dataclass(frozen=True)
class Optimizer(Rule):
    """A rule that takes steps: see `Rule` for what an own one declares.

    An optimizer holds hyper-parameters only; what it remembers lives in a `State`.

    Attributes:
        learning_rate: the learning rate, unless `step` is given another.
        lazy: see `Rule`.

    Raises:
        ConfigurationError: for a learning rate that is not a finite number above 0.

    Example (an own rule, the sign of the gradient as direction):
        >>> from dataclasses import dataclass
        >>> import chainrule
        >>> @dataclass(frozen=True)
        ... class Sign(Optimizer):
        ...     def init(self, parameter):
        ...         return {}
        ...     def update(self, parameter, gradient, state, scalars):
        ...         return parameter - scalars["learning_rate"] * chainrule.sign(gradient), {}
        >>> weight = chainrule.Parameter.of([1.0, -2.0])
        >>> rule = Sign(learning_rate=0.5)
        >>> state = rule.start([weight])
        >>> rule.step([weight], [chainrule.tensor([3.0, -4.0])], state)
        >>> weight.value, state.step
        (array([ 0.5, -1.5], dtype=float32), 1)
    """

    def settings(self) -> dict[str, Any]:
        """All settings by name; an own rule without a name is called by its class."""
        return {"name": self.name or type(self).__name__, **super().settings()}

    def start(self, parameters: Sequence[Tensor]) -> State:
        """The state before the first step.

        Raises:
            ConfigurationError: for anything but parameters, and when one is listed twice.
        """
        require_leaves(f"{type(self).__name__}.start", parameters)
        for i, parameter in enumerate(parameters):
            if any(parameter is other for other in parameters[:i]):
                raise ConfigurationError(f"{type(self).__name__}: parameter {i}, {parameter.label}, is listed twice")
        return State(0, [remembered(self, parameter) for parameter in parameters], parameters)

    def step(
        self,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor | RowSparse],
        state: State,
        *,
        learning_rate: LearningRate | None = None,
    ) -> None:
        """Take one step: change the parameters and the state in place.

        Args:
            parameters: what to update, in the order `start` was given.
            gradients: one a parameter.
            state: from `start`.
            learning_rate: of this step, when a schedule has it change: a number, which a compiled function keeps for
                good; a function of the number of the step, from 1, which it asks anew in every call; or a scalar
                tensor, such as an argument of it.

        Raises:
            ShapeError: when the lists differ in length, or a gradient or state from its parameter in shape.
            DTypeError: when one differs in dtype.
            ConfigurationError: for a learning rate that is negative or not finite, a state of another rule, or
                parameters in another order than `start` was given.
        """
        name = f"{type(self).__name__}.step"
        require_leaves(name, parameters)
        require_gradients(name, gradients)
        if not isinstance(state, State):
            raise ConfigurationError(f"{name}: expected the state that start(parameters) gave, got {shortened(state)}")
        state.require_order(parameters)
        schedule = self.learning_rate if learning_rate is None else learning_rate
        recording = current_recording()
        if recording is not None:
            self._record(recording, parameters, gradients, state, schedule)
            return
        number = state.step + 1
        numbers = coefficients_of(self, number, self._rate(number, schedule))
        dtypes = {parameter.dtype for parameter in parameters}
        dtype = dtypes.pop() if len(dtypes) == 1 else FLOAT64  # of several, `updates` casts them for each
        before = set_errors(IGNORE)  # once, not for each operation of the rule
        try:
            spec = Spec((), dtype)
            scalars = {name: Tensor(spec, np.array(value, dtype), name=name) for name, value in numbers.items()}
            require_fit(self, parameters, gradients, state.slots)
            together = self._together(parameters, gradients, state, [*numbers])
            commit(updates_of_fitting(self, *together.joined(parameters, gradients, state.slots), scalars))
            together.hand_out()
        finally:
            reset_errors(before)
        state.step += 1

    def _together(
        self,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor | RowSparse],
        state: State,
        scalars: Sequence[str],
    ) -> Together:
        """The parameters that a step updates together; found in the first one, and anew where these are others."""
        dense = [isinstance(gradient, Tensor) for gradient in gradients]
        made_for = self, [(x.spec, x.name, whole) for x, whole in zip(parameters, dense, strict=True)]
        if state.together is None or state.together.made_for != made_for:
            state.together = Together(made_for, groups_of(self, parameters, dense, state.slots, scalars))
        return state.together

    def _rate(self, step: int, schedule: LearningRate) -> float:
        """The learning rate of a step.

        Raises:
            ConfigurationError: when it is negative or not finite.
        """
        rate = schedule(step) if callable(schedule) else schedule
        rate = rate.item() if isinstance(rate, Tensor) else rate
        if not (is_number(rate) and rate >= 0 and math.isfinite(rate)):
            raise ConfigurationError(
                f"{type(self).__name__}.step: expected a learning_rate of at least 0, got {shortened(rate)}"
            )
        return rate

    def _record(
        self,
        recording: Recording,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor | RowSparse],
        state: State,
        schedule: LearningRate,
    ) -> None:
        """The step as a part of the function being traced; the host computes the coefficients anew for each run."""
        given = schedule if isinstance(schedule, Tensor) else None
        rate, varies = self._rate(1, schedule) if given is None else 1.0, callable(schedule)
        scalars = {name: Tensor(Spec((), FLOAT64), name=name) for name in coefficients_of(self, 1, rate)}
        held = [(name, leaf, np.zeros((), FLOAT64)) for name, leaf in scalars.items()]  # the same memory in every run
        earlier = recording.steps.get(state.count, 0)  # steps of this state in the same function
        recording.steps[state.count] = earlier + 1
        coefficients = scalars if given is None else {**scalars, **self._given_rate(given)}
        found = updates(self, parameters, gradients, state.slots, coefficients)
        # The host knows no learning rate that is computed: then every row is brought up to date in every step.
        deferral, tables = (None, {}) if given is not None else self._deferral(recording, parameters, gradients, state)

        def before() -> None:
            number = state.count.numpy().item() + earlier + 1
            numbers = coefficients_of(self, number, self._rate(number, schedule) if varies else rate)
            for name, leaf, array in held:
                array[()] = numbers[name]
                leaf.value = array
            if deferral is not None:
                deferral.note(numbers)

        recording.before.append(before)
        recording.update([*found, Update(state.count, state.count + 1)])
        if deferral is not None:

            def defer(graph: Graph) -> Graph:
                """A table that the function changes in any other way, too, stays dense."""
                once = {
                    parameter: gradient
                    for parameter, gradient in tables.items()
                    if all(recording.changes[leaf] == 1 for leaf in deferral.tables[parameter].leaves)
                }
                return defer_updates(graph, deferral, once, scalars)

            recording.rewrites.append(defer)

    def _given_rate(self, rate: Tensor) -> dict[str, Tensor]:
        """A learning rate that is a tensor, as the coefficient of that name.

        Raises:
            ShapeError: for one that is no scalar.
            ConfigurationError: for a rule that computes other coefficients from the learning rate.
        """
        if rate.shape != ():
            raise ShapeError(f"{type(self).__name__}.step: expected a learning_rate of shape (), got {rate.shape}")
        one, two = coefficients_of(self, 1, 1.0), coefficients_of(self, 1, 2.0)
        if {name for name in one if one[name] != two[name]} != {"learning_rate"}:
            raise ConfigurationError(
                f"{type(self).__name__}.step: it computes coefficients from the learning rate before the step runs, so "
                f"in a compiled function expected a number or a function of the step, got a tensor"
            )
        return {"learning_rate": rate.astype(FLOAT64)}

    def _deferral(
        self,
        recording: Recording,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor | RowSparse],
        state: State,
    ) -> tuple[Deferral | None, dict[Tensor, RowSparse]]:
        """The `Deferral` of this rule, or None, and the gradients of the tables whose rows it may leave behind."""
        if self.row_updates or not self.rowwise:
            return None, {}
        tables = {
            parameter: (gradient, slot)
            for parameter, gradient, slot in zip(parameters, gradients, state.slots, strict=True)
            if isinstance(gradient, RowSparse) and isinstance(parameter, Mutable) and self._elementwise(parameter, slot)
        }
        if not tables:
            return None, {}
        found = [deferral for deferral in state.deferrals if deferral.rule == self] or [Deferral(self, state.count)]
        replays = found[0].replays
        kept = {x: held for x, held in tables.items() if recording.defers(x, replays)}
        if len(kept) < len(tables) and replays:  # the engine may want others as soon as the closed form holds
            valid = (lambda: found[0].replays,)
            recording.rewrites.append(lambda graph: replace(graph, still_valid=(*graph.still_valid, *valid)))
        if not kept:
            return None, {}
        state.deferrals += [x for x in found if x not in state.deferrals]
        for parameter, (_, slot) in kept.items():
            found[0].table(parameter, slot)
        return found[0], {parameter: gradient for parameter, (gradient, _) in kept.items()}

    def _elementwise(self, parameter: Tensor, slot: Mapping[str, Tensor]) -> bool:
        """Whether rows of a table can be brought up to date: by a closed form, or by equations of single numbers."""
        if any(leaf.shape != parameter.shape for leaf in slot.values()):
            return False
        return self.closed_form_from() is not None or without_gradient(self, parameter, tuple(slot)) is not None


#: The names of the toolkit's own, each of which is the name of its module as well.
RULES = (
    "adadelta", "adagrad", "adam", "adamax", "adamw", "amsgrad", "lamb", "lbfgs", "lion", "muon", "nadam", "radam",
    "rmsprop", "sgd",
)  # fmt: skip

OPTIMIZERS: Registry[Optimizer] = Registry(
    "optimizer", Optimizer, {name: f"chainrule.optim.rules.{name}" for name in RULES}
)
