"""Elementary functions as LLVM instructions, without a branch or a call, on numbers and on vectors of them.

`emit` writes the instructions of one function into the caller's block. Every function is defined for float32 and
float64 and means what NumPy's function of the same name means, for NaN, infinities, signed zeros and subnormal
numbers too.

None of the instructions carries a fast-math flag, so none is reassociated and every machine computes the same bits.
Fused multiply-add is asked for by name (`llvm.fma`), because several steps below need its single rounding; a processor
without that instruction (x86 before 2013) still computes the same bits, through calls to the C library, and slowly.

Methods, each in its function below:

* exp, expm1, tanh, sin, cos reduce their argument by multiples of ln 2 or π/2, which are written as sums of two or
  three floats (Cody and Waite, "Software Manual for the Elementary Functions", 1980).
* log and log1p use log((1 + s) / (1 - s)) = 2 artanh(s), summed in the order of FreeBSD's `e_log.c` (Sun's fdlibm).
* power is exp(y log|x|), with the logarithm as an unevaluated sum of two floats for float64 (Dekker, "A floating-point
  technique for extending the available precision", 1971), and through float64 for float32.
* The polynomials stand for what remains of a function after its first terms. Each interpolates it at Chebyshev nodes
  of an interval 1 % wider than named, computed to 200 bits (`mpmath.chebyfit`), then each coefficient is rounded. The
  error beside it is that of the rounded polynomial, relative to the whole function.

Largest errors measured, in units in the last place of the exact result:

| | exp | expm1 | log | log1p | tanh | sin | cos | power |
|---|---|---|---|---|---|---|---|---|
| float32 | 0.99 | 1.05 | 0.86 | 0.92 | 1.00 | 1.16 | 1.15 | 0.501 |
| float64 | 0.97 | 1.05 | 0.83 | 0.88 | 1.00 | 1.15 | 1.14 | 0.79 |

For float32 over all 2³² arguments (power: 10⁸ pairs), for float64 over 10⁷ arguments against an 80-bit reference.
For sin and cos that is up to |x| = 10⁵; the error stays below 1.6 up to 4 · 10⁶ (float32) and below 1.2 up to 10¹⁴
(float64). Beyond, the results lie in [-1, 1] and mean nothing. absolute, floor, sqrt, maximum and minimum are exact,
that is, correctly rounded; which zero is the larger of 0 and -0 is left open, as in NumPy.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from llvmlite import ir

from chainrule.errors import ConfigurationError, DTypeError
from chainrule.native.lanes import in_lanes, intrinsic, with_lanes


@dataclass(frozen=True)
class _Format:
    """One floating-point type: its layout, limits, split constants and polynomials (highest power first)."""

    type: ir.Type
    integer: ir.IntType
    fraction_bits: int
    bias: int
    exp_range: tuple[float, float]  # outside, exp is 0 or infinite
    saturation: float  # expm1(-saturation) is -1 and tanh(saturation / 2) is 1, to the last bit
    ln2: tuple[float, float]
    half_pi: tuple[float, float, float]
    exp: Sequence[float]  # (eʳ - 1 - r) / r², |r| ≤ ln 2 / 2
    artanh: Sequence[float]  # (2 artanh(s) - 2s) / s³ in z = s², |s| ≤ (√2 - 1) / (√2 + 1)
    sin: Sequence[float]  # (sin r - r) / r³ in z = r², |r| ≤ π/4
    cos: Sequence[float]  # (cos r - 1 + r²/2) / r⁴ in z = r², |r| ≤ π/4

    @property
    def shifter(self) -> float:
        """1.5 · 2^fraction_bits: adding it rounds to an integer, which then stands in the low bits of the sum."""
        return 1.5 * 2.0**self.fraction_bits


_FLOAT32 = _Format(
    type=ir.FloatType(),
    integer=ir.IntType(32),
    fraction_bits=23,
    bias=127,
    exp_range=(-104.0, 89.0),
    saturation=20.0,
    ln2=(0.6931472, -1.9046542e-09),
    half_pi=(1.5707964, -4.371139e-08, -1.7151245e-15),
    exp=(0.0001989198, 0.0013934541, 0.0083333105, 0.041666456, 0.16666667, 0.5),  # error 2^-30
    artanh=(0.29590318, 0.3998855, 0.66666687),  # error 2^-28
    sin=(2.724687e-06, -0.00019840064, 0.008333332, -0.16666667),  # error 2^-28
    cos=(2.454542e-05, -0.0013888291, 0.041666664),  # error 2^-30
)

_FLOAT64 = _Format(
    type=ir.DoubleType(),
    integer=ir.IntType(64),
    fraction_bits=52,
    bias=1023,
    exp_range=(-746.0, 710.0),
    saturation=40.0,
    ln2=(0.6931471805599453, 2.3190468138462996e-17),
    half_pi=(1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33),
    exp=(  # error 2^-61
        2.0915442297780116e-09, 2.5106274733573296e-08, 2.75572718102198e-07, 2.755725283351691e-06,
        2.4801587327007187e-05, 0.00019841269876864356, 0.0013888888888883327, 0.008333333333325544,
        0.04166666666666667, 0.1666666666666667, 0.5,
    ),
    artanh=(  # error 2^-60
        0.1310072138350349, 0.13267418596474884, 0.15386290534658992, 0.181817947008978,
        0.2222222240054776, 0.2857142857076445, 0.4000000000000094, 0.6666666666666666,
    ),
    sin=(  # error 2^-57
        -7.586094789672621e-13, 1.6058521349954986e-10, -2.5052106167335705e-08, 2.7557319219150783e-06,
        -0.00019841269841264821, 0.008333333333333331, -0.16666666666666666,
    ),
    cos=(  # error 2^-60
        -1.1381754653662937e-11, 2.0876134024090145e-09, -2.755731721268659e-07, 2.4801587298651292e-05,
        -0.0013888888888887322, 0.041666666666666664,
    ),
)  # fmt: skip

# float64 with polynomials that leave errors of 2^-37 and 2^-43: enough for the power of two float32 numbers
_FLOAT64_SHORT = replace(
    _FLOAT64,
    exp_range=_FLOAT32.exp_range,
    exp=(
        2.4860745193047496e-05, 0.00019900441465296745, 0.001388885263392293, 0.008333297067428719,
        0.041666666722201, 0.16666666722219042, 0.5,
    ),
    artanh=(0.19374971137771949, 0.2219076371539249, 0.28571764621021173, 0.3999999874769565, 0.6666666666741171),
)  # fmt: skip

# (2 artanh(s) - 2s - 2s³/3) / s⁵ in z = s², on the interval of `artanh`; error 2^-66: for the logarithm of a power
_ARTANH_TAIL = (
    0.11735818855512968, 0.11705021567538627, 0.13334850282547114, 0.1538459412012637,
    0.18181818343316125, 0.2222222222162076, 0.28571428571429425, 0.4,
)  # fmt: skip
_TWO_THIRDS = (0.6666666666666666, 3.700743415417188e-17)


class _Number:
    """A floating-point LLVM value with Python's operators; a plain float beside it becomes a constant of its type."""

    def __init__(self, builder: ir.IRBuilder, value: ir.Value, format: _Format) -> None:
        self.builder, self.value, self.format = builder, value, format

    def of(self, value: "ir.Value | _Number | float") -> "_Number":
        """The value as a number of this type."""
        if isinstance(value, _Number):
            return value
        if isinstance(value, float):
            number = float(np.float32(value)) if self.format is _FLOAT32 else value
            value = in_lanes(ir.Constant(self.format.type, number), self.value.type)
        return _Number(self.builder, value, self.format)

    def __add__(self, other: "_Number | float") -> "_Number":
        return self.of(self.builder.fadd(self.value, self.of(other).value))

    def __sub__(self, other: "_Number | float") -> "_Number":
        return self.of(self.builder.fsub(self.value, self.of(other).value))

    def __mul__(self, other: "_Number | float") -> "_Number":
        return self.of(self.builder.fmul(self.value, self.of(other).value))

    def __truediv__(self, other: "_Number | float") -> "_Number":
        return self.of(self.builder.fdiv(self.value, self.of(other).value))

    def __radd__(self, other: float) -> "_Number":
        return self + other

    def __rsub__(self, other: float) -> "_Number":
        return self.of(other) - self

    def __rtruediv__(self, other: float) -> "_Number":
        return self.of(other) / self

    def __neg__(self) -> "_Number":
        return self.of(self.builder.fneg(self.value))

    def __abs__(self) -> "_Number":
        return self.intrinsic("fabs")

    def is_(self, comparison: str, other: "_Number | float") -> ir.Value:
        """One bit; false wherever a NaN takes part, except for `!=`, which is then true."""
        compare = self.builder.fcmp_unordered if comparison == "!=" else self.builder.fcmp_ordered
        return compare(comparison, self.value, self.of(other).value)

    def where(self, condition: ir.Value, otherwise: "_Number | float") -> "_Number":
        """This number where the condition holds, else the other."""
        return self.of(self.builder.select(condition, self.value, self.of(otherwise).value))

    def replaced(self, condition: ir.Value, replacement: "_Number | float") -> "_Number":
        """The replacement where the condition holds, else this number."""
        return self.of(replacement).where(condition, self)

    def clamped(self, low: float, high: float) -> "_Number":
        """The nearest number in [low, high]; NaN stays NaN."""
        raised = self.replaced(self.is_("<", low), low)
        return raised.replaced(raised.is_(">", high), high)

    def intrinsic(self, name: str, *others: "_Number | float") -> "_Number":
        """LLVM's intrinsic of that name, with this number first."""
        operands = [self.value, *(self.of(other).value for other in others)]
        return self.of(intrinsic(self.builder, name, operands))

    def fma(self, factor: "_Number | float", summand: "_Number | float") -> "_Number":
        """self · factor + summand, rounded once."""
        return self.intrinsic("fma", factor, summand)

    def with_sign_of(self, other: "_Number") -> "_Number":
        """|self| with the other number's sign bit."""
        return self.intrinsic("copysign", other)

    def polynomial(self, coefficients: Sequence[float]) -> "_Number":
        """Horner's scheme, highest power first."""
        result = self.of(coefficients[0])
        for coefficient in coefficients[1:]:
            result = result.fma(self, coefficient)
        return result

    def bits(self) -> ir.Value:
        """The number's bits as an integer."""
        return self.builder.bitcast(self.value, self.shaped(self.format.integer))

    def from_bits(self, bits: ir.Value) -> "_Number":
        """The number that has these bits."""
        return self.of(self.builder.bitcast(bits, self.shaped(self.format.type)))

    def integer(self, value: int) -> ir.Constant:
        """A constant as wide as the number's bits."""
        return in_lanes(ir.Constant(self.format.integer, value), self.value.type)

    def shaped(self, type: ir.Type) -> ir.Type:
        """A type in as many lanes as the number."""
        return with_lanes(type, self.value.type)

    def nearest(self, factor: float) -> tuple["_Number", ir.Value]:
        """k = round(self · factor), and an integer whose low bits are k's (its high bits are not zero)."""
        shifted = self.fma(factor, self.format.shifter)
        return shifted - self.format.shifter, shifted.bits()

    def power_of_two(self, exponent: ir.Value) -> "_Number":
        """2^exponent from an integer of which only the low bits count; the result must be a normal number."""
        biased = self.builder.add(exponent, self.integer(self.format.bias))
        return self.from_bits(self.builder.shl(biased, self.integer(self.format.fraction_bits)))


def _two_sum(larger: _Number, smaller: _Number) -> tuple[_Number, _Number]:
    """The rounded sum and its rounding error, exact when |larger| ≥ |smaller| or larger = 0 (Dekker 1971)."""
    total = larger + smaller
    return total, smaller - (total - larger)


def _two_product(a: _Number, b: _Number | float) -> tuple[_Number, _Number]:
    """The rounded product and its rounding error."""
    product = a * b
    return product, a.fma(b, -product)


def _reduce_by_ln2(x: _Number, low: _Number | float = 0.0) -> tuple[ir.Value, _Number, _Number]:
    """k, r and its rounding error, with x + low = k ln 2 + r and |r| ≤ ln 2 / 2."""
    k, k_bits = x.nearest(1 / np.log(2.0))
    ln2_high, ln2_low = x.format.ln2
    return k_bits, *_two_sum(k.fma(-ln2_high, x), k.fma(-ln2_low, low))  # the first product is subtracted exactly


def _scaled(y: _Number, k: ir.Value) -> _Number:
    """2ᵏ y by two factors, because 2ᵏ alone may overflow or be subnormal when the result is not."""
    half = y.builder.ashr(k, y.integer(1))
    return y * y.power_of_two(half) * y.power_of_two(y.builder.sub(k, half))


def _exp(x: _Number) -> _Number:
    """2ᵏ eʳ."""
    k, r, _ = _reduce_by_ln2(x.clamped(*x.format.exp_range))
    return _scaled((r * r).fma(r.polynomial(x.format.exp), r) + 1.0, k)


def _exp_of_sum(x: _Number, low: _Number) -> _Number:
    """e^(x + low), of which nearly every value is rounded correctly."""
    k, r, r_low = _reduce_by_ln2(x.clamped(*x.format.exp_range), low)
    total, total_low = _two_sum(x.of(1.0), r)
    rest = (r * r).fma(r.polynomial(x.format.exp), r_low + total_low)
    return _scaled(total + rest, k)


def _expm1_parts(x: _Number, halved: ir.Value | None = None) -> tuple[_Number, _Number]:
    """eˣ - 1 as an unevaluated sum, for x between -saturation and the largest finite 2ᵏ; where halved, eˣ/2 - 1."""
    builder = x.builder
    k, r, r_low = _reduce_by_ln2(x)
    p, p_low = _two_sum(r, r * (r * r.polynomial(x.format.exp)))
    p_low = p_low + r_low.fma(p, r_low)  # the derivative of eʳ - 1 is eʳ = 1 + p
    scale = x.power_of_two(k if halved is None else builder.sub(k, builder.zext(halved, x.shaped(x.format.integer))))
    total, low = _two_sum(scale - 1.0, scale * p)
    return total, scale.fma(p_low, low)


def _expm1(x: _Number) -> _Number:
    clamped = x.clamped(-x.format.saturation, x.format.exp_range[1])
    # Where 2ᵏ might overflow and the 1 is far below the last bit, compute with half of it and double the result.
    halved = clamped.is_(">", np.log(2.0) * (x.format.bias - 1))
    total, low = _expm1_parts(clamped, halved)
    y = total + low
    return y.replaced(halved, y + y).with_sign_of(x)


def _tanh(x: _Number) -> _Number:
    """With n = e^(2|x|) - 1: n / (n + 2), the division corrected by its remainder."""
    magnitude = abs(x)
    magnitude = magnitude.replaced(magnitude.is_(">", x.format.saturation / 2), x.format.saturation / 2)
    n, n_low = _expm1_parts(magnitude + magnitude)
    d, d_low = _two_sum(x.of(2.0), n)
    d_low = d_low + n_low
    reciprocal = 1.0 / d
    quotient = n * reciprocal
    remainder = (-quotient).fma(d, n) + (-quotient).fma(d_low, n_low)
    return remainder.fma(reciprocal, quotient).with_sign_of(x)


def _split_exponent(x: _Number) -> tuple[_Number, _Number]:
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


def _log_of_split(k: _Number, f: _Number, low: _Number | float) -> _Number:
    """k ln 2 + log(1 + f) + low."""
    half_square = f * 0.5 * f
    s = f / (f + 2.0)
    z = s * s
    ln2_high, ln2_low = f.format.ln2
    rest = s.fma(z.fma(z.polynomial(f.format.artanh), half_square), k.fma(ln2_low, low))
    return k.fma(ln2_high, f - (half_square - rest))


def _log_at_limits(y: _Number, x: _Number) -> _Number:
    """The logarithm y of x, with the values that x = 0, x < 0, infinity and NaN have."""
    y = y.where(x.is_("<", np.inf), x)
    y = y.replaced(x.is_("==", 0.0), -np.inf)
    return y.replaced(x.is_("<", 0.0), np.nan)


def _log(x: _Number) -> _Number:
    return _log_at_limits(_log_of_split(*_split_exponent(x), 0.0), x)


def _log1p(x: _Number) -> _Number:
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


def _reduce_by_half_pi(x: _Number) -> tuple[ir.Value, _Number, _Number]:
    """k, r and its rounding error, with x = k π/2 + r and |r| ≤ π/4."""
    k, k_bits = x.nearest(2 / np.pi)
    first, second, third = x.format.half_pi
    product, product_low = _two_product(k, second)
    r, r_low = _two_sum(k.fma(-first, x), -product)  # the first product is subtracted exactly
    r, r_low = _two_sum(r, r_low - k.fma(third, product_low))
    # Where k is no longer exact, r is meaningless; within these bounds the result stays in [-1, 1].
    return k_bits, r.clamped(-1.0, 1.0), r_low.clamped(-1e-7, 1e-7)


def _sin_or_cos(quadrant: ir.Value, r: _Number, r_low: _Number, sign: ir.Value) -> _Number:
    """sin(r + r_low + quadrant π/2), negated where the sign's highest bit is set."""
    builder, format = r.builder, r.format
    z = r * r
    sin = r + r.fma(z * z.polynomial(format.sin), r_low)
    cos = 1.0 + z.fma(z.fma(z.polynomial(format.cos), -0.5), -(r * r_low))
    odd = builder.icmp_unsigned("!=", builder.and_(quadrant, r.integer(1)), r.integer(0))
    lower_half = builder.shl(quadrant, r.integer(format.integer.width - 2))  # bit 1 of the quadrant, moved to the top
    top = r.integer(1 << (format.integer.width - 1))
    return r.from_bits(builder.xor(cos.where(odd, sin).bits(), builder.and_(builder.xor(lower_half, sign), top)))


def _sin(x: _Number) -> _Number:
    return _sin_or_cos(*_reduce_by_half_pi(abs(x)), x.bits())


def _cos(x: _Number) -> _Number:
    k, r, r_low = _reduce_by_half_pi(abs(x))
    return _sin_or_cos(x.builder.add(k, x.integer(1)), r, r_low, x.integer(0))


def _log_parts(x: _Number) -> tuple[_Number, _Number]:
    """log(x) as an unevaluated sum with an error of about 2⁻⁶⁵, for positive finite float64 numbers."""
    k, f = _split_exponent(x)
    d, d_low = _two_sum(x.of(2.0), f)
    reciprocal = 1.0 / d
    s = f * reciprocal
    s_low = ((-s).fma(d, f) - s * d_low) * reciprocal
    z, z_low = _two_product(s, s)
    z_low = (s + s).fma(s_low, z_low)
    w, w_low = _two_sum(x.of(_TWO_THIRDS[0]), z * z.polynomial(_ARTANH_TAIL))
    w_low = w_low + _TWO_THIRDS[1]
    cube, cube_low = _two_product(s, z)
    cube_low = s.fma(z_low, s_low.fma(z, cube_low))
    v, v_low = _two_product(cube, w)
    v_low = cube.fma(w_low, cube_low.fma(w, v_low))
    fraction, fraction_low = _two_sum(s + s, v)
    ln2_high, ln2_low = x.format.ln2
    exponent, exponent_low = _two_product(k, ln2_high)
    total, total_low = _two_sum(exponent, fraction)
    return total, total_low + (k.fma(ln2_low, exponent_low) + (fraction_low + (v_low + (s_low + s_low))))


def _power(x: _Number, y: _Number) -> _Number:
    """|x|ʸ = e^(y log|x|), and the sign and special values of C's `pow`."""
    if x.format is _FLOAT32:  # float64 has bits to spare for a logarithm in one part
        builder = x.builder
        wide, exponent = (
            _Number(builder, builder.fpext(v.value, v.shaped(_FLOAT64.type)), _FLOAT64_SHORT) for v in (x, y)
        )
        magnitude = _exp(exponent * _log(abs(wide)))
        return _power_at_limits(x.of(builder.fptrunc(magnitude.value, x.shaped(x.format.type))), x, y)
    base = abs(x)
    log, log_low = _log_parts(base)
    log = _log_at_limits(log, base)
    product, product_low = _two_product(y, log)
    product_low = y.fma(log_low, product_low)
    within = abs(product).is_("<", -x.format.exp_range[0])  # else the second part is meaningless, perhaps NaN
    return _power_at_limits(_exp_of_sum(product, product_low.where(within, 0.0)), x, y)


def _power_at_limits(magnitude: _Number, x: _Number, y: _Number) -> _Number:
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


def _larger(a: _Number, b: _Number) -> _Number:
    return a.where(a.is_(">", b), b).replaced(a.is_("!=", a), a)


def _smaller(a: _Number, b: _Number) -> _Number:
    return a.where(a.is_("<", b), b).replaced(a.is_("!=", a), a)


_FUNCTIONS: dict[str, tuple[int, Callable[..., _Number]]] = {
    "absolute": (1, abs),
    "cos": (1, _cos),
    "exp": (1, _exp),
    "expm1": (1, _expm1),
    "floor": (1, lambda x: x.intrinsic("floor")),
    "log": (1, _log),
    "log1p": (1, _log1p),
    "maximum": (2, _larger),
    "minimum": (2, _smaller),
    "power": (2, _power),
    "sin": (1, _sin),
    "sqrt": (1, lambda x: x.intrinsic("sqrt")),
    "tanh": (1, _tanh),
}
NAMES = tuple(_FUNCTIONS)


def emit(name: str, builder: ir.IRBuilder, *operands: ir.Value) -> ir.Value:
    """Write the instructions of an elementary function at the builder's position.

    Args:
        name: one of `NAMES`: a NumPy function's name.
        builder: where the instructions go; it stays in the same basic block.
        operands: one value, or two for power, maximum and minimum; all float, or all double, or vectors of them.

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
    format = next((x for x in (_FLOAT32, _FLOAT64) if all(type == with_lanes(x.type, type) for type in types)), None)
    if format is None:
        got = ", ".join(map(str, types))
        raise DTypeError(f"{name} takes operands that are all float or all double, got {got}; convert them first")
    return function(*(_Number(builder, operand, format) for operand in operands)).value
