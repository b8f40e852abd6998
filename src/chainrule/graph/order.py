"""The order of a graph: every node after its inputs."""

from __future__ import annotations

from collections.abc import Iterable

from chainrule.graph.errstate import IGNORE, reset_errors, set_errors
from chainrule.graph.tensor import TRACING, Tensor


def topological_order(outputs: Iterable[Tensor], *, known: bool = True) -> list[Tensor]:
    """All nodes that the outputs depend on, inputs before outputs; iterative, so depth has no limit.

    Args:
        outputs: nodes.
        known: whether to go through nodes that have a value, too.
    """
    order: list[Tensor] = []
    met: set[Tensor] = set()
    stack: list[Tensor | None] = [*reversed([*outputs])]  # None stands above a node whose inputs have come by then
    while stack:
        node = stack.pop()
        if node is None:
            order.append(stack.pop())  # type: ignore[arg-type]
        elif node not in met:
            met.add(node)
            if node.inputs and (known or node.value is None):
                stack += [node, None]
                stack += [x for x in reversed(node.inputs) if x not in met]
            else:
                order.append(node)
    return order


def evaluate(outputs: Iterable[Tensor]) -> None:
    """Compute the values that the outputs need and that are not there yet; leaves without a value stay so."""
    tracing, before = TRACING.get(), set_errors(IGNORE)  # once, not for each node
    try:
        for node in topological_order(outputs, known=False):
            if node.block is not None and node.value is None and (not tracing or all(x.known for x in node.inputs)):
                node.block.compute(node)
    finally:
        reset_errors(before)
