"""The forms of whole kinds of blocks: elementwise ones, reductions, products, movements."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from chainrule.blocks.contraction import MatMul
from chainrule.blocks.movement import Broadcast, Iota, Reshape, Transpose
from chainrule.blocks.reduction import Argmax, Size, Sum
from chainrule.blocks.scan import CumulativeSum, Prod
from chainrule.blocks.slicing import Concatenate, Slice, Unslice
from chainrule.blocks.sorting import Argsort
from chainrule.blocks.windows import Spread, Windows
from chainrule.graph.block import Elementwise, Movement, Reduction
from chainrule.xla.forms.form import Call, form_of
from chainrule.xla.namespace import XP
from chainrule.xla.products import product
from chainrule.xla.values import Value, aligned, both


@form_of(Elementwise)
def elementwise(call: Call, *inputs: Value) -> Value:
    """The block's own function; real is what is so in all inputs."""
    rank = len(call.spec.shape)
    array = call.block.forward(XP, *[x.array for x in inputs])
    return Value(jnp.asarray(array, call.spec.dtype), both(*[aligned(x, rank) for x in inputs]))


def _without(real: Any, block: Any) -> Any:
    """The mask of a reduction along axes where it does not vary."""
    if real is None:
        return None
    found = real.any(axis=block.axis, keepdims=block.keepdims)
    return found if found.ndim else None


@form_of(Reduction)
def reduction(call: Call, x: Value) -> Value:
    """The block's own function; in place of what is not real it gets the start value."""
    block, array = call.block, x.array
    if x.varies(block.axis):
        array = x.filled(block.start(np.dtype(array.dtype)))
    return Value(block.forward(XP, array), _without(x.real, block))


@form_of(Sum)
def summed(call: Call, x: Value) -> Value:
    """The sum of what is real."""
    block = call.block
    array = x.filled(0) if x.varies(block.axis) else x.array
    total = jnp.sum(array, axis=block.axis, keepdims=block.keepdims, dtype=call.spec.dtype)
    return Value(total, _without(x.real, block))


@form_of(Prod)
def multiplied(call: Call, x: Value) -> Value:
    """The product of what is real."""
    block = call.block
    array = x.filled(1) if x.varies(block.axis) else x.array
    total = jnp.prod(array, axis=block.axis, keepdims=block.keepdims, dtype=call.spec.dtype)
    return Value(total, _without(x.real, block))


@form_of(Argmax)
def argmax(call: Call, x: Value) -> Value:
    """The place of the largest real element."""
    block, array = call.block, x.array
    if x.varies([block.axis]):
        kind, last = np.dtype(array.dtype), type(block) is not Argmax
        ends = (math.inf, -math.inf) if kind.kind == "f" else (np.iinfo(kind).max, np.iinfo(kind).min)
        array = x.filled(ends[0 if last else 1])
    real = None if x.real is None else x.real.any(axis=block.axis)
    return Value(block.forward(XP, array), real if real is not None and real.ndim else None)


@form_of(Size)
def size(call: Call, x: Value) -> Value:
    """How many elements are real along the axes."""
    count: Any = math.prod(x.array.shape[axis] for axis in call.block.axis)
    for axis in call.block.axis:
        if x.varies([axis]):
            others = tuple(i for i in range(x.real.ndim) if i != axis)
            count = count // x.array.shape[axis] * x.real.any(axis=others).sum()
    return Value(jnp.asarray(count, call.spec.dtype))


@form_of(MatMul)
def matmul(call: Call, a: Value, b: Value) -> Value:
    """A product; what is not real along the axis that is summed over counts as 0."""
    left, right = a.array, b.array
    inner = left.ndim - 1, max(right.ndim - 2, 0)
    if a.varies(inner[:1]) or b.varies(inner[1:]):
        left, right = a.filled(0), b.filled(0)
    found = product(jnp.matmul, left, right, call.precision, rounded=call.rounded)
    rank = found.ndim
    real = None
    if rank:
        of_left = None if a.real is None else a.real.any(-1, keepdims=True)
        of_right = None if b.real is None else b.real.any(inner[1], keepdims=True)
        if right.ndim == 1 and of_left is not None:
            of_left = of_left[..., 0]
        if left.ndim == 1 and of_right is not None:
            of_right = of_right[..., 0, :]
        masks = [Value(None, x) for x in (of_left if left.ndim > 1 else None, of_right if right.ndim > 1 else None)]
        real = both(*[aligned(x, rank) for x in masks])
    return Value(found if call.rounded else found.astype(call.spec.dtype), real)


@form_of(Movement)
def movement(call: Call, x: Value, *others: Value) -> Value:
    """The same movement of the elements and of the mask."""
    rest = [y.array for y in others]
    real = None if x.real is None else call.block.forward(XP, x.mask, *rest)
    return Value(call.block.forward(XP, x.array, *rest), real)


@form_of(Transpose)
def transpose(call: Call, x: Value) -> Value:
    """Array and mask with their axes in another order."""
    axes = call.block.axes
    return Value(x.array.transpose(axes), None if x.real is None else x.real.transpose(axes))


@form_of(Reshape)
def reshape(call: Call, x: Value) -> Value:
    """Array and mask in another shape; a mask of rows alone stays one."""
    shape = call.block.shape
    array = x.array.reshape(shape)
    if x.real is None:
        return Value(array)
    if shape and x.array.shape and shape[0] == x.array.shape[0] and not x.varies(range(1, x.array.ndim)):
        return Value(array, x.real.reshape(-1, *[1] * (len(shape) - 1)))
    return Value(array, x.mask.reshape(shape))


@form_of(Broadcast)
def broadcast(call: Call, x: Value) -> Value:
    """Copies; those along a ragged axis are as many as there are real places."""
    shape = call.block.shape
    new = len(shape) - x.array.ndim
    repeated = [i for i in range(len(shape)) if i < new or x.array.shape[i - new] != shape[i]]
    return Value(jnp.broadcast_to(x.array, shape), both(aligned(x, len(shape)), call.bounds(repeated)))


@form_of(Iota)
def iota(call: Call) -> Value:
    """Numbers in row order; along ragged axes those that are real come as if the others were not there."""
    shape = call.block.shape
    position: Any = jnp.zeros(shape, jnp.uint32)
    for axis, (count, limit) in enumerate(zip(shape, call.limits, strict=True)):
        places = jnp.arange(count, dtype=jnp.uint32).reshape([-1 if i == axis else 1 for i in range(len(shape))])
        position = position * (count if limit is None else jnp.asarray(limit, jnp.uint32)) + places
    return Value(position.astype(jnp.uint32), call.bounds())


@form_of(Concatenate)
def concatenate(call: Call, *inputs: Value) -> Value:
    """Arrays and masks one behind another."""
    axis = call.block.axis
    array = jnp.concatenate([x.array for x in inputs], axis)
    if all(x.real is None for x in inputs):
        return Value(array)
    if not any(x.varies([i for i in range(array.ndim) if i != axis]) for x in inputs):
        ends = [1 if i != axis else x.array.shape[axis] for x in inputs for i in range(array.ndim)]
        shapes = [ends[k : k + array.ndim] for k in range(0, len(ends), array.ndim)]
        masks = [x.mask if x.real is None else x.real for x in inputs]
        cut = [m[tuple(slice(None) if i == axis else slice(1) for i in range(array.ndim))] for m in masks]
        return Value(array, jnp.concatenate([jnp.broadcast_to(m, s) for m, s in zip(cut, shapes, strict=True)], axis))
    return Value(array, jnp.concatenate([x.mask for x in inputs], axis))


@form_of(Slice)
def sliced(call: Call, x: Value) -> Value:
    """A part of the array and of its mask."""
    region = call.block.region()
    if x.real is None:
        return Value(x.array[region])
    flat = tuple(slice(None) if x.real.shape[i] == 1 and x.array.shape[i] != 1 else r for i, r in enumerate(region))
    return Value(x.array[region], x.real[flat])


@form_of(Unslice)
def unsliced(call: Call, x: Value) -> Value:
    """Zeros around the array; they are as real as numbers of the input."""
    block = call.block
    region = Slice(block.start, block.step, x.array.shape).region()
    array = jnp.zeros(block.shape, x.array.dtype).at[region].set(x.array)
    real = None if x.real is None else jnp.ones(block.shape, bool).at[region].set(x.mask)
    return Value(array, both(real, call.bounds()))


@form_of(CumulativeSum)
def cumulative_sum(call: Call, x: Value) -> Value:
    """The block's own function of what is real."""
    return Value(call.block.forward(XP, x.filled(0) if x.varies([call.block.axis]) else x.array), x.real)


@form_of(Argsort)
def argsort(call: Call, x: Value) -> Value:
    """The places of the elements in order; those that are not real come last."""
    axis, descending, array = call.block.axis, call.block.descending, x.array
    last = jnp.zeros((), bool) if not x.varies([axis]) else ~x.mask
    rank = jnp.argsort(jnp.flip(array, axis) if descending else array, axis=axis, stable=True)
    if descending:
        rank = array.shape[axis] - 1 - jnp.flip(rank, axis)
    if last.ndim:
        behind = jnp.take_along_axis(last, rank, axis)
        rank = jnp.take_along_axis(rank, jnp.argsort(behind, axis=axis, stable=True), axis)
    return Value(rank.astype(call.spec.dtype), x.real)


@form_of(Windows)
def windows(call: Call, x: Value) -> Value:
    """Windows of the array."""
    return Value(_windows(call.block, x.array), None if x.real is None else _windows(call.block, x.mask) | False)


def _taken(block: Any, places: Any, k: Any) -> tuple[slice, ...]:
    steps = zip(k, block.stencil.dilation, block.stencil.stride, places, strict=True)
    return tuple(slice(d * j, d * j + s * (n - 1) + 1, s) for j, d, s, n in steps)


def _windows(block: Any, x: Any) -> Any:
    stencil, axes = block.stencil, block.stencil.axes
    places, own = stencil.places(x.shape[1 : 1 + axes]), x.ndim > axes + 2
    margins = [*zip(stencil.before, stencil.after, strict=True)]
    filling = block.filling if x.dtype != bool else True
    x = jnp.pad(x, [(0, 0), *margins, *[(0, 0)] * (x.ndim - 1 - axes)], constant_values=filling)
    parts = [x[(slice(None), *_taken(block, places, k), *(k if own else ()))] for k in np.ndindex(*stencil.width)]
    stacked = jnp.stack(parts, 1 + axes)
    return stacked.reshape(x.shape[0], *places, *stencil.width, x.shape[-1])


@form_of(Spread)
def spread(call: Call, x: Value) -> Value:
    """The transpose of windows of an own number each: every place is written."""
    block, stencil, axes = call.block, call.block.stencil, call.block.stencil.axes
    whole = [sum(n) for n in zip(block.sizes, stencil.before, stencil.after, strict=True)]

    def together(array: Any, filling: Any) -> Any:
        y = jnp.full((array.shape[0], *whole, *stencil.width, array.shape[-1]), filling, array.dtype)
        for k in np.ndindex(*stencil.width):
            taken = _taken(block, array.shape[1 : 1 + axes], k)
            y = y.at[(slice(None), *taken, *k)].set(array[(slice(None),) * (1 + axes) + k])
        inside = [slice(a, a + n) for a, n in zip(stencil.before, block.sizes, strict=True)]
        return y[(slice(None), *inside)]

    return Value(together(x.array, 0), None if x.real is None else together(x.mask, True))
