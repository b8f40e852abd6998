"""Lowering: a graph as a JAX function of the values of its leaves."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.errors import PerformanceWarning
from chainrule.graph.block import Block
from chainrule.graph.leaves import Constant
from chainrule.graph.trace import Graph
from chainrule.graph.tensor import Tensor
from chainrule.xla.forms import Call, find_form
from chainrule.xla.values import Value

#: Of nodes whose sizes are ragged: for each axis how many places are real; None for all.
Limits = Mapping[Tensor, Sequence[Any]]


def values_of(
    nodes: Sequence[Tensor],
    known: Mapping[Tensor, Value],
    *,
    limits: Limits | None = None,
    longest: Mapping[Tensor, int] | None = None,
    reduced: bool = False,
) -> dict[Tensor, Value]:
    """The values of nodes, in the order in which they can be computed.

    Args:
        nodes: inputs before outputs.
        known: the values of leaves that are no constants.
        limits: how many places along each axis of a node are real.
        longest: of nodes that are offsets, how many tokens a text has at most.
        reduced: whether products are of bfloat16 numbers.
    """
    found = dict(known)
    for node in nodes:
        if node in found:
            continue
        block = node.block
        if block is None:
            if not isinstance(node, Constant) or node.value is None:
                found[node] = Value(jnp.asarray(node.numpy()))
            else:
                found[node] = Value(jnp.asarray(node.value, node.dtype))
            continue
        inputs = [found[x] for x in node.inputs]
        ends = (limits or {}).get(node, (None,) * len(node.shape))
        lengths = [(longest or {}).get(x) for x in node.inputs if x.dtype.kind == "i"]
        call = Call(block, node.spec, ends, reduced, lengths)
        form = find_form(block)
        found[node] = on_host(call, inputs) if form is None else form(call, *inputs)
    return found


def on_host(call: Call, inputs: Sequence[Value]) -> Value:
    """A block that is of no kind and has no form: its `forward` runs in NumPy, and the device waits for it."""
    block: Block = call.block
    if not block.stops:
        warnings.warn(
            f"xla: block {block.name} runs on the host in NumPy, and its numbers go there and back in each call; an "
            f"elementwise block, or one whose forward uses xp alone, stays on the device",
            PerformanceWarning,
            stacklevel=2,
        )

    def run(*arrays: Any) -> np.ndarray[Any, Any]:
        return block.run([np.asarray(x) for x in arrays], call.spec)

    shape = jax.ShapeDtypeStruct(call.spec.shape, call.spec.dtype)
    array = jax.pure_callback(run, shape, *[x.array for x in inputs])
    return Value(array, call.bounds())


def lowered(graph: Graph) -> Callable[[Sequence[Any]], list[Any]]:
    """A graph without updates as a function from the arrays of its inputs to those of its outputs."""
    nodes = graph.nodes()

    def run(arrays: Sequence[Any]) -> list[Any]:
        known = {leaf: Value(array) for leaf, array in zip(graph.inputs, arrays, strict=True)}
        found = values_of(nodes, known)
        return [found[x].array for x in graph.outputs]

    return run
