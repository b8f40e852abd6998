"""Step: a node of an ONNX graph as it is computed. What an operator does is registered by `reads`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.errors import UnsupportedError, shortened
from chainrule.graph.array import DTYPES
from chainrule.graph.leaves import Constant, Mutable
from chainrule.graph.spec import INT32, Array, spec_of
from chainrule.graph.tensor import Tensor
from chainrule.onnx.reading.narrow import Narrow, is_narrow

#: What a name of a graph stands for; None for an input that is left out. An array has a dtype that is not there.
Value: TypeAlias = "Tensor | Narrow | Array | None"
#: Computes a node: from the step and its inputs to its outputs.
Rule = Callable[..., Any]
#: By domain and operator: rules, each with the version of the operators that it is right from on.
RULES: dict[tuple[str, str], dict[int, Rule]] = {}


#: The rules that know what to do with whole numbers of few bits, and arrays of dtypes that tensors do not have.
TAKES_ARRAYS: set[Rule] = set()


def reads(*operators: str, since: int = 1, domain: str = "", arrays: bool = False) -> Callable[[Rule], Rule]:
    """Register what computes operators.

    Args:
        operators: their names.
        since: the first version of the operators for which it does.
        domain: whose operators they are; "" for those of ONNX.
        arrays: whether it takes `Narrow` ones, and arrays of dtypes that tensors do not have.
    """

    def register(rule: Rule) -> Rule:
        for operator in operators:
            RULES.setdefault((domain, operator), {})[since] = rule
        if arrays:
            TAKES_ARRAYS.add(rule)
        return rule

    return register


def rule_for(domain: str, operator: str, version: int) -> Rule | None:
    """What computes an operator of a version; None where nothing does."""
    found = {since: rule for since, rule in RULES.get((domain, operator), {}).items() if since <= version}
    return found[max(found)] if found else None


class ValueNeededError(UnsupportedError):
    """A value that decides shapes, and is not known while a function is traced.

    Attributes:
        inputs: those of the graph that it is computed from.
    """

    inputs: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Step:
    """A node, and what it is computed with.

    Attributes:
        operator: its name.
        version: of the operators.
        name: of the node or its first output, for messages.
        outputs: how many outputs it has, of which some may be left out.
        attributes: those that it has.
        run: computes a graph inside of it, from its inputs.
        origins: of its inputs: the inputs of the whole graph whose numbers each is computed from.
    """

    operator: str
    version: int
    name: str
    outputs: int
    attributes: Mapping[str, Any]
    run: Callable[[Any, Sequence[Value]], list[Value]]
    origins: Sequence[frozenset[str]]

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute."""
        return self.attributes.get(name, default)

    def known(self, place: int, x: Value, what: str) -> Array:
        """The value of an input that decides shapes.

        Raises:
            ValueNeededError: where it is not known.
        """
        found = value_of(x)
        if found is None:
            sources = self.origins[place]
            error = ValueNeededError(
                f"{self.label}: {what} depends on data, {shortened(sorted(sources))}, which is not known when the "
                f"graph is compiled; compile a function that gives those as NumPy arrays, or use OnnxModel.run"
            )
            error.inputs = sources
            raise error
        return found

    def numbers(self, place: int, x: Value, what: str) -> list[int]:
        """The same, as a list of whole numbers."""
        return [int(n) for n in self.known(place, x, what).reshape(-1)]

    @property
    def label(self) -> str:
        """What the node is called in messages."""
        return f"{self.operator} '{self.name}'" if self.name else self.operator

    def refuse(self, reason: str) -> UnsupportedError:
        """The error for what the operator is asked for and does not do here."""
        return UnsupportedError(f"{self.label}: {reason}")


def value_of(x: Value) -> Array | None:
    """The array that a value is for good: of a constant, or of what is there now; None for what is traced."""
    x = x.numbers if isinstance(x, Narrow) else x
    if isinstance(x, Mutable):
        return x.array
    if isinstance(x, Tensor):
        return x.value if x.known else None
    return x


def constant(array: Any, dtype: Any = None) -> Tensor:
    """A tensor of an array, in its own dtype."""
    array = np.asarray(array, dtype)
    return Constant(spec_of(array), array)


def held(array: Array) -> Tensor | Narrow | Array:
    """An array as a tensor, where tensors have its dtype or can hold it."""
    if is_narrow(array.dtype):
        return Narrow(constant(array.astype(INT32)), array.dtype)
    return constant(array) if array.dtype in DTYPES else array
