"""Common subexpressions: what is computed twice from the same inputs is computed once."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from typing import Any

import numpy as np

from chainrule.blocks.arithmetic import Maximum, Minimum
from chainrule.graph.block import Block
from chainrule.graph.leaves import Constant
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph
from chainrule.passes.rewrite import rebuild, with_inputs

#: Constants of up to this many elements are compared, and computed when the program is made.
LARGEST_FOLDED = 64


def merge_common(graph: Graph) -> Graph:
    """The graph with equal nodes made one: those of equal blocks over the same inputs, and equal small constants.

    Blocks are equal when they have the same class and the same settings, of the same types: 1, 1.0 and True are three
    settings, and so are 0.0 and -0.0. The inputs of a commutative block may stand in either order. Random blocks are
    functions of their key and merge like any other. Constants are equal when they have the same dtype, shape and bits.

    Example:
        >>> import chainrule
        >>> print(merge_common(chainrule.trace(lambda x: (x * 2) / (2 * x), chainrule.Spec((3,)))))
        %0: float32(3,) = input x
        %1: float32() = constant 2
        %2: float32(3,) = multiply %0 %1
        %3: float32(3,) = divide %2 %2
        return %3
    """
    return rebuild(graph, Common())


class Common:
    """The replacement of one sweep: remembers every node and gives the first of those that are equal."""

    def __init__(self) -> None:
        self.seen: dict[Hashable, Tensor] = {}
        self._settings: dict[int, tuple[Block, Hashable]] = {}  # many nodes have one block, which is kept with its id

    def __call__(self, node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
        """The first node that equals this one over these inputs."""
        node = with_inputs(node, inputs)
        return self.seen.setdefault(self._identity(node), node)

    def _identity(self, node: Tensor) -> Hashable:
        """What two nodes have in common when they are equal."""
        block = node.block
        if block is None:
            if isinstance(node, Constant) and node.value is not None and node.spec.size <= LARGEST_FOLDED:
                return exact(node.value)
            return node
        if id(block) not in self._settings:
            self._settings[id(block)] = block, settings_of(block)
        inputs = frozenset(node.inputs) if len(node.inputs) == 2 and _exchangeable(node) else node.inputs
        return node.spec, type(block), self._settings[id(block)][1], inputs


def _exchangeable(node: Tensor) -> bool:
    """Whether the two inputs may stand in either order without a bit of difference.

    The larger of 0.0 and -0.0 is whichever NumPy or the processor meets in one of the two places, so `maximum` and
    `minimum` of floating-point numbers keep their order.
    """
    block = node.block
    return block is not None and block.commutative and not (isinstance(block, Maximum | Minimum) and node.spec.floating)


def settings_of(block: Block) -> Hashable:
    """All settings of a block, those of fields and any others; see `exact`."""
    fields = {field.name: getattr(block, field.name) for field in dataclasses.fields(block)}
    return tuple((name, exact(value)) for name, value in sorted({**fields, **vars(block)}.items()))


def exact(value: Any) -> Hashable:
    """A key that is equal for values of one type and the same bits only; an object of another kind equals itself."""
    if isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
        return type(value), value.dtype, value.shape, value.tobytes()
    if type(value) is float:
        return float, value.hex()  # tells 0.0 from -0.0, and makes all NaN one
    if value is None or isinstance(value, bool | int | str | bytes | type | np.dtype):
        return type(value), value
    if isinstance(value, tuple | list):
        return type(value), tuple([exact(part) for part in value])
    return type(value), id(value)  # the block, which is alive, keeps the object and so its id
