"""Passes: graph to graph, the same values with less work."""

from __future__ import annotations

from chainrule.graph.trace import Graph
from chainrule.passes.common import Common, merge_common
from chainrule.passes.fold import fold_constants, folded
from chainrule.passes.identities import simplified, simplify
from chainrule.passes.rewrite import in_turn, rebuild, with_inputs

__all__ = ["fold_constants", "merge_common", "optimise", "rebuild", "simplify", "with_inputs"]

#: How often the passes run at most; nearly every graph is done after one round, and all of them are correct at any.
ROUNDS = 10


def optimise(graph: Graph) -> Graph:
    """The graph with constants folded, identities applied and common subexpressions merged, until nothing changes.

    The passes go together through the graph: each node is folded, simplified and merged before what reads it, so that
    one round nearly always suffices. Nothing dead is left, since a graph is what its outputs reach: the side that a
    constant `where` does not choose is not computed, and so cannot fail. The result has the same inputs, no more nodes,
    and the values that `simplify` promises; where there is nothing to do it is the graph itself. Take gradients first:
    `stop_gradient` is gone afterwards.

    Args:
        graph: any graph over leaves, gradients included.

    Raises:
        ConfigurationError: for a graph of which an input, or what it updates, is a constant or a computed node.

    Example:
        >>> import chainrule
        >>> def loss_and_gradient(x):
        ...     loss = -((x - 1) ** 2).sum()
        ...     return loss, chainrule.grad(loss, x)
        >>> graph = chainrule.trace(loss_and_gradient, chainrule.Spec((3,)), names=["x"])
        >>> print(graph)
        %0: float32(3,) = input x
        %1: float32() = constant 1
        %2: float32(3,) = subtract %0 %1
        %3: float32() = constant 2
        %4: float32(3,) = power %2 %3
        %5: float32() = sum(axis=(0,), keepdims=False) %4
        %6: float32() = negative %5
        %7: float32() = constant 1
        %8: float32() = identity %7
        %9: float32() = negative %8
        %10: float32(3,) = broadcast(shape=(3,)) %9
        %11: float32() = constant 0
        %12: bool() = equal %3 %11
        %13: float32() = constant 0
        %14: float32() = constant 0
        %15: bool() = equal %3 %14
        %16: float32() = constant 1
        %17: float32() = constant 1
        %18: float32() = subtract %3 %17
        %19: float32() = where %15 %16 %18
        %20: float32(3,) = power %2 %19
        %21: float32(3,) = multiply %3 %20
        %22: float32(3,) = where %12 %13 %21
        %23: float32(3,) = multiply %10 %22
        return %6 %23
        >>> print(optimise(graph))
        %0: float32(3,) = input x
        %1: float32() = constant 1
        %2: float32(3,) = subtract %0 %1
        %3: float32(3,) = multiply %2 %2
        %4: float32() = sum(axis=(0,), keepdims=False) %3
        %5: float32() = negative %4
        %6: float32() = constant 2
        %7: float32(3,) = multiply %6 %2
        %8: float32(3,) = negative %7
        return %5 %8
    """
    for _ in range(ROUNDS):
        result = rebuild(graph, in_turn(folded, simplified, Common()))
        if result is graph:
            break
        graph = result
    return graph
