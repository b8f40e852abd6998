"""From a graph to loop nests: which nodes are written to memory, and the kernel that computes each of them.

A node is written only where something needs it in memory: outputs, inputs of a matrix product, what is read several
times and costs more to compute again than to read, and what has no loop body. All other nodes are inlined into the
loops that read them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial, reduce
from operator import and_
from typing import Any, TypeAlias, TypeVar

from chainrule.blocks.arithmetic import Identity, Minimum
from chainrule.blocks.chance import Threefry
from chainrule.blocks.contraction import MatMul
from chainrule.blocks.indexing import Gather
from chainrule.blocks.movement import Transpose
from chainrule.errors import ChainruleError, IndexRangeError, ShapeError
from chainrule.graph.block import Block, Elementwise, Movement, Reduction, Scatter
from chainrule.graph.spec import INT64
from chainrule.graph.tensor import Constant, Tensor
from chainrule.graph.trace import Graph, Update
from chainrule.native.expression import Expression, Functions, as_expression, call, cast, constant
from chainrule.native.loops import Assign, Buffer, Kernel

XP = Functions()

#: Costs in instructions, roughly: above REUSE a node that is read several times is written, above INLINE any node is.
REUSE, INLINE = 24, 400
#: Nodes inlined one into the other at most: Python's stack is what they are written down on.
DEEPEST = 50
COSTS = {
    "exp": 16,
    "log": 16,
    "log1p": 20,
    "tanh": 20,
    "sigmoid": 20,
    "softplus": 40,
    "power": 40,
    "divide": 4,
    "sqrt": 4,
}


@dataclass(eq=False)
class Loop:
    """A step of a program that runs a kernel.

    Attributes:
        kernel: the loops.
        arguments: the nodes its buffers stand for; None for scratch memory.
        refusal: the error for a value that the kernel refuses.
    """

    kernel: Kernel
    arguments: tuple[Tensor | None, ...]
    output: Tensor | None = None
    writes: tuple[Tensor, ...] = ()
    refusal: Callable[[int], ChainruleError] = field(default=lambda value: ShapeError(f"value {value} was refused"))


@dataclass(eq=False)
class Product:
    """A step that calls BLAS: output = left right, each perhaps turned (transposed in its last two axes)."""

    output: Tensor
    left: Tensor
    right: Tensor
    left_turned: bool
    right_turned: bool


@dataclass(eq=False)
class Call:
    """A step that runs the NumPy forward of a block that has no loop body."""

    output: Tensor


Step: TypeAlias = Loop | Product | Call


def with_copies(graph: Graph) -> Graph:
    """The graph with copies of what is returned, or written elsewhere, of the leaves that it changes."""
    changing = {update.target for update in graph.updates}

    def copied(x: Tensor) -> Tensor:
        return Tensor(x.spec, block=Identity(), inputs=(x,)) if x in changing else x

    updates = tuple(replace(update, value=copied(update.value)) for update in graph.updates)
    return replace(graph, outputs=tuple(map(copied, graph.outputs)), updates=updates)


def lower(graph: Graph) -> list[Step]:
    """The steps that compute the outputs of a graph, in order."""
    written = materialised(graph)
    steps: list[Step] = []
    checked: set[tuple[Tensor, int]] = set()
    for node in graph.nodes():
        block = node.block
        if block is None:
            continue
        if block.positions is not None:
            held = node.inputs[block.positions]
            limit = block.limit(node.shape, *[x.shape for x in node.inputs])
            if (held, limit) not in checked:
                checked.add((held, limit))
                steps.append(_check(node, held, written))
        if node in written:
            steps.append(_step(node, written))
    return steps + [_update(group, written) for group in _groups(graph)]


def materialised(graph: Graph) -> set[Tensor]:
    """The nodes that are held in memory, leaves included."""
    nodes = graph.nodes()
    uses: dict[Tensor, int] = {}
    for node in nodes:
        for x in node.inputs:
            uses[x] = uses.get(x, 0) + 1
    written = {node for node in nodes if node.block is None} | set(graph.outputs)
    written |= {update.rows for update in graph.updates if update.rows is not None}
    for group in _groups(graph):
        written |= {update.value for update in group if not _in_place(update, group, graph)}
    for node in nodes:
        block = node.block
        if isinstance(block, MatMul):
            written |= {_untransposed(x)[0] for x in node.inputs}
        elif block is not None and not (
            isinstance(block, Elementwise | Movement | Reduction | Scatter) or hasattr(block, "loops")
        ):
            written |= set(node.inputs)
        if not isinstance(block, Elementwise):
            written |= {x for x in node.inputs if x.dtype.kind in "iu" and _rounded(x)}
    costs: dict[Tensor, int] = {}
    depths: dict[Tensor, int] = {}
    for node in nodes:
        block = node.block
        if block is not None and not isinstance(block, Elementwise | Movement):
            written.add(node)
        own = 100 if isinstance(block, Threefry) else COSTS.get(block.name if block else "", 1)
        costs[node] = own + sum(costs[x] for x in node.inputs)
        depths[node] = 1 + max((depths[x] for x in node.inputs), default=0)
        if costs[node] > (REUSE if uses.get(node, 0) > 1 else INLINE) or depths[node] > DEEPEST:
            written.add(node)
        if node in written:
            costs[node], depths[node] = 1, 0
    return written


def _groups(graph: Graph) -> list[list[Update]]:
    """The updates that one kernel makes: neighbours of one shape at the same rows, as a parameter and its state are."""
    groups: list[list[Update]] = []
    for update in graph.updates:
        first = groups[-1][0] if groups else None
        if first and update.rows is first.rows and update.target.shape == first.target.shape:
            groups[-1].append(update)
        else:
            groups.append([update])
    return groups


def _in_place(update: Update, group: Sequence[Update], graph: Graph) -> bool:
    """Whether a value may be computed while its group is written.

    It may when all it reads of leaves that change is the very element (or row) that its own group writes there.
    """
    changing = {other.target for other in graph.updates}
    own = {other.target for other in group}
    stack, seen = [update.value], set[Tensor]()
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node in changing:
            if node not in own or update.rows is not None:
                return False
        elif isinstance(node.block, Elementwise):
            stack += [x for x in node.inputs if x.shape == node.shape or not _reads(x, changing)]
            if any(x.shape != node.shape and _reads(x, changing) for x in node.inputs):
                return False
        elif update.rows is not None and _is_own_row(node, update.rows, own):
            continue
        elif _reads(node, changing) and not isinstance(node.block, MatMul | Reduction | Scatter):
            return False
    return True


def _is_own_row(node: Tensor, rows: Tensor, own: set[Tensor]) -> bool:
    """Whether a node gathers the rows that are written, from a leaf of the group."""
    if not isinstance(node.block, Gather) or node.inputs[0] not in own:
        return False
    index, last = node.inputs[1], node.inputs[0].shape[0] - 1
    if isinstance(index.block, Minimum) and index.inputs[0] is rows:
        bound = index.inputs[1]
        return isinstance(bound, Constant) and bound.value is not None and bool((bound.value == last).all())
    return index is rows


def _reads(node: Tensor, leaves: set[Tensor]) -> bool:
    """Whether a node's loop, or what is inlined into it, reads one of these leaves."""
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
    """Whether floating-point numbers are among what a node would be inlined from.

    What a number that no integer holds is cast to is up to the instruction, so such positions are written: those that
    are checked are those that are used.
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


def _untransposed(x: Tensor) -> tuple[Tensor, bool]:
    """A matrix whose last two axes are exchanged, as what it was before: BLAS reads it either way."""
    if isinstance(x.block, Transpose):
        axes = x.block.axes
        if axes == (*range(len(axes) - 2), len(axes) - 1, len(axes) - 2):
            return x.inputs[0], True
    return x, False


def _step(node: Tensor, written: set[Tensor]) -> Step:
    block = node.block
    if isinstance(block, MatMul):
        (left, left_turned), (right, right_turned) = (_untransposed(x) for x in node.inputs)
        return Product(node, left, right, left_turned, right_turned)
    if isinstance(block, Elementwise | Movement):
        return _Nest("map", node, written).build(_map)
    if isinstance(block, Reduction):
        return _Nest("reduce", node, written).build(_reduce)
    if isinstance(block, Scatter):
        return _Nest("scatter", node, written).build(_scatter)
    if block is not None and hasattr(block, "loops"):
        return _Nest(block.name, node, written).build(_loops)
    return Call(node)


def _update(group: Sequence[Update], written: set[Tensor]) -> Loop:
    """A kernel that writes the leaves of a group: all values of an element are computed before the first is written."""
    nest = _Nest("update", None, written)
    targets = [nest.buffer(update.target) for update in group]
    kernel, rows = nest.kernel, group[0].rows
    memo: dict[Any, Expression] = {}

    def cell(index: tuple[Expression, ...], place: tuple[Expression, ...]) -> None:
        values = [nest.element(update.value, index, memo) for update in group]
        held = [kernel.declare(value) for value in values]
        for target, value in zip(targets, held, strict=True):
            target.store(kernel, place, value.get())

    def row(i: Expression) -> None:
        if rows is not None:
            r = cast(nest.element(rows, (i,), memo), INT64)
            nest.rows, nest.row, nest.targets = rows, r, {update.target for update in group}
            sizes = targets[0].shape[1:]
            write = partial(kernel.nest, sizes, lambda index: cell((i, *index), (r, *index)))
            kernel.when(r < targets[0].shape[0], write)

    if rows is None:
        sizes = targets[0].shape
        kernel.nest(sizes, lambda index: cell(index, index), parallel=_outermost(sizes))
    else:
        kernel.loop(nest.shape(rows)[0], row, parallel=True)  # each row at most once
    return Loop(kernel, tuple(nest.arguments), writes=tuple(update.target for update in group))


def _check(node: Tensor, positions: Tensor, written: set[Tensor]) -> Loop:
    """A kernel that refuses positions outside their range, before anything reads by them."""
    block = node.block
    if block is None:
        raise TypeError(f"{node.label} has no block")
    nest = _Nest("check", None, written)
    kernel = nest.kernel
    lowest, highest = kernel.declare(kernel.whole(0)), kernel.declare(kernel.whole(-1))
    memo: dict[Any, Expression] = {}

    def look(index: tuple[Expression, ...]) -> None:
        place = cast(nest.element(positions, index, memo), INT64)
        kernel.assign(lowest, call("minimum", lowest.get(), place))
        kernel.assign(highest, call("maximum", highest.get(), place))

    sizes = nest.shape(positions)
    kernel.nest(sizes, look, parallel=_outermost(sizes))  # each block looks at its own positions
    limit = as_expression(block.limit(nest.shape(node), *[nest.shape(x) for x in node.inputs]), INT64)

    def find(index: tuple[Expression, ...]) -> None:
        place: Any = cast(nest.element(positions, index, {}), INT64)
        kernel.refuse((place < 0) | (place >= limit), place)

    search = partial(kernel.nest, sizes, find, parallel=_outermost(sizes))
    kernel.when((lowest.get() < 0) | (highest.get() >= limit), search)
    bound = block.limit(node.shape, *[x.shape for x in node.inputs])
    return Loop(kernel, tuple(nest.arguments), refusal=lambda value: IndexRangeError(block.range_message(value, bound)))


class _Nest:
    """Writes one kernel: knows which nodes are buffers and inlines all others."""

    def __init__(self, name: str, node: Tensor | None, written: set[Tensor]) -> None:
        self.kernel = Kernel(name)
        self.written = written
        self.arguments: list[Tensor | None] = []
        self.node = node
        self.rows: Tensor | None = None
        self.row: Expression | None = None
        self.targets: set[Tensor] = set()
        if node is not None:
            self.buffer(node)

    def build(self, body: Callable[[_Nest, Tensor, Buffer], None]) -> Loop:
        """The step, after the function has added its loops."""
        node = self.node
        if node is None or node.block is None:
            raise TypeError("a leaf is not computed")
        body(self, node, self.buffer(node))
        name = node.block.name
        return Loop(
            self.kernel,
            tuple(self.arguments),
            node,
            refusal=lambda value: ShapeError(f"{name}: offsets must rise from 0 to the number of values; got {value}"),
        )

    def buffer(self, node: Tensor) -> Buffer:
        """The argument that stands for a node."""
        for i, held in enumerate(self.arguments):
            if held is node:
                return self.kernel.buffer(f"b{i}", node.spec)
        self.arguments.append(node)
        return self.kernel.buffer(f"b{len(self.arguments) - 1}", node.spec)

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
        if self.rows is not None and _is_own_row(node, self.rows, self.targets):
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
        readers = [_Reader(self, x, memo) for x in node.inputs]
        result = block.element(XP, tuple(index), self.shape(node), *readers)
        return cast(result, node.dtype) if isinstance(result, Expression) else constant(result, node.dtype)

    def shape(self, node: Tensor) -> tuple[Any, ...]:
        """The sizes of a node. One that is not in memory is an argument all the same, of which only sizes are read."""
        if all(size <= 1 for size in node.shape):
            return node.shape
        return self.buffer(node).shape


class _Reader:
    """An input of a block as its loop body sees it."""

    def __init__(self, nest: _Nest, node: Tensor, memo: dict[Any, Expression]) -> None:
        self.nest, self.node, self.memo = nest, node, memo

    def __call__(self, index: Sequence[Any]) -> Expression:
        """The element at an index."""
        return self.nest.element(self.node, index, self.memo)

    @property
    def shape(self) -> tuple[Any, ...]:
        """The sizes."""
        return self.nest.shape(self.node)


Kind = TypeVar("Kind", bound=Block)


def _of(node: Tensor, kind: type[Kind]) -> Kind:
    if not isinstance(node.block, kind):
        raise TypeError(f"{node.label} is no {kind.__name__}")
    return node.block


def _outermost(sizes: Sequence[Any]) -> int | None:
    """The first axis with a loop: one of a single pass is left out."""
    return next((axis for axis, size in enumerate(sizes) if not isinstance(size, int) or size != 1), None)


def _map(nest: _Nest, node: Tensor, out: Buffer) -> None:
    def cell(index: tuple[Expression, ...]) -> None:
        out.store(nest.kernel, index, nest.inlined(node, index, {}))

    nest.kernel.nest(out.shape, cell, parallel=_outermost(out.shape))


def _loops(nest: _Nest, node: Tensor, out: Buffer) -> None:
    """The loops that a block of no kind wrote down."""
    block = _of(node, Block)
    memory = []
    if hasattr(block, "scratch"):
        nest.arguments.append(None)
        memory.append(nest.kernel.buffer(f"b{len(nest.arguments) - 1}", block.scratch(*[x.spec for x in node.inputs])))
    block.loops(nest.kernel, out, *memory, *[_Reader(nest, x, {}) for x in node.inputs])


def _reduce(nest: _Nest, node: Tensor, out: Buffer) -> None:
    """Loops over what is kept, then over what is reduced; a last axis that is kept runs innermost, over memory."""
    block, (x,) = _of(node, Reduction), node.inputs
    dtype, sizes = node.dtype, nest.shape(x)
    start = constant(block.start(dtype), dtype)
    kept = [i for i in range(len(sizes)) if i not in block.axis]

    def element(at: dict[int, Any]) -> Expression:
        return cast(nest.element(x, [at[i] for i in range(len(sizes))], {}), dtype)

    def place(at: dict[int, Any]) -> list[Any]:
        return [at[i] if i in kept else 0 for i in range(len(sizes)) if i in kept or block.keepdims]

    def into_register(index: tuple[Expression, ...]) -> None:
        at: dict[int, Any] = dict(zip(kept, index, strict=True))
        held = nest.kernel.declare(start)

        def combine(reduced: tuple[Expression, ...]) -> None:
            value = element({**at, **dict(zip(block.axis, reduced, strict=True))})
            nest.kernel.add(Assign(held, block.combine(XP, held.get(), value)))

        nest.kernel.nest([sizes[i] for i in block.axis], combine)
        out.store(nest.kernel, place(at), held.get())

    def into_row(index: tuple[Expression, ...]) -> None:
        at: dict[int, Any] = dict(zip(kept[:-1], index, strict=True))
        last = kept[-1]
        columns = partial(nest.kernel.loop, sizes[last], parallel=outermost == len(kept) - 1)
        columns(lambda j: out.store(nest.kernel, place({**at, last: j}), start))

        def combine(reduced: tuple[Expression, ...]) -> None:
            here = {**at, **dict(zip(block.axis, reduced, strict=True))}

            def cell(j: Expression) -> None:
                held = out(place({**at, last: j}))
                out.store(nest.kernel, place({**at, last: j}), block.combine(XP, held, element({**here, last: j})))

            columns(cell)

        nest.kernel.nest([sizes[i] for i in block.axis], combine)

    outermost = _outermost([sizes[i] for i in kept])
    if block.axis and kept and kept[-1] == len(sizes) - 1:
        nest.kernel.nest([sizes[i] for i in kept[:-1]], into_row, parallel=outermost)
    else:
        nest.kernel.nest([sizes[i] for i in kept], into_register, parallel=outermost)


def _scatter(nest: _Nest, node: Tensor, out: Buffer) -> None:
    block, inputs = _of(node, Scatter), node.inputs
    zero, sizes = constant(0, node.dtype), nest.shape(inputs[0])
    readers = [_Reader(nest, x, {}) for x in inputs]
    # Axes whose index stays what it is, such as the columns of rows that are added, may be cut; the others may not.
    probe = tuple(Expression("index", (f"axis {axis}",), INT64) for axis in range(len(sizes)))
    target = block.target(probe, *readers)
    stays = [i < len(target) and target[i] is probe[i] for i in range(len(sizes))]
    parallel = _outermost([size if kept else 1 for size, kept in zip(sizes, stays, strict=True)])
    nest.kernel.nest(out.shape, lambda index: out.store(nest.kernel, index, zero), parallel=parallel)

    def add(index: tuple[Expression, ...]) -> None:
        place = block.target(index, *readers)
        value = nest.element(inputs[0], index, {})
        inside = [i < size for i, size in zip(place, out.shape, strict=True) if not any(i is j for j in index)]
        write = partial(out.store, nest.kernel, place, value, accumulate=True)
        if inside:
            nest.kernel.when(reduce(and_, inside), write)  # an index past the end stands for no row
        else:
            write()

    nest.kernel.nest(sizes, add, parallel=parallel)
