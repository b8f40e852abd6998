"""Bounds of own index maps: a step that refuses what a user's block would read or write outside of an array.

The toolkit's own movements and scatters have passed the shared test. Another one may have an `element` or a `target`
that leaves its arrays, which compiled code would follow into memory that is not theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.errors import BlockError, IndexRangeError
from chainrule.graph.block import Movement, Scatter
from chainrule.graph.contract import is_own
from chainrule.graph.spec import INT64
from chainrule.graph.tensor import Tensor
from chainrule.native.loops.expression import Expression, as_expression, call, cast
from chainrule.native.loops.steps import Loop
from chainrule.native.lowering.bodies import outermost_axis, target_of
from chainrule.native.lowering.nest import Nest, Reader

#: A kernel that refuses gives one number: the index times this, plus the number of the place where it was used.
MOST_PLACES = 2**16


def is_checked(node: Tensor) -> bool:
    """Whether the index map of a node is to be checked."""
    block = node.block
    return isinstance(block, Movement | Scatter) and block.bounds_checked and is_own(type(block)) and node.spec.size > 0


def check_bounds(node: Tensor, written: set[Tensor]) -> Loop:
    """A step that runs the index map of a node, and refuses the first index outside of an input or the output."""
    nest, checks = Nest("bounds", None, written), Checks()
    block, sizes = node.block, nest.shape(node)
    readers = [Checked(nest, x, number, checks) for number, x in enumerate(node.inputs)]

    def write_target(index: tuple[Expression, ...]) -> None:
        place = target_of(block, index, readers)  # type: ignore[arg-type]
        if len(place) != len(sizes):
            raise BlockError(f"block {node.block}: target gave {len(place)} indices; expected {len(sizes)}")
        for axis, (i, size) in enumerate(zip(place, sizes, strict=True)):
            text = f"target gave index {{index}} on axis {axis} of the output, which has shape {node.shape}"
            # An index past the end stands for no row, unless it is that of the input's own axis.
            checks.refuse(nest, i, size, text, only_below=all(i is not own for own in index))

    def run(index: tuple[Expression, ...]) -> None:
        nest.run_element(node, index, readers)  # what it reads is checked

    if isinstance(block, Scatter):
        over = nest.shape(node.inputs[0])
        nest.kernel.nest(over, write_target, parallel=outermost_axis(over))
    else:
        nest.kernel.nest(sizes, run, parallel=outermost_axis(sizes))

    def refusal(status: int) -> IndexRangeError:
        index, number = divmod(status, MOST_PLACES)
        return IndexRangeError(
            f"block {node.block}: {checks.texts[number].format(index=index)}; keep it inside with xp.minimum and "
            f"xp.maximum, also where xp.where then takes another number (bounds_checked = False in the class leaves "
            f"this check out)"
        )

    return nest.loop(refusal=refusal)


class Checks:
    """The places in a kernel where indices are checked.

    Attributes:
        texts: for each place what is said of an index that is refused there.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []

    def refuse(self, nest: Nest, index: Any, size: Any, text: str, *, only_below: bool = False) -> Expression:
        """Refuse an index outside 0 ... size - 1; the nearest one inside, at which it is safe to read."""
        place: Any = cast(as_expression(index, INT64), INT64)
        outside = place < 0 if only_below else (place < 0) | (place >= size)
        nest.kernel.refuse(outside, place * MOST_PLACES + len(self.texts))
        self.texts.append(text)
        return call("maximum", call("minimum", place, size - 1), 0)


class Checked(Reader):
    """An input that is read at checked places alone."""

    def __init__(self, nest: Nest, node: Tensor, number: int, checks: Checks) -> None:
        super().__init__(nest, node, {})
        self.number, self.checks = number, checks

    def __call__(self, index: Sequence[Any]) -> Expression:
        """The element at an index, or the nearest one, where the kernel has ended."""
        if len(index) != len(self.node.shape):
            raise TypeError(
                f"it read {len(index)} indices of input {self.number}, which has {len(self.node.shape)} axes"
            )
        inside = []
        for axis, (i, size) in enumerate(zip(index, self.shape, strict=True)):
            text = (
                f"element read index {{index}} on axis {axis} of input {self.number}, which has shape {self.node.shape}"
            )
            inside.append(self.checks.refuse(self.nest, i, size, text))
        return super().__call__(inside)
