"""Elementary functions as LLVM instructions, on numbers and on vectors of them.

There is no branch in them, but for sines and cosines of large angles, and no call, but for C's fmod.

`emit` writes the instructions of one function into the caller's block. Every function is defined for float32 and
float64 and means what NumPy's function of the same name means, for NaN, infinities, signed zeros and subnormal
numbers too.

None of the instructions carries a fast-math flag, so none is reassociated and every machine computes the same bits.
Fused multiply-add is asked for by name (`llvm.fma`), because several steps below need its single rounding; a processor
without that instruction (x86 before 2013) still computes the same bits, through calls to the C library, and slowly.

Methods, each in its function below:

* exp, expm1 and tanh reduce their argument by multiples of ln 2, which is written as a sum of two floats (Cody and
  Waite, "Software Manual for the Elementary Functions", 1980); sin and cos have a file of their own, `circular.py`.
* log and log1p use log((1 + s) / (1 - s)) = 2 artanh(s), summed in the order of FreeBSD's `e_log.c` (Sun's fdlibm).
* power is exp(y log|x|), with the logarithm as an unevaluated sum of two floats for float64 (Dekker, "A floating-point
  technique for extending the available precision", 1971), and through float64 for float32.
* The polynomials stand for what remains of a function after its first terms. Each interpolates it at Chebyshev nodes
  of an interval 1 % wider than named, computed to 200 bits (`mpmath.chebyfit`), then each coefficient is rounded. The
  error beside it is that of the rounded polynomial, relative to the whole function.

Largest errors measured, in units in the last place of the exact result:

| | exp | expm1 | log | log1p | log2 | log10 | tanh | sin | cos | power |
|---|---|---|---|---|---|---|---|---|---|---|
| float32 | 0.99 | 1.05 | 0.86 | 0.92 | 1.59 | 1.52 | 1.00 | 1.13 | 1.13 | 0.501 |
| float64 | 0.97 | 1.05 | 0.83 | 0.88 | 1.50 | 1.54 | 1.00 | 1.15 | 1.14 | 0.79 |

For float32 over all 2³² arguments (power: 10⁸ pairs; log2, log10, sin and cos: 10⁶ arguments of all sizes), for
float64 over 10⁷ arguments against an 80-bit reference (those four: 10⁶). absolute, floor, rint, remainder,
floor_divide, sqrt, maximum and minimum are exact, that is, correctly rounded; which zero is the larger of 0 and -0 is
left open, as in NumPy.
"""

from collections.abc import Callable

import numpy as np
from llvmlite import ir

from chainrule.errors import ConfigurationError, DTypeError
from chainrule.native.llvm.circular import cosine, sine
from chainrule.native.llvm.formats import ARTANH_TAIL, FLOAT32, FLOAT64, FLOAT64_SHORT
from chainrule.native.llvm.lanes import with_lanes
from chainrule.native.llvm.number import Number, two_product, two_sum

_TWO_THIRDS = (0.6666666666666666, 3.700743415417188e-17)


def _reduce_by_ln2(x: Number, low: Number | float = 0.0) -> tuple[ir.Value, Number, Number]:
    """k, r and its rounding error, with x + low = k ln 2 + r and |r| ≤ ln 2 / 2."""
    k, k_bits = x.nearest(1 / np.log(2.0))
    ln2_high, ln2_low = x.format.ln2
    return k_bits, *two_sum(k.fma(-ln2_high, x), k.fma(-ln2_low, low))  # the first product is subtracted exactly


def _scaled(y: Number, k: ir.Value) -> Number:
    """2ᵏ y by two factors, because 2ᵏ alone may overflow or be subnormal when the result is not."""
    half = y.builder.ashr(k, y.integer(1))
    return y * y.power_of_two(half) * y.power_of_two(y.builder.sub(k, half))


def _exp(x: Number) -> Number:
    """2ᵏ eʳ."""
    k, r, _ = _reduce_by_ln2(x.clamped(*x.format.exp_range))
    return _scaled((r * r).fma(r.polynomial(x.format.exp), r) + 1.0, k)


def _exp_of_sum(x: Number, low: Number) -> Number:
    """e^(x + low), of which nearly every value is rounded correctly."""
    k, r, r_low = _reduce_by_ln2(x.clamped(*x.format.exp_range), low)
    total, total_low = two_sum(x.of(1.0), r)
    rest = (r * r).fma(r.polynomial(x.format.exp), r_low + total_low)
    return _scaled(total + rest, k)


def _expm1_parts(x: Number, halved: ir.Value | None = None) -> tuple[Number, Number]:
    """eˣ - 1 as an unevaluated sum, for x between -saturation and the largest finite 2ᵏ; where halved, eˣ/2 - 1."""
    builder = x.builder
    k, r, r_low = _reduce_by_ln2(x)
    p, p_low = two_sum(r, r * (r * r.polynomial(x.format.exp)))
    p_low = p_low + r_low.fma(p, r_low)  # the derivative of eʳ - 1 is eʳ = 1 + p
    scale = x.power_of_two(k if halved is None else builder.sub(k, builder.zext(halved, x.shaped(x.format.integer))))
    total, low = two_sum(scale - 1.0, scale * p)
    return total, scale.fma(p_low, low)


def _expm1(x: Number) -> Number:
    clamped = x.clamped(-x.format.saturation, x.format.exp_range[1])
    # Where 2ᵏ might overflow and the 1 is far below the last bit, compute with half of it and double the result.
    halved = clamped.is_(">", np.log(2.0) * (x.format.bias - 1))
    total, low = _expm1_parts(clamped, halved)
    y = total + low
    return y.replaced(halved, y + y).with_sign_of(x)


def _tanh(x: Number) -> Number:
    """With n = e^(2|x|) - 1: n / (n + 2), the division corrected by its remainder."""
    magnitude = abs(x)
    magnitude = magnitude.replaced(magnitude.is_(">", x.format.saturation / 2), x.format.saturation / 2)
    n, n_low = _expm1_parts(magnitude + magnitude)
    d, d_low = two_sum(x.of(2.0), n)
    d_low = d_low + n_low
    reciprocal = 1.0 / d
    quotient = n * reciprocal
    remainder = (-quotient).fma(d, n) + (-quotient).fma(d_low, n_low)
    return remainder.fma(reciprocal, quotient).with_sign_of(x)


def _split_exponent(x: Number) -> tuple[Number, Number]:
    """k and f with x = 2ᵏ (1 + f) and √½ ≤ 1 + f < √2, for positive finite x."""
    builder, format = x.builder, x.format
    subnormal = x.is_("<", 2.0 ** (1 - format.bias))
    lift = format.fraction_bits + 1
    bits = (x * 2.0**lift).where(subnormal, x).bits()
    one = format.bias << format.fraction_bits
    root = int(np.sqrt(0.5).astype(f"f{format.integer.width // 8}").view(f"i{format.integer.width // 8}"))
    bits = builder.add(bits, x.integer(one - root))
    biased = builder.lshr(bits, x.integer(format.fraction_bits))
    # The integer becomes a float in the low bits of the shifter: AVX2 cannot convert 64-bit integers.
    shifter = x.of(format.shifter)
    k = x.from_bits(builder.or_(biased, shifter.bits()))
    k = k - x.of(format.shifter + format.bias + lift).where(subnormal, format.shifter + format.bias)
    fraction = builder.and_(bits, x.integer((1 << format.fraction_bits) - 1))
    return k, x.from_bits(builder.add(fraction, x.integer(root))) - 1.0


def _log_of_split(k: Number, f: Number, low: Number | float) -> Number:
    """k ln 2 + log(1 + f) + low."""
    half_square = f * 0.5 * f
    s = f / (f + 2.0)
    z = s * s
    ln2_high, ln2_low = f.format.ln2
    rest = s.fma(z.fma(z.polynomial(f.format.artanh), half_square), k.fma(ln2_low, low))
    return k.fma(ln2_high, f - (half_square - rest))


def _log_at_limits(y: Number, x: Number) -> Number:
    """The logarithm y of x, with the values that x = 0, x < 0, infinity and NaN have."""
    y = y.where(x.is_("<", np.inf), x)
    y = y.replaced(x.is_("==", 0.0), -np.inf)
    return y.replaced(x.is_("<", 0.0), np.nan)


def _log(x: Number) -> Number:
    return _log_at_limits(_log_of_split(*_split_exponent(x), 0.0), x)


def _log2(x: Number) -> Number:
    """k + log(1 + f) / ln 2, exact for the powers of two."""
    k, f = _split_exponent(x)
    fraction = _log_of_split(x.of(0.0), f, 0.0)
    high, low = x.format.log2_e
    return _log_at_limits(fraction.fma(high, fraction.fma(low, k)), x)


def _log10(x: Number) -> Number:
    """k log₁₀ 2 + log(1 + f) / ln 10."""
    k, f = _split_exponent(x)
    fraction = _log_of_split(x.of(0.0), f, 0.0)
    (two_high, two_low), (e_high, e_low) = x.format.log10_2, x.format.log10_e
    return _log_at_limits(k.fma(two_high, fraction.fma(e_high, k.fma(two_low, fraction * e_low))), x)


def _log1p(x: Number) -> Number:
    """log(u) of u = 1 + x rounded, with the rounding error carried into f and what remains of it into the sum."""
    u = x + 1.0
    # |x| ≥ 1 or |x| < 1: the error of the sum comes from the smaller of the two.
    error = (1.0 - (u - x)).where(abs(x).is_(">", 1.0), x - (u - 1.0))
    k, rounded = _split_exponent(u)
    # Beyond 2^(fraction_bits + 2) the error is below the last bit, and 2⁻ᵏ might not be a normal number.
    shifted = k + x.format.shifter
    scaled = error * x.power_of_two(x.builder.neg(shifted.bits()))
    scaled = scaled.replaced(x.is_(">", 2.0 ** (x.format.fraction_bits + 2)), 0.0)
    f = rounded + scaled
    y = _log_of_split(k, f, scaled - (f - rounded))
    return _log_at_limits(y, u).with_sign_of(x)


def _log_parts(x: Number) -> tuple[Number, Number]:
    """log(x) as an unevaluated sum with an error of about 2⁻⁶⁵, for positive finite float64 numbers."""
    k, f = _split_exponent(x)
    d, d_low = two_sum(x.of(2.0), f)
    reciprocal = 1.0 / d
    s = f * reciprocal
    s_low = ((-s).fma(d, f) - s * d_low) * reciprocal
    z, z_low = two_product(s, s)
    z_low = (s + s).fma(s_low, z_low)
    w, w_low = two_sum(x.of(_TWO_THIRDS[0]), z * z.polynomial(ARTANH_TAIL))
    w_low = w_low + _TWO_THIRDS[1]
    cube, cube_low = two_product(s, z)
    cube_low = s.fma(z_low, s_low.fma(z, cube_low))
    v, v_low = two_product(cube, w)
    v_low = cube.fma(w_low, cube_low.fma(w, v_low))
    fraction, fraction_low = two_sum(s + s, v)
    ln2_high, ln2_low = x.format.ln2
    exponent, exponent_low = two_product(k, ln2_high)
    total, total_low = two_sum(exponent, fraction)
    return total, total_low + (k.fma(ln2_low, exponent_low) + (fraction_low + (v_low + (s_low + s_low))))


def _power(x: Number, y: Number) -> Number:
    """|x|ʸ = e^(y log|x|), and the sign and special values of C's `pow`."""
    if x.format is FLOAT32:  # float64 has bits to spare for a logarithm in one part
        builder = x.builder
        wide, exponent = (
            Number(builder, builder.fpext(v.value, v.shaped(FLOAT64.type)), FLOAT64_SHORT) for v in (x, y)
        )
        magnitude = _exp(exponent * _log(abs(wide)))
        return _power_at_limits(x.of(builder.fptrunc(magnitude.value, x.shaped(x.format.type))), x, y)
    base = abs(x)
    log, log_low = _log_parts(base)
    log = _log_at_limits(log, base)
    product, product_low = two_product(y, log)
    product_low = y.fma(log_low, product_low)
    within = abs(product).is_("<", -x.format.exp_range[0])  # else the second part is meaningless, perhaps NaN
    return _power_at_limits(_exp_of_sum(product, product_low.where(within, 0.0)), x, y)


def _power_at_limits(magnitude: Number, x: Number, y: Number) -> Number:
    """The power with its sign, and with C's values for the arguments that a logarithm does not answer for."""
    builder = x.builder
    half = y * 0.5
    whole = y.intrinsic("floor").is_("==", y)
    odd = builder.and_(whole, half.intrinsic("floor").is_("!=", half))
    result = magnitude.with_sign_of(x).where(odd, magnitude)
    root = builder.and_(x.is_("<", 0.0), builder.and_(x.is_(">", -np.inf), builder.not_(whole)))
    result = result.replaced(root, np.nan)
    unit = builder.and_(abs(x).is_("==", 1.0), abs(y).is_("==", np.inf))
    one = builder.or_(unit, builder.or_(x.is_("==", 1.0), y.is_("==", 0.0)))
    return result.replaced(one, 1.0)


def _larger(a: Number, b: Number) -> Number:
    return a.where(a.is_(">", b), b).replaced(a.is_("!=", a), a)


def _smaller(a: Number, b: Number) -> Number:
    return a.where(a.is_("<", b), b).replaced(a.is_("!=", a), a)


def _remainder_of_c(a: Number, b: Number) -> tuple[Number, ir.Value]:
    """C's fmod, which is exact, and whether it lies on the other side of zero than the divisor."""
    rest = a.of(a.builder.frem(a.value, b.value))
    other_side = a.builder.xor(rest.is_("<", 0.0), b.is_("<", 0.0))
    return rest, a.builder.and_(rest.is_("!=", 0.0), other_side)


def _remainder(a: Number, b: Number) -> Number:
    """a - b ⌊a / b⌋."""
    rest, other_side = _remainder_of_c(a, b)
    return (rest + b).where(other_side, rest).replaced(rest.is_("==", 0.0), a.of(0.0).with_sign_of(b))


def _floor_divide(a: Number, b: Number) -> Number:
    """⌊a / b⌋ from the remainder, so that no quotient just below a whole number is rounded up to it."""
    rest, other_side = _remainder_of_c(a, b)
    toward_zero = ((a - rest) / b).intrinsic("rint")
    quotient = (toward_zero - 1.0).where(other_side, toward_zero)
    ratio = a / b
    quotient = quotient.replaced(quotient.is_("==", 0.0), a.of(0.0).with_sign_of(ratio))
    return quotient.replaced(b.is_("==", 0.0), ratio)


_FUNCTIONS: dict[str, tuple[int, Callable[..., Number]]] = {
    "absolute": (1, abs),
    "cos": (1, cosine),
    "exp": (1, _exp),
    "expm1": (1, _expm1),
    "floor": (1, lambda x: x.intrinsic("floor")),
    "floor_divide": (2, _floor_divide),
    "log": (1, _log),
    "log10": (1, _log10),
    "log1p": (1, _log1p),
    "log2": (1, _log2),
    "maximum": (2, _larger),
    "minimum": (2, _smaller),
    "power": (2, _power),
    "remainder": (2, _remainder),
    "rint": (1, lambda x: x.intrinsic("rint")),
    "sin": (1, sine),
    "sqrt": (1, lambda x: x.intrinsic("sqrt")),
    "tanh": (1, _tanh),
}


NAMES = tuple(_FUNCTIONS)


def emit(name: str, builder: ir.IRBuilder, *operands: ir.Value) -> ir.Value:
    """Write the instructions of an elementary function at the builder's position.

    Args:
        name: one of `NAMES`: a NumPy function's name.
        builder: where the instructions go; it may stand in another basic block after them.
        operands: one value, or two for power, remainder, floor_divide, maximum and minimum; all float, or all double,
            or vectors of them.

    Returns:
        The function's value, of the operands' type.

    Raises:
        ConfigurationError: no function has that name, or it takes another number of operands.
        DTypeError: the operands are not all float or all double.

    Example:
        >>> module = ir.Module()
        >>> function = ir.Function(module, ir.FunctionType(ir.FloatType(), [ir.FloatType()]), "root")
        >>> builder = ir.IRBuilder(function.append_basic_block())
        >>> builder.ret(emit("sqrt", builder, function.args[0])).operands[0].type
        <<class 'llvmlite.ir.types.FloatType'> float>
    """
    if name not in _FUNCTIONS:
        raise ConfigurationError(f"elementary function {name!r} is unknown; expected one of {', '.join(NAMES)}")
    arity, function = _FUNCTIONS[name]
    if len(operands) != arity:
        raise ConfigurationError(f"{name} takes {arity} operand{'s' * (arity > 1)}, got {len(operands)}; pass {arity}")
    types = [operand.type for operand in operands]
    format = next((x for x in (FLOAT32, FLOAT64) if all(type == with_lanes(x.type, type) for type in types)), None)
    if format is None:
        got = ", ".join(map(str, types))
        raise DTypeError(f"{name} takes operands that are all float or all double, got {got}; convert them first")
    return function(*(Number(builder, operand, format) for operand in operands)).value
