"""Lowering: a graph as a JAX function of the values of its leaves."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.blocks.attention import Attend
from chainrule.blocks.attention_gradient import AttendGradient
from chainrule.blocks.indexing import Gather
from chainrule.errors import PerformanceWarning
from chainrule.graph.block import Block, Contraction, Elementwise, Movement
from chainrule.graph.leaves import Constant, Parameter
from chainrule.graph.order import topological_order
from chainrule.graph.spec import FLOAT32
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph
from chainrule.xla.forms import Call, find_form
from chainrule.xla.forms.fused import kernel_of
from chainrule.xla.products import MIXED, SINGLE
from chainrule.xla.values import Value

#: Blocks that take numbers of bfloat16 as they come: they move them, or compute products of such numbers anyway.
KEEPING = (Movement, Contraction, Attend, AttendGradient)
#: Of nodes whose sizes are ragged: for each axis how many places are real; None for all.
Limits = Mapping[Tensor, Sequence[Any]]


def values_of(
    nodes: Sequence[Tensor],
    known: Mapping[Tensor, Value],
    *,
    limits: Limits | None = None,
    longest: Mapping[Tensor, int] | None = None,
    outputs: Sequence[Tensor] = (),
    precision: str = SINGLE,
) -> dict[Tensor, Value]:
    """The values of nodes, in the order in which they can be computed.

    Args:
        nodes: inputs before outputs.
        known: the values of leaves that are no constants.
        limits: how many places along each axis of a node are real.
        longest: of nodes that are offsets, how many tokens a text has at most.
        outputs: what the nodes compute besides updates, such as a loss.
        precision: of products; in updates they keep all digits.
    """
    found = dict(known)
    exact = set() if precision == SINGLE else exact_nodes(nodes, outputs)
    kept: dict[Any, Any] = {}
    read_by_small = {x for node in nodes if node not in exact for x in node.inputs}
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
        digits = SINGLE if node in exact else precision
        rounded = precision == MIXED and node not in exact and node in read_by_small and _is_small(node, found)
        kernel = kernel_of(node, longest or {}, digits)
        call = Call(block, node.spec, ends, digits, lengths, kernel, rounded, kept)
        form = find_form(block)
        if precision != MIXED:
            found[node] = on_host(call, inputs) if form is None else form(call, *inputs)
            continue
        keeps = call.precision == MIXED and isinstance(block, KEEPING)
        widened = inputs if keeps else [_wide(v, x) for v, x in zip(inputs, node.inputs, strict=True)]
        value = on_host(call, widened) if form is None else form(call, *widened)
        found[node] = Value(value.array.astype(jnp.bfloat16), value.real) if rounded else value
    return found


def exact_nodes(nodes: Sequence[Tensor], outputs: Sequence[Tensor]) -> set[Tensor]:
    """The nodes of updates, which keep all digits.

    They depend on the state of an optimizer, or on what the host says, in another way than through the loss.
    """
    loss, exact = set(topological_order(outputs)), set[Tensor]()
    for node in nodes:
        told = node.block is None and node.dtype.kind == "f" and not isinstance(node, Constant | Parameter)
        if node not in loss and (told or not exact.isdisjoint(node.inputs)):
            exact.add(node)
    return exact


def _wide(value: Value, node: Tensor) -> Value:
    """A value in the dtype that its node has."""
    return value if value.array.dtype == node.dtype else Value(value.array.astype(node.dtype), value.real)


def _is_small(node: Tensor, found: Mapping[Tensor, Value]) -> bool:
    """Whether a result is kept as bfloat16: products, and what is computed of those, of parameters and of numbers."""
    if node.dtype != FLOAT32:
        return False
    if isinstance(node.block, Contraction | Attend):
        return True
    if not isinstance(node.block, Elementwise | Movement) or isinstance(node.block, Gather):
        return False
    floats = [x for x in node.inputs if x.dtype.kind == "f"]
    small = [found[x].array.dtype == jnp.bfloat16 for x in floats]
    others = (is_small or x.spec.size == 1 or _is_weight(x) for x, is_small in zip(floats, small, strict=True))
    return any(small) and all(others)


def _is_weight(x: Tensor) -> bool:
    """Whether a node is a parameter, or one in another shape."""
    while isinstance(x.block, Movement) and len(x.inputs) == 1:
        (x,) = x.inputs
    return isinstance(x, Parameter | Constant)


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
