"""Quantized numbers: y = round(x / scale) + zero point, and operators on such, as arithmetic of float32 and int32.

Halves are rounded to even numbers, and what is beyond the range of a dtype becomes its smallest or largest number.
Products of whole numbers are added up in float64, where their sums are exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import blocks as b
from chainrule.graph.tensor import Tensor
from chainrule.onnx.library import library
from chainrule.onnx.reading.narrow import Narrow, is_narrow
from chainrule.onnx.reading.shapes import taken
from chainrule.onnx.reading.step import Step, Value, constant, reads
from chainrule.onnx.reading.windows import convolved, stencil_of

UINT8 = np.dtype(np.uint8)


def _numbers(x: Value) -> Tensor:
    """As whole numbers of int32."""
    return x.numbers if isinstance(x, Narrow) else b.identity(x)  # type: ignore[arg-type]


def _spread(step: Step, small: Tensor, x: Tensor) -> Tensor:
    """One number, one for each place on an axis, or one for each block of places on it, along the axes of x."""
    size = step.get("block_size", 0)
    if small.spec.size == 1 and not size:
        return b.reshape(small, ())
    axis = step.get("axis", 1) % x.spec.rank
    if small.spec.rank == 1 and not size:
        return b.reshape(small, [-1 if i == axis else 1 for i in range(x.spec.rank)])
    places = np.arange(x.shape[axis]) // max(size, 1)
    return taken(small, constant(places), axis)


@reads("QuantizeLinear", arrays=True)
def _quantize(step: Step, x: Tensor, scale: Tensor, zero: Value = None) -> Narrow:
    dtype = UINT8 if zero is None else zero.dtype
    if zero is None and step.get("output_dtype", 0):
        dtype = np.dtype(library("helper").tensor_dtype_to_np_dtype(step.get("output_dtype")))
    _require(step, dtype)
    y = b.round(b.cast(x, "float32") / _spread(step, b.cast(scale, "float32"), x))
    if zero is not None:
        y = y + b.cast(_spread(step, _numbers(zero), x), "float32")
    return Narrow.saturated(y, dtype)


@reads("DequantizeLinear", arrays=True)
def _dequantize(step: Step, x: Value, scale: Tensor, zero: Value = None) -> Tensor:
    _require(step, x.dtype)  # type: ignore[union-attr]
    numbers = _numbers(x)
    if zero is not None:
        numbers = numbers - _spread(step, _numbers(zero), numbers)
    y: Tensor = b.cast(numbers, scale.dtype) * _spread(step, scale, numbers)
    return y


@reads("DynamicQuantizeLinear", arrays=True)
def _quantize_by_range(step: Step, x: Tensor) -> list[Value]:  # noqa: ARG001
    """By the smallest and the largest number, and 0."""
    least, most = b.minimum(b.min(x), 0), b.maximum(b.max(x), 0)
    scale = (most - least) / 255
    zero = b.clamp(b.round(-least / scale), 0, 255)
    y = Narrow.saturated(b.round(x / scale) + zero, UINT8)
    return [y, scale, Narrow.saturated(zero, UINT8)]


@reads("MatMulInteger", arrays=True)
def _product(step: Step, x: Value, y: Value, x_zero: Value = None, y_zero: Value = None) -> Tensor:  # noqa: ARG001
    return b.cast(_sums(x, y, x_zero, y_zero), "int32")


@reads("QLinearMatMul", arrays=True)
def _scaled_product(
    step: Step, x: Value, x_scale: Tensor, x_zero: Value, y: Value, y_scale: Tensor, y_zero: Value,
    scale: Tensor, zero: Value,
) -> Narrow:  # fmt: skip
    y_scale = b.cast(y_scale, "float32")
    found = _sums(x, y, x_zero, y_zero)
    return _scaled(step, found, _row(b.cast(x_scale, "float32")) * y_scale / b.cast(scale, "float32"), zero)


@reads("ConvInteger", arrays=True)
def _convolution(step: Step, x: Value, weight: Value, x_zero: Value = None, weight_zero: Value = None) -> Tensor:
    return b.cast(_convolved(step, x, weight, x_zero, weight_zero), "int32")


@reads("QLinearConv", arrays=True)
def _scaled_convolution(
    step: Step, x: Value, x_scale: Tensor, x_zero: Value, weight: Value, weight_scale: Tensor, weight_zero: Value,
    scale: Tensor, zero: Value, bias: Tensor | None = None,
) -> Narrow:  # fmt: skip
    found = _convolved(step, x, weight, x_zero, weight_zero)
    channels = (1, -1, *[1] * (found.spec.rank - 2))
    if bias is not None:
        found = found + b.reshape(b.cast(bias, "float64"), channels)
    by = x_scale * weight_scale / scale
    return _scaled(step, found, b.reshape(by, channels) if by.spec.size > 1 else b.reshape(by, ()), zero)


def _scaled(step: Step, sums: Tensor, by: Tensor, zero: Value) -> Narrow:
    """Sums of products, as quantized numbers again."""
    _require(step, zero.dtype)  # type: ignore[union-attr]
    point = b.cast(b.reshape(_numbers(zero), ()), "float32")
    return Narrow.saturated(b.round(b.cast(sums, "float32") * by) + point, zero.dtype)  # type: ignore[union-attr]


def _less_zero(x: Value, zero: Value, shape: Any = None) -> Tensor:
    """x minus its zero point, float64."""
    numbers = b.cast(_numbers(x), "float64")
    if zero is None:
        return numbers
    point = b.cast(_numbers(zero), "float64")
    return numbers - (b.reshape(point, shape) if shape is not None and point.spec.size > 1 else point)


def _sums(x: Value, y: Value, x_zero: Value, y_zero: Value) -> Tensor:
    """The product of two matrices; zero points of the first are of its rows."""
    rows = (-1, 1) if x_zero is not None and len(x_zero.shape) == 1 else None
    return b.matmul(_less_zero(x, x_zero, rows), _less_zero(y, y_zero))


def _row(scale: Tensor) -> Tensor:
    """Scales of rows, as a column."""
    return b.reshape(scale, (-1, 1)) if scale.spec.rank == 1 and scale.spec.size > 1 else scale


def _convolved(step: Step, x: Value, weight: Value, x_zero: Value, weight_zero: Value) -> Tensor:
    filters = (-1, *[1] * (len(weight.shape) - 1))  # type: ignore[union-attr]
    taps, read = _less_zero(weight, weight_zero, filters), _less_zero(x, x_zero)
    stencil = stencil_of(step, read.shape[2:], taps.shape[2:])
    return convolved(read, taps, stencil, step.get("group", 1))


def _require(step: Step, dtype: np.dtype[Any]) -> None:
    if not is_narrow(dtype) and dtype != np.int32:
        raise step.refuse(f"there are no quantized numbers of {dtype}")
