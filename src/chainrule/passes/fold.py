"""Constant folding: what depends on constants alone is computed once, when the program is made."""

from __future__ import annotations

import numpy as np

from chainrule.blocks.reduction import Size
from chainrule.errors import ChainruleError
from chainrule.graph.leaves import Constant
from chainrule.graph.spec import spec_of
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph
from chainrule.passes.common import LARGEST_FOLDED
from chainrule.passes.rewrite import rebuild, with_inputs


def fold_constants(graph: Graph) -> Graph:
    """The graph with every small node over constants replaced by its value.

    Parameters and tensors with data may change between runs, so they are no constants here. Sizes are not written into
    a program, for one program serves all of them: `Size` stays, and so does what has more elements or more axes than
    its inputs (a broadcast, a count through a shape), which a loop makes from less. What fails stays too, and fails
    with its own message when the program runs.

    Example:
        >>> import chainrule
        >>> print(fold_constants(chainrule.trace(lambda x: x + chainrule.exp(1.0) * 2, chainrule.Spec((3,)))))
        %0: float32(3,) = input x
        %1: float32() = constant 5.43656
        %2: float32(3,) = add %0 %1
        return %2
    """
    return rebuild(graph, folded)


def folded(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
    """The node over these inputs, as a constant when it is one."""
    node = with_inputs(node, inputs)
    if node.block is None or not inputs or isinstance(node.block, Size):
        return node
    if not all(isinstance(x, Constant) and x.value is not None for x in inputs):
        return node
    size, rank = max(x.spec.size for x in inputs), max(x.spec.rank for x in inputs)
    if node.spec.size > min(LARGEST_FOLDED, size) or node.spec.rank > rank:
        return node
    try:
        value = node.block.run([x.numpy() for x in inputs])
    except ChainruleError:
        return node
    if spec_of(value) != node.spec:
        return node
    constant = Constant(node.spec, np.array(value, order="C"), name=node.name)
    constant.layers = node.layers
    return constant
