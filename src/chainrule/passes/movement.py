"""Identities of movements: two index maps in a row are one, and a map that moves nothing is none.

All are exact, since a movement passes elements on unchanged.
"""

from __future__ import annotations

from chainrule.blocks.movement import Broadcast, Reshape, Transpose, reshape_between
from chainrule.blocks.slicing import Concatenate, Slice, Unslice
from chainrule.graph.tensor import Tensor
from chainrule.passes.arithmetic import Rule
from chainrule.passes.rewrite import apply


def _reshape(block: Reshape, node: Tensor) -> Tensor | None:
    """To the shape that is there; and of a reshape, for both keep the elements in row order."""
    (x,) = node.inputs
    if x.shape == block.shape:
        return x
    if type(x.block) is not Reshape:
        return None
    between = reshape_between(x.inputs[0].shape, block.shape)
    return x.inputs[0] if between is None else apply(between, x.inputs, node)


def _transpose(block: Transpose, node: Tensor) -> Tensor | None:
    """By the order that is there; and of a transpose: axis i is axis axes[i] of x, which is an axis of x's input."""
    (x,) = node.inputs
    if block.axes == tuple(range(x.spec.rank)):
        return x
    if type(x.block) is not Transpose:
        return None
    inner = x.block.axes
    return apply(Transpose(tuple(inner[i] for i in block.axes)), x.inputs, node)


def _broadcast(block: Broadcast, node: Tensor) -> Tensor | None:
    """To the shape that is there; of a broadcast; and of a reshape that only adds axes of size 1 on the left."""
    (x,) = node.inputs
    if x.shape == block.shape:
        return x
    if type(x.block) is Broadcast:
        return apply(block, x.inputs, node)
    if type(x.block) is Reshape:
        (source,) = x.inputs
        if x.shape == (1,) * (x.spec.rank - source.spec.rank) + source.shape:
            return apply(block, (source,), node)
    return None


def _slice(block: Slice, node: Tensor) -> Tensor | None:
    """Of everything, in order; and of a slice: place start + step i of it is a place of its input."""
    (x,) = node.inputs
    if x.shape == block.size and _in_order(block.start, block.step, block.size):
        return x
    if type(x.block) is not Slice:
        return None
    inner = x.block
    start = tuple(a + s * i for a, s, i in zip(inner.start, inner.step, block.start, strict=True))
    step = tuple(a * b for a, b in zip(inner.step, block.step, strict=True))
    return apply(Slice(start, step, block.size), x.inputs, node)


def _unslice(block: Unslice, node: Tensor) -> Tensor | None:
    """Into a shape that x fills, in order."""
    (x,) = node.inputs
    return x if x.shape == block.shape and _in_order(block.start, block.step, x.shape) else None


def _in_order(start: tuple[int, ...], step: tuple[int, ...], size: tuple[int, ...]) -> bool:
    return all(n == 0 or (a == 0 and (s == 1 or n == 1)) for a, s, n in zip(start, step, size, strict=True))


def _concatenate(block: Concatenate, node: Tensor) -> Tensor | None:
    """Of one input; and of slices that follow one another and are all of a tensor."""
    if len(node.inputs) == 1:
        return node.inputs[0]
    source, end = None, 0
    for x in node.inputs:
        start = tuple(end if axis == block.axis else 0 for axis in range(x.spec.rank))
        if type(x.block) is not Slice or x.block.start != start or any(step != 1 for step in x.block.step):
            return None
        if source is not None and x.inputs[0] is not source:
            return None
        source, end = x.inputs[0], end + x.shape[block.axis]
    return source if source is not None and source.shape == node.shape else None


RULES: dict[type, Rule] = {
    Broadcast: _broadcast,
    Concatenate: _concatenate,
    Reshape: _reshape,
    Slice: _slice,
    Transpose: _transpose,
    Unslice: _unslice,
}
