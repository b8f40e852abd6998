"""The test of elementwise blocks at extreme arguments, in units in the last place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, GradientError
from chainrule.graph.accuracy import Accuracy
from chainrule.graph.autodiff import grad
from chainrule.graph.block import Elementwise, Sample
from chainrule.graph.conversion import tensor
from chainrule.graph.spec import FLOAT32, FLOAT64, Array, Spec
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph, trace
from chainrule.native.compile import compile
from chainrule.testing.decimals import Decimals, Value, evaluate_block, evaluate_graph, exact, many_digits


@dataclass(frozen=True)
class Exact:
    """What a block gives for one number of each input, in exact arithmetic.

    Attributes:
        inputs: the numbers.
        value: what `forward` gives for them.
        either_zero: whether a result of 0 may have either sign.
        gradients: what `backward` gives for each input that has a gradient.
    """

    inputs: tuple[Value, ...]
    value: Value
    either_zero: bool
    gradients: Sequence[Value]

    def __str__(self) -> str:
        return ", ".join(str(x) if isinstance(x, bool) else f"{float(x):g}" for x in self.inputs)


def check_extremes(sample: Sample) -> None:
    """Check an elementwise block, eager and compiled, at all combinations of its `extremes`, in float32 and float64.

    The exact value is that of the block's own `forward` in decimal arithmetic of 350 digits, and the exact gradient
    that of its `backward`: the test finds what floating-point arithmetic makes of an equation (digits that cancel,
    intermediate results that overflow, a zero of the other sign). Wherever `forward` has a slope, by differences in the
    same arithmetic, `backward` must be that slope.

    Args:
        sample: a block and inputs; only what is not floating-point is taken from them. Other kinds of block, and blocks
            without floating-point inputs, pass.

    Raises:
        AssertionError: when a value is further from the exact one than the block's `accuracy` allows, or is another
            infinity, NaN or zero.
        GradientError: when a gradient is further from the exact one than `gradient_accuracy` allows, or `backward` is
            not the slope of `forward`.
        ConfigurationError: when `backward` uses blocks that are not elementwise; such a block sets `extremes = ()`.

    Example:
        >>> from chainrule.blocks.activation import Tanh
        >>> check_extremes(Tanh.samples()[0])
    """
    block = sample.block
    if not isinstance(block, Elementwise) or not block.extremes or all(x.dtype.kind != "f" for x in sample.inputs):
        return
    for dtype in (FLOAT64, FLOAT32):
        inputs = _combinations(block, sample.inputs, dtype)
        wanted = [i for i, x in enumerate(inputs) if x.dtype.kind == "f"] if block.differentiable else []
        with many_digits():
            oracle = _oracle(block, inputs, wanted)
            if dtype == FLOAT64:  # in float32 the constants in `backward` are rounded, those in `forward` are not
                _check_slopes(block, oracle, wanted)
            results = _results(block, inputs, wanted)
            for engine, (value, *gradients) in results.items():
                message = _worst(value, [x.value for x in oracle], block.accuracy, oracle, signed=True)
                if message:
                    raise AssertionError(f"{block!r}: value, {engine}, {message}: accuracy = Accuracy(...)")
                for k, gradient in enumerate(gradients):
                    expected = [x.gradients[k] for x in oracle]
                    message = _worst(gradient, expected, block.gradient_accuracy, oracle, signed=False)
                    if message:
                        what = f"gradient with respect to input {wanted[k]}, {engine}"
                        raise GradientError(f"{block!r}: {what}, {message}: gradient_accuracy = Accuracy(...)")
            _check_zeros(block, oracle, **results)


def _combinations(block: Elementwise, inputs: Sequence[Array], dtype: np.dtype[Any]) -> list[Array]:
    """One array an input; together they go through all combinations of extremes."""
    values = []
    for i, x in enumerate(inputs):
        if x.dtype.kind == "f":
            extremes = block.extremes[i] if isinstance(block.extremes[0], tuple) else block.extremes
            values.append(np.array(extremes, FLOAT64).astype(dtype))
        else:
            values.append(np.array([False, True]) if x.dtype.kind == "b" else np.unique(x))
    return [grid.ravel() for grid in np.meshgrid(*values, indexing="ij")]


def _results(block: Elementwise, inputs: Sequence[Array], wanted: Sequence[int]) -> dict[str, list[Array]]:
    """The value and the gradients, eager and compiled."""

    def function(*tensors: Tensor) -> list[Tensor]:
        value = block(*tensors)
        ones = np.ones(value.shape, value.dtype)
        return [value, *(grad(value, [tensors[i] for i in wanted], ones) if wanted else [])]

    tensors = [tensor(x, dtype=x.dtype) for x in inputs]
    results = {"eager": function(*tensors), "compiled": compile(function)(*tensors)}
    return {engine: [x.numpy() for x in found] for engine, found in results.items()}


def _oracle(block: Elementwise, inputs: Sequence[Array], wanted: Sequence[int]) -> list[Exact]:
    """The exact results for each element of the inputs."""
    graph = None
    if wanted:
        scalars = [Spec((), x.dtype) for x in inputs]
        graph = trace(lambda *tensors: grad(block(*tensors), [tensors[i] for i in wanted]), *scalars)
    return [_exact(block, graph, tuple(map(exact, numbers))) for numbers in zip(*inputs, strict=True)]


def _exact(block: Elementwise, gradients: Graph | None, inputs: tuple[Value, ...]) -> Exact:
    xp = Decimals()
    value = evaluate_block(block, *inputs, xp=xp)
    try:
        found = evaluate_graph(gradients, *inputs, xp=xp) if gradients else []
    except ConfigurationError as error:
        raise ConfigurationError(f"{block!r}: backward: {error}; set extremes = () to leave out this test") from None
    return Exact(inputs, value, xp.met_both_zeros, found)


def _check_slopes(block: Elementwise, oracle: Sequence[Exact], wanted: Sequence[int]) -> None:
    for point in oracle:
        for i, gradient in zip(wanted, point.gradients, strict=True):
            slope = _slope(block, point, i)
            if slope is not None and not abs(gradient - slope) <= abs(slope) * Decimal("1e-9") + Decimal("1e-300"):
                raise GradientError(
                    f"{block!r}: gradient with respect to input {i} at {point}: "
                    f"backward gives {float(gradient):.9g}, and the slope of forward is {float(slope):.9g}"
                )


def _check_zeros(block: Elementwise, oracle: Sequence[Exact], eager: list[Array], compiled: list[Array]) -> None:
    """The sign of a zero is the same eager and compiled, in gradients too."""
    for a, b in zip(eager, compiled, strict=True):
        if a.dtype.kind == "f":
            differ = (a == 0) & (b == 0) & (np.signbit(a) != np.signbit(b))
            places = [point for point, other in zip(oracle, differ, strict=True) if other and not point.either_zero]
            if places:
                raise AssertionError(f"{block!r}: at {places[0]} 0 has another sign compiled than eager")


def _slope(block: Elementwise, point: Exact, position: int) -> Decimal | None:
    """The derivative with respect to one input, or None at a kink, a jump, a pole or an infinity.

    The slopes to the left, to the right and over half the way to the right agree where there is a derivative.
    """
    if not all(Decimal(x).is_finite() for x in point.inputs):
        return None
    before, after = point.inputs[:position], point.inputs[position + 1 :]
    x, here = Decimal(point.inputs[position]), Decimal(point.value)
    step = abs(x) * Decimal("1e-25") or Decimal("1e-100")
    right, half, left = (
        (Decimal(evaluate_block(block, *before, x + h, *after)) - here) / h for h in (step, step / 2, -step)
    )
    agree = all(abs(right - other) <= abs(right) * Decimal("1e-12") for other in (half, left))
    return right if agree else None


def _worst(
    found: Array, expected: Sequence[Value], accuracy: Accuracy, oracle: Sequence[Exact], *, signed: bool
) -> str | None:
    """The message about the result with the largest error, when that is more than allowed."""
    errors = [
        _error(x, wanted, accuracy, signed=signed and not point.either_zero)
        for x, wanted, point in zip(found, expected, oracle, strict=True)
    ]
    worst = int(np.argmax(errors))
    if errors[worst] <= accuracy.ulps:
        return None
    with np.errstate(over="ignore"):
        exact_result = found.dtype.type(float(expected[worst]))
    return (
        f"at {oracle[worst]} in {found.dtype.name}: got {found[worst]}, expected {exact_result}; "
        f"the error is {errors[worst]:.3g} units in the last place, allowed: {accuracy}; "
        f"write an equation that loses fewer digits, or declare the loss"
    )


def _error(found: Any, expected: Value, accuracy: Accuracy, *, signed: bool) -> float:
    """The distance in units in the last place; infinite for another infinity, NaN, truth value or (if signed) zero."""
    if not isinstance(found, np.floating):
        return 0.0 if exact(found) == expected else math.inf
    with np.errstate(over="ignore"):
        nearest = type(found)(float(expected))
    if found == 0 and abs(nearest) < np.finfo(type(found)).smallest_normal:  # compiled, subnormal numbers count as 0
        return math.inf if signed and np.signbit(found) != np.signbit(nearest) else 0.0
    if not (np.isfinite(nearest) and np.isfinite(found)):
        return 0.0 if found == nearest or (np.isnan(found) and np.isnan(nearest)) else math.inf
    unit = np.spacing(max(abs(nearest), type(found)(accuracy.least)))
    return float(abs(Decimal(float(found)) - Decimal(expected)) / Decimal(float(unit)))
