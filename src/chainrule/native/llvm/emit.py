"""From loop nests to LLVM's instructions.

The loops are written as they shall run: what is the same in all iterations of an innermost loop is computed before it,
what several statements need is computed once, and loops that can run on vectors do. LLVM would take most of its time to
find these things out, and is not asked to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from llvmlite import ir

from chainrule.graph.spec import BOOL
from chainrule.native.llvm.lanes import intrinsic, splat, undefined, vector_of, with_lanes
from chainrule.native.llvm.machine import I8, I32, I64, OK_CONSTANT, OK_STATUS, STEP, value_type
from chainrule.native.llvm.operations import combine
from chainrule.native.llvm.sums import block_length, sums_of, write_in_blocks
from chainrule.native.llvm.values import Lanes, Values
from chainrule.native.llvm.vector import Body, Plan, added, neutral, planned, reads
from chainrule.native.loops.kernel import Kernel
from chainrule.native.loops.split import blocks, extent
from chainrule.native.loops.statements import Assign, Declare, For, Prefetch, Refuse, Statement, Store, When


def add_kernel(module: ir.Module, name: str, kernel: Kernel) -> None:
    """Add a kernel to a module as the function `name`, a `STEP`: its status is a refused value, or `OK_STATUS`."""
    Emitter(kernel, ir.Function(module, STEP, name)).emit()


class Emitter(Values):
    """Writes the instructions of one kernel.

    Attributes:
        open_loops: the names of the indices of the open loops, outer ones first.
        reads: the expressions that read each buffer of the kernel, by their ids.
        block_start: the index of the parallel loops at which the block begins.
        block_end: the index after the block's last.
    """

    def __init__(self, kernel: Kernel, function: ir.Function) -> None:
        super().__init__(kernel, function)
        self.open_loops: list[str] = []
        self.reads = reads(kernel.body)
        self.block_start = self.block_end = ir.Constant(I64, 0)

    def emit(self) -> None:
        """Write the whole kernel: the answer about its blocks, and the run of one of them."""
        builder, one = self.builder, ir.Constant(I64, 1)
        count, size = blocks(self.kernel), extent(self.kernel)
        asked = builder.icmp_signed("==", self.block_count, ir.Constant(I64, 0))
        with builder.if_then(asked, likely=False), self.scope([]):
            builder.ret(one if count is None else self.value(count))
        if size is not None:
            whole = self.value(size)
            length = builder.sdiv(builder.add(whole, builder.sub(self.block_count, one)), self.block_count)
            self.block_start = builder.mul(self.block, length, flags=("nsw",))
            self.block_end = builder.add(self.block_start, length, flags=("nsw",))
        self.statements(self.kernel.body)
        builder.ret(OK_CONSTANT)

    def statements(self, body: Sequence[Statement]) -> None:
        """Write statements, one after another."""
        for statement in body:
            if isinstance(statement, For):
                self.loop(statement)
            elif isinstance(statement, When):
                likely = False if statement.seldom else None
                with self.builder.if_then(self.value(statement.condition), likely), self.scope(statement.body):
                    self.statements(statement.body)
            elif isinstance(statement, Declare):
                name = statement.variable.name
                if self.lanes is None:
                    with self.builder.goto_entry_block():
                        self.variables[name] = self.builder.alloca(value_type(statement.variable.start.dtype))
                    self.builder.store(self.value(statement.variable.start), self.variables[name])
                    self.forget(name)
                else:
                    self.known["variable", name] = self.wide(self.value(statement.variable.start))
            elif isinstance(statement, Assign):
                self.assign(statement)
            elif isinstance(statement, Prefetch):
                place = self.address(statement.buffer, statement.index)
                read, all_caches, data = (ir.Constant(I32, x) for x in (0, 3, 1))
                operands = [self.builder.bitcast(place, I8.as_pointer()), read, all_caches, data]
                intrinsic(self.builder, "prefetch", operands, ir.VoidType())
            elif isinstance(statement, Refuse):
                value = self.value(statement.value)
                with self.builder.if_then(self.value(statement.condition), likely=False):
                    # The one value that reads as "nothing was refused" is reported as its neighbour.
                    reads_as_ok = self.builder.icmp_signed("==", value, OK_CONSTANT)
                    self.builder.ret(self.builder.select(reads_as_ok, ir.Constant(I64, OK_STATUS + 1), value))
            else:
                self.store(statement)

    def assign(self, statement: Assign) -> None:
        """Write an assignment to a variable; on vectors, to the sums of the lanes."""
        name = statement.variable.name
        if self.lanes is None:
            self.builder.store(self.value(statement.value), self.variables[name])
            self.forget(name)
            return
        so_far = self.lanes.sums[name]
        result = self.combined(statement, so_far, self.wide(self.value(added(statement))))
        self.lanes.sums[name] = (
            result if self.lanes.mask is None else self.builder.select(self.lanes.mask, result, so_far)
        )

    def combined(self, statement: Assign, a: ir.Value, b: ir.Value) -> ir.Value:
        """Two parts of what a variable adds up, combined into one."""
        return combine(self.builder, statement.value.operation, statement.variable.start.dtype, a, b)

    def store(self, statement: Store) -> None:
        """Write an element, or the elements of all lanes."""
        spec, buffer = self.kernel.buffers[statement.buffer], statement.buffer
        value = self.wide(self.value(statement.value))
        if statement.accumulate:
            before = self.load(buffer, statement.index)
            value = combine(self.builder, "add", spec.dtype, before, value)
        if spec.dtype == BOOL:
            value = self.builder.zext(value, with_lanes(I8, value.type))
        place = self.address(buffer, statement.index)
        if self.lanes is None or self.lanes.mask is None:
            self.builder.store(value, place, align=spec.dtype.itemsize)
        else:
            operands = [value, place, ir.Constant(I32, spec.dtype.itemsize), self.lanes.mask]
            intrinsic(self.builder, "masked.store", operands, ir.VoidType(), of=[value.type, place.type])
        self.forget(buffer)

    def loop(self, statement: For) -> None:
        """Write a loop: on vectors where it can run on them."""
        builder = self.builder
        start, end = self.value(statement.start), self.value(statement.end)
        if statement.parallel:
            in_block = builder.icmp_signed("<", self.block_end, end)
            start, end = self.block_start, builder.select(in_block, self.block_end, end)
        innermost = not any(isinstance(inner, For) for inner in _within(statement.body))
        with builder.if_then(builder.icmp_signed("<", start, end)), self.scope(statement.body):
            write, plan = partial(self.one_by_one, statement), None
            if innermost:
                body = Body(statement)
                for x in body.invariants():
                    self.value(x)
                plan = planned(body, self.addressing, body.read_soon(self.open_loops, self.reads))
                if plan is not None:
                    write = partial(self.on_vectors, body, plan)
            sums = [(variable, self.variables[variable.name]) for variable in sums_of(statement)]
            if sums:
                write_in_blocks(builder, sums, block_length(plan), (start, end), write)
            else:
                write(start, end)

    def one_by_one(self, statement: For, start: ir.Value, end: ir.Value) -> None:
        """Write the iterations of a loop that run one after another; there is at least one."""

        def iteration(index: ir.Value) -> list[ir.Value]:
            self.indices[statement.index] = index
            self.open_loops.append(statement.index)
            with self.scope(statement.body):
                self.statements(statement.body)
            self.open_loops.pop()
            return []

        self.repeat(start, end, 1, [], iteration)

    def repeat(
        self,
        start: ir.Value,
        end: ir.Value,
        step: int,
        values: Sequence[ir.Value],
        iteration: Callable[..., Sequence[ir.Value]],
    ) -> list[ir.Value]:
        """Write a loop that runs at least once; the values that its iterations carry, as they are behind it.

        Args:
            start: the first index.
            end: the index after the last.
            step: by how much the index grows.
            values: the carried values before the loop.
            iteration: writes an iteration, for its index and the carried values; returns the new ones.
        """
        builder, before = self.builder, self.builder.block
        body, after = (self.function.append_basic_block(name) for name in ("body", "after"))
        builder.branch(body)
        builder.position_at_end(body)
        index, *carried = (builder.phi(x.type) for x in (start, *values))
        results = iteration(index, *carried)
        following = builder.add(index, ir.Constant(I64, step), flags=("nsw",))
        for phi, first, later in zip((index, *carried), (start, *values), (following, *results), strict=True):
            phi.add_incoming(first, before)
            phi.add_incoming(later, builder.block)
        builder.cbranch(builder.icmp_signed("<", following, end), body, after)
        builder.position_at_end(after)
        return list(results)

    def repeat_if_any(
        self,
        body: Body,
        lanes: int,
        start: ir.Value,
        end: ir.Value,
        step: int,
        values: Sequence[ir.Value],
        iteration: Callable[..., Sequence[ir.Value]],
        *,
        once_at_most: bool = False,
    ) -> list[ir.Value]:
        """As `repeat`, for a loop over vectors that may have no iteration, or one at most."""
        builder, before = self.builder, self.builder.block
        with builder.if_then(builder.icmp_signed("<", start, end)), self.scope([]):
            for x in body.uniform_operands:
                self.wide(self.value(x), lanes)
            results = iteration(start, *values) if once_at_most else self.repeat(start, end, step, values, iteration)
            inside = builder.block
        merged = []
        for old, new in zip(values, results, strict=True):
            phi = builder.phi(old.type)
            phi.add_incoming(old, before)
            phi.add_incoming(new, inside)
            merged.append(phi)
        return merged

    def on_vectors(self, body: Body, plan: Plan, start: ir.Value, end: ir.Value) -> None:
        """Write a loop on vectors: full ones first, then the remaining iterations; there is at least one iteration."""
        builder, statement, sums = self.builder, body.loop, list(body.sums.values())
        self.indices[statement.index] = self.constant(0, I64)
        for buffer, index in body.places:
            self.bases[id(index)] = self.place(buffer, [self.value(i) for i in self.addressing(buffer, index)])
        length, values = builder.sub(end, start), list[ir.Value]()
        for each in sums:
            number = ir.Constant(value_type(each.variable.start.dtype), neutral(each.value.operation, each.variable))
            values.append(splat(builder, number, plan.lanes))
        for lanes, vectors in plan.full:
            values = [self.folded(each, value, lanes) for each, value in zip(sums, values, strict=True)]
            stop = builder.add(start, builder.and_(length, ir.Constant(I64, -lanes * vectors)), flags=("nsw",))
            write = self.full(body, lanes, vectors)
            values = self.repeat_if_any(body, lanes, start, stop, lanes * vectors, values * vectors, write)
            while len(values) > len(sums):
                half = len(values) // 2
                pairs = zip(sums * half, values[:half], values[half:], strict=False)
                values = [self.combined(*each) for each in pairs]
            start, length = stop, builder.sub(end, stop)
        if plan.part:
            values = [self.folded(each, value, plan.part) for each, value in zip(sums, values, strict=True)]
            write, once = self.part(body, plan.part, end), plan.full[-1:] == ((plan.part, 1),)
            values = self.repeat_if_any(body, plan.part, start, end, plan.part, values, write, once_at_most=once)
        for each, value in zip(sums, values, strict=True):
            place = self.variables[each.variable.name]
            one = builder.extract_element(self.folded(each, value, 1), ir.Constant(I32, 0))
            builder.store(self.combined(each, builder.load(place), one), place)
        if not plan.part:
            with builder.if_then(builder.icmp_signed("<", start, end)):
                self.one_by_one(statement, start, end)

    def full(self, body: Body, lanes: int, vectors: int) -> Callable[..., list[ir.Value]]:
        """What writes the iterations from an index on, one for each lane of several vectors, and returns their sums."""

        def write(index: ir.Value, *sums: ir.Value) -> list[ir.Value]:
            results: list[ir.Value] = []
            for number in range(vectors):
                ahead = ir.Constant(I64, number * lanes)
                first = self.builder.add(index, ahead, flags=("nsw",)) if number else index
                own = sums[number * len(body.sums) :][: len(body.sums)]
                results += self.write_lanes(Lanes(body, lanes, first, None), own)
            return results

        return write

    def part(self, body: Body, lanes: int, end: ir.Value) -> Callable[..., list[ir.Value]]:
        """What writes the iterations from an index to the end, with a mask for unused lanes, and returns their sums."""

        def write(index: ir.Value, *sums: ir.Value) -> list[ir.Value]:
            remaining, most = self.builder.sub(end, index), self.constant(lanes, I64)
            used = self.builder.select(self.builder.icmp_signed("<", remaining, most), remaining, most)
            used_lanes = splat(self.builder, self.builder.trunc(used, I32), lanes)
            mask = self.builder.icmp_unsigned("<", vector_of(I32, *range(lanes)), used_lanes)
            return self.write_lanes(Lanes(body, lanes, index, mask), sums)

        return write

    def write_lanes(self, lanes: Lanes, sums: Sequence[ir.Value]) -> list[ir.Value]:
        """Write the body of a loop for several iterations at once; what its sums become."""
        lanes.sums = dict(zip(lanes.body.sums, sums, strict=True))
        self.lanes = lanes
        with self.scope(lanes.body.loop.body):
            self.statements(lanes.body.loop.body)
        self.lanes = None
        return list(lanes.sums.values())

    def folded(self, statement: Assign, value: ir.Value, until: int) -> ir.Value:
        """A sum in fewer lanes: the upper half of the lanes is added to the lower half, until so few remain."""
        count = value.type.count
        while count > until:
            count //= 2
            empty = undefined(value.type.element, 2 * count)
            halves = [
                self.builder.shuffle_vector(value, empty, vector_of(I32, *range(x, x + count))) for x in (0, count)
            ]
            value = self.combined(statement, *halves)
        return value


def _within(body: Sequence[Statement]) -> Iterator[Statement]:
    """All statements of a body, those inside conditions included, those inside loops not."""
    for statement in body:
        yield statement
        if isinstance(statement, When):
            yield from _within(statement.body)
