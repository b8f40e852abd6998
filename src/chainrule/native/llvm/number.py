"""A floating-point number in generated code, with Python's operators, so that equations can be written as such."""

from collections.abc import Sequence

import numpy as np
from llvmlite import ir

from chainrule.native.llvm.formats import FLOAT32, Format
from chainrule.native.llvm.lanes import in_lanes, intrinsic, with_lanes
from chainrule.native.llvm.machine import fused


class Number:
    """A floating-point LLVM value with Python's operators; a plain float beside it becomes a constant of its type."""

    def __init__(self, builder: ir.IRBuilder, value: ir.Value, format: Format) -> None:
        self.builder, self.value, self.format = builder, value, format

    def of(self, value: "ir.Value | Number | float") -> "Number":
        """The value as a number of this type."""
        if isinstance(value, Number):
            return value
        if isinstance(value, float):
            number = float(np.float32(value)) if self.format is FLOAT32 else value
            value = in_lanes(ir.Constant(self.format.type, number), self.value.type)
        return Number(self.builder, value, self.format)

    def __add__(self, other: "Number | float") -> "Number":
        return self.of(self.builder.fadd(self.value, self.of(other).value))

    def __sub__(self, other: "Number | float") -> "Number":
        return self.of(self.builder.fsub(self.value, self.of(other).value))

    def __mul__(self, other: "Number | float") -> "Number":
        return self.of(self.builder.fmul(self.value, self.of(other).value))

    def __truediv__(self, other: "Number | float") -> "Number":
        return self.of(self.builder.fdiv(self.value, self.of(other).value))

    def __radd__(self, other: float) -> "Number":
        return self + other

    def __rsub__(self, other: float) -> "Number":
        return self.of(other) - self

    def __rtruediv__(self, other: float) -> "Number":
        return self.of(other) / self

    def __neg__(self) -> "Number":
        return self.of(self.builder.fneg(self.value))

    def __abs__(self) -> "Number":
        return self.intrinsic("fabs")

    def is_(self, comparison: str, other: "Number | float") -> ir.Value:
        """The result of a comparison, one bit. With a NaN it is false, except for `!=`, where it is true."""
        compare = self.builder.fcmp_unordered if comparison == "!=" else self.builder.fcmp_ordered
        return compare(comparison, self.value, self.of(other).value)

    def where(self, condition: ir.Value, otherwise: "Number | float") -> "Number":
        """This number where the condition holds, else the other."""
        return self.of(self.builder.select(condition, self.value, self.of(otherwise).value))

    def replaced(self, condition: ir.Value, replacement: "Number | float") -> "Number":
        """The replacement where the condition holds, else this number."""
        return self.of(replacement).where(condition, self)

    def clamped(self, low: float, high: float) -> "Number":
        """The nearest number in [low, high]; NaN stays NaN."""
        raised = self.replaced(self.is_("<", low), low)
        return raised.replaced(raised.is_(">", high), high)

    def intrinsic(self, name: str, *others: "Number | float") -> "Number":
        """LLVM's intrinsic of that name, with this number first."""
        operands = [self.value, *(self.of(other).value for other in others)]
        return self.of(intrinsic(self.builder, name, operands))

    def fma(self, factor: "Number | float", summand: "Number | float") -> "Number":
        """self · factor + summand, rounded once; on a processor that cannot do that, nearly always so."""
        if fused():
            return self.intrinsic("fma", factor, summand)
        operands = self, self.of(factor), self.of(summand)
        return _fma_in_double(*operands) if self.format is FLOAT32 else _fma_in_parts(*operands)

    def with_sign_of(self, other: "Number") -> "Number":
        """|self| with the other number's sign bit."""
        return self.intrinsic("copysign", other)

    def polynomial(self, coefficients: Sequence[float]) -> "Number":
        """Horner's scheme, highest power first. What it is multiplied with is small, so each step may round twice."""
        result = self.of(coefficients[0])
        for coefficient in coefficients[1:]:
            result = result.fma(self, coefficient) if fused() else result * self + coefficient
        return result

    def bits(self) -> ir.Value:
        """The number's bits as an integer."""
        return self.builder.bitcast(self.value, self.shaped(self.format.integer))

    def from_bits(self, bits: ir.Value) -> "Number":
        """The number that has these bits."""
        return self.of(self.builder.bitcast(bits, self.shaped(self.format.type)))

    def integer(self, value: int) -> ir.Constant:
        """A constant as wide as the number's bits."""
        return in_lanes(ir.Constant(self.format.integer, value), self.value.type)

    def shaped(self, type: ir.Type) -> ir.Type:
        """A type in as many lanes as the number."""
        return with_lanes(type, self.value.type)

    def nearest(self, factor: float) -> tuple["Number", ir.Value]:
        """k = round(self · factor), and an integer with the low bits of k; its high bits have no meaning."""
        shifted = self.fma(factor, self.format.shifter)
        return shifted - self.format.shifter, shifted.bits()

    def power_of_two(self, exponent: ir.Value) -> "Number":
        """2^exponent from an integer of which only the low bits count; the result must be a normal number."""
        biased = self.builder.add(exponent, self.integer(self.format.bias))
        return self.from_bits(self.builder.shl(biased, self.integer(self.format.fraction_bits)))


def _fma_in_double(a: Number, b: Number, c: Number) -> Number:
    """a b + c of float32 numbers: a float64 number holds the product of two of them."""
    builder, wide = a.builder, a.shaped(ir.DoubleType())
    x, y, z = (builder.fpext(number.value, wide) for number in (a, b, c))
    return a.of(builder.fptrunc(builder.fadd(builder.fmul(x, y), z), a.value.type))


def _fma_in_parts(a: Number, b: Number, c: Number) -> Number:
    """a b + c of float64 numbers: the rounded product and sum, and the errors of both roundings (Dekker, Knuth).

    The factors are split into halves, whose products are exact.
    """
    product = a * b
    (a_high, a_low), (b_high, b_low) = (_halves(number) for number in (a, b))
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    total = product + c
    rest = total - product
    total_error = (product - (total - rest)) + (c - rest)
    corrected = total + (total_error + error)
    return corrected.where(abs(total).is_("<", np.inf), total)  # the errors of an infinity are no numbers


def _halves(x: Number) -> tuple[Number, Number]:
    """A float64 number as the sum of two with at most 26 digits, so that products of halves are exact.

    The first is rounded to the nearest, which leaves the second, with a sign, one digit less than cutting off does.
    Only where that would be infinite it is cut off.
    """
    builder, kept = x.builder, x.integer(-(2**27))
    cut = x.from_bits(builder.and_(x.bits(), kept))
    rounded = x.from_bits(builder.and_(builder.add(x.bits(), x.integer(2**26)), kept))
    high = rounded.where(abs(rounded).is_("<", np.inf), cut)
    return high, x - high


def two_sum(larger: Number, smaller: Number) -> tuple[Number, Number]:
    """The rounded sum and its rounding error, exact when |larger| ≥ |smaller| or larger = 0 (Dekker 1971)."""
    total = larger + smaller
    return total, smaller - (total - larger)


def any_two_sum(a: Number, b: Number) -> tuple[Number, Number]:
    """The rounded sum and its rounding error, whichever is larger (Knuth, "The Art of Computer Programming" 2)."""
    total = a + b
    of_b = total - a
    return total, (a - (total - of_b)) + (b - of_b)


def two_product(a: Number, b: Number | float) -> tuple[Number, Number]:
    """The rounded product and its rounding error."""
    product = a * b
    return product, a.fma(b, -product)
