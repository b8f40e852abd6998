"""Elementwise operators."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from chainrule import blocks as b
from chainrule.graph.array import DTYPES
from chainrule.graph.tensor import Tensor
from chainrule.onnx.library import library
from chainrule.onnx.reading.narrow import Narrow, is_narrow
from chainrule.onnx.reading.step import Step, Value, constant, held, reads

FUNCTIONS: dict[str, Callable[[Any], Tensor]] = {
    "Abs": b.absolute,
    "Ceil": b.ceil, "Cos": b.cos, "Erf": b.erf, "Exp": b.exp, "Floor": b.floor, "Identity": b.identity,
    "IsNaN": b.isnan, "Log": b.log, "Neg": b.negative, "Not": b.logical_not, "Reciprocal": b.reciprocal, "Relu": b.relu,
    "Round": b.round, "Sigmoid": b.sigmoid, "Sign": b.sign, "Sin": b.sin, "Softplus": b.softplus,
    "Softsign": b.softsign, "Sqrt": b.sqrt, "Tan": b.tan, "Tanh": b.tanh, "Mish": b.mish,
    "Sinh": lambda x: (b.expm1(x) - b.expm1(-x)) / 2, "Cosh": lambda x: (b.exp(x) + b.exp(-x)) / 2,
    "Asinh": lambda x: b.sign(x) * b.log(b.absolute(x) + b.sqrt(x * x + 1)),
    "Acosh": lambda x: b.log(x + b.sqrt(x * x - 1)), "Atanh": lambda x: (b.log1p(x) - b.log1p(-x)) / 2,
    "HardSwish": lambda x: x * b.clamp(x / 6 + 0.5, 0, 1),
}  # fmt: skip
PAIRED: dict[str, Callable[[Any, Any], Tensor]] = {
    "Add": b.add, "Sub": b.subtract, "Mul": b.multiply, "Equal": b.equal, "Less": b.less, "Greater": b.greater,
    "LessOrEqual": b.less_equal, "GreaterOrEqual": b.greater_equal, "And": b.logical_and, "Or": b.logical_or,
    "Xor": b.logical_xor, "PRelu": lambda x, slope: b.where(b.less(x, 0), x * slope, x),
}  # fmt: skip


def _function(operator: str) -> Any:
    return lambda step, x: FUNCTIONS[operator](x)  # noqa: ARG005


def _paired(operator: str) -> Any:
    return lambda step, x, y: PAIRED[operator](x, y)  # noqa: ARG005


for _name in FUNCTIONS:
    reads(_name)(_function(_name))
for _name in PAIRED:
    reads(_name)(_paired(_name))


@reads("Identity", arrays=True)
def _identity(step: Step, x: Value) -> Value:  # noqa: ARG001
    return (
        b.identity(x)
        if isinstance(x, Tensor)
        else Narrow(b.identity(x.numbers), x.dtype)
        if isinstance(x, Narrow)
        else x
    )


@reads("Div")
def _divide(step: Step, x: Tensor, y: Tensor) -> Tensor:  # noqa: ARG001
    """Whole numbers are divided towards 0."""
    if x.spec.floating:
        return b.divide(x, y)
    quotient, rest = b.floor_divide(x, y), b.remainder(x, y)
    if x.dtype.kind == "u":
        return quotient
    return b.where(b.logical_and(b.less(quotient, 0), b.not_equal(rest, 0)), quotient + 1, quotient)


@reads("Mod")
def _modulo(step: Step, x: Tensor, y: Tensor) -> Tensor:
    """By the sign of the divisor, or with `fmod` by that of the dividend."""
    if not step.get("fmod", 0):
        return b.remainder(x, y)
    rest = b.remainder(b.absolute(x), b.absolute(y))
    return b.where(b.less(x, 0), -rest, rest) if x.dtype.kind != "u" else rest


@reads("Pow")
def _power(step: Step, x: Tensor, y: Tensor) -> Tensor:  # noqa: ARG001
    """In the dtype of the base."""
    if x.spec.floating:
        return b.power(x, b.cast(y, x.dtype))
    return b.cast(b.power(b.cast(x, "float64"), b.cast(y, "float64")), x.dtype)


@reads("Sum", "Max", "Min", "Mean")
def _several(step: Step, *x: Tensor) -> Tensor:
    combine = {"Max": b.maximum, "Min": b.minimum}.get(step.operator, b.add)
    total: Tensor = reduce(combine, x) if len(x) > 1 else b.identity(x[0])
    return total / len(x) if step.operator == "Mean" else total


@reads("Clip")
def _clip_attributes(step: Step, x: Tensor) -> Tensor:
    return b.clamp(x, step.get("min"), step.get("max"))


@reads("Clip", since=11)
def _clip(step: Step, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:  # noqa: ARG001
    x = x if low is None else b.maximum(x, low)
    return b.identity(x) if high is None else b.minimum(x, high)


@reads("Elu")
def _elu(step: Step, x: Tensor) -> Tensor:
    return b.where(b.less(x, 0), step.get("alpha", 1.0) * b.expm1(b.minimum(x, 0)), x)


@reads("Celu")
def _celu(step: Step, x: Tensor) -> Tensor:
    alpha = step.get("alpha", 1.0)
    return b.maximum(x, 0) + b.minimum(alpha * b.expm1(b.minimum(x, 0) / alpha), 0)


@reads("Selu")
def _selu(step: Step, x: Tensor) -> Tensor:
    alpha, gamma = step.get("alpha", 1.67326319217681884765625), step.get("gamma", 1.05070102214813232421875)
    y: Tensor = gamma * b.where(b.less_equal(x, 0), alpha * b.expm1(b.minimum(x, 0)), x)
    return y


@reads("LeakyRelu")
def _leaky(step: Step, x: Tensor) -> Tensor:
    return b.where(b.less(x, 0), step.get("alpha", 0.01) * x, x)


@reads("ThresholdedRelu")
def _thresholded(step: Step, x: Tensor) -> Tensor:
    return b.where(b.greater(x, step.get("alpha", 1.0)), x, 0)


@reads("HardSigmoid")
def _hard_sigmoid(step: Step, x: Tensor) -> Tensor:
    return b.clamp(step.get("alpha", 0.2) * x + step.get("beta", 0.5), 0, 1)


@reads("Shrink")
def _shrink(step: Step, x: Tensor) -> Tensor:
    bias, limit = step.get("bias", 0.0), step.get("lambd", 0.5)
    return b.where(b.less(x, -limit), x + bias, b.where(b.greater(x, limit), x - bias, 0))


@reads("Gelu")
def _gelu(step: Step, x: Tensor) -> Tensor:
    if step.get("approximate", b"none") == b"tanh":
        return 0.5 * x * (1 + b.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    return 0.5 * x * (1 + b.erf(x * math.sqrt(0.5)))


@reads("Swish")
def _swish(step: Step, x: Tensor) -> Tensor:
    return x * b.sigmoid(step.get("alpha", 1.0) * x)


@reads("IsInf")
def _is_infinite(step: Step, x: Tensor) -> Tensor:
    above = b.equal(x, math.inf) if step.get("detect_positive", 1) else b.full(x.shape, False)
    below = b.equal(x, -math.inf) if step.get("detect_negative", 1) else b.full(x.shape, False)
    return b.logical_or(above, below)


@reads("Where")
def _where(step: Step, condition: Tensor, x: Tensor, y: Tensor) -> Tensor:  # noqa: ARG001
    return b.where(condition, x, y)


@reads("Cast", arrays=True)
def _cast(step: Step, x: Value) -> Value:
    return converted(step, x, step.get("to"))


@reads("CastLike", arrays=True)
def _cast_like(step: Step, x: Value, like: Value) -> Value:
    return converted(step, x, library("helper").np_dtype_to_tensor_dtype(like.dtype))  # type: ignore[union-attr]


def converted(step: Step, x: Value, kind: int) -> Value:
    """A value in another dtype; of dtypes that tensors do not have, only constants."""
    dtype = np.dtype(library("helper").tensor_dtype_to_np_dtype(kind))
    x = x.numbers if isinstance(x, Narrow) else x
    if isinstance(x, Tensor):
        if is_narrow(dtype):
            return Narrow.wrapped(x, dtype)
        if dtype not in DTYPES:
            raise step.refuse(f"there are no tensors of {dtype}")
        return b.identity(b.cast(x, dtype))
    if dtype.kind == "O" or x.dtype.kind == "O":  # type: ignore[union-attr]
        raise step.refuse("there are no tensors of texts")
    return held(x.astype(dtype))  # type: ignore[union-attr]


@reads("BitwiseNot")
def _bitwise_not(step: Step, x: Tensor) -> Tensor:
    if x.dtype.kind != "i":
        raise step.refuse(f"of {x.dtype} there is none; expected int32 or int64")
    return -1 - x


@reads("Dropout")
def _dropout(step: Step, x: Tensor, ratio: Tensor | None = None, training: Tensor | None = None) -> list[Tensor]:
    """Nothing is dropped: a trained graph that is trained on says so itself."""
    dropped = 0.5 if ratio is None else float(step.known(1, ratio, "whether something is dropped").reshape(()))
    if training is not None and bool(step.known(2, training, "whether something is dropped")) and dropped:
        raise step.refuse("it drops numbers by a generator of its own; expected training_mode to be false")
    return [b.identity(x), b.full(x.shape, True)]


@reads("Constant", arrays=True)
def _constant(step: Step) -> Value:
    kinds = {"value_float": np.float32, "value_int": np.int64, "value_floats": np.float32, "value_ints": np.int64}
    for name, dtype in kinds.items():
        if name in step.attributes:
            return constant(step.get(name), dtype)
    if "value" not in step.attributes:
        raise step.refuse("expected numbers as its value")
    return held(library("numpy_helper").to_array(step.get("value")))


@reads("BitShift")
def _bit_shift(step: Step, x: Tensor, by: Tensor) -> Tensor:
    """Times a power of 2, or divided by one and rounded down; a shift below 0 is one by more bits than there are."""
    wide, by = b.cast(x, "int64"), b.cast(by, "int64")
    few = b.logical_and(b.greater_equal(by, 0), b.less(by, 8 * x.dtype.itemsize))
    powers = b.gather(constant(2 ** np.arange(63), np.int64), b.where(few, b.minimum(by, 62), 62))
    if step.get("direction") == b"LEFT":
        return b.cast(b.where(few, wide * powers, 0), x.dtype)
    return b.cast(b.floor_divide(wide, powers), x.dtype)
