"""Rows that are written where a leaf lies, so that what a function keeps of texts grows without being copied."""

from __future__ import annotations

from typing import Any

from chainrule.blocks.putting import PutAt
from chainrule.graph.block import Element, Index
from chainrule.graph.spec import Shape
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph, Update
from chainrule.passes import rebuild, with_inputs


class PutInPlace(PutAt, abstract=True):
    """The rows are written into the memory of x, a leaf, at this place of the program; y is what lies there."""

    name = PutAt.name

    def element(self, xp: Any, index: Index, shape: Shape, x: Element, *others: Element) -> Any:  # noqa: ARG002
        """That of the leaf."""
        return x(index)


def is_written_in_place(update: Update) -> bool:
    """Whether an update is made where its value is computed, and not at the end."""
    return isinstance(update.value.block, PutInPlace)


def with_rows_in_place(graph: Graph) -> Graph:
    """The graph in which a leaf that becomes itself with some rows replaced is written in place.

    That is done where nothing else reads the leaf, and so nothing may read what it was before.
    """
    readers: dict[Tensor, int] = {}
    for node in graph.nodes():
        for x in node.inputs:
            readers[x] = readers.get(x, 0) + 1
    for x in graph.results():
        readers[x] = readers.get(x, 0) + (x.block is None)
    chosen = {
        update.value
        for update in graph.updates
        if update.rows is None
        and isinstance(update.value.block, PutAt)
        and update.value.inputs[0] is update.target
        and readers[update.target] == 1
    }

    def replace(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
        return Tensor(node.spec, block=PutInPlace(), inputs=inputs) if node in chosen else with_inputs(node, inputs)

    return rebuild(graph, replace) if chosen else graph
