"""The forms of blocks whose indices are rows or places: look-ups, their transposes, distinct rows."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.blocks.along_axis import PutAlongAxis, TakeAlongAxis
from chainrule.blocks.indexing import Gather, GatherOrZero, ScatterAdd
from chainrule.blocks.places import Inverse, Neighbours, Rearrange
from chainrule.blocks.points import GatherPoints, PutPoints, SetPoints
from chainrule.blocks.positions import FromStart, Position
from chainrule.blocks.putting import PutAt
from chainrule.blocks.slots import Distinct, FirstSlots
from chainrule.xla.forms.form import Call, form_of
from chainrule.xla.sums import sums_by_place
from chainrule.xla.values import Value, both


def _rows(mask: Any, rank: int) -> Any:
    return None if mask is None else mask.reshape(*mask.shape, *[1] * (rank - mask.ndim))


def _taken(table: Any, indices: Any) -> Any:
    """Rows of a table; an index that is none gives any row, or zeros where there are none."""
    if table.shape[0] == 0:
        return jnp.zeros((*indices.shape, *table.shape[1:]), table.dtype)
    return jnp.take(table, indices, axis=0, mode="clip")


@form_of(Gather)
def gather(call: Call, table: Value, indices: Value) -> Value:
    """Rows of a table."""
    array, rank = _taken(table.array, indices.array), len(call.spec.shape)
    real = None
    if table.real is not None:
        by_row = jnp.broadcast_to(table.real, (table.array.shape[0], *table.real.shape[1:]))
        real = _taken(by_row, indices.array)
    return Value(array, both(_rows(indices.real, rank), real))


@form_of(GatherOrZero)
def gather_or_zero(call: Call, table: Value, indices: Value) -> Value:
    """Rows of a table, and zeros for what is no row."""
    rows, rank = table.array.shape[0], len(call.spec.shape)
    there = (indices.array >= 0) & (indices.array < rows)
    if table.real is not None:
        there &= _taken(table.rows, indices.array)
    array = jnp.where(_rows(there, rank), _taken(table.array, jnp.where(there, indices.array, 0)), 0)
    return Value(array.astype(call.spec.dtype), _rows(indices.real, rank))


@form_of(Rearrange)
def rearrange(call: Call, x: Value, to: Value, _: Value) -> Value:
    """Rows in another order, and zeros for what is no row."""
    return gather_or_zero(call, x, to)


@form_of(ScatterAdd)
def scatter_add(call: Call, x: Value, indices: Value) -> Value:
    """Rows added into a table; those that are not real are left out."""
    size, real = call.block.size, both(x.rows, indices.real)
    places = indices.array if real is None else jnp.where(real, indices.array, size)
    return Value(sums_by_place(x.array, places, size), call.bounds([0]))


def _put(x: Any, places: Any, real: Any, size: int) -> Any:
    """Numbers added at places in a flat array."""
    flat = places if real is None else jnp.where(real, places, size)
    return sums_by_place(x.reshape(-1), flat.reshape(-1), size)


@form_of(PutAlongAxis)
def put_along_axis(call: Call, x: Value, indices: Value) -> Value:
    """Numbers added at indices along an axis."""
    shape, axis = call.spec.shape, call.block.axis
    flat: Any = 0
    for i, size in enumerate(shape):
        own = jnp.arange(x.array.shape[i]).reshape([-1 if k == i else 1 for k in range(len(shape))])
        flat = flat * size + (indices.array.astype(jnp.int64) if i == axis else own)
    flat, size = jnp.broadcast_to(flat, x.array.shape), math.prod(shape)
    real = both(x.real, indices.real)
    found = _put(x.array, flat, None if real is None else jnp.broadcast_to(real, flat.shape), size)
    return Value(found.reshape(shape), call.bounds())


@form_of(TakeAlongAxis)
def take_along_axis(call: Call, x: Value, indices: Value) -> Value:
    """Elements at indices along an axis."""
    axis = call.block.axis
    if x.array.shape[axis] == 0:
        return Value(jnp.zeros(call.spec.shape, call.spec.dtype), indices.real)
    others = None if x.real is None else x.real.any(axis=axis, keepdims=True)
    return Value(jnp.take_along_axis(x.array, indices.array, axis, mode="clip"), both(indices.real, others))


@form_of(GatherPoints)
def gather_points(call: Call, x: Value, *positions: Value) -> Value:
    """Elements at positions along several axes."""
    places = tuple(p.array for p in positions)
    real = both(*[p.real for p in positions])
    array = x.array[places] if x.array.size else jnp.zeros(call.spec.shape, call.spec.dtype)
    return Value(array, _rows(real, len(call.spec.shape)))


@form_of(PutPoints)
def put_points(call: Call, x: Value, *positions: Value) -> Value:
    """Numbers added at positions along several axes."""
    sizes, shape = call.block.sizes, call.spec.shape
    rest = shape[len(sizes) :]
    flat: Any = 0
    for position, size in zip(positions, sizes, strict=True):
        flat = flat * size + position.array.astype(jnp.int64)
    width = math.prod(rest)
    flat = flat[..., None] * width + jnp.arange(width)
    real = both(*[p.real for p in positions])
    real = None if real is None else jnp.broadcast_to(real[..., None], flat.shape)
    return Value(_put(x.array, flat, real, math.prod(shape)).reshape(shape), call.bounds())


@form_of(SetPoints)
def set_points(call: Call, x: Value, positions: Value, values: Value) -> Value:
    """Other numbers at positions: of several at one, the last."""
    n, count = x.array.shape[0], positions.array.shape[0]
    real = both(positions.real, values.real)
    places = positions.array if real is None else jnp.where(real, positions.array, n)
    last = jnp.full(n, -1).at[places].max(jnp.arange(count), mode="drop")
    chosen = values.array[jnp.maximum(last, 0)] if count else jnp.zeros(n, x.array.dtype)
    return Value(jnp.where(last >= 0, chosen, x.array), x.real)


@form_of(PutAt)
def put_at(call: Call, x: Value, places: Value, values: Value) -> Value:
    """Another row in each text."""
    return Value(x.array.at[jnp.arange(x.array.shape[0]), places.array].set(values.array, mode="drop"), x.real)


@form_of(FromStart)
def from_start(call: Call, indices: Value, x: Value) -> Value:
    """Positions counted from the start."""
    axis, wide = call.block.axis, indices.array.astype(jnp.int64)
    size: Any = x.array.shape[axis]
    if x.varies([axis]):
        size = x.real.any(axis=tuple(i for i in range(x.real.ndim) if i != axis)).sum()
    return Value(jnp.where((wide < 0) & (wide >= -size), wide + size, wide), indices.real)


@form_of(Position)
def position(call: Call, indices: Value, _: Value) -> Value:
    """The positions themselves."""
    return indices


@form_of(FirstSlots)
def first_slots(call: Call, x: Value) -> Value:
    """The distinct values, numbered in order of first appearance: by sorting, as sizes must not depend on data."""
    array, n = x.array, x.array.shape[0]
    if n == 0:
        return Value(jnp.zeros(0, jnp.int64))
    array = x.filled(np.iinfo(array.dtype).max)  # what is not real is one more value
    order = jnp.argsort(array, stable=True)
    ordered = array[order]
    begins = jnp.concatenate([jnp.ones(1, bool), ordered[1:] != ordered[:-1]])
    begin = jax.lax.cummax(jnp.where(begins, jnp.arange(n), 0))  # where the run of each value begins
    first = jnp.zeros(n, bool).at[order].set(begins, unique_indices=True)
    if x.real is not None:
        first &= jnp.broadcast_to(x.real, (n,))
    number = jnp.maximum(jnp.cumsum(first) - 1, 0)
    slots = number[order[begin]]
    return Value(jnp.zeros(n, jnp.int64).at[order].set(slots.astype(jnp.int64), unique_indices=True), x.real)


@form_of(Distinct)
def distinct(call: Call, x: Value, slots: Value) -> Value:
    """Each value at its slot."""
    n, fill = x.array.shape[0], call.block.fill
    real = both(x.real, slots.real)
    places = slots.array if real is None else jnp.where(real, slots.array, n)
    return Value(jnp.full(n, fill, x.array.dtype).at[places].set(x.array, mode="drop"))


@form_of(Neighbours)
def neighbours(call: Call, ids: Value) -> Value:
    """The place further on in the same segment, and -1 where there is none."""
    array, n, by = ids.array, ids.array.shape[0], call.block.by
    there = jnp.arange(n) + by
    held = jnp.clip(there, 0, max(n - 1, 0))
    same = (there == held) & (array[held] == array) if n else jnp.zeros(0, bool)
    if ids.real is not None:
        same &= jnp.broadcast_to(ids.real, (n,))[held]
    return Value(jnp.where(same, there, -1), ids.real)


@form_of(Inverse)
def inverse(call: Call, to: Value, like: Value) -> Value:
    """Where each row comes from, and -1 for what no place leads to."""
    n, count = like.array.shape[0], to.array.shape[0]
    places = to.array if to.real is None else jnp.where(to.real, to.array, -1)
    there = jnp.where(places < 0, n, places)
    return Value(jnp.full(n, -1, jnp.int64).at[there].set(jnp.arange(count), mode="drop"), like.rows)
