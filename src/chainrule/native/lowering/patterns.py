"""Patterns in a graph that lowering makes use of, such as rows of a table that distinct numbers select."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.blocks.arithmetic import Minimum
from chainrule.blocks.attention_tiles import Attention
from chainrule.blocks.indexing import Gather, GatherOrZero, ScatterAdd
from chainrule.blocks.levels import Levels
from chainrule.blocks.movement import Broadcast, Reshape, Transpose
from chainrule.blocks.recurrence import Scan
from chainrule.blocks.slicing import Concatenate, Slice
from chainrule.blocks.slots import Distinct, FirstSlots
from chainrule.blocks.stepwise import LONG_FUNCTIONS
from chainrule.graph.block import Elementwise, Movement
from chainrule.graph.leaves import Constant
from chainrule.graph.spec import LARGEST_INTEGER
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph
from chainrule.native.lowering.in_place import PutInPlace

#: A concatenation of more inputs is written in parts. One of fewer is inlined where it is read, as other movements are:
#: each of its elements is chosen among all inputs there.
MOST_INLINED_INPUTS = 8
#: So many nodes take as long as one of `LONG_FUNCTIONS`, and are looked at to find one.
MOST_LOOKED_AT = 5


def untransposed(x: Tensor) -> tuple[Tensor, bool]:
    """What a matrix is the transpose of, and True; any other matrix itself, and False. BLAS reads both as they are."""
    if isinstance(x.block, Transpose):
        axes = x.block.axes
        if axes == (*range(len(axes) - 2), len(axes) - 1, len(axes) - 2):
            return x.inputs[0], True
    return x, False


def in_memory(x: Tensor) -> Tensor:
    """The node that a node is a reshape of, or itself: both have the same elements in row order.

    Of a leaf with rows that were written in place, it is the leaf.
    """
    while isinstance(x.block, Reshape | PutInPlace):
        x = x.inputs[0]
    return x


def is_flat(x: Tensor, written: set[Tensor]) -> bool:
    """Whether element i of a node, in row order, is computed from elements i of what it reads, and from single numbers.

    Then one loop can go over all elements, whatever their shapes.
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


def is_in_parts(node: Tensor) -> bool:
    """Whether a node is a concatenation that is written part by part: of many inputs, or of some that take long."""
    if not isinstance(node.block, Concatenate) or node.spec.size == 0:
        return False
    return len(node.inputs) > MOST_INLINED_INPUTS or any(map(_takes_long, node.inputs))


def _takes_long(x: Tensor) -> bool:
    """Whether a function such as exp is near in what a node is computed from, or many nodes are."""
    stack, seen = [x], set[Tensor]()
    while stack and len(seen) < MOST_LOOKED_AT:
        node = stack.pop()
        if node not in seen and isinstance(node.block, Elementwise | Movement):
            if node.block.name in LONG_FUNCTIONS:
                return True
            seen.add(node)
            stack += node.inputs
    return len(seen) >= MOST_LOOKED_AT


def rows_in_memory(scan: Tensor) -> list[tuple[Tensor, int]]:
    """Of each input of a scan the node that is in memory, and behind how many elements for each token the input begins.

    Rows that another scan gave are read from where it wrote them. All other inputs are in memory themselves.
    """
    block = scan.block
    if isinstance(block, Levels):
        rows = {i for each in block.parts(range(1, len(scan.inputs))).rows for i in each}
    elif isinstance(block, Scan):
        rows = set(range(1 + block.body.states, 1 + block.body.states + block.body.rows))
    else:
        raise TypeError(f"{scan.label} is no scan")
    found = []
    for position, x in enumerate(scan.inputs):
        place = _plane(x) if position in rows else None
        found.append((x, 0) if place is None else place)
    return found


def _plane(x: Tensor) -> tuple[Tensor, int] | None:
    """Where an output of a scan lies: in which node, and behind how many elements for each token; None for others."""
    part = x.inputs[0] if isinstance(x.block, Reshape) else x
    if not isinstance(part.block, Slice) or not x.spec.rank or not x.shape[0]:
        return None
    (packed,), block = part.inputs, part.block
    one = isinstance(packed.block, Levels) and len(packed.block.rules) == 1
    if not (one or isinstance(packed.block, Scan)) or block.step != (1,) or block.start[0] % x.shape[0]:
        return None
    return packed, block.start[0] // x.shape[0]


def columns_in_memory(node: Tensor) -> list[tuple[Tensor, int]]:
    """Of each input of attention the node that is in memory, and behind how many of its columns the input begins.

    Some columns of a matrix are read where they are, so that queries, keys and values may come from one product.
    """
    if not isinstance(node.block, Attention):
        raise TypeError(f"{node.label} is no attention")
    found = []
    for x in node.inputs:
        block = x.block
        if isinstance(block, Slice) and x.spec.rank == 2 and x.dtype.kind == "f" and block.step == (1, 1):
            (source,) = x.inputs
            if block.start[0] == 0 and block.size[0] == source.shape[0]:
                found.append((source, block.start[1]))
                continue
        found.append((in_memory(x), 0))
    return found


def is_by_slot(node: Tensor) -> bool:
    """Whether a node adds up rows by the slots of `FirstSlots`, as `RowSparse.coalesce` does."""
    return (
        isinstance(node.block, ScatterAdd)
        and isinstance(node.inputs[1].block, FirstSlots)
        and node.shape[0] == node.inputs[0].shape[0]
    )


def reads_unused_slots(node: Tensor, slots: Tensor, graph: Graph, written: set[Tensor]) -> bool:
    """Whether anything may read those rows of a node whose slots are not in use.

    Nothing does where the node's rows are only looked up by the slots, and where everything else that is computed from
    it only goes into updates of the rows that have these slots.
    """
    readers: dict[Tensor, list[Tensor]] = {}
    for reader in graph.nodes():
        for x in reader.inputs:
            readers.setdefault(x, []).append(reader)
    stack, outputs = [node], set(graph.outputs)
    while stack:
        x = stack.pop()
        if x in outputs or (x is not node and (x in written or not isinstance(x.block, Elementwise))):
            return True
        for update in graph.updates:
            rows = update.rows
            if x is rows or (x is update.value and (rows is None or not _has_slots(rows, slots, update.target))):
                return True
        stack += [reader for reader in readers.get(x, []) if not _is_lookup(reader, x, slots)]
    return False


def _is_lookup(reader: Tensor, x: Tensor, slots: Tensor) -> bool:
    """Whether a node looks up rows of x by the slots."""
    return isinstance(reader.block, Gather) and reader.inputs[0] is x and in_memory(reader.inputs[1]) is slots


def _has_slots(rows: Tensor, slots: Tensor, target: Tensor) -> bool:
    """Whether the rows to be written are those that have slots, and all further numbers stand for no row."""
    block = rows.block
    return isinstance(block, Distinct) and rows.inputs[1] is slots and block.fill >= target.shape[0]


def read_by_rows(graph: Graph) -> set[Tensor]:
    """The leaves of which only whole rows are looked up and written; the arguments of the graph are not among them.

    The rows of these need not follow one another in memory without a gap: kernels take their pitch as an argument.
    """
    nodes = graph.nodes()
    leaves = {x for x in nodes if x.block is None and x.spec.rank} - {*graph.inputs, *graph.outputs}
    leaves |= {update.target for update in graph.updates if update.target.spec.rank}
    for node in nodes:
        table = isinstance(node.block, Gather | GatherOrZero)
        leaves -= {x for position, x in enumerate(node.inputs) if position or not table}
    for update in graph.updates:
        leaves -= {update.value, update.rows} if update.rows is not None else {update.value, update.target}
    return {x for x in leaves if not isinstance(x, Constant)}


def rows_of(node: Tensor, written: set[Tensor]) -> tuple[Tensor, list[Tensor]] | None:
    """The row numbers and the tables, for a node whose row i is computed from the rows `numbers[i]` of the tables.

    The row numbers are a `Distinct`. None for any other node.
    """
    found = _row_reads(node, written)
    aligned_rows = {rows for rows, _, aligned in found if aligned}
    several = len({rows for rows, _, _ in found}) != 1 or len({table.shape[0] for _, table, _ in found}) != 1
    if node.spec.rank < 2 or len(aligned_rows) != 1 or several:
        return None
    return found[0][0], [table for _, table, _ in found]


def row_tables(values: Sequence[Tensor], rows: Tensor, written: set[Tensor]) -> list[Tensor]:
    """The tables of which these values, which are written by rows, read the very rows that are written."""
    found = [read for value in values for read in _row_reads(value, written)]
    return list(dict.fromkeys(table for own, table, _ in found if own is rows))


def _row_reads(node: Tensor, written: set[Tensor]) -> list[tuple[Tensor, Tensor, bool]]:
    """The row lookups that are inlined into a node: the `Distinct` numbers, the table, and whether they are aligned.

    A lookup is aligned where row i of the node reads only the row that the i-th number selects.
    """
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


def is_within(positions: Tensor, limit: int) -> bool:
    """Whether positions are known to be in range: slots, as there are no more of them than positions, are.

    Constants are where the range has no end. An end may follow from sizes, and be another one in a later run.
    """
    if isinstance(positions, Constant) and positions.value is not None and limit == LARGEST_INTEGER:
        return bool(positions.value.min(initial=0) >= 0)
    slots = in_memory(positions)
    return isinstance(slots.block, FirstSlots) and slots.spec.size <= limit


def checked_instead(positions: Tensor, limit: int, written: set[Tensor]) -> tuple[Tensor, int]:
    """A node that can be checked instead of positions, and the limit to check it against.

    Reshaped positions are checked as what they were before. Of a minimum with a position that is in range, only the
    lower end of the range needs to be checked: the limit is then the largest number there is.
    """
    while positions not in written:
        block, inputs = positions.block, positions.inputs
        if isinstance(block, Minimum) and isinstance(inputs[1], Constant) and inputs[0].shape == positions.shape:
            bound = inputs[1].value
            if bound is None or bound.size != 1 or not 0 <= bound.item() < limit:
                break
            limit = LARGEST_INTEGER
        elif not isinstance(block, Reshape):
            break
        positions = inputs[0]
    return positions, limit
