"""Outlines: all of a graph that decides how it is built, so that graphs with the same outline are built once.

A study trains one network with many seeds, and each training traces its step anew: the same blocks over other leaves.
What passes and lowering make of a graph depends on its blocks with their settings, on specs and names, the values of
constants, and on which leaves are inputs, constants or others. An outline's key is a hash of all that. The values of
other leaves and the functions that a graph calls before its runs stand in no program.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any, NamedTuple

import numpy as np

from chainrule.blocks.recurrence import Body
from chainrule.graph.block import Block
from chainrule.graph.contract import is_own
from chainrule.graph.leaves import Constant
from chainrule.graph.order import topological_order
from chainrule.graph.spec import Spec
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph
from chainrule.native.loops.steps import ROWS
from chainrule.passes.common import LARGEST_FOLDED


class Outline(NamedTuple):
    """What graphs have in common that are built alike.

    Attributes:
        key: equal for two such graphs, and for no others; in other processes, too.
        parts: what each graph has of its own, in an order that follows from the key: leaves, and bodies of scans.
    """

    key: str
    parts: tuple[Tensor | Body, ...]


def outline_of(graph: Graph) -> Outline | None:
    """The outline of a graph; None for one with blocks of users, whose code may do something else another time."""
    writer = _Writer()
    try:
        text = writer.graph(graph)
    except _UnknownError:
        return None
    return Outline(hashlib.sha256(text.encode()).hexdigest(), tuple(writer.parts))


class _UnknownError(Exception):
    """A graph has something of which it is not known whether another one is the same."""


class _Writer:
    """Writes a graph as a text: nodes are numbers, in the order in which the results need them.

    Names and other texts stand in it as Python writes them, in quotation marks, so no two graphs have one text.
    """

    def __init__(self) -> None:
        self.parts: list[Tensor | Body] = []
        self._bodies: dict[int, str] = {}
        self._specs: dict[Spec, str] = {}
        self._blocks: dict[tuple[int, np.dtype[Any]], str] = {}

    def graph(self, graph: Graph) -> str:
        """The text of a graph; leaves that are not written out become parts."""
        numbers: dict[Tensor, int] = {}
        lines: list[str] = []
        targets = [update.target for update in graph.updates]
        for node in (*graph.inputs, *topological_order((*graph.results(), *targets))):
            if node in numbers:
                continue
            numbers[node] = len(lines)
            if node.block is None:
                what = self._leaf(node, given=len(lines) < len(graph.inputs))
            else:
                what = f"{self._block(node.block, node)} {[numbers[x] for x in node.inputs]}"
            lines.append(f"{self._spec(node.spec)} {node.name!r} {what}")
        lines.append(f"{len(graph.inputs)} {[numbers[x] for x in graph.outputs]}")
        lines += [
            f"{numbers[x.target]} {numbers[x.value]} {None if x.rows is None else numbers[x.rows]}"
            for x in graph.updates
        ]
        return "\n".join(lines)

    def _spec(self, spec: Spec) -> str:
        if spec not in self._specs:
            self._specs[spec] = f"{spec.dtype.str}{spec.shape}"
        return self._specs[spec]

    def _leaf(self, leaf: Tensor, *, given: bool) -> str:
        value = leaf.value if isinstance(leaf, Constant) else None
        if given or value is None:
            self.parts.append(leaf)
            return "given" if given else f"leaf {leaf.known}"
        if value.size > LARGEST_FOLDED:
            self.parts.append(leaf)
        return f"constant {_bits(value)}"

    def _block(self, block: Block, node: Tensor) -> str:
        """The text of a block; graphs use one block in many nodes."""
        found = self._blocks.get((id(block), node.dtype))
        if found is None:
            kind = type(block)
            if is_own(kind):
                raise _UnknownError
            fields = {field.name: getattr(block, field.name) for field in dataclasses.fields(block)}
            settings = sorted({**fields, **vars(block)}.items())
            written = ", ".join([f"{name}={self._setting(value, node)}" for name, value in settings])
            found = self._blocks[id(block), node.dtype] = f"{kind.__module__}.{kind.__qualname__}({written})"
        return found

    def _setting(self, value: Any, node: Tensor) -> str:
        """The text of a setting, which tells types and bits apart: 1, 1.0 and True, 0.0 and -0.0."""
        kind = type(value)
        if kind is float:
            return value.hex()  # type: ignore[no-any-return]
        if value is None or kind in (bool, int, str, bytes):
            return repr(value)
        if kind in (tuple, list):
            return f"{kind.__name__}({', '.join([self._setting(part, node) for part in value])})"
        if isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
            return f"{kind.__name__} {_bits(value)}"
        if isinstance(value, np.dtype) and not value.hasobject:
            return f"dtype {value.descr}"
        if isinstance(value, Graph):
            return f"({self._inner(value)})"
        if isinstance(value, Body):
            return self._body(value, node)
        raise _UnknownError

    def _body(self, body: Body, node: Tensor) -> str:
        if id(body) not in self._bodies:
            self._bodies[id(body)] = f"body {len(self._bodies)}"
            self.parts.append(body)
            steps = [self._inner(body.at(rows, node.dtype)) for rows in ROWS]
            return f"{self._bodies[id(body)]} {body.states} {body.rows} {body.inputs} ({') ('.join(steps)})"
        return self._bodies[id(body)]

    def _inner(self, graph: Graph) -> str:
        """The text of a graph that a block computes by, which must have nothing of its own but its inputs."""
        writer = _Writer()
        text = writer.graph(graph)
        if len(writer.parts) > len(graph.inputs):
            raise _UnknownError
        return text


def _bits(value: np.ndarray[Any, Any] | np.generic) -> str:
    """The text of an array, with its bits as they are, or a hash of many."""
    content = value.tobytes()
    return (
        f"{value.dtype.str}{value.shape} {content.hex() if len(content) <= 64 else hashlib.sha256(content).hexdigest()}"
    )
