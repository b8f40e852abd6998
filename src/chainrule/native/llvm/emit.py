"""From loop nests to LLVM's instructions.

The loops are written down as they shall run: what all passes of an innermost loop share stands before it, what several
statements need is computed once, and loops that can run on vectors do. So LLVM has little to find out, which is what
would take it most of its time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from llvmlite import ir

from chainrule.graph.spec import BOOL
from chainrule.native.llvm.lanes import intrinsic, listed, nothing, splat, with_lanes
from chainrule.native.llvm.machine import FINE, I8, I32, I64, OK, STEP, value_type
from chainrule.native.llvm.operations import combine
from chainrule.native.llvm.values import Lanes, Values
from chainrule.native.llvm.vector import Body, Plan, added, neutral, planned, reads
from chainrule.native.loops.kernel import Kernel
from chainrule.native.loops.split import blocks, extent
from chainrule.native.loops.statements import Assign, Declare, For, Prefetch, Refuse, Statement, Store, When


def add_kernel(module: ir.Module, name: str, kernel: Kernel) -> None:
    """Add a kernel to a module as the function `name`, a `STEP`, whose status is the refused value, or `OK`."""
    Emitter(kernel, ir.Function(module, STEP, name)).emit()


class Emitter(Values):
    """Writes the instructions of one kernel.

    Attributes:
        around: the indices of the loops that are open.
        reads: where the kernel reads each buffer.
        first: where the block of the parallel loops begins that is asked for.
        last: the index after its last.
    """

    def __init__(self, kernel: Kernel, function: ir.Function) -> None:
        super().__init__(kernel, function)
        self.around: list[str] = []
        self.reads = reads(kernel.body)
        self.first = self.last = ir.Constant(I64, 0)

    def emit(self) -> None:
        """The whole kernel: the answer how many blocks it has, and the block that is asked for."""
        builder, one = self.builder, ir.Constant(I64, 1)
        count, size = blocks(self.kernel), extent(self.kernel)
        with builder.if_then(builder.icmp_signed("==", self.among, ir.Constant(I64, 0)), likely=False), self.apart([]):
            builder.ret(one if count is None else self.value(count))
        if size is not None:
            whole = self.value(size)
            length = builder.sdiv(builder.add(whole, builder.sub(self.among, one)), self.among)
            self.first = builder.mul(self.block, length, flags=("nsw",))
            self.last = builder.add(self.first, length, flags=("nsw",))
        self.statements(self.kernel.body)
        builder.ret(OK)

    def statements(self, body: Sequence[Statement]) -> None:
        """Statements one after the other."""
        for statement in body:
            if isinstance(statement, For):
                self.loop(statement)
            elif isinstance(statement, When):
                with self.builder.if_then(self.value(statement.condition)), self.apart(statement.body):
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
                for_reading, stays, data = (ir.Constant(I32, x) for x in (0, 3, 1))
                operands = [self.builder.bitcast(place, I8.as_pointer()), for_reading, stays, data]
                intrinsic(self.builder, "prefetch", operands, ir.VoidType())
            elif isinstance(statement, Refuse):
                value = self.value(statement.value)
                with self.builder.if_then(self.value(statement.condition), likely=False):
                    fine = self.builder.icmp_signed("==", value, OK)  # the one number that would say nothing is wrong
                    self.builder.ret(self.builder.select(fine, ir.Constant(I64, FINE + 1), value))
            else:
                self.store(statement)

    def assign(self, statement: Assign) -> None:
        """A variable's new value."""
        name = statement.variable.name
        if self.lanes is None:
            self.builder.store(self.value(statement.value), self.variables[name])
            self.forget(name)
            return
        held = self.lanes.sums[name]
        result = self.combined(statement, held, self.wide(self.value(added(statement))))
        self.lanes.sums[name] = (
            result if self.lanes.mask is None else self.builder.select(self.lanes.mask, result, held)
        )

    def combined(self, statement: Assign, a: ir.Value, b: ir.Value) -> ir.Value:
        """Two parts of what a variable adds up, as one."""
        return combine(self.builder, statement.value.operation, statement.variable.start.dtype, a, b)

    def store(self, statement: Store) -> None:
        """An element's new value."""
        spec, buffer = self.kernel.buffers[statement.buffer], statement.buffer
        value = self.wide(self.value(statement.value))
        if statement.accumulate:
            held = self.load(buffer, statement.index)
            value = combine(self.builder, "add", spec.dtype, held, value)
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
        """A loop, on vectors where it can be."""
        builder = self.builder
        start, end = self.value(statement.start), self.value(statement.end)
        if statement.parallel:
            start, end = self.first, builder.select(builder.icmp_signed("<", self.last, end), self.last, end)
        innermost = not any(isinstance(inner, For) for inner in _within(statement.body))
        with builder.if_then(builder.icmp_signed("<", start, end)), self.apart(statement.body):
            if not innermost:
                self.passes(statement, start, end)
                return
            body = Body(statement)
            for x in body.before():
                self.value(x)
            plan = planned(body, self.long, body.read_soon(self.around, self.reads))
            if plan is None:
                self.passes(statement, start, end)
            else:
                self.vectors(body, plan, start, end)

    def passes(self, statement: For, start: ir.Value, end: ir.Value) -> None:
        """One pass after the other; there is at least one."""

        def once(index: ir.Value) -> list[ir.Value]:
            self.indices[statement.index] = index
            self.around.append(statement.index)
            with self.apart(statement.body):
                self.statements(statement.body)
            self.around.pop()
            return []

        self.repeat(start, end, 1, [], once)

    def repeat(
        self,
        start: ir.Value,
        end: ir.Value,
        step: int,
        values: Sequence[ir.Value],
        once: Callable[..., Sequence[ir.Value]],
    ) -> list[ir.Value]:
        """A loop that runs at least once and changes some values in each pass; what they are behind it."""
        builder, before = self.builder, self.builder.block
        body, after = (self.function.append_basic_block(name) for name in ("body", "after"))
        builder.branch(body)
        builder.position_at_end(body)
        index, *held = (builder.phi(x.type) for x in (start, *values))
        results = once(index, *held)
        following = builder.add(index, ir.Constant(I64, step), flags=("nsw",))
        for phi, first, later in zip((index, *held), (start, *values), (following, *results), strict=True):
            phi.add_incoming(first, before)
            phi.add_incoming(later, builder.block)
        builder.cbranch(builder.icmp_signed("<", following, end), body, after)
        builder.position_at_end(after)
        return list(results)

    def perhaps(
        self,
        body: Body,
        lanes: int,
        start: ir.Value,
        end: ir.Value,
        step: int,
        values: Sequence[ir.Value],
        once: Callable[..., Sequence[ir.Value]],
        *,
        once_at_most: bool = False,
    ) -> list[ir.Value]:
        """A loop over vectors that may run not at all; what its values are behind it."""
        builder, before = self.builder, self.builder.block
        with builder.if_then(builder.icmp_signed("<", start, end)), self.apart([]):
            for x in body.spread:
                self.wide(self.value(x), lanes)
            results = once(start, *values) if once_at_most else self.repeat(start, end, step, values, once)
            inside = builder.block
        merged = []
        for old, new in zip(values, results, strict=True):
            phi = builder.phi(old.type)
            phi.add_incoming(old, before)
            phi.add_incoming(new, inside)
            merged.append(phi)
        return merged

    def vectors(self, body: Body, plan: Plan, start: ir.Value, end: ir.Value) -> None:
        """All passes of a loop, on vectors: first full ones, then the rest; there is at least one pass."""
        builder, statement, sums = self.builder, body.loop, list(body.sums.values())
        self.indices[statement.index] = self.constant(0, I64)
        for buffer, index in body.places:
            self.bases[id(index)] = self.place(buffer, [self.value(i) for i in self.long(buffer, index)])
        length, values = builder.sub(end, start), list[ir.Value]()
        for each in sums:
            number = ir.Constant(value_type(each.variable.start.dtype), neutral(each.value.operation, each.variable))
            values.append(splat(builder, number, plan.lanes))
        for lanes, at_once in plan.full:
            values = [self.gathered(each, value, lanes) for each, value in zip(sums, values, strict=True)]
            stop = builder.add(start, builder.and_(length, ir.Constant(I64, -lanes * at_once)), flags=("nsw",))
            write = self.full(body, lanes, at_once)
            values = self.perhaps(body, lanes, start, stop, lanes * at_once, values * at_once, write)
            while len(values) > len(sums):
                half = len(values) // 2
                pairs = zip(sums * half, values[:half], values[half:], strict=False)
                values = [self.combined(*each) for each in pairs]
            start, length = stop, builder.sub(end, stop)
        if plan.part:
            values = [self.gathered(each, value, plan.part) for each, value in zip(sums, values, strict=True)]
            write, once = self.part(body, plan.part, end), plan.full[-1:] == ((plan.part, 1),)
            values = self.perhaps(body, plan.part, start, end, plan.part, values, write, once_at_most=once)
        for each, value in zip(sums, values, strict=True):
            place = self.variables[each.variable.name]
            one = builder.extract_element(self.gathered(each, value, 1), ir.Constant(I32, 0))
            builder.store(self.combined(each, builder.load(place), one), place)
        if not plan.part:
            with builder.if_then(builder.icmp_signed("<", start, end)):
                self.passes(statement, start, end)

    def full(self, body: Body, lanes: int, at_once: int) -> Callable[..., list[ir.Value]]:
        """Writes passes from an index on for each lane of several vectors; their sums become ..."""

        def write(index: ir.Value, *held: ir.Value) -> list[ir.Value]:
            results: list[ir.Value] = []
            for turn in range(at_once):
                first = self.builder.add(index, ir.Constant(I64, turn * lanes), flags=("nsw",)) if turn else index
                own = held[turn * len(body.sums) :][: len(body.sums)]
                results += self.run(Lanes(body, lanes, first, None), own)
            return results

        return write

    def part(self, body: Body, lanes: int, end: ir.Value) -> Callable[..., list[ir.Value]]:
        """Writes passes from an index to before the end for the first lanes of a vector; their sums become ..."""

        def write(index: ir.Value, *held: ir.Value) -> list[ir.Value]:
            rest, most = self.builder.sub(end, index), self.constant(lanes, I64)
            few = self.builder.select(self.builder.icmp_signed("<", rest, most), rest, most)  # fits into 32 bits
            left = splat(self.builder, self.builder.trunc(few, I32), lanes)
            mask = self.builder.icmp_unsigned("<", listed(I32, *range(lanes)), left)
            return self.run(Lanes(body, lanes, index, mask), held)

        return write

    def run(self, lanes: Lanes, held: Sequence[ir.Value]) -> list[ir.Value]:
        """Passes of a loop at once; what its sums become."""
        lanes.sums = dict(zip(lanes.body.sums, held, strict=True))
        self.lanes = lanes
        with self.apart(lanes.body.loop.body):
            self.statements(lanes.body.loop.body)
        self.lanes = None
        return list(lanes.sums.values())

    def gathered(self, statement: Assign, value: ir.Value, until: int) -> ir.Value:
        """A sum in fewer lanes: the upper half of them is added to the lower one."""
        count = value.type.count
        while count > until:
            count //= 2
            places, rest = (
                (listed(I32, *range(x, x + count)) for x in (0, count)),
                nothing(value.type.element, 2 * count),
            )
            value = self.combined(statement, *(self.builder.shuffle_vector(value, rest, x) for x in places))
        return value


def _within(body: Sequence[Statement]) -> Iterator[Statement]:
    """All statements, those of conditions included."""
    for statement in body:
        yield statement
        if isinstance(statement, When):
            yield from _within(statement.body)
