"""Concatenations of many tensors: a step an input, which writes its part of the result."""

from __future__ import annotations

from chainrule.graph.tensor import Tensor
from chainrule.native.loops.expression import Expression
from chainrule.native.loops.steps import Step
from chainrule.native.lowering.bodies import outermost_axis
from chainrule.native.lowering.nest import Nest


def parts_of(node: Tensor, axis: int, written: set[Tensor]) -> list[Step]:
    """The steps that write a concatenation along an axis; inputs of one kind have one kernel, wherever they go."""
    steps: list[Step] = []
    start = 0
    for x in node.inputs:
        if x.spec.size:
            steps.append(_part(node, x, axis, start, written))
        start += x.shape[axis]
    return steps


def _part(node: Tensor, x: Tensor, axis: int, start: int, written: set[Tensor]) -> Step:
    nest = Nest("part", node, written)
    out, sizes, before = nest.buffer(node), nest.shape(x), nest.number(start)

    def cell(index: tuple[Expression, ...]) -> None:
        place = (*index[:axis], before + index[axis], *index[axis + 1 :])
        out.store(nest.kernel, place, nest.element(x, index, {}))

    nest.kernel.nest(sizes, cell, parallel=outermost_axis(sizes))
    return nest.loop(output=node)
