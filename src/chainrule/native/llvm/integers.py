"""Integer operations that LLVM leaves undefined for some operands: here they have NumPy's results, or the nearest ones.

An operand that is known while code is written needs no test: a shift by a constant, a division by a size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir

from chainrule.graph.spec import BOOL
from chainrule.native.llvm.lanes import in_lanes, intrinsic, with_lanes
from chainrule.native.llvm.machine import I1, value_type
from chainrule.native.loops.expression import Expression, power_of_two


def shift(builder: ir.IRBuilder, x: Expression, a: ir.Value, b: ir.Value) -> ir.Value:
    """a · 2ᵇ, or a / 2ᵇ rounded down. From the width of the dtype on, nothing of a is left but the sign, to the right.

    As in NumPy, so it is with a negative b too.
    """
    bits, amount = 8 * x.dtype.itemsize, x.operands[1]
    known = amount.operation == "constant" and 0 <= amount.operands[0] < bits
    last = in_lanes(ir.Constant(value_type(x.dtype), bits - 1), a.type)
    inside = builder.icmp_unsigned("<=", b, last)
    if x.operation == "rshift" and x.dtype.kind == "i":
        return builder.ashr(a, b if known else builder.select(inside, b, last))
    shifted = (builder.shl if x.operation == "lshift" else builder.lshr)(a, b)
    return shifted if known else builder.select(inside, shifted, ir.Constant(a.type, None))


def divide(builder: ir.IRBuilder, x: Expression, a: ir.Value, b: ir.Value) -> ir.Value:
    """a / b rounded down, or what remains then. Both are 0 where b is; the smallest integer over -1 is itself."""
    divisor, remains = x.operands[1], x.operation == "mod"
    if (exponent := power_of_two(divisor)) is not None:
        if remains:
            return builder.and_(a, in_lanes(ir.Constant(value_type(x.dtype), 2**exponent - 1), a.type))
        shifted = builder.ashr if x.dtype.kind == "i" else builder.lshr
        return shifted(a, in_lanes(ir.Constant(value_type(x.dtype), exponent), a.type))
    zero, one = ir.Constant(a.type, 0), ir.Constant(a.type, 1)
    if divisor.operation == "size" or (divisor.operation == "constant" and divisor.operands[0] > 0):
        return _remainder(builder, x, a, b) if remains else _quotient(builder, x, a, b)
    # The processor would stop at a division by 0, and at that of the smallest integer by -1: it divides by 1 there.
    is_zero = builder.icmp_unsigned("==", b, zero)
    special = is_zero if x.dtype.kind == "u" else builder.icmp_unsigned("<=", builder.add(b, one), one)
    safe = builder.select(special, one, b)
    if remains:
        return _remainder(builder, x, a, safe)
    quotient = _quotient(builder, x, a, safe)
    if x.dtype.kind == "i":
        quotient = builder.select(special, builder.neg(a), quotient)
    return builder.select(is_zero, zero, quotient)


def _quotient(builder: ir.IRBuilder, x: Expression, a: ir.Value, b: ir.Value) -> ir.Value:
    if x.dtype.kind == "u":
        return builder.udiv(a, b)
    quotient, remainder = builder.sdiv(a, b), builder.srem(a, b)
    zero = ir.Constant(a.type, 0)
    below = builder.and_(
        builder.icmp_signed("!=", remainder, zero),
        builder.icmp_signed("<", builder.xor(remainder, b), zero),
    )
    return builder.sub(quotient, builder.zext(below, a.type))


def _remainder(builder: ir.IRBuilder, x: Expression, a: ir.Value, b: ir.Value) -> ir.Value:
    if x.dtype.kind == "u":
        return builder.urem(a, b)
    return builder.sub(a, builder.mul(_quotient(builder, x, a, b), b))


def power(builder: ir.IRBuilder, dtype: np.dtype[Any], a: ir.Value, b: ir.Value) -> ir.Value:
    """aᵇ by repeated squares; an exponent below 0 counts as 0 (the block refuses it before)."""
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


def convert(builder: ir.IRBuilder, value: ir.Value, source: np.dtype[Any], target: np.dtype[Any]) -> ir.Value:
    """A number in another dtype, as `converted` defines it for arrays: an integer from a float is the nearest one."""
    kind, zero = with_lanes(value_type(target), value.type), ir.Constant(value.type, None)
    if source.kind == "f":
        if target.kind == "f":
            return builder.fpext(value, kind) if target.itemsize > source.itemsize else builder.fptrunc(value, kind)
        if target == BOOL:
            return builder.fcmp_unordered("!=", value, zero)
        name = "fptosi.sat" if target.kind == "i" else "fptoui.sat"
        return intrinsic(builder, name, [value], kind, of=[kind, value.type])
    if target.kind == "f":
        return (builder.sitofp if source.kind == "i" else builder.uitofp)(value, kind)
    if target == BOOL:
        return builder.icmp_unsigned("!=", value, zero)
    if source != BOOL and source.itemsize == target.itemsize:
        return value
    if source != BOOL and source.itemsize > target.itemsize:
        return builder.trunc(value, kind)
    return (builder.sext if source.kind == "i" else builder.zext)(value, kind)
