"""Blocks over segments of different lengths, as nodes: sums are scattered, and places are counted."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.blocks.places import Inverse, Neighbours, StepEnds, StepPlaces, StepStarts
from chainrule.blocks.ragged import SegmentArgmax, SegmentIds, SegmentSum
from chainrule.blocks.segment_places import SegmentPlaces
from chainrule.graph.spec import INT64
from chainrule.graph.tensor import Tensor
from chainrule.onnx.sizes import AnySize, plus
from chainrule.onnx.writing.movement import added
from chainrule.onnx.writing.writer import Writer, writes


def without_first(writer: Writer, x: str) -> str:
    """x[1:]."""
    return _cut(writer, x, 1, 2**63 - 1)


def without_last(writer: Writer, x: str) -> str:
    """x[:-1]."""
    return _cut(writer, x, 0, -1)


def lengths_of(writer: Writer, offsets: str) -> str:
    """How many values each segment has."""
    return writer.once(
        ("lengths", offsets),
        lambda: writer.add("Sub", without_first(writer, offsets), without_last(writer, offsets)),
    )


def segments_of(writer: Writer, offsets: str, segments: AnySize, values: AnySize) -> str:
    """The segment of each value: how many segments end at it or before."""

    def make() -> str:
        ends = without_first(writer, offsets)
        ones = writer.full((segments,), 1, INT64)
        counts = added(writer, ones, ends, (plus(values, 1),), INT64)
        return without_last(writer, writer.add("CumSum", counts, writer.whole(0)))

    return writer.once(("segments", offsets), make)


def places_of(writer: Writer, offsets: str, segments: AnySize, values: AnySize) -> str:
    """The place of each value in its segment."""

    def make() -> str:
        firsts = writer.add("Gather", offsets, segments_of(writer, offsets, segments, values))
        return writer.add("Sub", writer.counted(values), firsts)

    return writer.once(("places", offsets), make)


def segments_for(writer: Writer, offsets: Tensor, values: AnySize) -> str:
    """The segment of each value, for offsets that are a node."""
    return segments_of(writer, writer.name(offsets), plus(writer.graph.shape(offsets)[0], -1), values)


@writes(SegmentIds)
def _segment_ids(writer: Writer, node: Tensor) -> str:
    return segments_for(writer, node.inputs[0], writer.graph.shape(node)[0])


@writes(SegmentPlaces)
def _segment_places(writer: Writer, node: Tensor) -> str:
    offsets, segments = node.inputs[0], plus(writer.graph.shape(node.inputs[0])[0], -1)
    return places_of(writer, writer.name(offsets), segments, writer.graph.shape(node)[0])


@writes(SegmentSum)
def _segment_sum(writer: Writer, node: Tensor) -> str:
    x, offsets = node.inputs
    places = segments_for(writer, offsets, writer.graph.shape(x)[0])
    return added(writer, writer.name(x), places, writer.graph.shape(node), node.dtype)


@writes(SegmentArgmax)
def _segment_argmax(writer: Writer, node: Tensor) -> str:
    """The smallest number of a value that equals the largest of its segment."""
    x, offsets = node.inputs
    count = writer.graph.shape(x)[0]
    ids, name = segments_for(writer, offsets, count), writer.name(x)
    least: Any = -np.inf if x.spec.floating else np.iinfo(x.dtype).min
    shape = writer.graph.shape(node)
    largest = added(writer, name, ids, shape, x.dtype, "max", least)
    is_largest = writer.add("Equal", writer.add("Gather", largest, ids), name)
    numbers = writer.counted(count)
    if len(shape) > 1:
        numbers = writer.column(numbers, range(1, len(shape)))
    chosen = writer.add("Where", is_largest, numbers, writer.scalar(count))
    found = writer.add("ScatterND", writer.add("Expand", writer.scalar(count), writer.shape(shape)),
                       writer.column(ids, [1]), chosen, reduction="min")  # fmt: skip
    return writer.add("Where", writer.add("Equal", found, writer.scalar(count)), writer.whole(-1), found)


@writes(Neighbours)
def _neighbours(writer: Writer, node: Tensor) -> str:
    (ids,), (count,) = writer.inputs(node), writer.graph.shape(node)

    def make() -> str:
        there = writer.add("Add", writer.counted(count), writer.whole(writer.graph.settings(node)["by"]))
        held = writer.add("Max", there, writer.whole(0))
        held = writer.add("Min", held, writer.scalar(plus(count, -1)))
        same = writer.add("Equal", writer.add("Gather", ids, held), ids)
        inside = writer.add("And", same, writer.add("Equal", held, there))
        return writer.add("Where", inside, there, writer.whole(-1))

    return writer.once(("neighbours", ids, writer.graph.settings(node)["by"]), make)


@writes(StepStarts)
def _step_starts(writer: Writer, node: Tensor) -> str:
    """In step t there are those texts that are longer than t."""
    offsets, ids = node.inputs
    texts, tokens = plus(writer.graph.shape(offsets)[0], -1), writer.graph.shape(ids)[0]
    name = writer.name(offsets)

    def make() -> str:
        ones = writer.full((texts,), 1, INT64)
        ended = added(writer, ones, lengths_of(writer, name), (plus(tokens, 1),), INT64)
        left = writer.add("Sub", writer.scalar(texts), writer.add("CumSum", ended, writer.whole(0)))
        starts = writer.add("CumSum", without_last(writer, left), writer.whole(0))
        return writer.add("Concat", writer.constant([0], INT64), starts, axis=0)

    return writer.once(("step starts", name), make)


@writes(StepPlaces)
def _step_places(writer: Writer, node: Tensor) -> str:
    offsets, order, starts = node.inputs
    segments, tokens = writer.graph.shape(order)[0], writer.graph.shape(node)[0]
    ids = segments_of(writer, writer.name(offsets), segments, tokens)

    def rows() -> str:
        rank = inverse(writer, writer.name(order), segments, segments)
        places = places_of(writer, writer.name(offsets), segments, tokens)
        first = writer.add("Gather", writer.name(starts), places)
        return writer.add("Add", first, writer.add("Gather", rank, ids))

    row_of = writer.once(("rows", writer.name(offsets), writer.name(order)), rows)
    if writer.graph.settings(node)["back"]:
        return row_of
    return writer.once(("tokens", row_of), lambda: inverse(writer, row_of, tokens, tokens))


@writes(StepEnds)
def _step_ends(writer: Writer, node: Tensor) -> str:
    starts, order = node.inputs
    (count,) = writer.graph.shape(order)
    rank, name = writer.counted(count), writer.name(starts)
    sizes = writer.add("Sub", without_first(writer, name), without_last(writer, name))
    there = writer.add("Greater", writer.column(sizes, [0]), writer.column(rank, [1]))
    steps = writer.add("ReduceSum", writer.cast(there, INT64), writer.constant([1], INT64), keepdims=0)
    if writer.graph.settings(node)["last"]:
        last = writer.add("Max", writer.add("Sub", steps, writer.whole(1)), writer.whole(0))
        row = writer.add("Add", writer.add("Gather", name, last), rank)
    else:
        row = rank
    return writer.add("Where", writer.add("Greater", steps, writer.whole(0)), row, writer.whole(-1))


@writes(Inverse)
def _inverse(writer: Writer, node: Tensor) -> str:
    to, like = node.inputs
    return inverse(writer, writer.name(to), writer.graph.shape(to)[0], writer.graph.shape(like)[0])


def inverse(writer: Writer, to: str, count: AnySize, size: AnySize) -> str:
    """y[to[i]] = i, and -1 for what no place leads to."""
    held = writer.full((plus(size, 1),), -1, INT64)  # one more, for what leads nowhere
    there = writer.add("Where", writer.add("Less", to, writer.whole(0)), writer.scalar(size), to)
    return without_last(writer, writer.add("ScatterND", held, writer.column(there, [1]), writer.counted(count)))


def _cut(writer: Writer, x: str, start: int, end: int) -> str:
    return writer.once(
        ("cut", x, start, end),
        lambda: writer.add(
            "Slice", x, writer.constant([start], INT64), writer.constant([end], INT64), writer.constant([0], INT64)
        ),
    )
