"""The order of a graph: every node after its inputs."""

from __future__ import annotations

from collections.abc import Iterable

from chainrule.graph.tensor import Tensor


def topological_order(outputs: Iterable[Tensor]) -> list[Tensor]:
    """All nodes that the outputs depend on, inputs before outputs; iterative, so depth has no limit."""
    order: list[Tensor] = []
    seen: set[Tensor] = set()
    stack = [(output, False) for output in reversed(list(outputs))]
    while stack:
        node, expanded = stack.pop()
        if expanded:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((x, False) for x in reversed(node.inputs) if x not in seen)
    return order


def evaluate(outputs: Iterable[Tensor]) -> None:
    """Compute the values that the outputs need and that are not there yet; leaves without a value stay so."""
    for node in topological_order(outputs):
        if not node.known and node.block is not None and all(x.known for x in node.inputs):
            node.block.compute(node)
