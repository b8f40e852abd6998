"""The elementary functions of generated loops against NumPy, against wider arithmetic, and against mpmath.

The float32 functions of one operand can be compared on all 2³² arguments, about a minute a function:

    python -m tests.native.test_elementary exp log tanh
"""

import platform
import re
import sys
from functools import cache, partial

import mpmath
import numpy as np
import pytest
from llvmlite import ir

from chainrule.errors import ConfigurationError, DTypeError
from chainrule.native.llvm import elementary, number
from chainrule.native.llvm.machine import fused
from tests.native.compiled_loop import Loop, compile_loop

DTYPES = ("f4", "f8")
BINARY = ("floor_divide", "maximum", "minimum", "power", "remainder")
ANGLES = ("sin", "cos")
# Largest error in units in the last place; the module's docstring states what was measured over more arguments.
BOUNDS = {
    "f4": {
        "exp": 1.0, "expm1": 1.1, "log": 0.9, "log10": 1.6, "log1p": 0.95, "log2": 1.6, "tanh": 1.01, "sin": 1.2,
        "cos": 1.2, "power": 0.51,
    },
    "f8": {
        "exp": 1.0, "expm1": 1.1, "log": 0.9, "log10": 1.6, "log1p": 0.95, "log2": 1.6, "tanh": 1.01, "sin": 1.2,
        "cos": 1.2, "power": 0.8,
    },
}  # fmt: skip
ROUNDED = ("exp", "expm1", "log", "log10", "log1p", "log2", "tanh", "sin", "cos")
extended = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 63, reason="np.longdouble is no wider than float64 here; mpmath's test covers it"
)
SPECIAL = [0.0, 1.0, 2.0, 3.0, 0.5, 2.5, 7.0, 1e-40, 1e-310, 1e30, 16777215.0, 16777216.0, 2.0**53 - 1, np.inf]


@cache
def loop(name: str, dtype: str) -> Loop:
    return compile_loop(partial(elementary.emit, name), 2 if name in BINARY else 1, dtype)


def special(dtype: str) -> np.ndarray:
    limits = np.finfo(dtype)
    ends = [limits.tiny, limits.max, limits.smallest_subnormal, limits.eps]
    values = np.array([*SPECIAL, *ends, np.nan]).astype(dtype)
    return np.concatenate([values, -values])


def all_exponents(dtype: str, rng: np.random.Generator, inner: int) -> np.ndarray:
    """Both ends of every binade and of the subnormals, with `inner` arguments inside, positive and negative."""
    limits, integer = np.finfo(dtype), f"u{np.dtype(dtype).itemsize}"
    fraction = 1 << limits.nmant
    exponents = np.arange(2 ** (limits.bits - 1 - limits.nmant) - 1, dtype=integer)[:, None] * np.array(
        fraction, integer
    )
    ends = np.broadcast_to(np.array([0, 1, 2, fraction - 2, fraction - 1], integer), (len(exponents), 5))
    inside = rng.integers(0, fraction, (len(exponents), inner), dtype=integer)
    values = (exponents + np.concatenate([ends, inside], axis=1)).ravel().view(dtype)
    return np.concatenate([values, -values])


def arguments(name: str, dtype: str, count: int) -> np.ndarray:
    """Every binade, then where the function varies: about 0, about 1, and up to where it overflows or repeats."""
    rng = np.random.default_rng(20)
    edge = 1e5 if name in ANGLES else 1.1 * np.log(float(np.finfo(dtype).max))
    parts = [rng.normal(0, 1, count), rng.uniform(-edge, edge, count), 1 + rng.normal(0, 0.1, count)]
    return np.concatenate([special(dtype), all_exponents(dtype, rng, 20), *parts]).astype(dtype)


def ulps(y: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """|y - reference| in units of the reference's last place; infinite where zeros, infinities or NaN differ."""
    rounded = reference.astype(y.dtype)
    same = ((y == rounded) & (np.signbit(y) == np.signbit(rounded))) | (np.isnan(y) & np.isnan(rounded))
    finite = np.isfinite(y) & np.isfinite(rounded)
    unit = np.spacing(np.abs(np.where(finite, rounded, 1))).astype(reference.dtype)
    distance = np.abs(y.astype(reference.dtype) - reference) / unit
    regular = finite & ((reference != 0) | (y != 0))
    return np.where(regular, distance, np.where(same, 0.0, np.inf))


def check(name: str, x: tuple[np.ndarray, ...], y: np.ndarray, reference: np.ndarray) -> None:
    errors = ulps(y, reference)
    worst = int(np.argmax(errors))
    where = [float(a[worst]).hex() for a in x]
    assert errors[worst] <= BOUNDS[y.dtype.str[1:]][name], f"{errors[worst]} ulp at {where}: {y[worst]!r}"


@pytest.mark.parametrize("name", ROUNDED)
def test_float32_is_within_its_bound_of_float64(name: str):
    x = arguments(name, "f4", 300_000)
    with np.errstate(all="ignore"):
        check(name, (x,), loop(name, "f4")(x), getattr(np, name)(x.astype("f8")))


@extended
@pytest.mark.parametrize("name", ROUNDED)
def test_float64_is_within_its_bound_of_extended_precision(name: str):
    x = arguments(name, "f8", 200_000)
    with np.errstate(all="ignore"):
        check(name, (x,), loop(name, "f8")(x), getattr(np, name)(x.astype(np.longdouble)))


@extended
@pytest.mark.parametrize("name", ROUNDED)
def test_float64_is_within_its_bound_without_fused_instructions(name: str, monkeypatch: pytest.MonkeyPatch):
    """As on a processor that has none, where products are made of exact ones of halves."""
    monkeypatch.setattr(number, "fused", lambda: False)
    x = arguments(name, "f8", 100_000)
    with np.errstate(all="ignore"):
        parts = compile_loop(partial(elementary.emit, name), 1, "f8")
        check(name, (x,), parts(x), getattr(np, name)(x.astype(np.longdouble)))


def exact_ulps(y: np.ndarray, reference: list[mpmath.mpf]) -> np.ndarray:
    """As `ulps`, for finite float64 results of a reference that mpmath computed."""
    units = np.spacing(np.abs([float(value) for value in reference]))
    pairs = zip(y.tolist(), reference, units.tolist(), strict=True)
    return np.array([float(abs(mpmath.mpf(a) - b) / mpmath.mpf(unit)) for a, b, unit in pairs])


@pytest.mark.parametrize("name", ROUNDED)
def test_float64_is_within_its_bound_of_mpmath(name: str):
    x = np.random.default_rng(21).permutation(arguments(name, "f8", 30_000))
    with np.errstate(all="ignore"):
        x = x[np.isfinite(getattr(np, name)(x))][:10_000]
    with mpmath.workprec(160):
        function = {"log1p": mpmath.log1p, "log2": lambda x: mpmath.log(x, 2)}.get(name) or getattr(mpmath, name)
        reference = [function(mpmath.mpf(value)) for value in x.tolist()]
        errors = exact_ulps(loop(name, "f8")(x), reference)
    assert len(x) == 10_000
    assert errors.max() <= BOUNDS["f8"][name], f"at {float(x[errors.argmax()]).hex()}"


def power_arguments(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Any base and small exponents, moderate pairs, bases near 1 and large exponents, negative bases and integers."""
    rng, count = np.random.default_rng(22), 100_000
    near_one = 1 + rng.normal(0, 1e-3, count)
    bases = [all_exponents(dtype, rng, 20), np.exp(rng.normal(0, 1, count)), near_one, rng.normal(0, 3, count)]
    exponents = [rng.normal(0, 1, len(bases[0])), rng.normal(0, 80, count), rng.normal(0, 1e5, count)]
    exponents.append(rng.integers(-40, 40, count))
    return np.concatenate(bases).astype(dtype), np.concatenate(exponents).astype(dtype)


def test_float32_power_is_within_its_bound_of_float64():
    x, y = power_arguments("f4")
    with np.errstate(all="ignore"):
        check("power", (x, y), loop("power", "f4")(x, y), np.power(x.astype("f8"), y.astype("f8")))


@extended
def test_float64_power_is_within_its_bound_of_extended_precision():
    x, y = power_arguments("f8")
    with np.errstate(all="ignore"):
        check("power", (x, y), loop("power", "f8")(x, y), np.power(x.astype(np.longdouble), y.astype(np.longdouble)))


def test_float64_power_is_within_its_bound_of_mpmath():
    x, y = power_arguments("f8")
    chosen = np.random.default_rng(23).permutation(len(x))
    with np.errstate(all="ignore"):
        chosen = chosen[np.isfinite(np.power(x, y))[chosen]][:10_000]
    x, y = x[chosen], y[chosen]
    with mpmath.workprec(200):
        reference = [mpmath.power(a, b) for a, b in zip(x.tolist(), y.tolist(), strict=True)]
        errors = exact_ulps(loop("power", "f8")(x, y), reference)
    assert len(x) == 10_000
    assert errors.max() <= BOUNDS["f8"]["power"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_power_of_special_values_is_that_of_c(dtype: str):
    values = special(dtype)
    x, y = (grid.ravel() for grid in np.meshgrid(values, values))
    with np.errstate(all="ignore"):
        expected, got = np.power(x, y), loop("power", dtype)(x, y)
    outside = ~np.isfinite(expected) | (expected == 0) | (np.abs(expected) == 1)
    np.testing.assert_array_equal(got[outside], expected[outside])
    np.testing.assert_array_equal(np.signbit(got)[~np.isnan(expected)], np.signbit(expected)[~np.isnan(expected)])
    np.testing.assert_allclose(got, expected, rtol=2 * np.finfo(dtype).eps, atol=0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_powers_with_small_integers(dtype: str):
    x = np.random.default_rng(24).normal(0, 100, 100_000).astype(dtype)
    power = loop("power", dtype)
    assert np.all(np.abs(power(x, 2.0) - x * x) <= np.spacing(x * x))
    np.testing.assert_array_equal(power(x, 0.0), np.ones_like(x))
    np.testing.assert_array_equal(power(x, 1.0), x)
    np.testing.assert_array_equal(np.sign(power(x, 3.0)), np.sign(x))
    np.testing.assert_array_equal(np.isnan(power(x, 0.5)), x < 0)
    exponents = np.arange(-100, 100).astype(dtype)
    np.testing.assert_array_equal(power(2.0, exponents), np.ldexp(np.ones_like(exponents), np.arange(-100, 100)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["absolute", "floor", "rint", "sqrt"])
def test_functions_with_an_instruction_of_their_own_are_exact(name: str, dtype: str):
    x = arguments(name, dtype, 10_000)
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(x)
    got = loop(name, dtype)(x)
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(np.signbit(got)[~np.isnan(got)], np.signbit(expected)[~np.isnan(got)])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_the_larger_and_the_smaller_propagate_nan(name: str, dtype: str):
    values = np.concatenate([special(dtype), np.random.default_rng(25).normal(size=50).astype(dtype)])
    x, y = (grid.ravel() for grid in np.meshgrid(values, values))
    np.testing.assert_array_equal(loop(name, dtype)(x, y), getattr(np, name)(x, y))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ANGLES)
def test_sine_and_cosine_of_any_size_stay_between_minus_one_and_one(name: str, dtype: str):
    x = all_exponents(dtype, np.random.default_rng(26), 200)
    y = loop(name, dtype)(x)
    assert np.all(np.abs(y) <= 1)
    assert np.all(np.isnan(loop(name, dtype)(np.array([np.inf, -np.inf, np.nan]))))


@pytest.mark.parametrize("name", ANGLES)
def test_sine_and_cosine_of_the_float_nearest_to_a_multiple_of_half_pi(name: str):
    """6381956970095103 · 2⁷⁹⁷, of all float64 numbers, and a float32 number that is as near for its digits."""
    for dtype, x in (("f8", 6381956970095103 * 2.0**797), ("f4", 16367173 * 2.0**72)):
        with mpmath.workprec(1200):
            exact = getattr(mpmath, name)(mpmath.mpf(x))
            found = float(loop(name, dtype)(np.array([x]))[0])
            assert abs(found - exact) <= abs(exact) * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["floor_divide", "remainder"])
def test_divisions_with_a_remainder_are_exact(name: str, dtype: str):
    rng, values = np.random.default_rng(28), special(dtype)
    grid = [x.ravel() for x in np.meshgrid(values, values)]
    tenth = np.array(0.1, dtype)
    pairs = [
        grid,
        [rng.normal(0, 100, 20_000).astype(dtype), rng.normal(0, 3, 20_000).astype(dtype)],
        [rng.integers(-20, 20, 5_000).astype(dtype) * tenth, np.repeat(tenth, 5_000)],  # quotients about whole numbers
    ]
    a, b = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(a, b)
    got = loop(name, dtype)(a, b)
    np.testing.assert_array_equal(got, expected)
    there = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(got)[there], np.signbit(expected)[there])


@pytest.mark.parametrize("dtype", DTYPES)
def test_logarithms_of_powers_of_two_are_exact(dtype: str):
    exponents = np.arange(-100, 100)
    np.testing.assert_array_equal(loop("log2", dtype)(np.ldexp(np.ones(200, dtype), exponents)), exponents)


@pytest.mark.parametrize("dtype", DTYPES)
def test_odd_functions_are_odd_and_tanh_is_at_most_one(dtype: str):
    x = arguments("tanh", dtype, 50_000)
    x = x[~np.isnan(x)]
    for name in ("tanh", "sin"):
        y, mirrored = loop(name, dtype)(x), loop(name, dtype)(-x)
        np.testing.assert_array_equal(y, -mirrored)
    y = loop("tanh", dtype)(x)
    assert np.all(np.abs(y) <= 1)
    assert np.all(np.abs(y) <= np.abs(x))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", elementary.NAMES)
def test_a_number_has_one_result_wherever_it_stands_in_the_loop(name: str, dtype: str):
    """SIMD lanes and the scalar remainder of a loop compute the same bits."""
    x = np.abs(np.random.default_rng(27).normal(0, 2, 131).astype(dtype))
    inputs = (x, x[::-1]) if name in BINARY else (x,)
    together = loop(name, dtype)(*inputs)
    alone = [loop(name, dtype)(*(a[i : i + 1] for a in inputs))[0] for i in range(len(x))]
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("name", elementary.NAMES)
@pytest.mark.parametrize("type", [ir.FloatType(), ir.DoubleType()])
def test_no_call_but_intrinsics_and_no_branch_but_for_large_angles(name: str, type: ir.Type):
    arity = 2 if name in BINARY else 1
    function = ir.Function(ir.Module(), ir.FunctionType(type, [type] * arity), name)
    builder = ir.IRBuilder(function.append_basic_block())
    result = elementary.emit(name, builder, *function.args)
    assert result.type == type
    assert len(function.blocks) == (3 if name in ANGLES else 1)
    assert not builder.block.is_terminated
    called = [i.callee.name for block in function.blocks for i in block.instructions if isinstance(i, ir.CallInstr)]
    assert all(callee.startswith("llvm.") for callee in called)


@pytest.mark.parametrize("name", [*ROUNDED, "power"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_on_a_processor_that_does_not_multiply_and_add_at_once(name, dtype, monkeypatch):
    """The bounds above hold there too: the results are no further apart than twice as much."""
    x = np.concatenate([special(dtype), all_exponents(dtype, np.random.default_rng(0), 9)])
    x = x[(np.abs(x) <= 1e5) | ~np.isfinite(x)] if name in ANGLES else x
    inputs = [x] if name != "power" else [x, np.resize(special(dtype), x.size)]
    expected = loop(name, dtype)(*inputs)
    monkeypatch.setattr(number, "fused", lambda: False)
    other = compile_loop(partial(elementary.emit, name), len(inputs), dtype)
    assert not re.search(r"vfn?m(add|sub)|call|jmp.*fma", other.assembly)
    found = other(*inputs)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(found[~finite], expected[~finite])
    units = np.abs(found[finite] - expected[finite]) / np.spacing(np.abs(expected[finite]))
    assert units.max() <= 2 * BOUNDS[dtype][name]


@pytest.mark.parametrize(
    "name", [name for name in ROUNDED if name not in ANGLES]
)  # LLVM itself does not cross a branch
@pytest.mark.parametrize("dtype", DTYPES)
def test_loops_are_vectorised(name: str, dtype: str):
    single = dtype == "f4"
    patterns = {
        "x86_64": rf"vfn?madd\w+p{'s' if single else 'd'}\s.*%[yz]mm" if fused() else r"mulpd\s.*%xmm",
        "aarch64": rf"fml[as]\s+v\d+\.{'4s' if single else '2d'}",
    }
    machine = {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    assembly = loop(name, dtype).assembly
    assert re.search(patterns[machine], assembly)
    assert not re.search(r"^\s*(callq?|bl)\s", assembly, re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "operands", "error", "message"),
    [
        (
            "gamma",
            [ir.Constant(ir.FloatType(), 1.0)],
            ConfigurationError,
            "'gamma' is unknown; expected one of absolute",
        ),
        ("power", [ir.Constant(ir.FloatType(), 1.0)], ConfigurationError, "power takes 2 operands, got 1; pass 2"),
        ("exp", [ir.Constant(ir.IntType(32), 1)], DTypeError, "all float or all double, got i32; convert"),
        (
            "maximum",
            [ir.Constant(ir.FloatType(), 1.0), ir.Constant(ir.DoubleType(), 1.0)],
            DTypeError,
            "all float or all double, got float, double; convert",
        ),
    ],
)
def test_errors_say_what_to_do(name: str, operands: list[ir.Value], error: type[Exception], message: str):
    builder = ir.IRBuilder(ir.Function(ir.Module(), ir.FunctionType(ir.VoidType(), []), "f").append_basic_block())
    with pytest.raises(error, match=re.escape(message)):
        elementary.emit(name, builder, *operands)


def exhaustive(name: str) -> str:
    """The largest float32 error over all arguments (sin and cos: up to 10⁵)."""
    worst, at, step = 0.0, 0.0, 1 << 20
    for start in range(0, 1 << 32, step):
        x = np.arange(start, start + step, dtype="u4").view("f4")
        if name in ANGLES:
            x = x[~(np.abs(x) > 1e5)]
        if len(x):
            errors = ulps(loop(name, "f4")(x), getattr(np, name)(x.astype("f8")))
            if errors.max() > worst:
                worst, at = float(errors.max()), float(x[errors.argmax()])
    return f"{name}: {worst:.4f} ulp at {at.hex()}\n"


if __name__ == "__main__":
    with np.errstate(all="ignore"):
        for chosen in sys.argv[1:] or ROUNDED:
            sys.stdout.write(exhaustive(chosen))
            sys.stdout.flush()
