"""Groups: parameters by name, each group with a rule of its own, or frozen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from chainrule.errors import ConfigurationError, ShapeError
from chainrule.graph.sparse import RowSparse
from chainrule.graph.tensor import Tensor
from chainrule.optim.optimizer import Optimizer
from chainrule.optim.state import State
from chainrule.settings import suggestion


class Groups:
    """Several optimizers in one: each takes the steps of the parameters that its name covers.

    A name covers the parameter of that name, and all below it: "head" covers "head.weight" and "head.0.bias". It may be
    a pattern: "*.bias" covers all biases. Where several names cover a parameter, the longest counts; "" covers all.
    Each group counts its steps by itself.

    Args:
        rules: by names, an optimizer, or None for parameters that stay as they are.
        parameters: by their names, such as `layer.named_parameters()`.

    Attributes:
        parameters: those that are updated, in their order; what gradients are taken of.
        states: what each optimizer remembers, by the names of `rules`; for a checkpoint see `State.arrays`.

    Raises:
        ConfigurationError: for a parameter that no name covers, or a name that no parameter has.

    Example (a table that is frozen, and a head that learns faster than the rest):
        >>> import chainrule
        >>> from chainrule.optim import SGD, Groups
        >>> named = {name: chainrule.Parameter.of([1.0]) for name in ("table", "body.bias", "head.bias")}
        >>> groups = Groups({"table": None, "head": SGD(0.5), "": SGD(0.1)}, named)
        >>> @chainrule.compile
        ... def step(x):
        ...     loss = (x * named["table"] * named["body.bias"] + named["head.bias"]).sum()
        ...     groups.step(chainrule.gradients(loss, groups.parameters))
        ...     return loss
        >>> step([1.0]).item()
        2.0
        >>> {name: parameter.item() for name, parameter in named.items()}
        {'table': 1.0, 'body.bias': 0.8999999761581421, 'head.bias': 0.5}
    """

    def __init__(self, rules: Mapping[str, Optimizer | None], parameters: Mapping[str, Tensor]) -> None:
        self._rules = {name: rule for name, rule in rules.items() if rule is not None}
        covered = {name: _covering(name, rules) for name in parameters}
        require_known("groups", rules, parameters)
        self._members = [(covered[name], parameter) for name, parameter in parameters.items()]
        self._members = [(group, parameter) for group, parameter in self._members if group in self._rules]
        self.parameters = [parameter for _, parameter in self._members]
        self.states: dict[str, State] = {
            name: rule.start([parameter for group, parameter in self._members if group == name])
            for name, rule in self._rules.items()
        }

    def step(self, gradients: Sequence[Tensor | RowSparse], *, scale: float | Callable[[int], float] = 1.0) -> None:
        """Take one step of each group, eagerly or in a compiled function.

        Args:
            gradients: one for each of `parameters`, in their order.
            scale: what the learning rates of all groups are multiplied by: a number, or a function of the number of the
                step, from 1, such as a schedule's.

        Raises:
            ShapeError: for another number of gradients, or one of another shape.
        """
        if len(gradients) != len(self._members):
            raise ShapeError(
                f"groups: expected a gradient for each of {len(self._members)} parameters, got {len(gradients)}; take "
                f"them of groups.parameters"
            )
        for name, rule in self._rules.items():
            chosen = [i for i, (group, _) in enumerate(self._members) if group == name]
            rule.step(
                [self.parameters[i] for i in chosen],
                [gradients[i] for i in chosen],
                self.states[name],
                learning_rate=_scaled(rule.learning_rate, scale),
            )


def _scaled(rate: float, scale: float | Callable[[int], float]) -> float | Callable[[int], float]:
    return (lambda step: rate * scale(step)) if callable(scale) else rate * scale


def covers(name: str, path: str) -> bool:
    """Whether a name is that of a parameter, of something around it, or a pattern such as "*.bias" that fits it."""
    return name in ("", path) or path.startswith(f"{name}.") or fnmatchcase(path, name)


def require_known(what: str, names: Iterable[str], parameters: Iterable[str]) -> None:
    """Refuse names and patterns that cover no parameter.

    Raises:
        ConfigurationError: with the names there are.
    """
    paths = list(parameters)
    unknown = [name for name in names if name and not any(covers(name, path) for path in paths)]
    if unknown:
        listed = " or ".join(map(repr, unknown))
        near = suggestion(unknown[0], {*paths, *(path.rpartition(".")[0] for path in paths)} - {""})
        raise ConfigurationError(
            f"{what}: no parameter is called {listed}, or below it; there are {', '.join(paths)}{near}"
        )


def _covering(path: str, names: Mapping[str, Optimizer | None]) -> str:
    """The longest name that covers a parameter.

    Raises:
        ConfigurationError: when none does.
    """
    found = [name for name in names if covers(name, path)]
    if not found:
        raise ConfigurationError(
            f"groups: no name covers parameter {path!r}; give it an optimizer, or None to freeze it; the name '' "
            f"covers all parameters that no other name does"
        )
    return max(found, key=len)
