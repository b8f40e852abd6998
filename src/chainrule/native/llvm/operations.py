"""The operations of expressions as instructions of LLVM, on numbers and on vectors of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from chainrule.graph.spec import BOOL
from chainrule.native.llvm import elementary
from chainrule.native.llvm.lanes import in_lanes, intrinsic, with_lanes
from chainrule.native.llvm.machine import I1, I64, value_type
from chainrule.native.loops.expression import COMPARISONS, Expression, parts, power_of_two

#: The fast-math flags of what adds to a variable: vectors take sums in another order, which is the same each time. All
#: other arithmetic rounds as it is written, so that (x · 10³⁰) · 10³⁰ does not become x · ∞, and so that two loops that
#: compute one number get the same bits.
REORDER = ("reassoc",)


def compute(builder: ir.IRBuilder, x: Expression, operands: Sequence[ir.Value]) -> ir.Value:
    """The result of an operation on operands, which are vectors with equally many lanes, or all no vectors."""
    name = x.operation
    if name == "cast":
        return _cast(builder, operands[0], x.operands[0].dtype, x.dtype)
    if name == "where":
        return builder.select(*operands)
    if name in COMPARISONS:
        return _compare(builder, COMPARISONS[name], operands, x.operands[0].dtype)
    if name == "invert":
        return builder.not_(operands[0])
    if name in ("floordiv", "mod") and (shift := power_of_two(x.operands[1])) is not None:
        kind = operands[0].type
        if name == "mod":
            return builder.and_(operands[0], in_lanes(ir.Constant(value_type(x.dtype), 2**shift - 1), kind))
        shifted = builder.ashr if x.dtype.kind == "i" else builder.lshr
        return shifted(operands[0], in_lanes(ir.Constant(value_type(x.dtype), shift), kind))
    if x.dtype.kind == "f" and name in FLOAT_OPERATIONS:
        accumulates = any(part.operation == "variable" for part in parts(x))
        return FLOAT_OPERATIONS[name](builder, *operands, REORDER if accumulates else ())
    if x.dtype.kind != "f" and name in INTEGER_OPERATIONS:
        return INTEGER_OPERATIONS[name](builder, *operands)
    return FUNCTIONS[name](builder, x.dtype, *operands)


def combine(builder: ir.IRBuilder, operation: str, dtype: np.dtype[Any], a: ir.Value, b: ir.Value) -> ir.Value:
    """Two parts of a sum, product, maximum, ... combined into one."""
    if operation in FUNCTIONS:
        return FUNCTIONS[operation](builder, dtype, a, b)
    if dtype.kind == "f":
        return FLOAT_OPERATIONS[operation](builder, a, b, REORDER)
    return INTEGER_OPERATIONS[operation](builder, a, b)


def _compare(builder: ir.IRBuilder, symbol: str, operands: Sequence[ir.Value], dtype: np.dtype[Any]) -> ir.Value:
    if dtype.kind == "f":
        ordered = builder.fcmp_unordered if symbol == "!=" else builder.fcmp_ordered
        return ordered(symbol, *operands)
    signed = dtype.kind == "i"
    return (builder.icmp_signed if signed else builder.icmp_unsigned)(symbol, *operands)


def _cast(builder: ir.IRBuilder, value: ir.Value, source: np.dtype[Any], target: np.dtype[Any]) -> ir.Value:
    kind, zero = with_lanes(value_type(target), value.type), ir.Constant(value.type, None)
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
    """The sum of two whole numbers; of two booleans, whether one of them is true."""
    return builder.or_(a, b) if a.type == with_lanes(I1, a.type) else builder.add(a, b)


FLOAT_OPERATIONS: dict[str, Callable[..., ir.Value]] = {
    "add": lambda builder, a, b, flags: builder.fadd(a, b, flags=flags),
    "sub": lambda builder, a, b, flags: builder.fsub(a, b, flags=flags),
    "mul": lambda builder, a, b, flags: builder.fmul(a, b, flags=flags),
    "truediv": lambda builder, a, b, flags: builder.fdiv(a, b),  # noqa: ARG005
    "neg": lambda builder, a, flags: builder.fneg(a),  # noqa: ARG005
}
INTEGER_OPERATIONS: dict[str, Callable[..., ir.Value]] = {
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
    """Emits the larger or the smaller of two numbers; it is NaN where one of them is."""

    def emit(builder: ir.IRBuilder, dtype: np.dtype[Any], a: ir.Value, b: ir.Value) -> ir.Value:
        if dtype.kind == "f":
            name = "maximum" if symbol == ">" else "minimum"
            return intrinsic(builder, name, [a, b], flags=("nsz",))
        return builder.select(_compare(builder, symbol, [a, b], dtype), a, b)

    return emit


def _absolute(builder: ir.IRBuilder, dtype: np.dtype[Any], x: ir.Value) -> ir.Value:
    if dtype.kind == "f":
        return intrinsic(builder, "fabs", [x])
    if dtype.kind == "u":
        return x
    zero = ir.Constant(x.type, None)
    return builder.select(builder.icmp_signed("<", x, zero), builder.neg(x), x)


def _elementary(name: str) -> Callable[..., ir.Value]:
    return lambda builder, dtype, *operands: elementary.emit(name, builder, *operands)  # noqa: ARG005


def _power(builder: ir.IRBuilder, dtype: np.dtype[Any], a: ir.Value, b: ir.Value) -> ir.Value:
    """aᵇ. Whole numbers are squared repeatedly; a negative exponent of them counts as 0."""
    if dtype.kind == "f":
        return _elementary("power")(builder, dtype, a, b)
    zero, one = ir.Constant(a.type, 0), ir.Constant(a.type, 1)
    before = builder.block
    head, body, after = (builder.function.append_basic_block(name) for name in ("head", "body", "after"))
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
    "floordiv": _elementary("floor_divide"),
    "mod": _elementary("remainder"),
    **{
        name: _elementary(name)
        for name in (
            "cos", "exp", "expm1", "floor", "log", "log10", "log1p", "log2", "rint", "sin", "sqrt", "tanh",
        )
    },
}  # fmt: skip
