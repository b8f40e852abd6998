"""What of a graph is held in memory, and other facts that decide which kernels it becomes.

A node is written only where something needs it in memory: outputs, inputs of a matrix product, what is read several
times and costs more to compute again than to read, and what has no loop body. All other nodes are inlined into the
loops that read them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.blocks.arithmetic import Minimum
from chainrule.blocks.chance import Threefry
from chainrule.blocks.contraction import MatMul
from chainrule.blocks.indexing import Distinct, FirstSlots, Gather, GatherOrZero, ScatterAdd
from chainrule.blocks.movement import Broadcast, Reshape, Transpose
from chainrule.graph.block import Elementwise, Movement, Reduction, Scatter
from chainrule.graph.tensor import Constant, Tensor
from chainrule.graph.trace import Graph, Update

#: Costs in instructions, roughly: above REUSE a node that is read several times is written, above INLINE any node is.
REUSE, INLINE = 24, 400
#: How often it is decided: whether a node is read several times depends on which others are written.
ROUNDS = 3
#: Nodes inlined one into the other at most: Python's stack is what they are written down on.
DEEPEST = 50
COSTS = {
    "exp": 16,
    "log": 16,
    "log1p": 20,
    "tanh": 20,
    "sigmoid": 20,
    "softplus": 40,
    "power": 40,
    "divide": 4,
    "sqrt": 4,
}


def materialised(graph: Graph) -> set[Tensor]:
    """The nodes that are held in memory, leaves included."""
    nodes = graph.nodes()
    uses: dict[Tensor, int] = {}
    for node in nodes:
        for x in node.inputs:
            uses[x] = uses.get(x, 0) + 1
    needed = _needed(graph, nodes)
    written = needed
    for _ in range(ROUNDS):
        before, shared = written, _shared(graph, nodes, written)
        written = set(needed)
        costs: dict[Tensor, float] = {}
        depths: dict[Tensor, int] = {}
        for node in nodes:
            block = node.block
            own = 100 if isinstance(block, Threefry) else COSTS.get(block.name if block else "", 1)
            costs[node] = own + sum(costs[x] / uses[x] if x in shared else costs[x] for x in node.inputs)
            depths[node] = 1 + max((depths[x] for x in node.inputs), default=0)
            again = uses.get(node, 0) > 1 and node not in shared
            if costs[node] > (REUSE if again else INLINE) or depths[node] > DEEPEST:
                written.add(node)
            if node in written:
                costs[node], depths[node] = 1, 0
        if written == before:
            break
    return written


def _needed(graph: Graph, nodes: Sequence[Tensor]) -> set[Tensor]:
    """The nodes that must be in memory, whatever they cost."""
    written = {node for node in nodes if node.block is None} | set(graph.outputs)
    written |= {update.rows for update in graph.updates if update.rows is not None}
    changed: set[Tensor] = set()
    for group in groups(graph):
        targets = {update.target for update in group}
        written |= {update.value for update in group if not _in_place(update, targets, changed)}
        changed |= targets
    for node in nodes:
        block = node.block
        if isinstance(block, MatMul):
            written |= {untransposed(x)[0] for x in node.inputs}
        elif block is not None and not (
            isinstance(block, Elementwise | Movement | Reduction | Scatter) or hasattr(block, "loops")
        ):
            written |= set(node.inputs)
        elif isinstance(block, Gather) and node.inputs[0].spec.size < node.spec.size:
            written.add(node.inputs[0])  # rows that are read many times are computed once
        if not isinstance(block, Elementwise):
            written |= {x for x in node.inputs if x.dtype.kind in "iu" and _rounded(x)}
        if not isinstance(block, Elementwise | Movement):
            written.add(node)
    return written


def _shared(graph: Graph, nodes: Sequence[Tensor], written: set[Tensor]) -> set[Tensor]:
    """The nodes that one kernel reads several times at the same place, so that it computes them once."""
    #: Where a node is read by each of its readers: in which kernel, at which of its indices; None for several places.
    readers: dict[Tensor, list[object]] = {}
    for number, group in enumerate(groups(graph)):
        for update in group:
            readers.setdefault(update.value, []).append(("update", number))
    shared = set()
    for node in reversed(nodes):
        found = readers.get(node, [])
        place = found[0] if found and all(other == found[0] for other in found) else None
        if len(found) > 1 and place is not None:
            shared.add(node)
        if node in written:
            place = "kernel", node
        for position, x in enumerate(node.inputs):
            if isinstance(node.block, Elementwise):
                here = place if x.shape == node.shape or place is None else (x.shape, place)
            else:
                here = None if place is None else (node, position, place)
            readers.setdefault(x, []).append(here)
    return shared


def groups(graph: Graph) -> list[list[Update]]:
    """The updates that one kernel makes: neighbours of one shape at the same rows, as a parameter and its state are."""
    groups: list[list[Update]] = []
    for update in graph.updates:
        first = groups[-1][0] if groups else None
        if first and update.rows is first.rows and update.target.shape == first.target.shape:
            groups[-1].append(update)
        else:
            groups.append([update])
    return groups


def _in_place(update: Update, own: set[Tensor], changed: set[Tensor]) -> bool:
    """Whether a value may be computed while its group is written.

    It may when it reads no leaf that an earlier group has changed, and of those that its own group writes only the very
    element (or row) that is written there.
    """
    changing = own | changed
    stack, seen = [update.value], set[Tensor]()
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node in changing:
            if node in changed or update.rows is not None:
                return False
        elif isinstance(node.block, Elementwise):
            stack += [x for x in node.inputs if x.shape == node.shape or not _reads(x, changing)]
            if any(x.shape != node.shape and _reads(x, changing) for x in node.inputs):
                return False
        elif update.rows is not None and is_own_row(node, update.rows, own):
            continue
        elif _reads(node, changing) and not isinstance(node.block, MatMul | Reduction | Scatter):
            return False
    return True


def is_own_row(node: Tensor, rows: Tensor, own: set[Tensor]) -> bool:
    """Whether a node gathers the rows that are written, from a leaf of the group."""
    return isinstance(node.block, GatherOrZero) and node.inputs[0] in own and node.inputs[1] is rows


def _reads(node: Tensor, leaves: set[Tensor]) -> bool:
    """Whether a node's loop, or what is inlined into it, reads one of these leaves."""
    stack, seen = [node], set[Tensor]()
    while stack:
        x = stack.pop()
        if x in leaves:
            return True
        if x not in seen and isinstance(x.block, Elementwise | Movement):
            seen.add(x)
            stack += x.inputs
    return False


def _rounded(node: Tensor) -> bool:
    """Whether floating-point numbers are among what a node would be inlined from.

    What a number that no integer holds is cast to is up to the instruction, so such positions are written: those that
    are checked are those that are used.
    """
    stack, seen = [node], set[Tensor]()
    while stack:
        x = stack.pop()
        if x not in seen and isinstance(x.block, Elementwise | Movement):
            seen.add(x)
            if any(part.spec.floating for part in x.inputs):
                return True
            stack += x.inputs
    return False


def untransposed(x: Tensor) -> tuple[Tensor, bool]:
    """A matrix whose last two axes are exchanged, as what it was before: BLAS reads it either way."""
    if isinstance(x.block, Transpose):
        axes = x.block.axes
        if axes == (*range(len(axes) - 2), len(axes) - 1, len(axes) - 2):
            return x.inputs[0], True
    return x, False


def is_flat(x: Tensor, written: set[Tensor]) -> bool:
    """Whether element i of a node, in row order, is computed from elements i of what it reads, and from single numbers.

    Then one loop goes over all elements, whatever their shape.
    """
    size, stack, seen = x.spec.size, [x], set[Tensor]()
    while stack:
        node = stack.pop()
        if node.spec.size not in (1, size):
            return False
        if node not in written and node not in seen:
            seen.add(node)
            if not isinstance(node.block, Elementwise | Reshape | Broadcast):
                return False
            stack += node.inputs
    return True


def is_by_slot(node: Tensor) -> bool:
    """Whether a node adds up rows by slots that were given in order, as `RowSparse.coalesce` does."""
    return (
        isinstance(node.block, ScatterAdd)
        and isinstance(node.inputs[1].block, FirstSlots)
        and node.shape[0] == node.inputs[0].shape[0]
    )


def is_read_beyond(node: Tensor, slots: Tensor, graph: Graph, written: set[Tensor]) -> bool:
    """Whether anything may read the rows of a node that belong to slots that nothing has.

    Nothing does when its rows are looked up by the slots alone, and when all else that is computed from it is written
    by updates of the rows that have these slots.
    """
    readers: dict[Tensor, list[Tensor]] = {}
    for reader in graph.nodes():
        for x in reader.inputs:
            readers.setdefault(x, []).append(reader)
    stack = [node]
    while stack:
        x = stack.pop()
        if x in graph.outputs or (x is not node and (x in written or not isinstance(x.block, Elementwise))):
            return True
        for update in graph.updates:
            rows = update.rows
            if x is rows or (x is update.value and (rows is None or not _has_slots(rows, slots, update.target))):
                return True
        stack += [reader for reader in readers.get(x, []) if not _looks_up(reader, x, slots)]
    return False


def _looks_up(reader: Tensor, x: Tensor, slots: Tensor) -> bool:
    """Whether a node looks rows of x up by slots."""
    return isinstance(reader.block, Gather) and reader.inputs[0] is x and _unshaped(reader.inputs[1]) is slots


def _has_slots(rows: Tensor, slots: Tensor, target: Tensor) -> bool:
    """Whether rows to be written are those that have slots; the others are no rows of the target."""
    block = rows.block
    return isinstance(block, Distinct) and rows.inputs[1] is slots and block.fill >= target.shape[0]


def read_by_rows(graph: Graph) -> set[Tensor]:
    """The leaves, held by the graph, of which nothing but rows are looked up and written: these may lie apart."""
    nodes = graph.nodes()
    leaves = {x for x in nodes if x.block is None and x.spec.rank and x not in graph.inputs and x not in graph.outputs}
    leaves |= {update.target for update in graph.updates if update.target.spec.rank}
    for node in nodes:
        table = isinstance(node.block, Gather | GatherOrZero)
        leaves -= {x for position, x in enumerate(node.inputs) if position or not table}
    for update in graph.updates:
        leaves -= {update.value, update.rows} if update.rows is not None else {update.value, update.target}
    return {x for x in leaves if not isinstance(x, Constant)}


def rows_of(node: Tensor, written: set[Tensor]) -> tuple[Tensor, list[Tensor]] | None:
    """For a node whose row i is computed from rows `distinct[i]` of tables: those rows, and the tables."""
    found = _row_reads(node, written)
    aligned_rows = {rows for rows, _, aligned in found if aligned}
    several = len({rows for rows, _, _ in found}) != 1 or len({table.shape[0] for _, table, _ in found}) != 1
    if node.spec.rank < 2 or len(aligned_rows) != 1 or several:
        return None
    return found[0][0], [table for _, table, _ in found]


def row_tables(values: Sequence[Tensor], rows: Tensor, written: set[Tensor]) -> list[Tensor]:
    """The tables of which values that are written by rows read these very rows."""
    found = [read for value in values for read in _row_reads(value, written)]
    return list(dict.fromkeys(table for own, table, _ in found if own is rows))


def _row_reads(node: Tensor, written: set[Tensor]) -> list[tuple[Tensor, Tensor, bool]]:
    """The distinct rows that what is inlined into a node reads, the tables, and whether row i does for row i."""
    stack, seen, found = [(node, True)], set[Tensor](), list[tuple[Tensor, Tensor, bool]]()
    while stack:
        x, aligned = stack.pop()
        if (x in written and x is not node) or x in seen:
            continue
        seen.add(x)
        if isinstance(x.block, GatherOrZero) and isinstance(x.inputs[1].block, Distinct):
            found.append((x.inputs[1], x.inputs[0], aligned))
        elif isinstance(x.block, Elementwise | Reshape):
            stack += [(part, aligned and part.shape == node.shape) for part in x.inputs]
        elif isinstance(x.block, Gather | GatherOrZero):
            stack += [(part, False) for part in x.inputs]
    return found


def is_slot(positions: Tensor, limit: int) -> bool:
    """Whether positions cannot be outside their range: slots are fewer than what they were given to."""
    slots = _unshaped(positions)
    return isinstance(slots.block, FirstSlots) and slots.spec.size <= limit


def _unshaped(x: Tensor) -> Tensor:
    """What was reshaped."""
    while isinstance(x.block, Reshape):
        (x,) = x.inputs
    return x


def checked_instead(positions: Tensor, limit: int, written: set[Tensor]) -> tuple[Tensor, int]:
    """What to check instead of positions: what they are reshaped from, or are the minimum with a good one of."""
    while positions not in written:
        block, inputs = positions.block, positions.inputs
        if isinstance(block, Minimum) and isinstance(inputs[1], Constant) and inputs[0].shape == positions.shape:
            bound = inputs[1].value
            if bound is None or bound.size != 1 or not 0 <= bound.item() < limit:
                break
            limit = np.iinfo(np.int64).max
        elif not isinstance(block, Reshape):
            break
        positions = inputs[0]
    return positions, limit
