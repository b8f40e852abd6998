"""The forms of blocks over texts of different lengths, given by offsets; tokens behind the last offset are of none."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from chainrule.blocks.places import StepEnds, StepNeighbours, StepPlaces, StepStarts
from chainrule.blocks.ragged import SegmentArgmax, SegmentIds, SegmentSum
from chainrule.blocks.segment_places import SegmentPlaces
from chainrule.xla.forms.form import Call, form_of
from chainrule.xla.sums import sums_by_place
from chainrule.xla.values import Value


def ids_of(offsets: Any, count: int) -> Any:
    """The segment of each of so many values; those behind the last offset are in the one after the last."""
    return jnp.searchsorted(offsets[1:], jnp.arange(count), side="right").astype(jnp.int64)


@form_of(SegmentSum)
def segment_sum(call: Call, x: Value, offsets: Value) -> Value:
    """Sums over segments."""
    ids = ids_of(offsets.array, x.array.shape[0])
    return Value(sums_by_place(x.array, ids, call.spec.shape[0], ordered=True), _texts(offsets, call))


def _texts(offsets: Value, call: Call) -> Any:
    """Which texts are real, for a result with a row a text."""
    if offsets.real is None:
        return None
    return offsets.real[1:].reshape(-1, *[1] * (len(call.spec.shape) - 1))


@form_of(SegmentIds)
def segment_ids(call: Call, offsets: Value, x: Value) -> Value:
    """The segment of each value."""
    return Value(ids_of(offsets.array, x.array.shape[0]), x.rows)


@form_of(SegmentPlaces)
def segment_places(call: Call, offsets: Value, x: Value) -> Value:
    """The place of each value in its segment."""
    count = x.array.shape[0]
    ids = ids_of(offsets.array, count)
    return Value(jnp.arange(count) - jnp.take(offsets.array, ids, mode="clip"), x.rows)


@form_of(SegmentArgmax)
def segment_argmax(call: Call, x: Value, offsets: Value) -> Value:
    """The place of the largest value of each segment, and -1 for an empty one."""
    array, count, segments = x.array, x.array.shape[0], call.spec.shape[0]
    if count == 0 or segments == 0:
        return Value(jnp.full(call.spec.shape, -1, jnp.int64))
    ids = ids_of(offsets.array, count)
    begins = jnp.concatenate([jnp.ones(1, bool), ids[1:] != ids[:-1]]).reshape(-1, *[1] * (array.ndim - 1))
    places = jnp.broadcast_to(jnp.arange(count).reshape(-1, *[1] * (array.ndim - 1)), array.shape)

    def better(left: Any, right: Any) -> Any:
        (first, a, i), (again, b, j) = left, right
        taken = again | (b > a) | ((b != b) & (a == a))
        return first | again, jnp.where(taken, b, a), jnp.where(taken, j, i)

    _, _, best = jax.lax.associative_scan(better, (jnp.broadcast_to(begins, array.shape), array, places))
    ends = offsets.array[1:]
    found = best[jnp.maximum(ends - 1, 0)]
    empty = (ends == offsets.array[:-1]).reshape(-1, *[1] * (array.ndim - 1))
    return Value(jnp.where(empty, -1, found).astype(jnp.int64), _texts(offsets, call))


@form_of(StepStarts)
def step_starts(call: Call, offsets: Value, ids: Value) -> Value:
    """Where each step begins in step-major order: how many tokens have a smaller place in their text."""
    count = ids.array.shape[0]
    lengths = jnp.diff(offsets.array)
    longer = sums_by_place(jnp.ones(lengths.shape, jnp.int64), lengths, count + 1)  # texts of each length
    active = lengths.shape[0] - jnp.cumsum(longer)  # texts with more tokens than so many
    starts = jnp.concatenate([jnp.zeros(1, jnp.int64), jnp.cumsum(active[:count])])
    return Value(starts.astype(jnp.int64))


@form_of(StepPlaces)
def step_places(call: Call, offsets: Value, order: Value, starts: Value) -> Value:
    """The token of each row in step-major order, or the row of each token."""
    count, texts = call.spec.shape[0], offsets.array.shape[0] - 1
    if count == 0 or texts == 0:
        return Value(jnp.zeros(count, jnp.int64))
    numbers = jnp.arange(count)
    total = offsets.array[-1]
    if call.block.back:
        text = ids_of(offsets.array, count)
        rank = jnp.zeros(texts, jnp.int64).at[order.array].set(jnp.arange(texts))
        place = numbers - jnp.take(offsets.array, text, mode="clip")
        found = jnp.take(starts.array, place, mode="clip") + jnp.take(rank, text, mode="clip")
    else:
        step = jnp.searchsorted(starts.array[1:], numbers, side="right")
        text = jnp.take(order.array, numbers - jnp.take(starts.array, step, mode="clip"), mode="clip")
        found = jnp.take(offsets.array, text, mode="clip") + step
    real = None if call.limits[0] is None else numbers < total
    return Value(jnp.where(numbers < total, found, numbers).astype(jnp.int64), real)


@form_of(StepNeighbours)
def step_neighbours(call: Call, starts: Value) -> Value:
    """The row of the same text in the step before or after, and -1 for none."""
    count, by, array = call.spec.shape[0], call.block.by, starts.array
    numbers = jnp.arange(count)
    step = jnp.searchsorted(array[1:], numbers, side="right")
    rank = numbers - jnp.take(array, step, mode="clip")
    there = step + by
    first = jnp.take(array, jnp.maximum(there, 0), mode="clip")
    size = jnp.take(array, jnp.maximum(there, 0) + 1, mode="clip") - first
    inside = (there >= 0) & (rank < size) & (numbers < array[-1])
    real = None if call.limits[0] is None else numbers < array[-1]
    return Value(jnp.where(inside, first + rank, -1).astype(jnp.int64), real)


@form_of(StepEnds)
def step_ends(call: Call, starts: Value, order: Value) -> Value:
    """The row of the first token of each text by its rank, or of its last one; -1 for an empty text."""
    texts, array = order.array.shape[0], starts.array
    ranks, sizes = jnp.arange(texts), jnp.diff(array)
    if not sizes.shape[0]:
        return Value(jnp.full(texts, -1, jnp.int64))
    if not call.block.last:
        return Value(jnp.where(ranks < sizes[0], array[0] + ranks, -1).astype(jnp.int64), order.real)
    # A text takes part in the steps that have more texts than its rank, which are the first ones.
    steps = sizes.shape[0] - jnp.searchsorted(sizes[::-1], ranks, side="right")
    last = jnp.take(array, jnp.maximum(steps - 1, 0), mode="clip") + ranks
    return Value(jnp.where(steps > 0, last, -1).astype(jnp.int64), order.real)
