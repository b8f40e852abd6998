"""The forms of blocks that repeat a function: a scan over the steps of texts, and updates that are made up for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from chainrule.blocks.recurrence import Scan
from chainrule.blocks.repetition import Repeat
from chainrule.blocks.scan import Recurrence
from chainrule.graph.trace import Graph
from chainrule.xla.forms.form import Call, form_of
from chainrule.xla.namespace import XP
from chainrule.xla.values import Value


@form_of(Scan)
def scan(call: Call, starts: Value, *inputs: Value) -> Value:
    """One step after another over the rows in step-major order, where those of a step lie side by side.

    A step computes as many rows as there are texts; those that are none of its own are not written.
    """
    from chainrule.xla.lowering import lowered  # which looks forms up

    block, body = call.block, call.block.body
    states, rows, shared = block.split([x.array for x in inputs])
    texts, count = states[0].shape[0], starts.array.shape[0] - 1
    dtype, sizes = states[0].dtype, [x.size for x in body.outputs]
    if count == 0 or texts == 0:
        return Value(jnp.zeros(count * sum(sizes), dtype))
    graph: Graph = body.at(texts, dtype)
    run = lowered(graph)
    steps = jnp.searchsorted(-jnp.diff(starts.array), 0, side="left")  # those that have a row
    padded = [jnp.concatenate([x, jnp.zeros((texts, *x.shape[1:]), x.dtype)]) for x in rows]
    room = [jnp.zeros((count + texts, *x.shape), dtype) for x in body.outputs]

    def step(number: Any, held: Any) -> Any:
        carried, written = held
        t = steps - 1 - number if block.backwards else number
        start = starts.array[t]
        active = jnp.arange(texts) < starts.array[t + 1] - start
        given = [jax.lax.dynamic_slice_in_dim(x, start, texts) for x in padded]
        found = run([*carried, *given, *shared])

        def chosen(new: Any, old: Any) -> Any:
            return jnp.where(active.reshape(-1, *[1] * (new.ndim - 1)), new, old)

        after = [chosen(new.astype(dtype), old) for new, old in zip(found, carried, strict=False)]
        outputs = []
        for place, value in zip(written, found, strict=True):
            kept = chosen(value.astype(dtype), jax.lax.dynamic_slice_in_dim(place, start, texts))
            outputs.append(jax.lax.dynamic_update_slice_in_dim(place, kept, start, 0))
        return after, outputs

    _, found = jax.lax.fori_loop(0, steps, step, ([*states], room))
    packed = jnp.concatenate([x[:count].reshape(-1) for x in found])
    if call.limits[0] is None:
        return Value(packed)
    real = jnp.arange(count) < starts.array[-1]
    return Value(packed, jnp.concatenate([jnp.repeat(real, size) for size in sizes]))


@form_of(Repeat)
def repeat(call: Call, first: Value, last: Value, *rest: Value) -> Value:
    """A function applied as often as each row asks for."""
    block = call.block
    numbers, tensors = [x.array for x in rest[: -block.count]], [x.array for x in rest[-block.count :]]
    if not first.array.size:
        return Value(jnp.stack(tensors))
    dtype, places = tensors[0].dtype, first.filled(2**31)
    end = last.array.astype(jnp.int64)

    def again(place: Any, values: Sequence[Any]) -> list[Any]:
        given = [x[place].astype(dtype) for x in numbers]
        changed = block.apply(XP, [*given, *values])
        due = (places < place).reshape(-1, *[1] * (tensors[0].ndim - 1))
        return [jnp.where(due, new, old).astype(dtype) for new, old in zip(changed, values, strict=True)]

    begin = jnp.minimum(places.min().astype(jnp.int64) + 1, end + 1)
    found = jax.lax.fori_loop(begin, end + 1, again, tensors)
    real = None if first.real is None else first.real.reshape(1, -1, *[1] * (tensors[0].ndim - 1))
    return Value(jnp.stack(found), real)


@form_of(Recurrence)
def recurrence(call: Call, a: Value, b: Value) -> Value:
    """y[i] = a[i] y[i - 1] + b[i], in a tree."""
    block = call.block
    factors, summands = (a.filled(0), b.filled(0)) if b.varies([block.axis]) else (a.array, b.array)
    if not summands.shape[block.axis]:
        return b

    def combine(left: Any, right: Any) -> Any:
        return left[0] * right[0], left[1] * right[0] + right[1]

    _, found = jax.lax.associative_scan(combine, (factors, summands), reverse=block.from_end, axis=block.axis)
    return Value(found, b.real)
