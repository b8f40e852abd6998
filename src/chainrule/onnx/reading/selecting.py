"""Operators that read and write at places which numbers name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule import blocks as b
from chainrule.blocks.points import SetPoints
from chainrule.graph.tensor import Tensor
from chainrule.onnx.reading.shapes import taken
from chainrule.onnx.reading.step import Step, constant, reads, value_of


def inside(places: Tensor, size: int) -> Tensor:
    """Places counted from the start, where those below 0 are counted from the end."""
    places = b.cast(places, "int64")
    known = value_of(places)
    if known is not None:
        return constant(np.where(known < 0, known + size, known))
    return b.where(b.less(places, 0), places + size, places)


@reads("Gather")
def _gather(step: Step, x: Tensor, places: Tensor) -> Tensor:
    axis = step.get("axis", 0) % x.spec.rank
    return taken(x, inside(places, x.shape[axis]), axis)


@reads("GatherElements")
def _gather_elements(step: Step, x: Tensor, places: Tensor) -> Tensor:
    axis = step.get("axis", 0) % x.spec.rank
    kept = tuple(slice(None) if i == axis else slice(0, n) for i, n in enumerate(places.shape))
    return b.take_along_axis(b.index(x, kept), inside(places, x.shape[axis]), axis)


@reads("GatherND")
def _gather_points(step: Step, x: Tensor, places: Tensor) -> Tensor:
    batch, width = step.get("batch_dims", 0), places.shape[-1]
    base = _point_places(places, x.shape[batch : batch + width])
    rest = x.shape[batch + width :]
    lead = x.shape[:batch]
    count = math.prod(x.shape[batch : batch + width])
    if batch:
        firsts = np.arange(math.prod(lead)).reshape(*lead, *[1] * (base.spec.rank - batch)) * count
        base = base + constant(firsts)
    return b.gather(b.reshape(x, (math.prod(lead) * count, *rest)), base)


def _point_places(places: Tensor, sizes: Sequence[int]) -> Tensor:
    """Of each point, the number of its row among all of these sizes."""
    total: Any = constant(np.zeros(places.shape[:-1], np.int64))
    for i, size in enumerate(sizes):
        total = total * size + inside(b.index(places, (..., i)), size)
    return total  # type: ignore[no-any-return]


@reads("ScatterND")
def _scatter_points(step: Step, x: Tensor, places: Tensor, updates: Tensor) -> Tensor:
    width = places.shape[-1]
    rest = math.prod(x.shape[width:])
    rows = b.reshape(_point_places(places, x.shape[:width]), (-1, 1) if places.spec.size else (0, 1))
    flat = b.reshape(rows * rest + constant(np.arange(rest)), (rows.shape[0] * rest,))
    return _written(step, x, flat, b.reshape(updates, (rows.shape[0] * rest,)))


@reads("ScatterElements", "Scatter")
def _scatter_elements(step: Step, x: Tensor, places: Tensor, updates: Tensor) -> Tensor:
    axis, total = step.get("axis", 0) % x.spec.rank, None
    for i, size in enumerate(x.shape):
        here: Any = inside(places, size)
        if i != axis:
            shape = [places.shape[i] if j == i else 1 for j in range(x.spec.rank)]
            here = constant(np.arange(places.shape[i]).reshape(shape))
        total = here if total is None else total * size + here
    flat = b.reshape(b.broadcast_to(total, places.shape), (places.spec.size,))  # type: ignore[arg-type]
    return _written(step, x, flat, b.reshape(updates, (places.spec.size,)))


def _written(step: Step, x: Tensor, places: Tensor, updates: Tensor) -> Tensor:
    """x with updates at places of its numbers in row order."""
    flat, reduction = b.reshape(x, (x.spec.size,)), step.get("reduction", b"none").decode()
    if reduction == "none":
        return b.reshape(SetPoints()(flat, places, updates), x.shape)
    if reduction == "add":
        return b.reshape(flat + b.cast(b.scatter_add(updates, places, x.spec.size), x.dtype), x.shape)
    if reduction not in ("max", "min"):
        raise step.refuse(f"expected the reduction to be none, add, max or min, got {reduction}")
    sign = 1 if reduction == "max" else -1
    order = b.argsort(places)
    counts = b.scatter_add(b.full(places.shape, 1, "int64"), places, x.spec.size)
    offsets = b.concatenate([constant([0], np.int64), b.cumsum(counts)])
    largest = sign * b.segment_max(sign * b.gather(updates, order), offsets)
    combine = b.maximum if reduction == "max" else b.minimum
    return b.reshape(b.where(b.greater(counts, 0), combine(flat, largest), flat), x.shape)


@reads("OneHot")
def _one_hot(step: Step, places: Tensor, depth: Tensor, values: Tensor) -> Tensor:
    size = int(step.known(1, depth, "the shape").reshape(()))
    axis = step.get("axis", -1) % (places.spec.rank + 1)
    here = b.expand(inside(b.cast(places, "int64"), size), axis)
    numbers = constant(np.arange(size).reshape([-1 if i == axis else 1 for i in range(places.spec.rank + 1)]))
    return b.where(b.equal(here, numbers), values[1], values[0])


@reads("Compress")
def _compress(step: Step, x: Tensor, condition: Tensor) -> Tensor:
    chosen = np.flatnonzero(step.known(1, condition, "the shape"))
    if "axis" not in step.attributes:
        return b.gather(b.reshape(x, (x.spec.size,)), constant(chosen))
    return taken(x, constant(chosen), step.get("axis"))


@reads("ReverseSequence")
def _reverse_sequence(step: Step, x: Tensor, lengths: Tensor) -> Tensor:
    batch, time = step.get("batch_axis", 1), step.get("time_axis", 0)
    steps = constant(np.arange(x.shape[time]).reshape([-1 if i == time else 1 for i in range(x.spec.rank)]))
    sizes = b.reshape(b.cast(lengths, "int64"), [-1 if i == batch else 1 for i in range(x.spec.rank)])
    places = b.where(b.less(steps, sizes), sizes - 1 - steps, steps)
    return b.take_along_axis(x, b.broadcast_to(places, x.shape), time)


@reads("MaxUnpool")
def _unpool(step: Step, x: Tensor, places: Tensor, shape: Tensor | None = None) -> Tensor:
    """Each number is put where it was largest, by its place in the array before pooling."""
    width = step.get("kernel_shape")
    strides, pads = step.get("strides", [1] * len(width)), step.get("pads", [0] * 2 * len(width))
    steps = zip(x.shape[2:], strides, width, pads, pads[len(width) :], strict=False)
    sizes = [*x.shape[:2], *((n - 1) * s + w - a - z for n, s, w, a, z in steps)]
    flat = b.cast(b.reshape(places, (places.spec.size,)), "int64")
    zeros = constant(np.zeros(math.prod(sizes), x.dtype))
    found = b.reshape(SetPoints()(zeros, flat, b.reshape(x, (x.spec.size,))), sizes)
    if shape is None:
        return found
    wanted = step.numbers(2, shape, "the shape")
    return b.pad(found, [(0, size - n) for size, n in zip(wanted, sizes, strict=True)])


@reads("TensorScatter")
def _tensor_scatter(step: Step, x: Tensor, updates: Tensor, first: Tensor | None = None) -> Tensor:
    axis = step.get("axis", -2) % x.spec.rank
    shape = [-1 if i == axis else 1 for i in range(x.spec.rank)]
    places: Any = constant(np.arange(updates.shape[axis]).reshape(shape))
    if first is not None:
        places = places + b.reshape(b.cast(first, "int64"), [-1 if i == 0 else 1 for i in range(x.spec.rank)])
    if step.get("mode", b"linear") == b"circular":
        places = b.remainder(places, x.shape[axis])
    total: Any = None
    for i, size in enumerate(x.shape):
        here = (
            places
            if i == axis
            else constant(np.arange(size).reshape([-1 if j == i else 1 for j in range(x.spec.rank)]))
        )
        total = here if total is None else total * size + here
    return _written(
        step,
        x,
        b.reshape(b.broadcast_to(total, updates.shape), (updates.spec.size,)),
        b.reshape(updates, (updates.spec.size,)),
    )


@reads("NonZero")
def _non_zero(step: Step, x: Tensor) -> Tensor:
    return constant(np.array(np.nonzero(step.known(0, x, "the shape"))), np.int64)


@reads("Unique")
def _unique(step: Step, x: Tensor) -> list[Tensor]:
    """The distinct numbers, where each was first, which one each number is, and how often it is there."""
    axis = step.get("axis")
    held = step.known(0, x, "the shape")
    values, first, inverse, counts = np.unique(held, True, True, True, axis)
    order = np.arange(len(first))
    if not step.get("sorted", 1):
        order = np.argsort(first)
        inverse = np.argsort(order)[inverse]
    values = np.take(values, order, 0 if axis is None else axis)
    return [constant(values), *(constant(n, np.int64) for n in (first[order], inverse.reshape(-1), counts[order]))]
