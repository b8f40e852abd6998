"""Writes one kernel: some nodes of the graph are its buffers, and all others are computed where they are read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from chainrule.errors import ShapeError
from chainrule.graph.block import Elementwise, Movement
from chainrule.graph.contract import PASSED_ON_IN_LOOPS, Contract, is_own
from chainrule.graph.leaves import Constant
from chainrule.graph.spec import BOOL, INT64, UINT32, Spec
from chainrule.graph.tensor import Tensor
from chainrule.native.loops.expression import Expression, Functions, as_expression, cast, constant
from chainrule.native.loops.kernel import Buffer, Kernel
from chainrule.native.loops.steps import Loop
from chainrule.native.lowering.memory import is_own_row
from chainrule.native.lowering.patterns import in_memory

XP = Functions()


class Nest:
    """Writes one kernel: it knows which nodes are buffers, and inlines all others.

    Attributes:
        kernel: the kernel, as far as it is written.
        written: the nodes that are held in memory.
        arguments: what the kernel's buffers stand for, in order.
        numbers: the number of the buffer of each node that has one.
        node: the node that the kernel computes, if it computes one.
        flat: whether one loop goes over all elements, whatever the shapes.
        rows: for a kernel that goes over rows of tables, the node with the numbers of these rows.
        row: the number of the row of the iteration that is being written.
        targets: the tables that these rows belong to.
        shapes: the sizes of nodes that were asked for, each of them one expression.
        words: constant words that were asked for, likewise.
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
        self.shapes: dict[Tensor, tuple[Any, ...]] = {}
        self.words: dict[Tensor, Expression] = {}
        if node is not None:
            self.buffer(node)

    def build(self, body: Callable[[Nest, Tensor, Buffer], None]) -> Loop:
        """The step that computes the node; `body` adds its loops."""
        node = self.node
        if node is None or node.block is None:
            raise TypeError("a leaf is not computed")
        body(self, node, self.buffer(node))
        block = node.block
        return self.loop(output=node, refusal=lambda value: ShapeError(block.refusal(value)))

    def loop(self, **settings: Any) -> Loop:
        """The step that runs the finished kernel; the settings are the step's other fields."""
        arguments = dict(zip(list(self.kernel.buffers), self.arguments, strict=True))
        return Loop(self.kernel, tuple(arguments[name] for name in self.kernel.compact()), **settings)

    def number(self, value: int) -> Any:
        """A run-time number, passed as the size of an empty buffer: the kernel is not compiled for its value."""
        self.arguments.append(Spec((value,), BOOL))
        return self.kernel.buffer(f"b{len(self.arguments) - 1}", Spec((value,), BOOL)).shape[0]

    def scratch(self, spec: Spec) -> Buffer:
        """Memory that belongs to the kernel: it is all zeros before a run, and the kernel leaves it so."""
        self.arguments.append(None)
        return self.kernel.buffer(f"b{len(self.arguments) - 1}", spec)

    def buffer(self, node: Tensor) -> Buffer:
        """The kernel's argument for a node; a new one if there is none yet."""
        number = self.numbers.setdefault(node, len(self.arguments))
        if number == len(self.arguments):
            held = self._held(node)
            self.arguments.append(node if held is None else held)  # if not held, only its sizes are read
        return self.kernel.buffer(f"b{number}", self.spec(node))

    def spec(self, node: Tensor) -> Spec:
        """A node's shape and dtype as the loops see them: with one axis where one loop goes over all elements."""
        return Spec((node.spec.size,), node.dtype) if self.flat else node.spec

    def element(self, node: Tensor, index: Sequence[Any], memo: dict[Any, Expression]) -> Expression:
        """The element of a node at an index, inlined down to what is in memory."""
        key = (node, tuple(i if isinstance(i, int) else id(i) for i in index))
        if key not in memo:
            memo[key] = self._read(node, index, memo)
            memo[key, "alive"] = index  # type: ignore[assignment]  # an id is unique only while its object is alive
        return memo[key]

    def _read(self, node: Tensor, index: Sequence[Any], memo: dict[Any, Expression]) -> Expression:
        """As `element`, for one that has not been read before."""
        if isinstance(node, Constant) and node.value is not None and node.value.size == 1:
            return self._word(node) if node.dtype == UINT32 else constant(node.value.item(), node.dtype)
        if node.spec.size == 0:  # it has no element: nothing uses this one, and it must not be read from memory
            return constant(0, node.dtype)
        if self._held(node) is not None:
            return self.buffer(node)(index)
        if self.rows is not None and is_own_row(node, self.rows, self.targets):
            # The gathered row is the one that is written. It is read by the same address, so that LLVM sees it, too.
            return self.buffer(node.inputs[0])((self.row, *index[1:]))
        return self.inlined(node, index, memo)

    def _word(self, node: Constant) -> Expression:
        """A constant word, such as the site of a draw: a run-time number, so that all sites share one kernel."""
        if node not in self.words:
            self.words[node] = cast(as_expression(self.number(node.numpy().item()), INT64), UINT32)
        return self.words[node]

    def _held(self, node: Tensor) -> Tensor | None:
        """The node in memory that holds the elements of a node, in its own shape or another one; None for none."""
        source = node if node in self.written else in_memory(node)
        return source if source in self.written else None

    def inlined(self, node: Tensor, index: Sequence[Any], memo: dict[Any, Expression]) -> Expression:
        """The element of a node by its block's loop body."""
        block = node.block
        if not isinstance(block, Elementwise | Movement):
            raise TypeError(f"{node.label} has no element to inline")
        if node.spec.size == 0:
            return constant(0, node.dtype)
        return self.run_element(node, index, [Reader(self, x, memo) for x in node.inputs])

    def run_element(self, node: Tensor, index: Sequence[Any], readers: Sequence[Reader]) -> Expression:
        """The loop body of a node's block."""
        block: Any = node.block
        if isinstance(block, Movement) and block.at_run_time:
            numbers = {name: tuple(map(self.number, getattr(block, name))) for name in block.at_run_time}
            block = dataclasses.replace(block, **numbers)
        with Contract(block, "element" if isinstance(block, Movement) else "forward", PASSED_ON_IN_LOOPS):
            result = block.element(XP, tuple(index), self.shape(node), *readers)
            number = cast(result, node.dtype) if isinstance(result, Expression) else constant(result, node.dtype)
            require_agreement(node, result)
            return number

    def shape(self, node: Tensor) -> tuple[Any, ...]:
        """The sizes of a node. To give them, a node that is not in memory becomes an argument all the same."""
        found = self.shapes.get(node)
        if found is None:
            found = self.spec(node).shape
            if any(size > 1 for size in found):
                found = self.buffer(self.twin(node)).shape
            self.shapes[node] = found
        return found

    def twin(self, node: Tensor) -> Tensor:
        """The first argument that always has the same shape as a node: its sizes serve both. Else the node itself."""
        if _has_value(node):
            for x in self.arguments:
                if isinstance(x, Tensor) and x.shape == node.shape and _has_value(x):
                    return x
        return node


class Reader:
    """An input of a block, as the block's loop body sees it."""

    def __init__(self, nest: Nest, node: Tensor, memo: dict[Any, Expression]) -> None:
        self.nest, self.node, self.memo = nest, node, memo

    def __call__(self, index: Sequence[Any]) -> Expression:
        """The element at an index."""
        return self.nest.element(self.node, index, self.memo)

    @property
    def shape(self) -> tuple[Any, ...]:
        """The sizes."""
        return self.nest.shape(self.node)


def require_agreement(node: Tensor, result: Any) -> None:
    """Refuse what the loop body of a user's block gave, where its NumPy forward would be refused, too.

    Raises:
        TypeError: for a number that is not computed from the inputs, or of another dtype than `infer` says.
    """
    if isinstance(node.block, Elementwise) and is_own(type(node.block)):
        if not isinstance(result, Expression):
            raise TypeError(f"it gave {result}, whatever its inputs are; write it as 0 * x + {result}")
        if result.dtype != node.dtype:
            raise TypeError(f"infer says {node.dtype.name}, but it gave {result.dtype.name}; convert with xp.astype")


def _has_value(node: Tensor) -> bool:
    """Whether a node is a leaf with a value of its own, such as a parameter, and no argument of the graph."""
    return node.block is None and node.known
