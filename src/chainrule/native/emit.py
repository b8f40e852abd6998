"""From loop nests to LLVM's instructions.

A kernel becomes a `STEP`. An inner function takes its buffers as arguments that do not alias, which tells LLVM that
what one writes no other reads. The loops are written down as they shall run: what all passes of an innermost loop share
stands before it, what several statements need is computed once, and loops that can run on vectors do. So LLVM has
little to find out, which is what would take it most of its time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from chainrule.graph.spec import BOOL
from chainrule.native import elementary
from chainrule.native.expression import COMPARISONS, Expression, parts
from chainrule.native.lanes import counted, in_lanes, intrinsic, splat, with_lanes
from chainrule.native.llvm import FINE, I1, I8, I32, I64, OK, STEP, memory_type, value_type
from chainrule.native.loops import Assign, Declare, For, Kernel, Prefetch, Refuse, Statement, Store, When
from chainrule.native.split import blocks, extent
from chainrule.native.vector import Body, Plan, added, changed, neutral, planned, power_of_two, reads, stored

#: What a loop adds up may be reordered (always in the same way), which is what vectors take. Other arithmetic
#: rounds as it is written: (x · 10³⁰) · 10³⁰ is not x · ∞, and a number that two loops compute is the same in both.
REORDER = ("reassoc",)


def add_kernel(module: ir.Module, name: str, kernel: Kernel) -> None:
    """Add a kernel to a module as the function `name`, a `STEP`, whose status is the refused value, or `OK`."""
    Emitter(kernel, ir.Function(module, STEP, name)).emit()


class _Lanes:
    """The passes of a loop that run at once.

    Attributes:
        body: of the loop.
        count: how many.
        first: the index of the first of them.
        mask: which of them there are; None for all.
        sums: what they have added up, by the names of the variables.
    """

    def __init__(self, body: Body, count: int, first: ir.Value, mask: ir.Value | None) -> None:
        self.body, self.count, self.first, self.mask = body, count, first, mask
        self.sums: dict[str, ir.Value] = {}


class Emitter:
    """Writes the instructions of one kernel."""

    def __init__(self, kernel: Kernel, function: ir.Function) -> None:
        self.kernel = kernel
        self.function = function
        self.builder = ir.IRBuilder(function.append_basic_block("entry"))
        self.table, self.block, self.among = function.args
        self.places: dict[str, int] = {}
        sizes = len(kernel.buffers)
        for name, spec in kernel.buffers.items():
            self.places[name] = sizes
            sizes += spec.rank
        self.indices: dict[str, ir.Value] = {}
        self.variables: dict[str, ir.Value] = {}
        self.first = self.last = ir.Constant(I64, 0)
        #: What was computed before and still is what it was, by the operation and its operands.
        self.known: dict[tuple[Hashable, ...], ir.Value] = {}
        self.constants: dict[tuple[Hashable, ...], ir.Value] = {}
        self.bases: dict[int, ir.Value] = {}
        self.lanes: _Lanes | None = None
        self.reads = reads(kernel.body)
        #: The indices of the loops that are open.
        self.around: list[str] = []

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

    def argument(self, number: int, kind: ir.Type = I64) -> ir.Value:
        """A number of the table, or the address that it is."""
        key = ("argument", number)
        if key not in self.constants:
            with self.builder.goto_entry_block():
                held = self.builder.load(self.builder.gep(self.table, [ir.Constant(I64, number)]))
                self.constants[key] = held if kind == I64 else self.builder.inttoptr(held, kind)
        return self.constants[key]

    def pointer(self, buffer: str) -> ir.Value:
        """Where a buffer begins."""
        kind = memory_type(self.kernel.buffers[buffer].dtype)
        return self.argument([*self.kernel.buffers].index(buffer), kind.as_pointer())

    def size(self, buffer: str, axis: int) -> ir.Value:
        """How long a buffer is along an axis."""
        return self.argument(self.places[buffer] + axis)

    @contextlib.contextmanager
    def apart(self, body: Sequence[Statement]) -> Iterator[None]:
        """A part of the function that may run or not, or several times: what it computes is unknown behind it."""
        written, before = stored(body) | changed(body), self.known
        lasting = {key: value for key, value in before.items() if key[1] not in written}
        self.known = dict(lasting)
        yield
        self.known = lasting

    def forget(self, name: str) -> None:
        """A buffer or a variable has changed."""
        self.known = {key: value for key, value in self.known.items() if key[1] != name}

    def statements(self, body: Sequence[Statement]) -> None:
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
        name = statement.variable.name
        if self.lanes is None:
            self.builder.store(self.value(statement.value), self.variables[name])
            self.forget(name)
            return
        held = self.lanes.sums[name]
        result = self.combined(statement, held, self.wide(self.value(added(statement))))
        self.lanes.sums[name] = result if self.lanes.mask is None else self.builder.select(self.lanes.mask, result, held)

    def combined(self, statement: Assign, a: ir.Value, b: ir.Value) -> ir.Value:
        """Two parts of what a variable adds up, as one."""
        name, dtype = statement.value.operation, statement.variable.start.dtype
        if name in FUNCTIONS:
            return FUNCTIONS[name](self, dtype, a, b)
        return FLOATING[name](self.builder, a, b, REORDER) if dtype.kind == "f" else WHOLE[name](self.builder, a, b)

    def store(self, statement: Store) -> None:
        spec, buffer = self.kernel.buffers[statement.buffer], statement.buffer
        value = self.wide(self.value(statement.value))
        if statement.accumulate:
            held = self.load(buffer, statement.index)
            floating = spec.dtype.kind == "f"
            value = self.builder.fadd(held, value, flags=REORDER) if floating else _add(self.builder, held, value)
        if spec.dtype == BOOL:
            value = self.builder.zext(value, with_lanes(I8, value.type))
        place = self.address(buffer, statement.index)
        if self.lanes is None or self.lanes.mask is None:
            self.builder.store(value, place, align=spec.dtype.itemsize)
        else:
            operands = [value, place, ir.Constant(I32, spec.dtype.itemsize), self.lanes.mask]
            intrinsic(self.builder, "masked.store", operands, ir.VoidType(), of=[value.type, place.type])
        self.forget(buffer)

    def load(self, buffer: str, index: Sequence[Expression]) -> ir.Value:
        """An element, or those of all lanes."""
        dtype, lanes = self.kernel.buffers[buffer].dtype, self.lanes
        place = self.address(buffer, index)
        key = ("load", buffer, id(place))
        if key not in self.known:
            if lanes is None or lanes.mask is None or not isinstance(place.type.pointee, ir.VectorType):
                loaded = self.builder.load(place, align=dtype.itemsize)
            else:
                kind = place.type.pointee
                operands = [place, ir.Constant(I32, dtype.itemsize), lanes.mask, ir.Constant(kind, None)]
                loaded = intrinsic(self.builder, "masked.load", operands, kind, of=[kind, place.type])
            if dtype == BOOL:
                loaded = self.builder.trunc(loaded, with_lanes(I1, loaded.type))
            self.known[key] = loaded
        return self.known[key]

    def address(self, buffer: str, index: Sequence[Expression]) -> ir.Value:
        """Where an element is, or those of all lanes, which lie side by side."""
        lanes = self.lanes
        if lanes is None or all(map(lanes.body.same, index)):
            return self.place(buffer, [self.value(i) for i in self.long(buffer, index)])
        key = ("lanes", None, id(self.bases[id(index)]), id(lanes.first))
        if key not in self.known:
            place = self.builder.gep(self.bases[id(index)], [lanes.first])
            kind = ir.VectorType(place.type.pointee, lanes.count)
            self.known[key] = self.builder.bitcast(place, kind.as_pointer())
        return self.known[key]

    def long(self, buffer: str, index: Sequence[Expression]) -> list[Expression]:
        """An index along the axes that are not of size 1."""
        return [i for i, size in zip(index, self.kernel.buffers[buffer].shape, strict=True) if size != 1]

    def place(self, buffer: str, index: Sequence[ir.Value]) -> ir.Value:
        """Where the element is that has an index along the axes that are not of size 1."""
        key = ("place", None, buffer, *map(id, index))
        if key not in self.known:
            axes = [axis for axis, size in enumerate(self.kernel.buffers[buffer].shape) if size != 1]
            offset = index[0] if index else self.constant(0, I64)
            for i, axis in list(zip(index, axes, strict=True))[1:]:
                scaled = self.builder.mul(offset, self.size(buffer, axis), flags=("nsw",))
                offset = self.builder.add(scaled, i, flags=("nsw",))
            self.known[key] = self.builder.gep(self.pointer(buffer), [offset], inbounds=True)
        return self.known[key]

    def loop(self, statement: For) -> None:
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
                results += self.run(_Lanes(body, lanes, first, None), own)
            return results

        return write

    def part(self, body: Body, lanes: int, end: ir.Value) -> Callable[..., list[ir.Value]]:
        """Writes passes from an index to before the end for the first lanes of a vector; their sums become ..."""

        def write(index: ir.Value, *held: ir.Value) -> list[ir.Value]:
            left = splat(self.builder, self.builder.trunc(self.builder.sub(end, index), I32), lanes)
            mask = self.builder.icmp_unsigned("<", counted(I32, lanes), left)
            return self.run(_Lanes(body, lanes, index, mask), held)

        return write

    def run(self, lanes: _Lanes, held: Sequence[ir.Value]) -> list[ir.Value]:
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
            places = (ir.Constant(ir.VectorType(I32, count), [*range(x, x + count)]) for x in (0, count))
            nothing = ir.Constant(value.type, ir.Undefined)
            value = self.combined(statement, *(self.builder.shuffle_vector(value, nothing, x) for x in places))
        return value

    def wide(self, value: ir.Value, lanes: int = 0) -> ir.Value:
        """A number in all lanes, where there are some."""
        lanes = lanes or (self.lanes.count if self.lanes else 0)
        if not lanes or isinstance(value.type, ir.VectorType):
            return value
        key = ("wide", None, id(value), lanes)
        if key not in self.known:
            self.known[key] = splat(self.builder, value, lanes)
        return self.known[key]

    def constant(self, value: Any, kind: ir.Type) -> ir.Value:
        key = (str(kind), repr(value))
        if key not in self.constants:
            self.constants[key] = ir.Constant(kind, value)
        return self.constants[key]

    def value(self, x: Expression) -> ir.Value:
        """The register that holds an expression; iterative over its parts, which may be deep."""
        memo: dict[int, ir.Value] = {}
        stack = [x]
        while stack:
            top = stack[-1]
            if id(top) in memo:
                stack.pop()
                continue
            # The index of an element is looked at by `load` where it is one of several lanes.
            inner = () if top.operation == "load" and self.varies(top) else parts(top)
            missing = [part for part in inner if id(part) not in memo]
            if missing:
                stack.extend(missing)
            else:
                memo[id(top)] = self.instruction(top, [memo[id(part)] for part in inner])
                stack.pop()
        return memo[id(x)]

    def varies(self, x: Expression) -> bool:
        """Whether an expression differs from lane to lane."""
        return self.lanes is not None and not self.lanes.body.same(x)

    def instruction(self, x: Expression, operands: list[ir.Value]) -> ir.Value:
        """An operation on operands, unless its result is there."""
        name = x.operation
        if name == "constant":
            return self.constant(x.operands[0], value_type(x.dtype))
        if name == "size":
            return self.size(*x.operands)
        if name == "load":
            return self.load(*x.operands)
        if name == "index" and not self.varies(x):
            return self.indices[x.operands[0]]
        key: tuple[Hashable, ...]
        if name == "index":
            key = ("index", None, x.operands[0])
        elif name == "variable":
            key = ("variable", x.operands[0])
        else:
            if any(isinstance(operand.type, ir.VectorType) for operand in operands):
                operands = [self.wide(operand) for operand in operands]
            key = (name, None, x.dtype.char, *map(id, operands))
        if key not in self.known:
            self.known[key] = self.operation(x, operands)
        return self.known[key]

    def operation(self, x: Expression, operands: list[ir.Value]) -> ir.Value:
        builder, name = self.builder, x.operation
        if name == "index" and self.lanes is not None:
            return builder.add(self.wide(self.lanes.first), counted(I64, self.lanes.count))
        if name == "variable":
            return builder.load(self.variables[x.operands[0]])
        if name == "cast":
            return self.cast(operands[0], x.operands[0].dtype, x.dtype)
        if name == "where":
            return builder.select(*operands)
        if name in COMPARISONS:
            return self.compare(COMPARISONS[name], operands, x.operands[0].dtype)
        if name == "invert":
            return builder.not_(operands[0])
        if name in ("floordiv", "mod") and (shift := power_of_two(x.operands[1])) is not None:
            kind = operands[0].type
            if name == "mod":
                return builder.and_(operands[0], in_lanes(ir.Constant(value_type(x.dtype), 2**shift - 1), kind))
            shifted = builder.ashr if x.dtype.kind == "i" else builder.lshr
            return shifted(operands[0], in_lanes(ir.Constant(value_type(x.dtype), shift), kind))
        if x.dtype.kind == "f" and name in FLOATING:
            accumulates = any(part.operation == "variable" for part in parts(x))
            return FLOATING[name](builder, *operands, REORDER if accumulates else ())
        if x.dtype.kind != "f" and name in WHOLE:
            return WHOLE[name](builder, *operands)
        return FUNCTIONS[name](self, x.dtype, *operands)

    def compare(self, symbol: str, operands: list[ir.Value], dtype: np.dtype[Any]) -> ir.Value:
        if dtype.kind == "f":
            ordered = self.builder.fcmp_unordered if symbol == "!=" else self.builder.fcmp_ordered
            return ordered(symbol, *operands)
        signed = dtype.kind == "i"
        return (self.builder.icmp_signed if signed else self.builder.icmp_unsigned)(symbol, *operands)

    def cast(self, value: ir.Value, source: np.dtype[Any], target: np.dtype[Any]) -> ir.Value:
        builder, kind, zero = self.builder, with_lanes(value_type(target), value.type), ir.Constant(value.type, None)
        if source.kind == "f":
            if target.kind == "f":
                return builder.fpext(value, kind) if target.itemsize > source.itemsize else builder.fptrunc(value, kind)
            if target == BOOL:
                return builder.fcmp_unordered("!=", value, zero)
            if target.kind == "u":
                return builder.trunc(builder.fptosi(value, with_lanes(I64, kind)), kind)
            return builder.fptosi(value, kind)
        if target.kind == "f":
            return (builder.sitofp if source.kind == "i" else builder.uitofp)(value, kind)
        if target == BOOL:
            return builder.icmp_unsigned("!=", value, zero)
        if source != BOOL and source.itemsize == target.itemsize:
            return value
        if source != BOOL and source.itemsize > target.itemsize:
            return builder.trunc(value, kind)
        return (builder.sext if source.kind == "i" else builder.zext)(value, kind)


def _within(body: Sequence[Statement]) -> Iterator[Statement]:
    """All statements, those of conditions included."""
    for statement in body:
        yield statement
        if isinstance(statement, When):
            yield from _within(statement.body)


def _floor_divide(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    quotient, remainder = builder.sdiv(a, b), builder.srem(a, b)
    zero = ir.Constant(a.type, 0)
    below = builder.and_(
        builder.icmp_signed("!=", remainder, zero),
        builder.icmp_signed("<", builder.xor(remainder, b), zero),
    )
    return builder.sub(quotient, builder.zext(below, a.type))


def _floor_remainder(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    return builder.sub(a, builder.mul(_floor_divide(builder, a, b), b))


def _add(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    """The sum of whole numbers; of booleans, whether any is true."""
    return builder.or_(a, b) if a.type == with_lanes(I1, a.type) else builder.add(a, b)


FLOATING: dict[str, Callable[..., ir.Value]] = {
    "add": lambda builder, a, b, flags: builder.fadd(a, b, flags=flags),
    "sub": lambda builder, a, b, flags: builder.fsub(a, b, flags=flags),
    "mul": lambda builder, a, b, flags: builder.fmul(a, b, flags=flags),
    "truediv": lambda builder, a, b, flags: builder.fdiv(a, b),  # noqa: ARG005
    "neg": lambda builder, a, flags: builder.fneg(a),  # noqa: ARG005
}
WHOLE: dict[str, Callable[..., ir.Value]] = {
    "add": _add,
    "sub": lambda builder, a, b: builder.sub(a, b),
    "mul": lambda builder, a, b: builder.mul(a, b),
    "neg": lambda builder, a: builder.neg(a),
    "and": lambda builder, a, b: builder.and_(a, b),
    "or": lambda builder, a, b: builder.or_(a, b),
    "xor": lambda builder, a, b: builder.xor(a, b),
    "lshift": lambda builder, a, b: builder.shl(a, b),
    "rshift": lambda builder, a, b: builder.lshr(a, b),
    "floordiv": _floor_divide,
    "mod": _floor_remainder,
}


def _extreme(symbol: str) -> Callable[..., ir.Value]:
    """The larger or smaller of two; of numbers one of which is NaN, NaN."""

    def emit(emitter: Emitter, dtype: np.dtype[Any], a: ir.Value, b: ir.Value) -> ir.Value:
        if dtype.kind == "f":
            name = "maximum" if symbol == ">" else "minimum"
            return intrinsic(emitter.builder, name, [a, b], flags=("nsz",))
        return emitter.builder.select(emitter.compare(symbol, [a, b], dtype), a, b)

    return emit


def _absolute(emitter: Emitter, dtype: np.dtype[Any], x: ir.Value) -> ir.Value:
    if dtype.kind == "f":
        return intrinsic(emitter.builder, "fabs", [x])
    if dtype.kind == "u":
        return x
    zero = ir.Constant(x.type, None)
    return emitter.builder.select(emitter.builder.icmp_signed("<", x, zero), emitter.builder.neg(x), x)


def _elementary(name: str) -> Callable[..., ir.Value]:
    return lambda emitter, dtype, *operands: elementary.emit(name, emitter.builder, *operands)  # noqa: ARG005


def _power(emitter: Emitter, dtype: np.dtype[Any], a: ir.Value, b: ir.Value) -> ir.Value:
    """aᵇ; of whole numbers by repeated squaring, where an exponent below 0 counts as 0."""
    if dtype.kind == "f":
        return _elementary("power")(emitter, dtype, a, b)
    builder, zero, one = emitter.builder, ir.Constant(a.type, 0), ir.Constant(a.type, 1)
    before = builder.block
    head, body, after = (emitter.function.append_basic_block(name) for name in ("head", "body", "after"))
    builder.branch(head)
    builder.position_at_end(head)
    result, base, exponent = (builder.phi(a.type) for _ in range(3))
    compare = builder.icmp_signed if dtype.kind == "i" else builder.icmp_unsigned
    builder.cbranch(compare(">", exponent, zero), body, after)
    builder.position_at_end(body)
    odd = builder.trunc(exponent, I1)
    following = (
        builder.mul(result, builder.select(odd, base, one)),
        builder.mul(base, base),
        builder.lshr(exponent, one),
    )
    for phi, start, value in zip((result, base, exponent), (one, a, b), following, strict=True):
        phi.add_incoming(start, before)
        phi.add_incoming(value, body)
    builder.branch(head)
    builder.position_at_end(after)
    return result


FUNCTIONS: dict[str, Callable[..., ir.Value]] = {
    "maximum": _extreme(">"),
    "minimum": _extreme("<"),
    "absolute": _absolute,
    "power": _power,
    **{name: _elementary(name) for name in ("exp", "expm1", "log", "log1p", "tanh", "sin", "cos", "sqrt", "floor")},
}
