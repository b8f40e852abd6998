"""From a graph to loop nests: the kernel that computes each node that is held in memory."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial, reduce
from operator import and_, mul
from typing import Any, TypeAlias, TypeVar

from chainrule.blocks.arithmetic import Identity
from chainrule.blocks.contraction import MatMul
from chainrule.errors import ChainruleError, IndexRangeError, PerformanceWarning, ShapeError
from chainrule.graph.block import Block, Elementwise, Movement, Reduction, Scatter
from chainrule.graph.spec import BOOL, INT64, Spec
from chainrule.graph.tensor import Constant, Tensor
from chainrule.graph.trace import Graph, Update
from chainrule.native.expression import Expression, Functions, call, cast, constant, parts
from chainrule.native.fusion import (
    checked_instead,
    groups,
    is_by_slot,
    is_flat,
    is_own_row,
    is_read_beyond,
    is_slot,
    materialised,
    read_by_rows,
    row_tables,
    rows_of,
    untransposed,
)
from chainrule.native.loops import Assign, Buffer, Kernel

XP = Functions()

#: Elements of the rows that one part of a sum by slots has, about, and the most parts: each looks at all slots.
PART, MOST_PARTS = 2**17, 8
#: Rows of a table that are on their way from memory while one is computed.
AHEAD = 12


@dataclass(eq=False)
class Loop:
    """A step of a program that runs a kernel.

    Attributes:
        kernel: the loops.
        arguments: the nodes its buffers stand for; None for scratch memory, and a spec where only sizes are read.
        refusal: the error for a value that the kernel refuses.
    """

    kernel: Kernel
    arguments: tuple[Tensor | Spec | None, ...]
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
    checked: dict[Tensor, int] = {}
    for node in graph.nodes():
        block = node.block
        if block is None:
            continue
        if block.positions is not None:
            held = node.inputs[block.positions]
            bound = block.limit(node.shape, *[x.shape for x in node.inputs])
            held, limit = checked_instead(held, bound, written)
            if checked.get(held, limit + 1) > limit and not is_slot(held, limit):
                checked[held] = limit
                refusal = partial(_out_of_range, block, bound)
                steps.append(_check(held, limit, written, refusal))
        if node in written:
            steps.append(_step(node, graph, written))
    steps += [_update(group, written) for group in groups(graph)]
    apart = read_by_rows(graph)
    for step in steps:
        if isinstance(step, Loop):
            named = zip(step.kernel.buffers, step.arguments, strict=True)
            step.kernel.pitched = {name for name, x in named if isinstance(x, Tensor) and x in apart}
    return steps


def _step(node: Tensor, graph: Graph, written: set[Tensor]) -> Step:
    block = node.block
    if isinstance(block, MatMul):
        (left, left_turned), (right, right_turned) = (untransposed(x) for x in node.inputs)
        return Product(node, left, right, left_turned, right_turned)
    if isinstance(block, Elementwise | Movement):
        held = rows_of(node, written)
        if held is not None and not is_read_beyond(node, held[0].inputs[1], graph, written):
            return _Nest("map", node, written).build(partial(_map_rows, rows=held[0], tables=held[1]))
        return _Nest("map", node, written).build(_map)
    if isinstance(block, Reduction):
        return _Nest("reduce", node, written).build(_reduce)
    if isinstance(block, Scatter):
        if not is_by_slot(node):
            return _Nest("scatter", node, written).build(_scatter)
        whole = is_read_beyond(node, node.inputs[1], graph, written)
        return _Nest("scatter", node, written).build(partial(_scatter_by_slot, whole=whole))
    if block is not None and hasattr(block, "loops"):
        return _Nest(block.name, node, written).build(_loops)
    _tell_of_numpy(type(block))  # type: ignore[arg-type]  # a class can be hashed, whatever its instances can
    return Call(node)


@functools.cache  # once per class and process
def _tell_of_numpy(kind: type) -> None:
    warnings.warn(
        f"compile: block {kind.__module__}.{kind.__qualname__} has no loop body, so compiled programs stop for its "
        f"NumPy forward; to have it compiled, derive it from Elementwise, Reduction, Movement or Scatter, or declare "
        f"its loops",
        PerformanceWarning,
        stacklevel=2,
    )


def _update(group: Sequence[Update], written: set[Tensor]) -> Loop:
    """A kernel that writes the leaves of a group: all values of an element are computed before the first is written."""
    nest = _Nest("update", None, written)
    rows = group[0].rows
    nest.flat = rows is None and all(is_flat(update.value, written) for update in group)
    targets = [nest.buffer(update.target) for update in group]
    kernel = nest.kernel
    memo: dict[Any, Expression] = {}

    def cell(index: tuple[Expression, ...], place: tuple[Expression, ...]) -> None:
        values = [nest.element(update.value, index, memo) for update in group]
        held = [kernel.declare(value) for value in values]
        for target, value in zip(targets, held, strict=True):
            target.store(kernel, place, value.get())

    def row(i: Expression) -> None:
        if rows is not None:
            r = cast(nest.element(rows, (i,), memo), INT64)
            read = row_tables([update.value for update in group], rows, written)
            own = list(dict.fromkeys([update.target for update in group] + read))
            nest.rows, nest.row, nest.targets = rows, r, {x for x in own if x.shape[0] == group[0].target.shape[0]}
            _fetch_rows(nest, rows, i, own)
            sizes = targets[0].shape[1:]
            write = partial(kernel.nest, sizes, lambda index: cell((i, *index), (r, *index)))
            kernel.when(r < targets[0].shape[0], write)

    if rows is None:
        sizes = targets[0].shape
        kernel.nest(sizes, lambda index: cell(index, index), parallel=_outermost(sizes))
    else:
        kernel.loop(nest.shape(rows)[0], row, parallel=True)  # each row at most once
    return nest.loop(writes=tuple(update.target for update in group))


def _out_of_range(block: Block, limit: int, position: int) -> ChainruleError:
    return IndexRangeError(block.range_message(position, limit))


def _check(positions: Tensor, limit: int, written: set[Tensor], refusal: Callable[[int], ChainruleError]) -> Loop:
    """A kernel that refuses positions outside their range, before anything reads by them."""
    nest = _Nest("check", None, written)
    kernel = nest.kernel
    lowest, highest = kernel.declare(kernel.whole(0)), kernel.declare(kernel.whole(-1))
    end = nest.number(limit)
    memo: dict[Any, Expression] = {}

    def look(index: tuple[Expression, ...]) -> None:
        place = cast(nest.element(positions, index, memo), INT64)
        kernel.assign(lowest, call("minimum", lowest.get(), place))
        kernel.assign(highest, call("maximum", highest.get(), place))

    def find(index: tuple[Expression, ...]) -> None:
        place: Any = cast(nest.element(positions, index, {}), INT64)
        kernel.refuse((place < 0) | (place >= end), place)

    sizes = nest.shape(positions)
    look_at = partial(kernel.nest, sizes, parallel=_outermost(sizes))  # each block looks at its own positions
    look_at(look)
    kernel.when((lowest.get() < 0) | (highest.get() >= end), lambda: look_at(find))
    return nest.loop(refusal=refusal)


class _Nest:
    """Writes one kernel: knows which nodes are buffers and inlines all others."""

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

    def build(self, body: Callable[[_Nest, Tensor, Buffer], None]) -> Loop:
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
        readers = [_Reader(self, x, memo) for x in node.inputs]
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


def _is_held(node: Tensor) -> bool:
    """Whether a node is a leaf with a value of its own, no argument."""
    return node.block is None and node.known


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


def _map_rows(nest: _Nest, node: Tensor, out: Buffer, *, rows: Tensor, tables: Sequence[Tensor]) -> None:
    """Rows computed from distinct rows of tables; what stands for no row is left out."""
    kernel, size = nest.kernel, nest.buffer(tables[0]).shape[0]

    def row(i: Expression) -> None:
        def cell(j: tuple[Expression, ...]) -> None:
            out.store(kernel, (i, *j), nest.inlined(node, (i, *j), {}))

        r: Any = cast(nest.element(rows, (i,), {}), INT64)
        nest.rows, nest.row, nest.targets = rows, r, set(tables)
        _fetch_rows(nest, rows, i, tables)
        kernel.when(r < size, lambda: kernel.nest(out.shape[1:], cell))

    kernel.loop(out.shape[0], row, parallel=True)


def _fetch_rows(nest: _Nest, rows: Tensor, i: Expression, tables: Sequence[Tensor]) -> None:
    """Have the beginnings of some rows of tables brought near that come after row i: they lie anywhere in memory."""
    ahead = call("minimum", i + AHEAD, nest.shape(rows)[0] - 1)  # type: ignore[operator]
    row = cast(nest.element(rows, (ahead,), {}), INT64)
    for table in tables:
        buffer = nest.buffer(table)
        buffer.prefetch(nest.kernel, (row, *[0] * (len(buffer.shape) - 1)))


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
    kernel, zero, sizes = nest.kernel, constant(0, node.dtype), nest.shape(inputs[0])
    readers = [_Reader(nest, x, {}) for x in inputs]
    # Axes whose index stays what it is, such as the columns of rows that are added, may be cut; the others may not.
    probe = tuple(Expression("index", (f"axis {axis}",), INT64) for axis in range(len(sizes)))
    target = block.target(probe, *readers)
    stays = [axis < len(target) and target[axis] is probe[axis] for axis in range(len(sizes))]
    parallel = _outermost([size if kept else 1 for size, kept in zip(sizes, stays, strict=True)])
    kernel.nest(out.shape, lambda index: out.store(kernel, index, zero), parallel=parallel)

    def descend(index: tuple[Expression, ...], guarded: bool) -> None:
        # The indices that are not known yet do not matter to a place that is: it is looked up outside their loops.
        later = [Expression("index", (f"axis {axis}",), INT64) for axis in range(len(index), len(sizes))]
        place = block.target((*index, *later), *readers)
        inside = [
            i < size for i, size in zip(place, out.shape, strict=True) if not any(i is j for j in (*index, *later))
        ]
        if not guarded and not any(_uses(x, later) for x in inside):
            if inside:  # an index past the end stands for no row
                kernel.when(reduce(and_, inside), lambda: descend(index, True))
            else:
                descend(index, True)
        elif later:
            kernel.loop(sizes[len(index)], lambda i: descend((*index, i), guarded), parallel=len(index) == parallel)
        else:
            out.store(kernel, place, nest.element(inputs[0], index, {}), accumulate=True)

    descend((), False)


def _uses(x: Expression, indices: Sequence[Expression]) -> bool:
    """Whether an expression is computed from one of these indices."""
    stack, seen = [x], set[int]()
    while stack:
        x = stack.pop()
        if any(x is i for i in indices):
            return True
        if id(x) not in seen:
            seen.add(id(x))
            stack.extend(parts(x))
    return False


def _scatter_by_slot(nest: _Nest, node: Tensor, out: Buffer, *, whole: bool) -> None:
    """Rows added up by the slots of `FirstSlots`: the first row of a slot is written and the others are added to it.

    The rows of slots that nothing has are zero. They need not be written where nobody reads them.
    """
    rows, slots = node.inputs
    kernel, sizes = nest.kernel, nest.shape(rows)
    # Each part has slots of its own, so that several threads write no memory in common. A slot's rows come no sooner
    # than its number, so that a part need not look at those before its first.
    elements: Any = reduce(mul, sizes, kernel.whole(1))
    parts = call("maximum", call("minimum", elements // PART, MOST_PARTS), 1)

    def bound(part: Any) -> Any:
        return part * sizes[0] // parts

    def part(p: Any) -> None:
        first, end = kernel.declare(bound(p)), kernel.declare(bound(p + 1))
        begun = kernel.declare(bound(p))

        def row(i: Expression) -> None:
            slot: Any = cast(nest.element(slots, (i,), {}), INT64)

            def write(accumulate: bool) -> None:
                def cell(j: tuple[Expression, ...]) -> None:
                    out.store(kernel, (slot, *j), nest.element(rows, (i, *j), {}), accumulate=accumulate)

                kernel.nest(sizes[1:], cell)

            def begin() -> None:
                write(False)
                kernel.assign(begun, begun.get() + 1)

            kernel.when((slot >= first.get()) & (slot < begun.get()), lambda: write(True))
            kernel.when((slot == begun.get()) & (slot < end.get()), begin)

        def clear(r: Expression) -> None:
            kernel.nest(sizes[1:], lambda j: out.store(kernel, (r, *j), constant(0, node.dtype)))

        kernel.loop(sizes[0], row, first.get(), total=sizes[0])
        if whole:
            kernel.loop(end.get(), clear, begun.get())

    kernel.loop(parts, part, parallel=True)
