"""The plan of memory: a place in the arena for all that the steps of a program write."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.graph.tensor import Tensor
from chainrule.native.loops.steps import Loop, Product, Step

ALIGNMENT = 64


def plan(steps: Sequence[Step], outputs: Sequence[Tensor]) -> tuple[dict[Tensor, int], int]:
    """A place in the arena for every node that a step writes, and the size of the arena in bytes.

    Nodes that do not live at the same time share memory: each takes the first gap that is large enough.
    """
    first, last = _lives(steps, outputs)
    offsets: dict[Tensor, int] = {}
    size = 0
    for node, begin in first.items():
        wanted = _room(node)
        taken = sorted(
            (offsets[x], offsets[x] + _room(x)) for x in offsets if last[x] >= begin and first[x] <= last[node]
        )
        place = 0
        for start, end in taken:
            if start - place >= wanted:
                break
            place = max(place, end)
        offsets[node] = place
        size = max(size, place + wanted)
    return offsets, size


def live_bytes(steps: Sequence[Step], outputs: Sequence[Tensor]) -> int:
    """The most bytes that nodes take which live at the same time."""
    first, last = _lives(steps, outputs)
    times = range(len(steps))
    sizes = {node: node.spec.size * node.dtype.itemsize for node in first}
    return max((sum(size for node, size in sizes.items() if first[node] <= t <= last[node]) for t in times), default=0)


def _lives(steps: Sequence[Step], outputs: Sequence[Tensor]) -> tuple[dict[Tensor, int], dict[Tensor, int]]:
    """The step that writes each node and the last that reads it; what is returned lives to the end."""
    first: dict[Tensor, int] = {}
    last: dict[Tensor, int] = {}
    for number, step in enumerate(steps):
        if step.output is not None:
            first.setdefault(step.output, number)
        for node in _touched(step):
            last[node] = number
    return first, last | dict.fromkeys(outputs, len(steps))


def _touched(step: Step) -> list[Tensor]:
    if isinstance(step, Loop):
        return [node for node in step.arguments if isinstance(node, Tensor)]
    if isinstance(step, Product):
        return [step.left, step.right, step.output]
    return [step.output, *step.output.inputs]


def _room(node: Tensor) -> int:
    return -(-node.spec.size * node.dtype.itemsize // ALIGNMENT) * ALIGNMENT
