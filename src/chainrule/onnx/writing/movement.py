"""Blocks that move elements, as nodes."""

from __future__ import annotations

import numpy as np

from chainrule.blocks.along_axis import TakeAlongAxis
from chainrule.blocks.indexing import Gather, GatherOrZero, ScatterAdd
from chainrule.blocks.movement import Broadcast, Iota, Reshape, Transpose
from chainrule.blocks.places import Rearrange
from chainrule.blocks.slicing import Concatenate, Slice
from chainrule.graph.spec import INT64
from chainrule.graph.tensor import Tensor
from chainrule.onnx.sizes import AnySize, plus, times
from chainrule.onnx.writing.writer import Writer, writes


@writes(Reshape)
def _reshape(writer: Writer, node: Tensor) -> str:
    return writer.reshaped(writer.name(node.inputs[0]), writer.graph.shape(node))


@writes(Transpose)
def _transpose(writer: Writer, node: Tensor) -> str:
    return writer.add("Transpose", writer.name(node.inputs[0]), perm=list(writer.graph.settings(node)["axes"]))


@writes(Broadcast)
def _broadcast(writer: Writer, node: Tensor) -> str:
    return writer.add("Expand", writer.name(node.inputs[0]), writer.shape(writer.graph.shape(node)))


@writes(Iota)
def _iota(writer: Writer, node: Tensor) -> str:
    shape = writer.graph.shape(node)
    total: AnySize = 1
    for size in shape:
        total = times(total, size)
    counted = writer.cast(writer.counted(total), node.dtype)
    return counted if len(shape) == 1 else writer.reshaped(counted, shape)


@writes(Concatenate)
def _concatenate(writer: Writer, node: Tensor) -> str:
    return writer.add("Concat", *writer.inputs(node), axis=writer.graph.settings(node)["axis"])


@writes(Slice)
def _slice(writer: Writer, node: Tensor) -> str:
    settings = writer.graph.settings(node)
    whole = writer.graph.shape(node.inputs[0])
    starts, ends, axes, steps = [], [], [], []
    for axis, (start, step, size) in enumerate(zip(settings["start"], settings["step"], settings["size"], strict=True)):
        if (start, step, size) == (0, 1, whole[axis]):
            continue
        axes.append(axis)
        starts.append(start)
        steps.append(step)
        if step < 0 and isinstance(start, int) and isinstance(size, int):
            end = start + step * size
            ends.append(end if end >= 0 else -(2**63) + 1)
        else:
            ends.append(plus(start, times(size, step)))
    x = writer.name(node.inputs[0])
    if not axes:
        return x
    return writer.add(
        "Slice", x, writer.shape(starts), writer.shape(ends), writer.constant(axes, INT64), writer.shape(steps)
    )


@writes(Gather)
def _gather(writer: Writer, node: Tensor) -> str:
    return writer.add("Gather", *writer.inputs(node), axis=0)


@writes(TakeAlongAxis)
def _take_along_axis(writer: Writer, node: Tensor) -> str:
    return writer.add("GatherElements", *writer.inputs(node), axis=writer.graph.settings(node)["axis"])


@writes(GatherOrZero, Rearrange)
def _gather_or_zero(writer: Writer, node: Tensor) -> str:
    table, places = node.inputs[:2]
    return rows_or_zeros(writer, writer.name(table), writer.graph.shape(table), writer.name(places), table.dtype)


@writes(ScatterAdd)
def _scatter_add(writer: Writer, node: Tensor) -> str:
    """Into one row more, for what has no row."""
    x, places = node.inputs
    shape = writer.graph.shape(node)
    held = added(writer, writer.name(x), writer.name(places), (plus(shape[0], 1), *shape[1:]), x.dtype)
    return writer.add("Slice", held, writer.constant([0], INT64), writer.size(shape[0]), writer.constant([0], INT64))


def rows_or_zeros(writer: Writer, x: str, shape: tuple[AnySize, ...], places: str, dtype: np.dtype) -> str:
    """x[places], and zeros where a place is no row."""
    more = writer.add("Concat", x, writer.full((1, *shape[1:]), 0, dtype), axis=0)
    count = writer.scalar(shape[0])
    there = writer.add("GreaterOrEqual", places, writer.whole(0))
    there = writer.add("And", there, writer.add("Less", places, count))
    return writer.add("Gather", more, writer.add("Where", there, places, count), axis=0)


def added(
    writer: Writer,
    x: str,
    places: str,
    shape: tuple[AnySize, ...],
    dtype: np.dtype,
    reduction: str = "add",
    start: float = 0,
) -> str:
    """Rows combined with those of an array of one number, at places."""
    held = writer.full(shape, start, dtype)
    return writer.add("ScatterND", held, writer.column(places, [1]), x, reduction=reduction)
