"""The loops that compute a node, one function for each kind of block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce
from operator import and_, mul
from typing import Any, TypeVar

from chainrule.graph.block import Block, Reduction, Scatter
from chainrule.graph.contract import Contract
from chainrule.graph.spec import INT64
from chainrule.graph.sums import BLOCK, TERMS_A_SUM, SumInMemory, levels_of
from chainrule.graph.tensor import Tensor
from chainrule.native.loops.expression import Expression, as_expression, call, cast, constant, parts
from chainrule.native.loops.kernel import Buffer
from chainrule.native.loops.statements import Assign
from chainrule.native.lowering.nest import XP, Nest, Reader

#: A sum by slots is cut into parts of about so many elements, and into so many parts at most, as each reads all slots.
PART_ELEMENTS, MOST_PARTS = 2**17, 8
#: Rows that are added into a table of at most so many are added in blocks: a larger one gets no long sums, but for very
#: many rows, and it would need memory for the sums of blocks.
MOST_SUMS = 2**14
#: While a row of a table is computed, the row that comes so many rows later is prefetched.
PREFETCHED_ROWS = 12

Kind = TypeVar("Kind", bound=Block)


def _of(node: Tensor, kind: type[Kind]) -> Kind:
    """The block of a node, which must be of a kind."""
    if not isinstance(node.block, kind):
        raise TypeError(f"{node.label} is no {kind.__name__}")
    return node.block


def outermost_axis(sizes: Sequence[Any]) -> int | None:
    """The first axis that has a loop: one of size 1 has none."""
    return next((axis for axis, size in enumerate(sizes) if not isinstance(size, int) or size != 1), None)


def write_map(nest: Nest, node: Tensor, out: Buffer) -> None:
    """Write loops that compute each element by itself."""

    def cell(index: tuple[Expression, ...]) -> None:
        out.store(nest.kernel, index, nest.inlined(node, index, {}))

    nest.kernel.nest(out.shape, cell, parallel=outermost_axis(out.shape))


def write_map_of_rows(nest: Nest, node: Tensor, out: Buffer, *, rows: Tensor, tables: Sequence[Tensor]) -> None:
    """Write loops that compute rows from distinct rows of tables; a number that stands for no row is left out."""
    kernel, size = nest.kernel, nest.buffer(tables[0]).shape[0]

    def row(i: Expression) -> None:
        def cell(j: tuple[Expression, ...]) -> None:
            out.store(kernel, (i, *j), nest.inlined(node, (i, *j), {}))

        r: Any = cast(nest.element(rows, (i,), {}), INT64)
        nest.rows, nest.row, nest.targets = rows, r, set(tables)
        prefetch_rows(nest, rows, i, tables)
        kernel.when(r < size, lambda: kernel.nest(out.shape[1:], cell))

    kernel.loop(out.shape[0], row, parallel=True)


def prefetch_rows(nest: Nest, rows: Tensor, i: Expression, tables: Sequence[Tensor]) -> None:
    """Prefetch the beginning of a later row of each table, as the rows lie anywhere in memory."""
    ahead = call("minimum", i + PREFETCHED_ROWS, nest.shape(rows)[0] - 1)  # type: ignore[operator]
    row = cast(nest.element(rows, (ahead,), {}), INT64)
    for table in tables:
        buffer = nest.buffer(table)
        buffer.prefetch(nest.kernel, (row, *[0] * (len(buffer.shape) - 1)))


def write_loops(nest: Nest, node: Tensor, out: Buffer) -> None:
    """Write the loops that a block declares itself."""
    block = _of(node, Block)
    memory = [nest.scratch(block.scratch(*[x.spec for x in node.inputs]))] if hasattr(block, "scratch") else []
    with Contract(block, "loops"):
        block.loops(nest.kernel, out, *memory, *[Reader(nest, x, {}) for x in node.inputs])


def write_reduction(nest: Nest, node: Tensor, out: Buffer) -> None:
    """Write loops over the kept axes, then over the reduced ones.

    Where the last axis is kept, its loop is innermost all the same, so that it runs along memory: the results so far
    are a row in memory then. Otherwise the result so far is a register.
    """
    block, (x,) = _of(node, Reduction), node.inputs
    dtype, sizes = node.dtype, nest.shape(x)
    with Contract(block, "start"):
        start = constant(block.start(dtype), dtype)
    kept = [i for i in range(len(sizes)) if i not in block.axis]

    def combined(so_far: Expression, value: Expression) -> Expression:
        with Contract(block, "combine"):
            return as_expression(block.combine(XP, so_far, value), dtype)

    lengths = [sizes[i] for i in block.axis]
    count: Any = reduce(mul, lengths, 1)
    outermost = outermost_axis([sizes[i] for i in kept])

    def element(at: dict[int, Any]) -> Expression:
        return cast(nest.element(x, [at[i] for i in range(len(sizes))], {}), dtype)

    def place(at: dict[int, Any]) -> list[Any]:
        return [at[i] if i in kept else 0 for i in range(len(sizes)) if i in kept or block.keepdims]

    def into_register(index: tuple[Expression, ...]) -> None:
        at: dict[int, Any] = dict(zip(kept, index, strict=True))
        result = nest.kernel.declare(start)

        def combine(reduced: tuple[Expression, ...]) -> None:
            value = element({**at, **dict(zip(block.axis, reduced, strict=True))})
            nest.kernel.add(Assign(result, combined(result.get(), value)))

        nest.kernel.nest(lengths, combine)
        out.store(nest.kernel, place(at), result.get())

    def into_row(index: tuple[Expression, ...], levels: Buffer | None) -> None:
        at: dict[int, Any] = dict(zip(kept[:-1], index, strict=True))
        last = kept[-1]

        def columns(cell: Callable[[list[Any]], None]) -> None:
            parallel = outermost == len(kept) - 1
            nest.kernel.loop(sizes[last], lambda j: cell(place({**at, last: j})), parallel=parallel)

        columns(lambda index: out.store(nest.kernel, index, start))
        long = None if levels is None else SumInMemory(nest.kernel, columns, out, levels)

        def combine(reduced: tuple[Expression, ...]) -> None:
            here = {**at, **dict(zip(block.axis, reduced, strict=True))}

            def cell(j: Expression) -> None:
                index = place({**at, last: j})
                out.store(nest.kernel, index, combined(out(index), element({**here, last: j})))

            nest.kernel.loop(sizes[last], cell, parallel=outermost == len(kept) - 1)
            if long is not None:
                number: Any = nest.kernel.whole(0)
                for i, length in zip(reduced, lengths, strict=True):
                    number = number * length + i
                done = number + 1
                long.block_done((done % BLOCK == 0) & (done < count), done // BLOCK)

        nest.kernel.nest(lengths, combine)
        if long is not None:
            long.finish(count > BLOCK)

    if block.axis and kept and kept[-1] == len(sizes) - 1:
        is_long_sum = _is_sum(block, start) and not all(isinstance(x, int) for x in lengths)
        levels = nest.scratch(levels_of(node.spec)) if is_long_sum else None
        nest.kernel.nest([sizes[i] for i in kept[:-1]], partial(into_row, levels=levels), parallel=outermost)
    else:
        nest.kernel.nest([sizes[i] for i in kept], into_register, parallel=outermost)


def _is_sum(block: Reduction, start: Expression) -> bool:
    """Whether a reduction adds floating-point numbers up. Others, such as a maximum, lose no digits by their length."""
    so_far, element = (Expression("variable", (name,), start.dtype) for name in ("so far", "element"))
    with Contract(block, "combine"):
        combined = as_expression(block.combine(XP, so_far, element), start.dtype)
    adds = combined.operation == "add" and any(x is so_far for x in combined.operands)
    return bool(adds and start.dtype.kind == "f" and start.operands[0] == 0)


def write_scatter(nest: Nest, node: Tensor, out: Buffer) -> None:
    """Write loops that set all elements to zero, then add each element of the input where the block says."""
    block, inputs = _of(node, Scatter), node.inputs
    kernel, zero, sizes = nest.kernel, constant(0, node.dtype), nest.shape(inputs[0])
    readers = [Reader(nest, x, {}) for x in inputs]
    # An axis whose index the target keeps, such as the columns of added rows, may be cut into blocks; others may not.
    probe = tuple(Expression("index", (f"axis {axis}",), INT64) for axis in range(len(sizes)))
    target = target_of(block, probe, readers)
    stays = [axis < len(target) and target[axis] is probe[axis] for axis in range(len(sizes))]
    parallel = outermost_axis([size if kept else 1 for size, kept in zip(sizes, stays, strict=True)])
    cells = partial(kernel.nest, out.shape, parallel=parallel)
    cells(lambda index: out.store(kernel, index, zero))
    collide = not all(stays[:1]) and not isinstance(sizes[0], int)  # rows of the input may be added to one another
    is_long_sum = collide and node.spec.floating and all(size <= MOST_SUMS for size in node.shape[:1])
    long = SumInMemory(kernel, cells, out, nest.scratch(levels_of(node.spec))) if is_long_sum else None

    def in_blocks(row: Callable[[Expression], None], long: SumInMemory) -> None:
        size: Any = sizes[0]
        length: Any = XP.maximum(reduce(mul, out.shape[:1], TERMS_A_SUM), BLOCK)
        blocks = (size + length - 1) // length

        def block(number: Any) -> None:
            kernel.loop(call("minimum", (number + 1) * length, size), row, number * length, total=size)
            long.block_done(number + 1 < blocks, number + 1)

        kernel.loop(blocks, block)
        long.finish(blocks > 1)

    def descend(index: tuple[Expression, ...], guarded: bool) -> None:
        # The part of the target that does not depend on the inner loops is computed and checked outside of them.
        later = [Expression("index", (f"axis {axis}",), INT64) for axis in range(len(index), len(sizes))]
        place = target_of(block, (*index, *later), readers)
        inside = [
            i < size for i, size in zip(place, out.shape, strict=True) if not any(i is j for j in (*index, *later))
        ]
        if not guarded and not any(_uses(x, later) for x in inside):
            if inside:  # an index past the end stands for no row: nothing is added
                kernel.when(reduce(and_, inside), lambda: descend(index, True))
            else:
                descend(index, True)
        elif later and not index and long is not None:
            in_blocks(lambda i: descend((i,), guarded), long)
        elif later:
            kernel.loop(sizes[len(index)], lambda i: descend((*index, i), guarded), parallel=len(index) == parallel)
        else:
            out.store(kernel, place, nest.element(inputs[0], index, {}), accumulate=True)

    descend((), False)


def _uses(x: Expression, indices: Sequence[Expression]) -> bool:
    """Whether an expression depends on one of these indices."""
    stack, seen = [x], set[int]()
    while stack:
        x = stack.pop()
        if any(x is i for i in indices):
            return True
        if id(x) not in seen:
            seen.add(id(x))
            stack.extend(parts(x))
    return False


def target_of(block: Scatter, index: Sequence[Expression], readers: Sequence[Reader]) -> Sequence[Any]:
    """Where a block adds the element of its first input at an index."""
    with Contract(block, "target"):
        return tuple(block.target(tuple(index), *readers))


def write_sums_by_slot(nest: Nest, node: Tensor, out: Buffer, *, whole: bool) -> None:
    """Write loops that add up rows by the slots of `FirstSlots`: a slot's first row is stored, others are added to it.

    Slots that no row has are zero; with `whole` these zeros are written, which is only needed where something reads
    them.
    """
    rows, slots = node.inputs
    kernel, sizes = nest.kernel, nest.shape(rows)
    # Each part has slots of its own, so that no two threads write the same memory. The rows of slot s come no sooner
    # than row s, so a part can leave out the rows before its first slot.
    elements: Any = reduce(mul, sizes, kernel.whole(1))
    parts = call("maximum", call("minimum", elements // PART_ELEMENTS, MOST_PARTS), 1)

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
