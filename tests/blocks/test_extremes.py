"""Where equations lose digits, and the differences at extreme arguments that are known and not yet mended."""

import numpy as np
import pytest

import chainrule
from chainrule import compile, grad, tensor
from chainrule.graph.block import Elementwise
from chainrule.testing import all_blocks
from chainrule.testing.blocks import with_distinct_settings

ENGINES = {"eager": lambda function: function, "compiled": compile}


def gradient_of(function):
    return lambda x: grad(function(x).sum(), x)


def run(engine, function, x, dtype="float32"):
    return ENGINES[engine](function)(tensor(np.array(x), dtype=dtype)).numpy()


def exact_gradient(name, x):
    """sech² x, and e⁻ˣ / (1 + e⁻ˣ)², in float64 and without a difference that cancels."""
    x = np.array(x, np.float64)
    return 1 / np.cosh(x) ** 2 if name == "tanh" else 1 / (2 * np.cosh(x / 2)) ** 2


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("name", "x", "least", "most"),
    [
        ("tanh", 2.0, 0, 1e-5),
        ("tanh", 8.0, 0.03, 0.1),
        ("tanh", 10.0, 1, 1),
        ("sigmoid", 5.0, 0, 1e-4),
        ("sigmoid", 15.0, 0.05, 0.2),
        ("sigmoid", 17.0, 1, 1),
        ("sigmoid", -15.0, 0, 1e-6),
        ("sigmoid", -80.0, 0, 1e-6),
    ],
)
def test_gradients_lose_the_digits_that_their_docstrings_say(name, x, least, most, engine):
    expected = exact_gradient(name, x)
    error = abs(float(run(engine, gradient_of(getattr(chainrule, name)), x)) - expected) / expected
    assert least <= error <= most


#: What is computed, for which number, what is expected, where it is not so, and why.
KNOWN = [
    ("relu", chainrule.relu, -0.0, 0.0, [], ""),
    ("square root of -0 as a power", lambda x: x**0.5, -0.0, 0.0, [], ""),
    ("square root of -inf as a power", lambda x: x**0.5, -np.inf, np.inf, [], ""),
    ("square root as a power", lambda x: x**0.5, [np.inf, 0.0, -1.0, 4.0], [np.inf, 0.0, np.nan, 2.0], [], ""),
    ("gradient of logsumexp", gradient_of(chainrule.logsumexp), [1.0, np.inf], [0.0, np.nan], [], ""),
    ("gradient of logsumexp beside what overflows", gradient_of(chainrule.logsumexp), [np.inf, 100.0], [np.nan, 0.0],
     [], ""),
    ("gradient of a power", gradient_of(lambda x: x**1e-30), -1.0, np.nan, ["eager", "compiled"],
     "10⁻³⁰ - 1 is rounded to -1, a power that negative numbers have; PyTorch gives the same"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("function", "x", "expected", "engine"),
    [
        pytest.param(
            function, x, expected, engine,
            marks=[pytest.mark.xfail(strict=True, reason=reason)] if engine in failing else [],
            id=f"{what}, {engine}",
        )
        for what, function, x, expected, failing, reason in KNOWN
        for engine in ENGINES
    ],
)  # fmt: skip
def test_known_differences(function, x, expected, engine):
    found = run(engine, function, x)
    np.testing.assert_array_equal(found, np.array(expected, np.float32))
    numbers = ~np.isnan(found)  # a NaN has no sign to speak of
    np.testing.assert_array_equal(np.signbit(found)[numbers], np.signbit(expected)[numbers])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_root_as_a_power_wherever_the_exponent_stands(dtype, engine):
    bases = np.array([[-np.inf], [-0.0], [0.0], [np.inf], [np.nan], [-1.0], [9.0]], dtype)
    exponents = np.array([[0.5, 2.0, 0.5, -0.0]], dtype)
    expected = np.array([[np.inf, 0.0, 0.0, np.inf, np.nan, np.nan, 3.0]], dtype).T
    power = ENGINES[engine](chainrule.power)
    for exponent in (exponents, exponents[:, :1], exponents[0, 0]):
        found = power(tensor(bases, dtype=dtype), tensor(exponent, dtype=dtype)).numpy()
        np.testing.assert_array_equal(found[:, :1], expected)
        assert not np.signbit(found[:3, 0]).any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("block", [b for b in all_blocks(Elementwise) if b.extremes], ids=lambda block: block.name)
def test_engines_agree_at_special_numbers(block, dtype):
    """At zeros of either sign, infinities, NaN and the smallest numbers: the same value, NaN and sign of a zero."""
    numbers = np.array([0.0, np.inf, np.nan, 0.5, 1.0, 2.0, 3.0, 1e30], dtype)
    tiny = np.finfo(dtype).tiny
    numbers = np.concatenate([numbers, -numbers, np.array([1, 0.3, 0.01], dtype) * tiny, [-0.3 * tiny]]).astype(dtype)
    if block.name in ("floor_divide", "remainder"):  # what a division leaves of a subnormal number is one, and then 0
        numbers = numbers[(numbers == 0) | ~(np.abs(numbers) < tiny)]
    for sample in with_distinct_settings(block.samples()):
        held = [numbers if x.dtype.kind == "f" else np.unique(x) for x in sample.inputs]
        inputs = [tensor(x.ravel(), dtype=x.dtype) for x in np.meshgrid(*held)]

        def both(*tensors, run=sample.block, wanted=block.differentiable):
            value = run(*tensors)
            leaves = [x for x in tensors if wanted and x.spec.floating]
            return [value, *(grad(value, leaves, np.ones(value.shape, value.dtype)) if leaves else [])]

        for found, exact in zip(compile(both)(*inputs), both(*inputs), strict=True):
            a, b = found.numpy(), exact.numpy()
            # Where a result, or one on the way to it, is subnormal, compiled code has 0 instead.
            np.testing.assert_allclose(a, b, rtol={"float32": 3e-6, "float64": 1e-13}[dtype], atol=1000 * tiny)
            if a.dtype.kind == "f" and block.name not in ("maximum", "minimum"):  # of 0 and -0 they may be either
                zeros = (a == 0) & (b == 0)
                np.testing.assert_array_equal(np.signbit(a)[zeros], np.signbit(b)[zeros])
