"""Algebraic identities: what leaves its input as it is, and pairs of steps that are one step."""

from __future__ import annotations

from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph
from chainrule.passes import arithmetic, movement
from chainrule.passes.rewrite import rebuild, with_inputs

#: The rule for each block that has one. A class derived from such a block may compute something else: it has none.
RULES = {**arithmetic.RULES, **movement.RULES}
#: How often a rule's result is looked at again; every rule takes a step away, so that it ends by itself.
BOUND = 10


def simplify(graph: Graph) -> Graph:
    """The graph with the identities in `arithmetic` and `movement` applied.

    Each gives every element the same bits, for NaN, infinities, zeros of either sign and the smallest numbers too; a
    NaN stays a NaN, of whatever sign and payload. The one exception is the square, which may differ in the last bit
    from a power that was rounded less well. When NumPy runs a graph, a sum may also differ by rounding, for NumPy adds
    up in the order of an array in memory, and a result that is left as it is may lie there in another order.

    Gradients do not survive `stop_gradient` being taken out: take them first.

    Example:
        >>> import chainrule
        >>> print(simplify(chainrule.trace(lambda x: -(-x.T.T) * 1, chainrule.Spec((2, 3)))))
        %0: float32(2, 3) = input x
        return %0
    """
    return rebuild(graph, simplified)


def simplified(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
    """The node over these inputs, which are simplified already, after all rules for it."""
    node = with_inputs(node, inputs)
    for _ in range(BOUND):
        rule = RULES.get(type(node.block))
        result = rule(node.block, node) if rule is not None else None
        if result is None:
            break
        node = result
    return node
