"""Refusals: what a device would not refuse, such as an index that is no row, is looked for on the host before a run.

Only arguments are: what a block reads that was computed is on the device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from chainrule.blocks.segment_places import SegmentPlaces
from chainrule.graph.array import any_outside
from chainrule.graph.spec import Array
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph

Check = Callable[[Sequence[Array]], None]


def refusals(graph: Graph) -> list[Check]:
    """What is to be called with the arguments of each run: each raises what the block itself would.

    Args:
        graph: whose inputs may be indices into tables, or offsets of texts that have learned positions.
    """
    places = {leaf: i for i, leaf in enumerate(graph.inputs)}
    found: dict[object, Check] = {}  # a table is read with the same indices many times, in its gradient and its update
    for node in graph.nodes():
        block = node.block
        if block is None:
            continue
        if isinstance(block, SegmentPlaces) and block.most is not None and node.inputs[0] in places:
            found[places[node.inputs[0]], block.most] = _lengths(block, places[node.inputs[0]])
        elif block.index_input is not None and node.inputs[block.index_input] in places:
            place = places[node.inputs[block.index_input]]
            limit = int(block.limit(node.shape, *[x.shape for x in node.inputs]))
            found.setdefault((place, limit, type(block)), _indices(node, place, limit))
    return list(found.values())


def _indices(node: Tensor, place: int, limit: int) -> Check:
    block = node.block

    def check(arguments: Sequence[Array]) -> None:
        indices = arguments[place]
        if block is not None and any_outside(indices, limit):
            raise block.range_error(int(indices[(indices < 0) | (indices >= limit)].flat[0]), limit)

    return check


def _lengths(block: SegmentPlaces, place: int) -> Check:
    def check(arguments: Sequence[Array]) -> None:
        offsets = arguments[place]
        block.forward(np, offsets, np.empty(int(offsets[-1]) if len(offsets) else 0, np.bool_))

    return check
