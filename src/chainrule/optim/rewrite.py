"""Traced steps with dense updates of embedding tables, rewritten to leave rows behind that they do not read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from chainrule.blocks import concatenate, distinct, first_slots, gather, reshape, scatter_add
from chainrule.blocks.indexing import Gather
from chainrule.blocks.movement import Reshape
from chainrule.graph.sparse import RowSparse
from chainrule.graph.spec import INT64
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph, Update
from chainrule.optim.deferral import Deferral
from chainrule.optim.table import Table
from chainrule.optim.updates import apply_rule, in_dtype
from chainrule.passes.rewrite import rebuild, with_inputs


def defer_updates(
    graph: Graph, deferral: Deferral, gradients: Mapping[Tensor, RowSparse], scalars: Mapping[str, Tensor]
) -> Graph:
    """A traced step whose updates of tables are dense, as one that leaves rows behind.

    A table that the function reads in another way than by looking rows up stays dense, and so does one whose state it
    reads.

    Args:
        graph: the step; the updates of the tables are among its own.
        deferral: of the rule.
        gradients: of the tables' parameters.
        scalars: the coefficients of the step, as leaves.
    """
    replays = deferral.replays
    lookups: dict[Table, list[Tensor]] = {}
    for parameter, gradient in gradients.items():
        found = _lookups(graph, gradient, deferral.tables[parameter])
        if found is not None:
            lookups[deferral.tables[parameter]] = found
    if not lookups:
        return graph
    updates: list[Update] = []
    replacements: dict[Tensor, Tensor] = {}
    for table, nodes in lookups.items():
        gradient = gradients[table.parameter]
        updates += _by_rows(deferral, table, nodes, gradient, scalars, replacements, replays=replays)
    leaves = {leaf for table in lookups for leaf in table.leaves}
    updates += [update for update in graph.updates if update.target not in {*leaves, deferral.count}]
    if not replays:
        updates += deferral.grown()  # after all rows, which are brought up to date by the sums so far
    updates += [update for update in graph.updates if update.target is deferral.count]

    def replace(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
        return replacements[node] if node in replacements else with_inputs(node, inputs)

    graph = rebuild(dataclasses.replace(graph, updates=tuple(updates)), replace)
    still_valid = (*graph.still_valid, lambda: deferral.revalidate(list(lookups), replays))
    return dataclasses.replace(graph, still_valid=still_valid).reading_behind(leaves)


def _by_rows(
    deferral: Deferral,
    table: Table,
    lookups: Sequence[Tensor],
    gradient: RowSparse,
    scalars: Mapping[str, Tensor],
    replacements: dict[Tensor, Tensor],
    *,
    replays: bool,
) -> list[Update]:
    """The updates of a table's distinct rows; what takes the place of the look-ups goes into `replacements`."""
    none = table.parameter.shape[0]
    ids = [reshape(node.inputs[1], (-1,)).astype(INT64) for node in lookups]
    read = ids[0] if len(ids) == 1 else concatenate(ids, 0)
    slots = first_slots(read, none, reader="gather")
    if len(lookups) == 1 and _unshaped(gradient.indices) is _unshaped(lookups[0].inputs[1]):
        rows, places = distinct(read, slots, none), slots
    else:  # of the rows with a gradient, those that are read come first
        everything = concatenate([read, gradient.indices.astype(INT64)], 0)
        shared = first_slots(everything, none + 1)
        rows, places = distinct(everything, shared, none), shared[read.shape[0] :]
    moved, state = deferral.current(table, rows, replays=replays)
    start = 0
    for node, own in zip(lookups, ids, strict=True):
        end = start + own.shape[0]
        part = slots if len(lookups) == 1 else slots[start:end]
        replacements[node] = gather(moved, reshape(part, node.inputs[1].shape))
        start = end
    summed = scatter_add(gradient.rows, places, rows.shape[0])
    after, remembered = apply_rule(deferral.rule, moved, summed, state, in_dtype(scalars, moved.dtype))
    return [
        Update(table.parameter, after, rows),
        *(Update(table.slot[name], x, rows) for name, x in remembered.items()),
        Update(table.written, deferral.written_after(rows, 1), rows),
    ]


def _lookups(graph: Graph, gradient: RowSparse, table: Table) -> list[Tensor] | None:
    """The look-ups in a table by a graph and a gradient; None where they read it, or its state, in another way."""
    leaves = set(table.leaves)
    others = tuple(update for update in graph.updates if update.target not in leaves)
    results = dataclasses.replace(graph, outputs=(*graph.outputs, gradient.indices, gradient.rows), updates=others)
    if leaves & set(results.results()):
        return None
    found = []
    for node in results.nodes():
        read = leaves & set(node.inputs)
        if not read:
            continue
        if read != {table.parameter} or not isinstance(node.block, Gather) or node.inputs[0] is not table.parameter:
            return None
        found.append(node)
    return found or None


def _unshaped(x: Tensor) -> Tensor:
    """What a node is reshaped from."""
    while isinstance(x.block, Reshape):
        (x,) = x.inputs
    return x
