"""The oracle of the test at extremes has an oracle itself: mpmath, and NumPy's rules for zeros, infinities and NaN."""

from decimal import Decimal

import mpmath
import numpy as np
import pytest

from chainrule.errors import ConfigurationError
from chainrule.graph.accuracy import EXTREMES
from chainrule.graph.block import Elementwise
from chainrule.graph.contract import SCALAR_FUNCTIONS
from chainrule.graph.spec import Spec
from chainrule.graph.trace import trace
from chainrule.testing.decimals import DIGITS, Decimals, DecimalScalar, evaluate_graph, exact, many_digits

ONE = ["cos", "exp", "expm1", "log", "log10", "log1p", "log2", "sin", "sqrt", "tanh"]
TWO = ["maximum", "minimum", "power"]
OPERATORS = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "floor_divide": lambda a, b: a // b,
    "remainder": lambda a, b: a % b,
}


def number(x):
    return DecimalScalar(exact(x))


@pytest.mark.parametrize("name", ONE)
def test_functions_have_three_hundred_digits(name):
    with many_digits(), mpmath.workdps(DIGITS + 50):
        for x in (1e-30, 0.1, 0.5, 1.0, 3.2, 8.0, 30.0, 300.0, -1e-30, -0.1, -0.5, -8.0, -300.0):
            if (name == "log1p" and x <= -1) or (name in ("log", "log2", "log10", "sqrt") and x < 0):
                continue
            found = mpmath.mpf(str(getattr(Decimals(), name)(number(x)).value))
            function = getattr(mpmath, name) if name != "log2" else lambda x: mpmath.log(x, 2)
            expected = function(mpmath.mpf(x))
            assert abs(found - expected) <= abs(expected) * mpmath.mpf(10) ** -300, x


def test_powers_have_three_hundred_digits():
    with many_digits(), mpmath.workdps(DIGITS + 50):
        for base in (1e-30, 0.3, 2.0, 300.0):
            for exponent in (-30.0, 0.3, 1e-30, 7.0):
                found = mpmath.mpf(str(Decimals().power(number(base), number(exponent)).value))
                expected = mpmath.mpf(base) ** mpmath.mpf(exponent)
                assert abs(found - expected) <= expected * mpmath.mpf(10) ** -300


def same(found, expected):
    """Rounded to float64, the same number, up to the rounding of NumPy's own; zeros with their sign, and NaN."""
    rounded = float(found)
    np.testing.assert_allclose(rounded, expected, rtol=1e-14, atol=0)
    assert np.isnan(expected) or np.signbit(rounded) == np.signbit(expected)


@pytest.mark.parametrize("name", [*ONE, "absolute", "floor", "rint"])
def test_functions_of_one_number_follow_numpy(name):
    with many_digits(), np.errstate(all="ignore"):
        for x in EXTREMES:
            found = getattr(Decimals(), name)(number(x)).value
            if name not in ("sin", "cos") or not abs(x) > 10:  # NumPy's own error is relative to 1 there
                same(found, getattr(np, name)(np.array([x]))[0])


@pytest.mark.parametrize("name", [*TWO, *OPERATORS])
def test_functions_of_two_numbers_follow_numpy(name):
    with many_digits(), np.errstate(all="ignore"):
        for a in EXTREMES:
            for b in EXTREMES:
                xp = Decimals()
                function = OPERATORS[name] if name in OPERATORS else getattr(xp, name)
                found, expected = function(number(a), number(b)).value, getattr(np, name)(np.array([a]), np.array([b]))
                if not xp.met_both_zeros:
                    same(found, expected[0])


def test_comparisons_follow_numpy():
    with many_digits():
        for a in EXTREMES:
            for b in EXTREMES:
                x, y = number(a), number(b)
                found = [c.value for c in (x < y, x <= y, x > y, x >= y, x == y, x != y)]
                assert found == [a < b, a <= b, a > b, a >= b, a == b, a != b]


def test_choices_casts_and_truth_values():
    xp, x = Decimals(), number(-2.7)
    with many_digits():
        assert xp.where(x < 0, x, 0).value == exact(-2.7)
        assert xp.where(~(x < 0) | (x > 1), x, 0).value == 0
        assert xp.astype(x, np.dtype("int64")).value == -2
        assert xp.astype(x, np.dtype("bool")).value is True
        assert (1 - x).value == 1 - exact(-2.7)
        assert str((-number(0.0)).value) == "-0"
    with pytest.raises(TypeError, match="cannot branch on a value"):
        bool(x < 0)
    with pytest.raises(AttributeError, match="it called cbrt"):
        xp.cbrt(x)


def test_zeros_of_either_sign_are_noticed():
    for a, b, noticed in [(0.0, -0.0, True), (-0.0, 0.0, True), (0.0, 0.0, False), (-0.0, 1.0, False)]:
        for name in ("maximum", "minimum"):
            xp = Decimals()
            getattr(xp, name)(number(a), number(b))
            assert xp.met_both_zeros is noticed


def test_every_function_of_a_loop_is_there():
    tested = {*ONE, *TWO, "absolute", "astype", "floor", "rint", "where"}
    assert tested == set(SCALAR_FUNCTIONS)


def test_a_graph_runs_on_decimals_if_its_blocks_are_elementwise():
    graph = trace(lambda x: (x * 2 - 1, x > 0), Spec(()))
    assert evaluate_graph(graph, Decimal("1e-400")) == [2 * Decimal("1e-400") - 1, True]
    with pytest.raises(ConfigurationError, match="no elementwise block"):
        evaluate_graph(trace(lambda x: x.sum(), Spec(())), Decimal(1))


def test_large_numbers_are_decimals_too():
    class Large(Elementwise):
        def forward(self, xp, x):
            return xp.exp(x) / xp.exp(x - 1)

        def backward(self, gradient, output, x):
            return (gradient * 0,)

    with many_digits():
        result = Large().forward(Decimals(), number(1e6)).value
        assert float(result) == pytest.approx(np.e, rel=1e-15)
