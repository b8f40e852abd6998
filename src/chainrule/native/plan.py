"""The memory plan: a place in the arena for all that the steps of a program write."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence
from typing import NamedTuple

from chainrule.dataclasses import dataclass
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph
from chainrule.native.loops.steps import Attending, Leveled, Loop, Product, Recurrence, Step

#: Every place in the arena begins at a multiple of so many bytes: a line of the processor's cache.
ALIGNMENT = 64


@dataclass(frozen=True)
class MemoryPlan:
    """Where in the arena of a program each result lies.

    Attributes:
        offsets: the first byte of each node that a step writes.
        arena_bytes: the size of the arena.
    """

    offsets: dict[Tensor, int]
    arena_bytes: int


class Built(NamedTuple):
    """What a program is made of.

    Attributes:
        graph: what is computed.
        steps: in the order they run.
        memory_plan: where their results lie.
    """

    graph: Graph
    steps: list[Step]
    memory_plan: MemoryPlan


def plan_memory(
    steps: Sequence[Step], outputs: Sequence[Tensor], bytes_of: Callable[[Tensor], int] | None = None
) -> MemoryPlan:
    """A place in the arena for every node that a step writes; `bytes_of` says what one takes, where its spec does not.

    Nodes that do not live at the same time share memory: each takes the first gap that is large enough.
    """
    first, last = _lives(steps, outputs)
    offsets: dict[Tensor, int] = {}
    live: list[tuple[int, int, int]] = []  # the first byte, the one after the last, and the last step that uses them
    arena_bytes = 0
    for node, begin in first.items():  # in the order of the steps
        wanted = _aligned(node.spec.size * node.dtype.itemsize if bytes_of is None else bytes_of(node))
        live = [each for each in live if each[2] >= begin]
        place = 0
        for start, end, _ in live:
            if start - place >= wanted:
                break
            place = max(place, end)
        offsets[node] = place
        insort(live, (place, place + wanted, last[node]))
        arena_bytes = max(arena_bytes, place + wanted)
    return MemoryPlan(offsets, arena_bytes)


def live_bytes(steps: Sequence[Step], outputs: Sequence[Tensor]) -> int:
    """The most bytes that nodes take which live at the same time."""
    first, last = _lives(steps, outputs)
    times = range(len(steps))
    sizes = {node: node.spec.size * node.dtype.itemsize for node in first}
    return max((sum(size for node, size in sizes.items() if first[node] <= t <= last[node]) for t in times), default=0)


def _lives(steps: Sequence[Step], outputs: Sequence[Tensor]) -> tuple[dict[Tensor, int], dict[Tensor, int]]:
    """The step that first writes each node, and the last one that uses it; an output lives to the end."""
    first: dict[Tensor, int] = {}
    last: dict[Tensor, int] = {}
    for number, step in enumerate(steps):
        if step.output is not None:
            first.setdefault(step.output, number)
        for node in _operands(step):
            last[node] = number
    return first, last | dict.fromkeys(outputs, len(steps))


def _operands(step: Step) -> list[Tensor]:
    """The nodes that a step reads or writes."""
    if isinstance(step, Loop):
        return [node for node in step.arguments if isinstance(node, Tensor)]
    if isinstance(step, Product):
        return [step.left, step.right, step.output]
    if isinstance(step, Recurrence | Leveled | Attending):
        return [step.output, *(node for node, _ in step.reads)]
    return [step.output, *step.output.inputs]


def _aligned(count: int) -> int:
    """So many bytes, rounded up to a multiple of the alignment."""
    return -(-count // ALIGNMENT) * ALIGNMENT
