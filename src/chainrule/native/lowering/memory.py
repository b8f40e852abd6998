"""Which nodes of a graph are held in memory. All others are inlined: computed inside the loops that read them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from chainrule.blocks.attention_tiles import Attention
from chainrule.blocks.chance import Threefry
from chainrule.blocks.contraction import MatMul
from chainrule.blocks.indexing import Gather, GatherOrZero
from chainrule.blocks.sorting import Argsort
from chainrule.graph.block import Elementwise, Movement, Reduction, Scatter
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph, Update
from chainrule.native.lowering.in_place import PutInPlace, is_written_in_place
from chainrule.native.lowering.patterns import columns_in_memory, in_memory, is_in_parts, rows_in_memory, untransposed

#: A node is inlined if it takes no more than about so many instructions: the first number holds for a node that is read
#: several times, the second for any other.
REUSED_INSTRUCTIONS, INLINED_INSTRUCTIONS = 24, 400
#: How often the choice is made at most: it depends on itself, as which nodes are written decides which ones are read
#: several times.
MOST_ROUNDS = 3
#: How many nodes may be inlined one into another: each of them is a call on Python's stack.
MOST_NESTED_NODES = 50
#: About how many instructions an element of a block takes in float32; of other blocks it is 1.
INSTRUCTIONS = {
    "exp": 16,
    "expm1": 20,
    "erf": 100,
    "log": 16,
    "log1p": 20,
    "log2": 18,
    "log10": 18,
    "sin": 40,
    "cos": 40,
    "tan": 80,
    "floor_divide": 40,
    "remainder": 40,
    "tanh": 20,
    "sigmoid": 20,
    "softplus": 40,
    "power": 40,
    "integer_power": 40,
    "divide": 4,
    "sqrt": 4,
}


def materialised(graph: Graph, repeated: Collection[Tensor] = ()) -> set[Tensor]:
    """The nodes that are held in memory, leaves included.

    Args:
        graph: the graph.
        repeated: the scans whose steps are repeated natively, which read rows where another scan wrote them.
    """
    nodes = graph.nodes()
    uses: dict[Tensor, int] = {}
    for node in nodes:
        for x in node.inputs:
            uses[x] = uses.get(x, 0) + 1
    needed = _needed(graph, nodes, repeated)
    written = needed
    for _ in range(MOST_ROUNDS):
        before, shared = written, _shared(graph, nodes, written)
        written = set(needed)
        costs: dict[Tensor, float] = {}  # the instructions of a node and of what is inlined into it
        depths: dict[Tensor, int] = {}
        for node in nodes:
            block = node.block
            own = 100 if isinstance(block, Threefry) else INSTRUCTIONS.get(block.name if block else "", 1)
            own *= 2 if node.dtype == np.float64 else 1  # a vector holds half as many, and series are longer
            costs[node] = own + sum(costs[x] / uses[x] if x in shared else costs[x] for x in node.inputs)
            depths[node] = 1 + max((depths[x] for x in node.inputs), default=0)
            reused = uses.get(node, 0) > 1 and node not in shared
            most = REUSED_INSTRUCTIONS if reused else INLINED_INSTRUCTIONS
            lies = isinstance(block, PutInPlace)  # in the memory of a leaf
            if not lies and (costs[node] > most or depths[node] > MOST_NESTED_NODES):
                written.add(node)
            if lies or node in written:
                costs[node], depths[node] = 1, 0
        if written == before:
            break
    return written


def _needed(graph: Graph, nodes: Sequence[Tensor], repeated: Collection[Tensor]) -> set[Tensor]:
    """The nodes that must be held in memory, whatever they cost."""
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
            written |= {in_memory(untransposed(x)[0]) for x in node.inputs}
        elif isinstance(block, Attention):
            written |= {held for held, _ in columns_in_memory(node)}
        elif node in repeated:
            written |= {held for held, _ in rows_in_memory(node)}
        elif block is not None and not (
            isinstance(block, Elementwise | Movement | Reduction | Scatter) or hasattr(block, "loops")
        ):
            written |= set(node.inputs)
        elif isinstance(block, Gather) and node.inputs[0].spec.size < node.spec.size:
            written.add(node.inputs[0])  # its rows are read many times, and so are computed once
        elif is_in_parts(node):
            written.add(node)
        elif isinstance(block, Argsort):
            written |= set(node.inputs)  # each of its elements is compared many times
        if not isinstance(block, Elementwise):
            written |= {x for x in node.inputs if x.dtype.kind in "iu" and _rounded(x)}
        if not isinstance(block, Elementwise | Movement):
            written.add(node)
    return written


def _shared(graph: Graph, nodes: Sequence[Tensor], written: set[Tensor]) -> set[Tensor]:
    """The nodes that are read several times, but in one kernel and at one index, so that it computes them once."""
    # Where each reader of a node reads it: in which kernel, and at which index. None stands for several such places.
    readers: dict[Tensor, list[object]] = {}
    for number, group in enumerate(groups(graph)):
        for update in group:
            readers.setdefault(update.value, []).append(("update", number))
    shared = set()
    for node in reversed(nodes):
        found = readers.get(node, [])
        place = found[0] if len(set(found)) == 1 else None
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
    """The updates that one kernel makes at the end: successive ones of one shape and of the same rows.

    A parameter and what an optimizer remembers of it are such a group.
    """
    groups: list[list[Update]] = []
    for update in graph.updates:
        if is_written_in_place(update):
            continue
        first = groups[-1][0] if groups else None
        if first and update.rows is first.rows and update.target.shape == first.target.shape:
            groups[-1].append(update)
        else:
            groups.append([update])
    return groups


def _in_place(update: Update, own: set[Tensor], changed: set[Tensor]) -> bool:
    """Whether a value may be computed while its group is written, and need not be in memory before.

    It may if it reads no leaf that an earlier group changes, and of the leaves of its own group only the very element
    (or row) that is written.
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
    """Whether a node reads the very rows that are written, from one of these leaves."""
    return isinstance(node.block, GatherOrZero) and node.inputs[0] in own and node.inputs[1] is rows


def _reads(node: Tensor, leaves: set[Tensor]) -> bool:
    """Whether a node, or what is inlined into it, reads one of these leaves."""
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
    """Whether a node is computed from floating-point numbers by what would be inlined into it.

    Positions of that kind are written to memory: if a number is too large for an integer, its cast depends on the
    instruction, and the positions that are used must be those that were checked.
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
