"""From a graph to the steps of a program: first those that compute nodes, then those that make the updates."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from chainrule.blocks.arithmetic import Identity
from chainrule.blocks.attention_tiles import Attention
from chainrule.blocks.contraction import MatMul
from chainrule.blocks.levels import Levels
from chainrule.blocks.recurrence import Scan
from chainrule.blocks.slicing import Concatenate
from chainrule.errors import ChainruleError, PerformanceWarning
from chainrule.graph.block import Elementwise, Movement, Reduction, Scatter
from chainrule.graph.spec import INT64
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph, Update
from chainrule.native.loops.expression import Expression, call, cast
from chainrule.native.loops.steps import ROWS, Attending, Call, Leveled, Loop, Product, Recurrence, Step
from chainrule.native.lowering.bodies import (
    outermost_axis,
    prefetch_rows,
    write_loops,
    write_map,
    write_map_of_rows,
    write_reduction,
    write_scatter,
    write_sums_by_slot,
)
from chainrule.native.lowering.bounds import check_bounds, is_checked
from chainrule.native.lowering.in_place import PutInPlace
from chainrule.native.lowering.levels import can_be_repeated, leveled
from chainrule.native.lowering.memory import groups, materialised
from chainrule.native.lowering.nest import Nest
from chainrule.native.lowering.parts import parts_of
from chainrule.native.lowering.patterns import (
    checked_instead,
    columns_in_memory,
    in_memory,
    is_by_slot,
    is_flat,
    is_in_parts,
    is_within,
    read_by_rows,
    reads_unused_slots,
    row_tables,
    rows_in_memory,
    rows_of,
    untransposed,
)
from chainrule.passes import optimise


def with_copies(graph: Graph) -> Graph:
    """The graph with copies of the changing leaves that it returns, or writes into other leaves."""
    changing = {update.target for update in graph.updates}

    def copied(x: Tensor) -> Tensor:
        return Tensor(x.spec, block=Identity(), inputs=(x,)) if x in changing else x

    updates = tuple(replace(update, value=copied(update.value)) for update in graph.updates)
    return replace(graph, outputs=tuple(map(copied, graph.outputs)), updates=updates)


def lower(graph: Graph) -> list[Step]:
    """The steps that compute the outputs of a graph and make its updates, in the order they run.

    Nodes that are not held in memory get no step: they are computed where they are read. Positions are checked in a
    step of their own, before anything reads by them.
    """
    scans = {node: _repeating(node, node.block) for node in graph.nodes() if isinstance(node.block, Scan | Levels)}
    repeated = {node: step for node, step in scans.items() if step is not None}
    written = materialised(graph, repeated)
    steps: list[Step] = []
    checked: dict[Tensor, int] = {}
    for node in graph.nodes():
        block = node.block
        if block is None:
            continue
        if block.index_input is not None:
            positions = node.inputs[block.index_input]
            bound = block.limit(node.shape, *[x.shape for x in node.inputs])
            positions, limit = checked_instead(positions, bound, written)
            if checked.get(positions, limit + 1) > limit and not is_within(positions, limit):
                checked[positions] = limit
                refusal = partial(block.range_error, limit=bound)
                steps.append(_check(positions, limit, written, refusal))
        if is_checked(node):
            steps.append(check_bounds(node, written))
        if isinstance(block, PutInPlace):
            steps.append(_put(node, written))
        if isinstance(block, Concatenate) and is_in_parts(node):
            steps += parts_of(node, block.axis, written)
        elif node in repeated:
            steps.append(repeated[node])
        elif node in written:
            steps.append(_step(node, graph, written))
    steps += [_update(group, written) for group in groups(graph)]
    pitched = read_by_rows(graph)
    for step in steps:
        if isinstance(step, Loop):
            named = zip(step.kernel.buffers, step.arguments, strict=True)
            step.kernel.pitched = {name for name, x in named if isinstance(x, Tensor) and x in pitched}
    return steps


def _step(node: Tensor, graph: Graph, written: set[Tensor]) -> Step:
    """The step that computes a node."""
    block = node.block
    if isinstance(block, MatMul) and node.spec.floating:
        (left, left_transposed), (right, right_transposed) = (untransposed(x) for x in node.inputs)
        held = in_memory(left), in_memory(right)
        return Product(node, *held, left.shape, right.shape, left_transposed, right_transposed)
    if isinstance(block, Attention):
        return Attending(node, tuple(columns_in_memory(node)))
    if isinstance(block, Elementwise | Movement):
        lookup = rows_of(node, written)
        if lookup is not None and not reads_unused_slots(node, lookup[0].inputs[1], graph, written):
            return Nest("map", node, written).build(partial(write_map_of_rows, rows=lookup[0], tables=lookup[1]))
        return Nest("map", node, written).build(write_map)
    if isinstance(block, Reduction):
        return Nest("reduce", node, written).build(write_reduction)
    if isinstance(block, Scatter):
        if not is_by_slot(node):
            return Nest("scatter", node, written).build(write_scatter)
        whole = reads_unused_slots(node, node.inputs[1], graph, written)
        return Nest("scatter", node, written).build(partial(write_sums_by_slot, whole=whole))
    if block is not None and hasattr(block, "loops"):
        return Nest(block.name, node, written).build(write_loops)
    if block is not None and not block.stops:
        _warn_of_numpy(type(block))  # type: ignore[arg-type]  # classes are hashable, even where their instances are not
    return Call(node)


def _repeating(node: Tensor, block: Scan | Levels) -> Recurrence | Leveled | None:
    """The step that repeats those of a body; None where the body has some that cannot be repeated natively."""
    if isinstance(block, Levels):
        return leveled(node, block, _inner)
    graphs, found = zip(*[_inner(block.body.at(rows, node.dtype)) for rows in ROWS], strict=True)
    if not all(map(can_be_repeated, found)):
        return None
    return Recurrence(node, tuple(rows_in_memory(node)), graphs, found)


def _inner(graph: Graph) -> tuple[Graph, list[Step]]:
    """A body's graph, simplified, and its steps."""
    graph = _distinct_outputs(optimise(graph))
    return graph, lower(graph)


def _distinct_outputs(graph: Graph) -> Graph:
    """The graph with copies of outputs that are leaves, or outputs already: each is written to a place of its own."""
    outputs: list[Tensor] = []
    for x in graph.outputs:
        again = x.block is None or any(x is other for other in outputs)
        outputs.append(Tensor(x.spec, block=Identity(), inputs=(x,)) if again else x)
    return replace(graph, outputs=tuple(outputs))


@functools.cache  # once per class and process
def _warn_of_numpy(kind: type) -> None:
    """Warn of a block without a loop body."""
    warnings.warn(
        f"compile: block {kind.__module__}.{kind.__qualname__} has no loop body, so compiled programs stop for its "
        f"NumPy forward; to have it compiled, derive it from Elementwise, Reduction, Movement or Scatter, or declare "
        f"its loops",
        PerformanceWarning,
        stacklevel=2,
    )


def _update(group: Sequence[Update], written: set[Tensor]) -> Loop:
    """A step that writes the leaves of a group: all new values of an element are computed before the first is stored.

    Where the group updates rows, each row is written by one iteration, as `Update.rows` names it at most once.
    """
    nest = Nest("update", None, written)
    rows = group[0].rows
    nest.flat = rows is None and all(is_flat(update.value, written) for update in group)
    targets = [nest.buffer(update.target) for update in group]
    kernel = nest.kernel
    memo: dict[Any, Expression] = {}

    def cell(index: tuple[Expression, ...], place: tuple[Expression, ...]) -> None:
        values = [nest.element(update.value, index, memo) for update in group]
        variables = [kernel.declare(value) for value in values]
        for target, variable in zip(targets, variables, strict=True):
            target.store(kernel, place, variable.get())

    def row(i: Expression) -> None:
        if rows is not None:
            r = cast(nest.element(rows, (i,), memo), INT64)
            read = row_tables([update.value for update in group], rows, written)
            own = list(dict.fromkeys([update.target for update in group] + read))
            nest.rows, nest.row, nest.targets = rows, r, {x for x in own if x.shape[0] == group[0].target.shape[0]}
            prefetch_rows(nest, rows, i, own)
            sizes = targets[0].shape[1:]
            write = partial(kernel.nest, sizes, lambda index: cell((i, *index), (r, *index)))
            kernel.when(r < targets[0].shape[0], write)

    if rows is None:
        sizes = targets[0].shape
        kernel.nest(sizes, lambda index: cell(index, index), parallel=outermost_axis(sizes))
    else:
        kernel.loop(nest.shape(rows)[0], row, parallel=True)
    return nest.loop(writes=tuple(update.target for update in group))


def _put(node: Tensor, written: set[Tensor]) -> Loop:
    """A step that writes rows into a leaf, before anything reads them there."""
    leaf, places, values = node.inputs
    nest = Nest("put", None, written)
    target, sizes = nest.buffer(leaf), nest.shape(values)

    def cell(index: tuple[Expression, ...]) -> None:
        place = cast(nest.element(places, index[:1], {}), INT64)
        target.store(nest.kernel, (index[0], place, *index[1:]), nest.element(values, index, {}))

    nest.kernel.nest(sizes, cell, parallel=outermost_axis(sizes))
    return nest.loop(writes=(leaf,))


def _check(positions: Tensor, limit: int, written: set[Tensor], refusal: Callable[[int], ChainruleError]) -> Loop:
    """A step that refuses positions outside their range.

    Its first loop only finds the lowest and the highest position, on vectors. If one of them is outside the range, the
    second loop finds the first such position, for the message.
    """
    nest = Nest("check", None, written)
    kernel = nest.kernel
    lowest, highest = kernel.declare(kernel.whole(0)), kernel.declare(kernel.whole(-1))
    end = nest.number(limit)
    memo: dict[Any, Expression] = {}

    def measure(index: tuple[Expression, ...]) -> None:
        place = cast(nest.element(positions, index, memo), INT64)
        kernel.assign(lowest, call("minimum", lowest.get(), place))
        kernel.assign(highest, call("maximum", highest.get(), place))

    def find(index: tuple[Expression, ...]) -> None:
        place: Any = cast(nest.element(positions, index, {}), INT64)
        kernel.refuse((place < 0) | (place >= end), place)

    sizes = nest.shape(positions)
    over_positions = partial(kernel.nest, sizes, parallel=outermost_axis(sizes))  # in each block over its own ones
    over_positions(measure)
    kernel.when((lowest.get() < 0) | (highest.get() >= end), lambda: over_positions(find))
    return nest.loop(refusal=refusal)
