"""Outlines: all of a graph that decides how it is built, so that graphs with the same outline are built once.

A study trains one network with many seeds, and each training traces its step anew: the same blocks over other leaves.
What passes and lowering make of a graph depends on its blocks with their settings, on specs and names, the values of
constants, and on which leaves are inputs, constants or others. That is an outline's key. The values of other leaves and
the functions that a graph calls before its runs stand in no program.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from typing import Any, NamedTuple

from chainrule.blocks.recurrence import Body
from chainrule.graph.block import Block
from chainrule.graph.contract import is_own
from chainrule.graph.leaves import Constant
from chainrule.graph.order import topological_order
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph
from chainrule.native.loops.steps import ROWS
from chainrule.passes.common import LARGEST_FOLDED, exact, settings_of


class Outline(NamedTuple):
    """What graphs have in common that are built alike.

    Attributes:
        key: equal for two such graphs, and for no others.
        parts: what each graph has of its own, in an order that follows from the key: leaves, and bodies of scans.
    """

    key: Hashable
    parts: tuple[Tensor | Body, ...]


def outline_of(graph: Graph) -> Outline | None:
    """The outline of a graph; None for one with blocks of users, whose code may do something else another time."""
    writer = _Writer()
    try:
        return Outline(writer.graph(graph), tuple(writer.parts))
    except _UnknownError:
        return None


class _UnknownError(Exception):
    """A graph has something of which it is not known whether another one is the same."""


class _Writer:
    """Writes the key of a graph: nodes are numbers, in the order in which the results need them."""

    def __init__(self) -> None:
        self.parts: list[Tensor | Body] = []
        self._bodies: dict[int, int] = {}

    def graph(self, graph: Graph) -> Hashable:
        """The key of a graph; leaves that are not written out become parts."""
        numbers: dict[Tensor, int] = {}
        lines: list[Hashable] = []
        targets = [update.target for update in graph.updates]
        for node in (*graph.inputs, *topological_order((*graph.results(), *targets))):
            if node in numbers:
                continue
            numbers[node] = len(lines)
            block = node.block
            if block is None:
                lines.append(self._leaf(node, given=len(lines) < len(graph.inputs)))
            else:
                inputs = tuple([numbers[x] for x in node.inputs])
                lines.append((node.spec, node.name, self._block(block, node), inputs))
        updates = [(x.target, x.value, x.rows) for x in graph.updates]
        changes = [tuple([None if x is None else numbers[x] for x in update]) for update in updates]
        return len(graph.inputs), tuple(lines), tuple([numbers[x] for x in graph.outputs]), tuple(changes)

    def _leaf(self, leaf: Tensor, *, given: bool) -> Hashable:
        value = leaf.value if isinstance(leaf, Constant) else None
        if given or value is None:
            self.parts.append(leaf)
            return leaf.spec, leaf.name, given or leaf.known
        if value.size <= LARGEST_FOLDED:
            return leaf.spec, leaf.name, exact(value)
        self.parts.append(leaf)
        return leaf.spec, leaf.name, hashlib.sha256(value.tobytes()).digest()

    def _block(self, block: Block, node: Tensor) -> Hashable:
        if is_own(type(block)):
            raise _UnknownError
        return type(block), settings_of(block, lambda value: self._setting(value, node))

    def _setting(self, value: Any, node: Tensor) -> Hashable:
        """A setting that is no number, name or dtype, or several of these."""
        if isinstance(value, Graph):
            return self._inner(value)
        if not isinstance(value, Body):
            raise _UnknownError
        if id(value) in self._bodies:
            return self._bodies[id(value)]
        self._bodies[id(value)] = len(self._bodies)
        self.parts.append(value)
        steps = tuple([self._inner(value.at(rows, node.dtype)) for rows in ROWS])
        return value.states, value.rows, value.inputs, steps

    def _inner(self, graph: Graph) -> Hashable:
        """The key of a graph that a block computes by, which must have nothing of its own but its inputs."""
        writer = _Writer()
        key = writer.graph(graph)
        if len(writer.parts) > len(graph.inputs):
            raise _UnknownError
        return key
