"""Recurrence as nodes: an operator `Scan` over steps, in which all texts of a batch take part.

Rows come in step-major order, the longest texts first. `Scan` has the same number of rows in all steps: a step has one
row a text, and a text that has no token in it keeps its states.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from chainrule.blocks.recurrence import Scan
from chainrule.blocks.slicing import Slice
from chainrule.errors import ModelError
from chainrule.graph.spec import INT64
from chainrule.graph.tensor import Tensor
from chainrule.onnx.library import library
from chainrule.onnx.sizes import AnySize, OpenGraph, plus, times
from chainrule.onnx.writing.ragged import lengths_of, places_of, segments_of
from chainrule.onnx.writing.writer import Writer, writes

ROWS = "rows"


@writes(Scan)
def _scan(writer: Writer, node: Tensor) -> str:
    block = node.block
    if not isinstance(block, Scan):
        raise TypeError(node)
    starts, given = node.inputs[0], node.inputs[1:]
    states, rows, shared = block.split(given)
    texts, tokens = writer.graph.shape(states[0])[0], plus(writer.graph.shape(starts)[0], -1)
    name = writer.name(starts)
    grid, there = _grid(writer, name, texts, tokens)
    sequences = [there]
    for x in rows:
        blank = writer.full((1, *x.shape[1:]), 0, x.dtype)
        sequences.append(writer.add("Gather", writer.add("Concat", writer.name(x), blank, axis=0), grid))
    planes = _planes(writer, node, tokens)
    wanted = sorted(set(planes.values()))
    body = _body(writer, block, texts, states, rows, shared, wanted)
    direction = [int(block.backwards)]
    found = writer.add_several(
        "Scan", [*map(writer.name, states), *sequences], len(states) + len(wanted), body=body,
        num_scan_inputs=len(sequences), scan_input_directions=direction * len(sequences),
        scan_output_directions=direction * len(wanted),
    )  # fmt: skip
    flat = _flat_places(writer, name, texts, tokens)
    results = {}
    for plane, padded in zip(wanted, found[len(states) :], strict=True):
        shape = block.body.outputs[plane].shape
        together = writer.add("Reshape", padded, writer.constant([-1, *shape], INT64))
        results[plane] = writer.reshaped(writer.add("Gather", together, flat), (times(tokens, math.prod(shape)),))
    for reader, plane in planes.items():
        writer.alias(reader, results[plane])
    return ""  # nothing reads more than one plane


def _body(
    writer: Writer,
    block: Scan,
    texts: AnySize,
    states: Sequence[Tensor],
    rows: Sequence[Tensor],
    shared: Sequence[Tensor],
    wanted: list[int],
) -> object:
    """The graph of a step: a text that has no token in it keeps its states."""
    dtype = states[0].dtype
    graph = OpenGraph.traced(lambda sizes: block.body.at(sizes[ROWS], dtype), [ROWS])
    helper = library("helper")
    leaves = graph.graph.inputs
    own = {leaf: writer.new_name("step") for leaf in leaves[: len(states) + len(rows)]}
    outer = {leaf: writer.name(x) for leaf, x in zip(leaves[len(own) :], shared, strict=True)}
    inner = Writer(graph, {**own, **outer}, {ROWS: writer.size(texts)}, outer=writer)
    there = writer.new_name("there")
    found = inner.write()
    outputs = []
    for leaf, new in zip(leaves, found[: len(states)], strict=False):
        held = inner.column(there, range(1, leaf.spec.rank)) if leaf.spec.rank > 1 else there
        outputs.append(inner.add("Where", held, new, own[leaf]))
    outputs += [inner.add("Identity", found[plane]) for plane in wanted]
    kinds = {leaf: helper.np_dtype_to_tensor_dtype(leaf.dtype) for leaf in own}
    names = list(own.items())
    infos = [helper.make_tensor_value_info(name, kinds[x], [None] * x.spec.rank) for x, name in names]
    truth = helper.make_tensor_value_info(there, library().TensorProto.BOOL, [None])
    kind = helper.np_dtype_to_tensor_dtype(dtype)
    specs = block.body.outputs
    ranks = [x.spec.rank for x in leaves[: len(states)]] + [len(specs[plane].shape) + 1 for plane in wanted]
    results = [helper.make_tensor_value_info(x, kind, [None] * n) for x, n in zip(outputs, ranks, strict=True)]
    return helper.make_graph(inner.nodes, "step", [*infos[: len(states)], truth, *infos[len(states) :]], results)


def _planes(writer: Writer, node: Tensor, tokens: AnySize) -> dict[Tensor, int]:
    """Which output of the step each reader takes."""
    sizes = [x.size for x in node.block.body.outputs]  # type: ignore[union-attr]
    starts = [times(tokens, sum(sizes[:number])) for number in range(len(sizes))]
    planes = {}
    for reader in writer.readers(node):
        settings = writer.graph.settings(reader) if isinstance(reader.block, Slice) else {}
        place = settings.get("start", (None,))[0]
        plane = starts.index(place) if place in starts else -1
        if plane < 0 or settings["size"] != (times(tokens, sizes[plane]),):
            raise ModelError("onnx: expected whole outputs of a scan to be read, and not parts of several")
        planes[reader] = plane
    return planes


def _grid(writer: Writer, starts: str, texts: AnySize, tokens: AnySize) -> tuple[str, str]:
    """The row of each text in each step, the row after the last for none, and whether there is one: (steps, texts).

    There is one step at least, as ONNX Runtime refuses a `Scan` without any.
    """
    first, axis = writer.constant([0], INT64), writer.constant([0], INT64)

    def steps() -> str:
        some = writer.cast(writer.add("Greater", lengths_of(writer, starts), writer.whole(0)), INT64)
        count = writer.add("ReduceSum", some, axis, keepdims=1)
        return writer.add("Max", count, writer.constant([1], INT64))

    def there() -> str:
        sizes = writer.add("Concat", lengths_of(writer, starts), writer.constant([0], INT64), axis=0)
        sizes = writer.add("Slice", sizes, first, writer.once(("steps", starts), steps), axis)
        return writer.add("Less", writer.column(writer.counted(texts), [0]), writer.column(sizes, [1]))

    def grid() -> str:
        firsts = writer.add("Slice", starts, first, writer.once(("steps", starts), steps), axis)
        rows = writer.add("Add", writer.column(firsts, [1]), writer.column(writer.counted(texts), [0]))
        return writer.add("Where", seen, rows, writer.scalar(tokens))

    seen = writer.once(("there", starts), there)
    return writer.once(("grid", starts), grid), seen


def _flat_places(writer: Writer, starts: str, texts: AnySize, tokens: AnySize) -> str:
    """Where each row stands in an array of one row a text and step."""

    def make() -> str:
        steps = segments_of(writer, starts, tokens, tokens)
        rank = places_of(writer, starts, tokens, tokens)
        return writer.add("Add", writer.add("Mul", steps, writer.scalar(texts)), rank)

    return writer.once(("flat", starts), make)
