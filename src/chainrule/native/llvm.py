"""From loop nests to machine code, through LLVM.

A kernel becomes a function that takes a table of integers: the addresses of its buffers, then their sizes. An inner
function takes them as arguments that do not alias, which lets LLVM vectorise the loops. The number of a block and how
many there are say which part of the kernel to run; a function that is told there are none answers how many there are,
plus 2³² times the work they are, in some five microseconds.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import llvmlite.binding as binding
import numpy as np
from llvmlite import ir

from chainrule.graph.spec import BOOL
from chainrule.native.expression import COMPARISONS, Expression, parts
from chainrule.native.loops import Assign, Declare, For, Kernel, Prefetch, Refuse, Statement, Store, When
from chainrule.native.split import blocks, extent
from chainrule.version import __version__

I1, I8, I32, I64 = (ir.IntType(bits) for bits in (1, 8, 32, 64))
TYPES = {"float32": ir.FloatType(), "float64": ir.DoubleType(), "int32": I32, "int64": I64, "uint32": I32, "bool": I1}
#: What a kernel returns when it refused nothing.
FINE = -(2**63)
OK = ir.Constant(I64, FINE)
#: What a step of a program is: (table, number of the block, how many blocks) to a status, or to how many blocks it has.
STEP = ir.FunctionType(I64, [I64.as_pointer(), I64, I64])
#: What a loop adds up may be reordered (always in the same way), which is what vectorising it takes. Other arithmetic
#: rounds as it is written: (x · 10³⁰) · 10³⁰ is not x · ∞, and a number that two loops compute is the same in both.
REORDER = ("reassoc",)


#: A loop with more instructions in its body is compiled once, masked, and not as a wide, a narrow and a scalar loop. A
#: sum (or the like) with fewer keeps several sums at once, as it waits for its last addition otherwise.
LONG, SHORT = 96, 16


def value_type(dtype: np.dtype[Any]) -> ir.Type:
    """The type of a number in a register."""
    return TYPES[dtype.name]


def memory_type(dtype: np.dtype[Any]) -> ir.Type:
    """The type of a number in memory, where a boolean is a byte."""
    return I8 if dtype == BOOL else TYPES[dtype.name]


def add_kernel(module: ir.Module, name: str, kernel: Kernel) -> None:
    """Add a kernel to a module as the function `name`, a `STEP`, whose status is the refused value, or `OK`."""
    numbers = sum(spec.rank for spec in kernel.buffers.values()) + len(kernel.pitched)  # sizes, then distances of rows
    pointers = [memory_type(spec.dtype).as_pointer() for spec in kernel.buffers.values()]
    inner = ir.Function(module, ir.FunctionType(I64, [*pointers, *[I64] * numbers, I64, I64]), f"{name}_body")
    inner.linkage = "internal"
    inner.attributes.add("alwaysinline")
    for argument in inner.args[: len(pointers)]:
        argument.add_attribute("noalias")
    _Emitter(kernel, inner).emit()
    outer = ir.Function(module, STEP, name)
    builder = ir.IRBuilder(outer.append_basic_block("entry"))
    count = range(len(pointers) + numbers)
    table = [builder.load(builder.gep(outer.args[0], [ir.Constant(I64, i)])) for i in count]
    given = [builder.inttoptr(x, kind) for x, kind in zip(table, pointers, strict=False)] + table[len(pointers) :]
    builder.ret(builder.call(inner, [*given, *outer.args[1:]]))


class _Emitter:
    """Writes the instructions of one kernel."""

    def __init__(self, kernel: Kernel, function: ir.Function) -> None:
        self.kernel = kernel
        self.function = function
        self.builder = ir.IRBuilder(function.append_basic_block("entry"))
        names = list(kernel.buffers)
        self.pointers = dict(zip(names, function.args, strict=False))
        self.sizes: dict[tuple[str, int], ir.Value] = {}
        rest = iter(function.args[len(names) :])
        for name, spec in kernel.buffers.items():
            for axis in range(spec.rank):
                self.sizes[name, axis] = next(rest)
        self.pitches = {name: next(rest) for name in kernel.buffers if name in kernel.pitched}
        self.indices: dict[str, ir.Value] = {}
        self.variables: dict[str, ir.Value] = {}
        self.first = self.last = ir.Constant(I64, 0)

    def emit(self) -> None:
        """The whole kernel: the answer how many blocks it has, and the block that is asked for."""
        builder, one, memo = self.builder, ir.Constant(I64, 1), dict[int, ir.Value]()
        block, among = self.function.args[-2:]
        count, size = blocks(self.kernel), extent(self.kernel)
        with builder.if_then(builder.icmp_signed("==", among, ir.Constant(I64, 0)), likely=False):
            builder.ret(one if count is None else self.value(count, {}))
        if size is not None:
            whole = self.value(size, memo)
            length = builder.sdiv(builder.add(whole, builder.sub(among, one)), among)
            self.first = builder.mul(block, length, flags=("nsw",))
            self.last = builder.add(self.first, length, flags=("nsw",))
        self.statements(self.kernel.body)
        builder.ret(OK)

    def statements(self, body: Sequence[Statement]) -> None:
        memo: dict[int, ir.Value] = {}
        for statement in body:
            if not isinstance(statement, Declare):
                memo = {}  # what was loaded may have changed; neighbouring declarations change nothing
            if isinstance(statement, For):
                self.loop(statement)
            elif isinstance(statement, When):
                with self.builder.if_then(self.value(statement.condition, memo)):
                    self.statements(statement.body)
            elif isinstance(statement, Declare):
                with self.builder.goto_entry_block():
                    place = self.builder.alloca(value_type(statement.variable.start.dtype))
                self.variables[statement.variable.name] = place
                self.builder.store(self.value(statement.variable.start, memo), place)
            elif isinstance(statement, Assign):
                value = self.value(statement.value, memo)
                self.builder.store(value, self.variables[statement.variable.name])
            elif isinstance(statement, Prefetch):
                self.prefetch(statement, memo)
            elif isinstance(statement, Refuse):
                value = self.value(statement.value, memo)
                with self.builder.if_then(self.value(statement.condition, memo), likely=False):
                    fine = self.builder.icmp_signed("==", value, OK)  # the one number that would say nothing is wrong
                    self.builder.ret(self.builder.select(fine, ir.Constant(I64, FINE + 1), value))
            else:
                self.store(statement, memo)

    def store(self, statement: Store, memo: dict[int, ir.Value]) -> None:
        spec = self.kernel.buffers[statement.buffer]
        value = self.value(statement.value, memo)
        place = self.address(statement.buffer, [self.value(i, memo) for i in statement.index])
        if statement.accumulate:
            held = self.builder.load(place)
            if spec.dtype == BOOL:
                held = self.builder.trunc(held, I1)
            floating = spec.dtype.kind == "f"
            value = self.builder.fadd(held, value, flags=REORDER) if floating else _add(self.builder, held, value)
        if spec.dtype == BOOL:
            value = self.builder.zext(value, I8)
        self.builder.store(value, place)

    def loop(self, statement: For) -> None:
        builder, memo = self.builder, dict[int, ir.Value]()
        start, end = self.value(statement.start, memo), self.value(statement.end, memo)
        if statement.parallel:
            start, end = self.first, builder.select(builder.icmp_signed("<", self.last, end), self.last, end)
        before = builder.block
        head, body, after = (self.function.append_basic_block(name) for name in ("head", "body", "after"))
        builder.branch(head)
        builder.position_at_end(head)
        index = builder.phi(I64)
        index.add_incoming(start, before)
        builder.cbranch(builder.icmp_signed("<", index, end), body, after)
        builder.position_at_end(body)
        self.indices[statement.index] = index
        self.statements(statement.body)
        index.add_incoming(builder.add(index, ir.Constant(I64, 1), flags=("nsw", "nuw")), builder.block)
        back, length = builder.branch(head), len(body.instructions)
        if builder.block is body and length > LONG and "+avx512vl" in _features():
            _advise(back, "llvm.loop.vectorize.predicate.enable", ir.Constant(I1, 1))
        elif builder.block is body and length < SHORT and _adds(statement.body[-1]):
            _advise(back, "llvm.loop.interleave.count", ir.Constant(I32, 4))
        builder.position_at_end(after)

    def address(self, buffer: str, index: Sequence[ir.Value]) -> ir.Value:
        offset: ir.Value | None = None
        places = list(enumerate(zip(index, self.kernel.buffers[buffer].shape, strict=True)))
        pointer, pitch = self.pointers[buffer], self.pitches.get(buffer)
        if pitch is not None:
            row = self.builder.mul(index[0], pitch, flags=("nsw",))
            pointer = self.builder.gep(pointer, [row], inbounds=True)
            del places[0]
        for axis, (i, size) in places:
            if size == 1:
                continue
            if offset is not None:
                offset = self.builder.mul(offset, self.sizes[buffer, axis], flags=("nsw",))
            offset = i if offset is None else self.builder.add(offset, i, flags=("nsw",))
        return pointer if offset is None else self.builder.gep(pointer, [offset], inbounds=True)

    def value(self, x: Expression, memo: dict[int, ir.Value]) -> ir.Value:
        """The register that holds an expression; iterative over its parts, which may be deep."""
        stack = [x]
        while stack:
            top = stack[-1]
            if id(top) in memo:
                stack.pop()
                continue
            missing = [part for part in parts(top) if id(part) not in memo]
            if missing:
                stack.extend(missing)
            else:
                memo[id(top)] = self.instruction(top, [memo[id(part)] for part in parts(top)])
                stack.pop()
        return memo[id(x)]

    def instruction(self, x: Expression, operands: list[ir.Value]) -> ir.Value:
        builder, name = self.builder, x.operation
        if name == "constant":
            return ir.Constant(value_type(x.dtype), x.operands[0])
        if name == "index":
            return self.indices[x.operands[0]]
        if name == "size":
            return self.sizes[x.operands[0], x.operands[1]]
        if name == "variable":
            return builder.load(self.variables[x.operands[0]])
        if name == "load":
            loaded = builder.load(self.address(x.operands[0], operands))
            return builder.trunc(loaded, I1) if x.dtype == BOOL else loaded
        if name == "cast":
            return self.cast(operands[0], x.operands[0].dtype, x.dtype)
        if name == "where":
            return builder.select(*operands)
        if name in COMPARISONS:
            return self.compare(COMPARISONS[name], operands, x.operands[0].dtype)
        if name == "invert":
            return builder.not_(operands[0])
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
        builder, kind = self.builder, value_type(target)
        if source.kind == "f":
            if target.kind == "f":
                return builder.fpext(value, kind) if target.itemsize > source.itemsize else builder.fptrunc(value, kind)
            if target == BOOL:
                return builder.fcmp_unordered("!=", value, ir.Constant(value.type, 0))
            if target.kind == "u":
                return builder.trunc(builder.fptosi(value, I64), kind)
            return builder.fptosi(value, kind)
        if target.kind == "f":
            return (builder.sitofp if source.kind == "i" else builder.uitofp)(value, kind)
        if target == BOOL:
            return builder.icmp_unsigned("!=", value, ir.Constant(value.type, 0))
        if value.type.width == kind.width:
            return value
        if value.type.width > kind.width:
            return builder.trunc(value, kind)
        return (builder.sext if source.kind == "i" else builder.zext)(value, kind)

    def prefetch(self, statement: Prefetch, memo: dict[int, ir.Value]) -> None:
        place = self.address(statement.buffer, [self.value(i, memo) for i in statement.index])
        kind = ir.FunctionType(ir.VoidType(), [I8.as_pointer(), I32, I32, I32])
        declared = self.builder.module.declare_intrinsic("llvm.prefetch", [I8.as_pointer()], kind)
        for_reading, stays, data = (ir.Constant(I32, x) for x in (0, 3, 1))
        self.builder.call(declared, [self.builder.bitcast(place, I8.as_pointer()), for_reading, stays, data])

    def intrinsic(self, name: str, *operands: ir.Value, flags: Sequence[str] = ()) -> ir.Value:
        kinds = [operands[0].type]
        declared = self.builder.module.declare_intrinsic(
            f"llvm.{name}", kinds, ir.FunctionType(kinds[0], [x.type for x in operands])
        )
        return self.builder.call(declared, operands, fastmath=flags)


def _adds(statement: Statement) -> bool:
    """Whether a statement changes a floating-point variable, which the next change has to wait for."""
    return isinstance(statement, Assign) and statement.value.dtype.kind == "f"


def _advise(branch: ir.Instruction, name: str, value: ir.Constant) -> None:
    """Tell LLVM how to vectorise the loop that a branch repeats."""
    module = branch.function.module
    advice = module.add_metadata([name, value])
    held = module.add_metadata([advice, ir.Constant(I64, len(module.metadata))])
    held.operands = (held, advice)  # one that names itself is of one loop alone
    branch.set_metadata("llvm.loop", held)


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
    return builder.or_(a, b) if a.type == I1 else builder.add(a, b)


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

    def emit(emitter: _Emitter, dtype: np.dtype[Any], a: ir.Value, b: ir.Value) -> ir.Value:
        if dtype.kind == "f":
            return emitter.intrinsic("maximum" if symbol == ">" else "minimum", a, b, flags=("nsz",))
        return emitter.builder.select(emitter.compare(symbol, [a, b], dtype), a, b)

    return emit


def _absolute(emitter: _Emitter, dtype: np.dtype[Any], x: ir.Value) -> ir.Value:
    if dtype.kind == "f":
        return emitter.intrinsic("fabs", x)
    if dtype.kind == "u":
        return x
    return emitter.builder.select(
        emitter.builder.icmp_signed("<", x, ir.Constant(x.type, 0)), emitter.builder.neg(x), x
    )


def _elementary(name: str) -> Callable[..., ir.Value]:
    from chainrule.native.elementary import emit

    return lambda emitter, dtype, *operands: emit(name, emitter.builder, *operands)  # noqa: ARG005


def _power(emitter: _Emitter, dtype: np.dtype[Any], a: ir.Value, b: ir.Value) -> ir.Value:
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


def _machine() -> Any:
    """A description of this processor for LLVM; an engine takes its own, and frees it."""
    _initialize()
    target = binding.Target.from_default_triple()
    return target.create_target_machine(opt=3, cpu=binding.get_host_cpu_name(), features=_features(), jit=True)


@functools.cache
def _initialize() -> None:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()


@functools.cache
def _features() -> str:
    features: str = binding.get_host_cpu_features().flatten()
    return features


@functools.cache
def identity() -> str:
    """What machine code depends on beside a kernel's text: what compiles it, versions and processor."""
    machine = _machine()
    version = ".".join(map(str, binding.llvm_version_info))
    compiler = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))))
    processor = f"{machine.triple} {binding.get_host_cpu_name()} {_features()}"
    return f"{__version__} {compiler.hexdigest()} {version} {processor}"


def object_code(module: ir.Module) -> bytes:
    """A module as object code for this processor."""
    machine = _machine()
    module.triple = machine.triple
    parsed = binding.parse_assembly(str(module))
    parsed.verify()
    # All of LLVM that these loops gain from: more passes, and copies of loop bodies, take twice the time for nothing.
    options = binding.create_pipeline_tuning_options(speed_level=1)
    options.loop_vectorization = True
    options.loop_interleaving = options.loop_unrolling = options.slp_vectorization = False
    builder = binding.create_pass_builder(machine, options)
    inline = binding.create_new_module_pass_manager()
    inline.add_always_inliner_pass()  # first, so that nothing is simplified twice
    inline.run(parsed, builder)
    builder.getModulePassManager().run(parsed, builder)
    code: bytes = machine.emit_object(parsed)
    return code


def load(code: bytes, names: Sequence[str]) -> tuple[list[int], Any]:
    """The addresses of functions of object code, and what must live as long as they are called."""
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _machine())
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return [engine.get_function_address(name) for name in names], engine
