"""Sine and cosine as LLVM instructions, for angles of any size.

An angle is reduced to x = k π/2 + r with |r| ≤ π/4, in float64, where float32 has bits to spare. Below 10⁹ this takes
π/2 as a sum of three floats (Cody and Waite, "Software Manual for the Elementary Functions", 1980).

Larger angles are reduced after Payne and Hanek ("Radian reduction for trigonometric functions", 1983): x · 2/π is
needed only modulo 4, so the leading bits of 2/π that give multiples of 4 are left out, and as many of the following
are used as the nearest of all floats to a multiple of π/2 needs. Which bits those are depends on the exponent of x
alone; a table holds them, for 32 exponents a row. This is the one branch among the elementary functions.
"""

from __future__ import annotations

import functools

import numpy as np
from llvmlite import ir

from chainrule.native.llvm.formats import FLOAT32, FLOAT64
from chainrule.native.llvm.lanes import in_lanes, intrinsic, splat
from chainrule.native.llvm.machine import I1, I32, I64
from chainrule.native.llvm.number import Number, any_two_sum, two_product, two_sum

#: 2/π · 2¹²⁸⁰, rounded down.
_TWO_OVER_PI = int(
    "a2f9836e4e441529fc2757d1f534ddc0db6295993c439041fe5163abdebbc561b7246e3a424dd2e006492eea09d1921cfe1deb1cb129a73e"
    "e88235f52ebb4484e99c7026b45f7e413991d639835339f49c845f8bbdf9283b1ff897ffde05980fef2f118b5a0a6d1f6d367ecf27cb09b7"
    "4f463f669e5fea2d7527bac7ebe5f17b3d0739f78a5292ea6bfb5fb11f8d5d0856033046fc7b6babf0cfbc209af4361d",
    16,
)
_DIGITS = 1280
_PARTS, _PART_BITS = 4, 53
#: From here on, angles are reduced by the bits of 2/π.
_LARGE = 1e9
#: From 2 to the power of the first on, angles are multiplied by 2 to the power of the second, and their parts of 2/π
#: are divided by it, as float64 has no number as small as those parts.
_LARGE_EXPONENT, _SCALE_EXPONENT = 513, -512


def _table() -> list[list[float]]:
    """The parts of 2/π, for each the one that angles with exponents 32 i - 1023 to 32 i - 992 are multiplied by."""
    parts: list[list[float]] = [[] for _ in range(_PARTS)]
    for i in range(64):
        left_out = max(0, 32 * i - 1023 - 54)
        for number, part in enumerate(parts):
            end = left_out + (number + 1) * _PART_BITS
            bits = (_TWO_OVER_PI >> (_DIGITS - end)) & ((1 << _PART_BITS) - 1)
            part.append(
                float(np.ldexp(float(bits), -end - (_SCALE_EXPONENT if 32 * i - 1023 >= _LARGE_EXPONENT else 0)))
            )
    return parts


@functools.cache
def _constant(number: int) -> ir.Constant:
    parts = _table()[number]
    return ir.Constant(ir.ArrayType(FLOAT64.type, len(parts)), parts)


def _part(x: Number, row: ir.Value, number: int) -> Number:
    """A part of 2/π for each lane, by its row of the table."""
    builder, name = x.builder, f"two_over_pi_{number}"
    table = builder.module.globals.get(name)
    if table is None:
        table = ir.GlobalVariable(builder.module, _constant(number).type, name)
        table.initializer, table.global_constant, table.linkage = _constant(number), True, "internal"
    start = builder.ptrtoint(table, I64)
    bytes_before = builder.shl(row, x.integer(3))
    if not isinstance(x.value.type, ir.VectorType):
        return x.of(
            builder.load(builder.inttoptr(builder.add(start, bytes_before), FLOAT64.type.as_pointer()), align=8)
        )
    count = x.value.type.count
    pointers = ir.VectorType(FLOAT64.type.as_pointer(), count)
    places = builder.inttoptr(builder.add(splat(builder, start, count), bytes_before), pointers)
    everywhere = in_lanes(ir.Constant(I1, 1), x.value.type)
    operands = [places, ir.Constant(I32, 8), everywhere, ir.Constant(x.value.type, None)]
    return x.of(intrinsic(builder, "masked.gather", operands, x.value.type, of=[x.value.type, pointers]))


def _modulo_four(x: Number) -> Number:
    """x less a multiple of 4, exactly."""
    return (x * 0.25).intrinsic("rint").fma(-4.0, x)


def _any(condition: ir.Value, builder: ir.IRBuilder) -> ir.Value:
    """Whether a condition holds in any lane."""
    if not isinstance(condition.type, ir.VectorType):
        return condition
    return intrinsic(builder, "vector.reduce.or", [condition], I1)


def _reduced(x: Number) -> tuple[ir.Value, Number, Number]:
    """k modulo 4, r and its rounding error, with x = k π/2 + r and |r| ≤ π/4, for a float64 x ≥ 0.

    Infinity and NaN give NaN. Usual angles need three products; where one of the lanes has a larger angle, the code
    branches, and that lane gets what `_reduced_by_bits` finds.
    """
    builder = x.builder
    k, quick_k = x.nearest(2 / np.pi)
    first, second, third = x.format.half_pi
    product, product_low = two_product(k, second)
    r, r_low = two_sum(k.fma(-first, x), -product)  # the first product is subtracted exactly
    r, r_low = two_sum(r, r_low - k.fma(third, product_low))
    quick = (quick_k, r.value, r_low.value)
    large = builder.not_(x.is_("<", _LARGE))
    before = builder.block
    with builder.if_then(_any(large, builder), likely=False):
        found = _reduced_by_bits(x)
        chosen = [builder.select(large, a, b) for a, b in zip(found, quick, strict=True)]
        inside = builder.block
    merged = []
    for value, other in zip(quick, chosen, strict=True):
        phi = builder.phi(value.type)
        phi.add_incoming(value, before)
        phi.add_incoming(other, inside)
        merged.append(phi)
    return merged[0], x.of(merged[1]), x.of(merged[2])


def _reduced_by_bits(x: Number) -> tuple[ir.Value, ir.Value, ir.Value]:
    """As `_reduced`, by the bits of 2/π; for angles that are not small."""
    row = x.builder.lshr(x.bits(), x.integer(x.format.fraction_bits + 5))
    total, low = x.of(0.0), x.of(0.0)
    scaled = (x * 2.0**_SCALE_EXPONENT).where(x.is_(">=", 2.0**_LARGE_EXPONENT), x)
    for number in range(_PARTS):
        for summand in two_product(scaled, _part(x, row, number)):
            total, error = any_two_sum(total, _modulo_four(summand))
            low = low + error
    k, k_bits = total.nearest(1.0)
    turn, turn_low = any_two_sum(total - k, low)
    half_pi, half_pi_low, _ = x.format.half_pi
    r, r_low = two_product(turn, half_pi)
    r, r_low = two_sum(r, turn.fma(half_pi_low, turn_low.fma(half_pi, r_low)))
    return k_bits, r.value, r_low.value


def _quadrant(x: Number) -> tuple[ir.Value, Number, Number]:
    """As `_reduced`, for the magnitude of a number of either format."""
    magnitude = abs(x)
    if x.format is FLOAT64:
        return _reduced(magnitude)
    builder = x.builder
    wide = Number(builder, builder.fpext(magnitude.value, x.shaped(FLOAT64.type)), FLOAT64)
    k, r, r_low = _reduced(wide)
    high = builder.fptrunc(r.value, x.shaped(FLOAT32.type))
    rest = r - r.of(builder.fpext(high, x.shaped(FLOAT64.type))) + r_low
    low = builder.fptrunc(rest.value, x.shaped(FLOAT32.type))
    return builder.trunc(k, x.shaped(FLOAT32.integer)), x.of(high), x.of(low)


def _sine_or_cosine(quadrant: ir.Value, r: Number, r_low: Number, sign: ir.Value) -> Number:
    """sin(r + r_low + quadrant π/2), negated where the sign's highest bit is set."""
    builder, format = r.builder, r.format
    z = r * r
    sin = r + r.fma(z * z.polynomial(format.sin), r_low)
    cos = 1.0 + z.fma(z.fma(z.polynomial(format.cos), -0.5), -(r * r_low))
    odd = builder.icmp_unsigned("!=", builder.and_(quadrant, r.integer(1)), r.integer(0))
    lower_half = builder.shl(quadrant, r.integer(format.integer.width - 2))  # bit 1 of the quadrant, moved to the top
    top = r.integer(1 << (format.integer.width - 1))
    return r.from_bits(builder.xor(cos.where(odd, sin).bits(), builder.and_(builder.xor(lower_half, sign), top)))


def sine(x: Number) -> Number:
    """sin x."""
    return _sine_or_cosine(*_quadrant(x), x.bits())


def cosine(x: Number) -> Number:
    """cos x = sin(|x| + π/2)."""
    k, r, r_low = _quadrant(x)
    return _sine_or_cosine(x.builder.add(k, x.integer(1)), r, r_low, x.integer(0))
