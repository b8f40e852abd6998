"""The operations of expressions as instructions of LLVM, on numbers and on vectors of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from chainrule.native.llvm import elementary, integers
from chainrule.native.llvm.lanes import intrinsic, with_lanes
from chainrule.native.llvm.machine import I1
from chainrule.native.loops.expression import COMPARISONS, Expression, parts, rotation

#: The fast-math flags of what adds to a variable: vectors take sums in another order, which is the same each time. All
#: other arithmetic rounds as it is written, so that (x · 10³⁰) · 10³⁰ does not become x · ∞, and so that two loops that
#: compute one number get the same bits.
REORDER = ("reassoc",)


def compute(builder: ir.IRBuilder, x: Expression, operands: Sequence[ir.Value]) -> ir.Value:
    """The result of an operation on operands, which are vectors with equally many lanes, or all no vectors."""
    name = x.operation
    if name == "cast":
        return integers.convert(builder, operands[0], x.operands[0].dtype, x.dtype)
    if name == "where":
        return builder.select(*operands)
    if name in COMPARISONS:
        return _compare(builder, COMPARISONS[name], operands, x.operands[0].dtype)
    if name == "invert":
        return builder.not_(operands[0])
    if rotation(x) is not None:
        word, up = operands
        return intrinsic(builder, "fshl", [word, word, up])  # one instruction, or the three that it stands for
    if x.dtype.kind != "f" and name in ("lshift", "rshift"):
        return integers.shift(builder, x, *operands)
    if x.dtype.kind != "f" and name in ("floordiv", "mod"):
        return integers.divide(builder, x, *operands)
    if name in ("maximum", "minimum") and x.dtype.kind == "f" and _is_zero(x.operands[1]):
        # Of -0 and a 0 that is written down it is the 0, as with NumPy: the rectifier of -0 is 0.
        beyond = builder.fcmp_ordered("<=" if name == "maximum" else ">=", *operands)
        return builder.select(beyond, operands[1], operands[0])
    if x.dtype.kind == "f" and name in FLOAT_OPERATIONS:
        accumulates = any(part.operation == "variable" for part in parts(x))
        return FLOAT_OPERATIONS[name](builder, *operands, REORDER if accumulates else ())
    if x.dtype.kind != "f" and name in INTEGER_OPERATIONS:
        return INTEGER_OPERATIONS[name](builder, *operands)
    return FUNCTIONS[name](builder, x.dtype, *operands)


def _is_zero(x: Expression) -> bool:
    return x.operation == "constant" and bool(x.operands[0] == 0)


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
}


def _extreme(symbol: str) -> Callable[..., ir.Value]:
    """Emits the larger or the smaller of two numbers; it is NaN where one of them is. Of 0 and -0 it may be either."""

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
    if dtype.kind == "f":
        return _elementary("power")(builder, dtype, a, b)
    return integers.power(builder, dtype, a, b)


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
