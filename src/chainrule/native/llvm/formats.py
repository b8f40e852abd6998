"""The floating-point types of generated code: their layout, limits, constants in several parts, and polynomials."""

from collections.abc import Sequence
from dataclasses import replace

from llvmlite import ir

from chainrule.dataclasses import dataclass


@dataclass(frozen=True)
class Format:
    """One floating-point type; constants are sums of several floats, polynomials have their highest power first."""

    type: ir.Type
    integer: ir.IntType
    fraction_bits: int
    bias: int
    exp_range: tuple[float, float]  # outside of it, exp is 0 or infinite
    saturation: float  # expm1(-saturation) is -1 and tanh(saturation / 2) is 1, to the last bit
    ln2: tuple[float, float]
    log2_e: tuple[float, float]
    log10_2: tuple[float, float]
    log10_e: tuple[float, float]
    half_pi: tuple[float, float, float]
    exp: Sequence[float]  # (eʳ - 1 - r) / r², |r| ≤ ln 2 / 2
    artanh: Sequence[float]  # (2 artanh(s) - 2s) / s³ in z = s², |s| ≤ (√2 - 1) / (√2 + 1)
    sin: Sequence[float]  # (sin r - r) / r³ in z = r², |r| ≤ π/4
    cos: Sequence[float]  # (cos r - 1 + r²/2) / r⁴ in z = r², |r| ≤ π/4

    @property
    def shifter(self) -> float:
        """1.5 · 2^fraction_bits: adding it rounds to an integer, which is then in the low bits of the sum."""
        return 1.5 * 2.0**self.fraction_bits


FLOAT32 = Format(
    type=ir.FloatType(),
    integer=ir.IntType(32),
    fraction_bits=23,
    bias=127,
    exp_range=(-104.0, 89.0),
    saturation=20.0,
    ln2=(0.6931472, -1.9046542e-09),
    log2_e=(1.442695, 1.925963e-08),
    log10_2=(0.30103, -1.4320989e-08),
    log10_e=(0.4342945, -1.010305e-08),
    half_pi=(1.5707964, -4.371139e-08, -1.7151245e-15),
    exp=(0.0001989198, 0.0013934541, 0.0083333105, 0.041666456, 0.16666667, 0.5),  # error 2^-30
    artanh=(0.29590318, 0.3998855, 0.66666687),  # error 2^-28
    sin=(2.724687e-06, -0.00019840064, 0.008333332, -0.16666667),  # error 2^-28
    cos=(2.454542e-05, -0.0013888291, 0.041666664),  # error 2^-30
)


FLOAT64 = Format(
    type=ir.DoubleType(),
    integer=ir.IntType(64),
    fraction_bits=52,
    bias=1023,
    exp_range=(-746.0, 710.0),
    saturation=40.0,
    ln2=(0.6931471805599453, 2.3190468138462996e-17),
    log2_e=(1.4426950408889634, 2.0355273740931033e-17),
    log10_2=(0.3010299956639812, -2.8037281277851704e-18),
    log10_e=(0.4342944819032518, 1.098319650216765e-17),
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
FLOAT64_SHORT = replace(
    FLOAT64,
    exp_range=FLOAT32.exp_range,
    exp=(
        2.4860745193047496e-05, 0.00019900441465296745, 0.001388885263392293, 0.008333297067428719,
        0.041666666722201, 0.16666666722219042, 0.5,
    ),
    artanh=(0.19374971137771949, 0.2219076371539249, 0.28571764621021173, 0.3999999874769565, 0.6666666666741171),
)  # fmt: skip


# (2 artanh(s) - 2s - 2s³/3) / s⁵ in z = s², on the interval of `artanh`; error 2^-66: for the logarithm of a power
ARTANH_TAIL = (
    0.11735818855512968, 0.11705021567538627, 0.13334850282547114, 0.1538459412012637,
    0.18181818343316125, 0.2222222222162076, 0.28571428571429425, 0.4,
)  # fmt: skip
