"""Every operator and function of the loop language, in every dtype, where they go wrong: compiled as in NumPy."""

import operator

import numpy as np
import pytest

import chainrule
from chainrule import Elementwise
from chainrule.errors import BlockError, ChainruleError, DTypeError
from chainrule.graph.contract import SCALAR_FUNCTIONS
from chainrule.graph.spec import BOOL
from chainrule.native.loops.expression import COMPARISONS, OPERANDS, SYMBOLS, UNDEFINED
from chainrule.testing import check_block, check_limits
from chainrule.testing.limits import limits_of

DTYPES = ["float32", "float64", "int32", "int64", "uint32", "bool"]
#: Floating-point numbers: zeros, whole ones, ties, large ones (of which sin and cos need all digits), and special ones.
FLOATS = [0.0, 1e-30, 0.5, 1.0, 1.5, 2.5, 3.0, 31.0, 88.0, 300.0, 1e7, 12345678.9, 1e10, 3.4e38, np.inf, np.nan]
OPERATORS = {name: getattr(operator, f"{name}_" if name in ("and", "or") else name) for name in SYMBOLS}
OPERATORS |= {"neg": operator.neg, "invert": operator.invert, "abs": operator.abs, "pow": operator.pow}
UNARY = {"neg", "invert", "abs"}


class Own(Elementwise):
    """y = function(a, b)."""

    differentiable = False

    def __init__(self, function, truth=False):
        vars(self).update(function=function, truth=truth)

    def forward(self, xp, *inputs):
        return self.function(xp, *inputs)


def numbers(dtype):
    if np.dtype(dtype).kind != "f":
        return limits_of(dtype)
    return np.array([*FLOATS, *(-x for x in FLOATS)], dtype)


def compare(function, dtype, count, *, truth=False, exact=True):
    """Compiled, a function of the loop language gives what it gives in NumPy, or says that it is not defined.

    Alone as well as in vectors, so that both kinds of code are run.
    """
    grids = [grid.ravel() for grid in np.meshgrid(*[numbers(dtype)] * count)]
    block = Own(function, truth)
    for inputs in (grids, [grid[:, None] for grid in grids]):
        try:
            eager = block(*[chainrule.tensor(x, dtype=dtype) for x in inputs]).numpy()
        except (BlockError, DTypeError):
            eager = None
        compiled = chainrule.compile(lambda *x: block(*x))
        if eager is None:
            with pytest.raises(BlockError, match=r"^block own: forward failed: "):
                compiled(*[chainrule.tensor(x, dtype=dtype) for x in inputs])
            continue
        found = compiled(*[chainrule.tensor(x, dtype=dtype) for x in inputs]).numpy()
        assert found.dtype == eager.dtype
        if eager.dtype.kind == "f":  # compiled, what is below the smallest normal number is 0
            limits = np.finfo(dtype)
            np.testing.assert_allclose(found, eager, rtol=0 if exact else 4 * limits.eps, atol=limits.tiny)
        else:
            np.testing.assert_array_equal(found, eager)
    return eager is not None


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OPERATORS)
def test_operator(name, dtype):
    function, count = OPERATORS[name], 1 if name in UNARY else 2
    if name == "pow" and np.dtype(dtype).kind != "f":
        check_powers(dtype)
        return
    defined = compare(lambda xp, *x: function(*x), dtype, count, truth=name in COMPARISONS, exact=name != "pow")
    kind = np.dtype(dtype).kind
    assert defined == (name not in UNDEFINED[kind]), "what is not defined is refused in both engines"


def check_powers(dtype):
    """Whole powers by written exponents; by others only where none is below 0."""
    for exponent in (0, 1, 2, 3, 5):
        assert compare(lambda xp, x: x**exponent, dtype, 1) == (np.dtype(dtype) != BOOL)  # noqa: B023
    assert not compare(lambda xp, x: x**-1, dtype, 1) or dtype == "uint32"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", sorted(set(SCALAR_FUNCTIONS) - {"astype", "where"}))
def test_function(name, dtype):
    def function(xp, *x):
        return getattr(xp, name)(*x)

    kind, exact = np.dtype(dtype).kind, name in ("absolute", "maximum", "minimum", "floor", "rint", "sqrt")
    if name == "power" and kind != "f":
        check_powers(dtype)  # an exponent that is computed may be below 0; the block `power` looks before
    elif kind == "f" or name not in UNDEFINED[kind]:
        assert compare(function, dtype, OPERANDS.get(name, 1), exact=exact)
    else:
        with pytest.raises(BlockError, match=rf"^block own: forward failed: .* cannot apply {name} to {dtype}"):
            chainrule.compile(lambda *x: Own(function)(*x))(numbers(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_where_and_casts(dtype):
    assert compare(lambda xp, a, b, c: xp.where(a < b, b, c), dtype, 3) or dtype == "bool"
    for target in DTYPES:
        assert compare(lambda xp, x: xp.astype(xp.astype(x, target), dtype), dtype, 1)  # noqa: B023


def test_shared_test_reaches_the_limits():
    """A block whose compiled numbers are wrong for large integers alone is found by `check_block`."""

    class Third(Elementwise):
        """y = x // 3."""

        differentiable = False

        def forward(self, xp, x):
            return x // 3

    check_block(Third)

    class OnlySmall(Third):
        def forward(self, xp, x):
            if isinstance(x, np.ndarray):
                return x // 3
            return xp.where(x > 2**20, x // 4, x // 3)

    with pytest.raises((AssertionError, ChainruleError), match=r"only_small.* of int32: compiled and eager differ"):
        check_limits(OnlySmall.samples()[0])
