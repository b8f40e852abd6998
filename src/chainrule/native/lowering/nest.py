"""Writing one kernel: which nodes of the graph are its buffers, and how all others are computed where they are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chainrule.errors import ShapeError
from chainrule.graph.block import Elementwise, Movement
from chainrule.graph.leaves import Constant
from chainrule.graph.spec import BOOL, Spec
from chainrule.graph.tensor import Tensor
from chainrule.native.loops.expression import Expression, Functions, cast, constant
from chainrule.native.loops.kernel import Buffer, Kernel
from chainrule.native.loops.steps import Loop
from chainrule.native.lowering.memory import is_own_row

XP = Functions()


class Nest:
    """Writes one kernel: knows which nodes are buffers and inlines all others.

    Attributes:
        kernel: as far as it is written.
        written: the nodes that are held in memory.
        arguments: what its buffers stand for, in order.
        node: what it computes, if it is a node.
        flat: whether one loop goes over all elements, whatever the shapes.
        rows: the rows of tables that it is computing or writing, a node, if it goes over such.
        row: the number of the one that it is at.
        targets: the tables that they belong to.
    """

    def __init__(self, name: str, node: Tensor | None, written: set[Tensor]) -> None:
        self.kernel = Kernel(name)
        self.written = written
        self.arguments: list[Tensor | Spec | None] = []
        self.numbers: dict[Tensor, int] = {}
        self.node = node
        self.flat = False
        self.rows: Tensor | None = None
        self.row: Expression | None = None
        self.targets: set[Tensor] = set()
        if node is not None:
            self.buffer(node)

    def build(self, body: Callable[[Nest, Tensor, Buffer], None]) -> Loop:
        """The step, after the function has added its loops."""
        node = self.node
        if node is None or node.block is None:
            raise TypeError("a leaf is not computed")
        body(self, node, self.buffer(node))
        block = node.block
        return self.loop(output=node, refusal=lambda value: ShapeError(block.refusal(value)))

    def loop(self, **settings: Any) -> Loop:
        """The step that runs the kernel as it is now; the settings are its other fields."""
        arguments = dict(zip(list(self.kernel.buffers), self.arguments, strict=True))
        return Loop(self.kernel, tuple(arguments[name] for name in self.kernel.compact()), **settings)

    def number(self, value: int) -> Any:
        """A number that the kernel is told, and not compiled for: the size of an array that is not there."""
        self.arguments.append(Spec((value,), BOOL))
        return self.kernel.buffer(f"b{len(self.arguments) - 1}", Spec((value,), BOOL)).shape[0]

    def buffer(self, node: Tensor) -> Buffer:
        """The argument that stands for a node."""
        number = self.numbers.setdefault(node, len(self.arguments))
        if number == len(self.arguments):
            self.arguments.append(node)
        return self.kernel.buffer(f"b{number}", self.spec(node))

    def spec(self, node: Tensor) -> Spec:
        """A node's shape and dtype as the loops see them: of one axis where they count all elements."""
        return Spec((node.spec.size,), node.dtype) if self.flat else node.spec

    def element(self, node: Tensor, index: Sequence[Any], memo: dict[Any, Expression]) -> Expression:
        """The element of a node at an index, inlined down to what is in memory."""
        key = (node, tuple(i if isinstance(i, int) else id(i) for i in index))
        if key not in memo:
            memo[key] = self._read(node, index, memo)
            memo[key, "alive"] = index  # type: ignore[assignment]  # ids stay unique while what they name is alive
        return memo[key]

    def _read(self, node: Tensor, index: Sequence[Any], memo: dict[Any, Expression]) -> Expression:
        if isinstance(node, Constant) and node.value is not None and node.value.size == 1:
            return constant(node.value.item(), node.dtype)
        if node.spec.size == 0:  # it has no element: what would be read matters to nobody, and must not be
            return constant(0, node.dtype)
        if node in self.written:
            return self.buffer(node)(index)
        if self.rows is not None and is_own_row(node, self.rows, self.targets):
            # Inside the row's guard the gathered row is the written one; said so, LLVM sees that they are one place.
            return self.buffer(node.inputs[0])((self.row, *index[1:]))
        return self.inlined(node, index, memo)

    def inlined(self, node: Tensor, index: Sequence[Any], memo: dict[Any, Expression]) -> Expression:
        """The element of a node by its block's loop body."""
        block = node.block
        if not isinstance(block, Elementwise | Movement):
            raise TypeError(f"{node.label} has no element to inline")
        if node.spec.size == 0:
            return constant(0, node.dtype)
        readers = [Reader(self, x, memo) for x in node.inputs]
        result = block.element(XP, tuple(index), self.shape(node), *readers)
        return cast(result, node.dtype) if isinstance(result, Expression) else constant(result, node.dtype)

    def shape(self, node: Tensor) -> tuple[Any, ...]:
        """The sizes of a node. One that is not in memory is an argument all the same where the kernel needs a size."""
        shape = self.spec(node).shape
        if all(size <= 1 for size in shape):
            return shape
        return self.buffer(self.twin(node)).shape

    def twin(self, node: Tensor) -> Tensor:
        """Of leaves of one shape, whose arrays will always have it, the first: the loops need not ask for each."""
        if _is_held(node):
            for x in self.arguments:
                if isinstance(x, Tensor) and x.shape == node.shape and _is_held(x):
                    return x
        return node


class Reader:
    """An input of a block as its loop body sees it."""

    def __init__(self, nest: Nest, node: Tensor, memo: dict[Any, Expression]) -> None:
        self.nest, self.node, self.memo = nest, node, memo

    def __call__(self, index: Sequence[Any]) -> Expression:
        """The element at an index."""
        return self.nest.element(self.node, index, self.memo)

    @property
    def shape(self) -> tuple[Any, ...]:
        """The sizes."""
        return self.nest.shape(self.node)


def _is_held(node: Tensor) -> bool:
    """Whether a node is a leaf with a value of its own, no argument."""
    return node.block is None and node.known
