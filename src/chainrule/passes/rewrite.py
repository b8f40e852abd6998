"""Rewrite a graph node by node: what every pass is made of."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable
from typing import TypeAlias

from chainrule.errors import ConfigurationError, ShapeError
from chainrule.graph.block import Block
from chainrule.graph.leaves import Constant
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph, Update

#: `replace(node, inputs)`: what takes the place of a node whose inputs have become `inputs`; a tensor of the same spec.
Replace: TypeAlias = Callable[[Tensor, tuple[Tensor, ...]], Tensor]


def rebuild(graph: Graph, replace: Replace) -> Graph:
    """The graph with every node replaced, inputs before outputs.

    Constants are replaced like nodes. All other leaves (the graph's inputs, parameters, tensors with data) stay the
    objects they are, and so does every part of the graph in which nothing is replaced; a graph in which nothing is
    replaced at all is returned as it is. A result of a leaf that the graph updates is computed in any case: it is what
    the leaf was before.

    Args:
        graph: any graph over leaves.
        replace: what takes the place of a node; `with_inputs` is the one that changes nothing.

    Raises:
        ConfigurationError: for a graph of which an input, or what it updates, is a constant or a computed node.
        ShapeError: when a replacement has another spec.

    Example:
        >>> import chainrule
        >>> graph = chainrule.trace(lambda x: -chainrule.exp(x), chainrule.Spec((3,)))
        >>> def without_signs(node, inputs):
        ...     return inputs[0] if node.block is not None and node.block.name == "negative" else node
        >>> print(rebuild(graph, without_signs))
        %0: float32(3,) = input x
        %1: float32(3,) = exp %0
        return %1
    """
    changing = {update.target for update in graph.updates}
    for leaf in (*graph.inputs, *changing):
        if leaf.block is not None or isinstance(leaf, Constant):
            raise ConfigurationError(
                f"passes: {leaf.label} is an input of the graph or changed by it; expected a leaf that is no constant, "
                f"for the value of anything else is part of the program"
            )
    found: dict[Tensor, Tensor] = {}
    for node in graph.nodes():
        if node.block is None and not isinstance(node, Constant):
            found[node] = node
            continue
        found[node] = replace(node, tuple(found[x] for x in node.inputs))
        if found[node].spec != node.spec:
            raise ShapeError(f"passes: {node.label} was replaced by a tensor of {found[node].spec}; expected its spec")
    for node in graph.results():
        if found[node] in changing and node.block is not None:
            found[node] = with_inputs(node, tuple(found[x] for x in node.inputs))
    if all(found[node] is node for node in graph.results()):
        return graph
    outputs = tuple(found[output] for output in graph.outputs)
    updates = tuple(
        Update(update.target, found[update.value], None if update.rows is None else found[update.rows])
        for update in graph.updates
    )
    return dataclasses.replace(graph, outputs=outputs, updates=updates)


def with_inputs(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
    """The node over these inputs: itself when they are its own, else a copy without a value."""
    if all(map(operator.is_, inputs, node.inputs)):
        return node
    copy = Tensor(node.spec, block=node.block, inputs=inputs, name=node.name)
    copy.layers = node.layers
    return copy


def apply(block: Block, inputs: tuple[Tensor, ...], like: Tensor) -> Tensor:
    """A block over inputs, without a value, under the name and the layers of the node that it replaces."""
    node = Tensor(block.infer(*[x.spec for x in inputs]), block=block, inputs=inputs, name=like.name)
    node.layers = like.layers
    return node


def in_turn(*replacements: Replace) -> Replace:
    """One replacement after another, each of what the one before it gave."""

    def replace(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
        for each in replacements:
            node = each(node, inputs)
            inputs = node.inputs
        return node

    return replace
