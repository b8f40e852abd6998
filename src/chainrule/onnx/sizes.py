"""Sizes that a file leaves open: what a graph that was traced for some sizes is for all of them.

A graph is traced with numbers for the sizes of its inputs, and its blocks hold numbers that follow from them. Traced
again with one of the sizes increased, each of these numbers shows how it depends on that size; all are linear:

    v = c + Σ_s fₛ s,    fₛ = (v(s + δ) - v(s)) / δ
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeAlias

from chainrule.dataclasses import dataclass
from chainrule.errors import ModelError
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph

#: The sizes that a graph is traced with first; no two are alike, and none is 0 or 1, which are often exceptions.
FIRST = (11, 23, 41, 59, 83)
#: What one of them is increased by, and in the last trace all of them.
STEP = 6


@dataclass(frozen=True)
class Size:
    """A size that follows from open ones: a constant, and each open size times its factor.

    Attributes:
        constant: what is added.
        factors: of each open size that it depends on, by its name.
    """

    constant: int
    factors: tuple[tuple[str, int], ...]


#: A size, open or not.
AnySize: TypeAlias = "int | Size"


def plus(a: AnySize, b: AnySize) -> AnySize:
    """a + b."""
    constant, factors = 0, dict[str, int]()
    for x in (a, b):
        constant += x if isinstance(x, int) else x.constant
        for name, factor in () if isinstance(x, int) else x.factors:
            factors[name] = factors.get(name, 0) + factor
    kept = tuple((name, factor) for name, factor in factors.items() if factor)
    return Size(constant, kept) if kept else constant


def times(a: AnySize, b: AnySize) -> AnySize:
    """a b.

    Raises:
        ModelError: where both are open.
    """
    if isinstance(a, Size):
        a, b = b, a
    if isinstance(a, Size):
        raise ModelError("onnx: the product of two open sizes is no size of a graph")
    if isinstance(b, int):
        return a * b
    return Size(a * b.constant, tuple((name, a * factor) for name, factor in b.factors)) if a else 0


class OpenGraph:
    """A graph for all sizes of its inputs.

    Attributes:
        graph: as it was traced first.
        nodes: its nodes, inputs before outputs.
    """

    def __init__(self, graphs: Sequence[Graph], sizes: Sequence[Mapping[str, int]]) -> None:
        self.graph = graphs[0]
        self.nodes = graphs[0].nodes()
        self._sizes = sizes
        columns = [graph.nodes() for graph in graphs]
        if any(len(column) != len(self.nodes) for column in columns):
            raise _changes("number of blocks", [len(column) for column in columns])
        self._traced = {node: row for node, *row in zip(self.nodes, *columns, strict=True)}

    @classmethod
    def traced(cls, trace: Callable[[Mapping[str, int]], Graph], names: Sequence[str]) -> OpenGraph:
        """The graph that a function traces, for some numbers, by the names of the open sizes."""
        first = dict(zip(names, FIRST, strict=False))
        sizes = [first, *({**first, name: first[name] + STEP} for name in names)]
        sizes.append({name: size + (3 + place) * STEP for place, (name, size) in enumerate(first.items())})
        return cls([trace(chosen) for chosen in sizes], sizes)

    def shape(self, node: Tensor) -> tuple[AnySize, ...]:
        """The shape of a node."""
        shape: tuple[AnySize, ...] = self._solved([x.shape for x in self._traced[node]], node)
        return shape

    def settings(self, node: Tensor) -> dict[str, Any]:
        """The fields of its block, with open sizes in the place of numbers."""
        blocks = [x.block for x in self._traced[node]]
        if any(type(block) is not type(blocks[0]) for block in blocks) or not is_dataclass(blocks[0]):
            raise _changes("kind of a block", blocks)
        names = [field.name for field in fields(blocks[0])]
        return {name: self._solved([getattr(block, name) for block in blocks], node) for name in names}

    def _solved(self, values: Sequence[Any], node: Tensor) -> Any:
        """One value for all sizes."""
        first = values[0]
        if isinstance(first, tuple) and all(isinstance(x, tuple) and len(x) == len(first) for x in values):
            return tuple(self._solved(parts, node) for parts in zip(*values, strict=True))
        if all(type(x) is int for x in values):
            return self._fitted(values, node)
        return first

    def _fitted(self, values: Sequence[int], node: Tensor) -> AnySize:
        """A number as a linear function of the open sizes."""
        if len(set(values)) == 1:
            return values[0]
        names, factors = list(self._sizes[0]), {}
        for place, name in enumerate(names, 1):
            step = self._sizes[place][name] - self._sizes[0][name]
            factors[name], rest = divmod(values[place] - values[0], step)
            if rest:
                raise _changes(node.label, values)
        constant = values[0] - sum(factors[name] * self._sizes[0][name] for name in names)
        if values[-1] != constant + sum(factors[name] * self._sizes[-1][name] for name in names):
            raise _changes(node.label, values)
        return Size(constant, tuple((name, factor) for name, factor in factors.items() if factor))


def _changes(what: str, found: Sequence[object]) -> ModelError:
    return ModelError(
        f"onnx: expected a network that does the same for all sizes of its inputs, but {what} is "
        f"{', '.join(map(str, found))} for some of them; such a network cannot be one graph"
    )
