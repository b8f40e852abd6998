"""What an optimizer is given, and what an own rule returns: refused by name, before anything is computed."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError, ConfigurationError, shortened
from chainrule.graph.sparse import RowSparse
from chainrule.graph.tensor import Tensor

#: Errors that are no fault of a rule's, or that say what is wrong themselves; a KeyError is `apply_rule`'s.
PASSED_ON = (ChainruleError, KeyError, MemoryError, RecursionError, Warning)
#: What each method of a rule is, for messages.
ADVICE = {
    "init": "init(self, parameter) gives a dictionary of leaves, such as {'mean': chainrule.zeros(parameter.shape)}",
    "coefficients": "coefficients(self, step, learning_rate) gives a dictionary of numbers",
    "update": (
        "update(self, parameter, gradient, state, scalars) gives the new parameter and a dictionary of what is "
        "remembered, both written with functions over tensors"
    ),
}


class RuleContract:
    """Runs a method of a rule in a `with` statement: an error of it names the rule and says what is expected.

    Raises:
        ConfigurationError: for errors that are not chainrule's own.
    """

    def __init__(self, rule: object, method: str) -> None:
        self.rule, self.method = rule, method

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, PASSED_ON):
            raise broken(self.rule, self.method, f"failed: {type(error).__name__}: {error}") from error


def broken(rule: object, method: str, what: str) -> ConfigurationError:
    """The error of a rule that does not hold to what a method of it is."""
    return ConfigurationError(f"{type(rule).__name__}: {method} {what}; {ADVICE[method]}")


def remembered(rule: Any, parameter: Tensor) -> Mapping[str, Tensor]:
    """What a rule remembers of a parameter at the start.

    Raises:
        ConfigurationError: for anything but leaves by name.
    """
    with RuleContract(rule, "init"):
        found = rule.init(parameter)
    if not isinstance(found, Mapping) or not all(isinstance(x, Tensor) for x in found.values()):
        raise broken(rule, "init", f"gave {shortened(found)}")
    return found


def coefficients_of(rule: Any, step: int, learning_rate: float) -> Mapping[str, float]:
    """The numbers of a step.

    Raises:
        ConfigurationError: for anything but numbers by name.
    """
    with RuleContract(rule, "coefficients"):
        found = rule.coefficients(step, learning_rate)
    if (type(found) is not dict and not isinstance(found, Mapping)) or not all(map(is_number, found.values())):
        raise broken(rule, "coefficients", f"gave {shortened(found)}")
    return found


def require_updated(rule: object, found: Any) -> tuple[Tensor, Mapping[str, Tensor]]:
    """What `update` of a rule gave, if it is a tensor and tensors by name.

    Raises:
        ConfigurationError: for anything else.
    """
    if not isinstance(found, tuple) or len(found) != 2:
        raise broken(rule, "update", f"gave {shortened(found)}")
    after, state = found
    if not isinstance(after, Tensor):
        raise broken(rule, "update", f"gave {shortened(after)} for the parameter")
    if not isinstance(state, Mapping) or not all(isinstance(x, Tensor) for x in state.values()):
        raise broken(rule, "update", f"gave {shortened(state)} for what is remembered")
    return after, state


def is_number(x: object) -> bool:
    """Whether something is one number."""
    return type(x) is float or (isinstance(x, numbers.Real | np.number) and not isinstance(x, bool))


def require_leaves(name: str, parameters: object) -> None:
    """Refuse what is no list of leaves.

    Raises:
        ConfigurationError: saying what came.
    """
    if isinstance(parameters, Sequence) and all(isinstance(x, Tensor) and x.block is None for x in parameters):
        return
    came = parameters
    if isinstance(parameters, Sequence):
        came = next(x for x in parameters if not (isinstance(x, Tensor) and x.block is None))
    shown = came.label if isinstance(came, Tensor) else shortened(came)
    raise ConfigurationError(
        f"{name}: expected a list of parameters, such as [weight] or layer.parameters(), got {shown}"
    )


def require_gradients(name: str, gradients: object) -> None:
    """Refuse what is no list of gradients.

    Raises:
        ConfigurationError: saying what came.
    """
    if isinstance(gradients, Sequence):
        wrong = [x for x in gradients if not isinstance(x, Tensor | RowSparse)]
        if not wrong:
            return
        gradients = wrong[0]
    what = "a dictionary" if isinstance(gradients, Mapping) else shortened(gradients)
    raise ConfigurationError(
        f"{name}: expected a list of gradients, as chainrule.gradients(loss, parameters) gives, got {what}"
    )
