"""Operators that combine numbers along axes, and products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import blocks as b
from chainrule.blocks.scan import CumulativeSum, Recurrence
from chainrule.graph.tensor import Tensor
from chainrule.onnx.reading.shapes import taken
from chainrule.onnx.reading.step import Step, constant, reads

REDUCTIONS: dict[str, Any] = {
    "ReduceSum": b.sum,
    "ReduceMean": b.mean,
    "ReduceMax": b.max,
    "ReduceMin": b.min,
    "ReduceProd": b.prod,
    "ReduceL1": lambda x, axis, keepdims: b.sum(b.absolute(x), axis, keepdims),
    "ReduceL2": lambda x, axis, keepdims: b.sqrt(b.sum(x * x, axis, keepdims)),
    "ReduceSumSquare": lambda x, axis, keepdims: b.sum(x * x, axis, keepdims),
    "ReduceLogSum": lambda x, axis, keepdims: b.log(b.sum(x, axis, keepdims)),
    "ReduceLogSumExp": lambda x, axis, keepdims: _log_sum_exp(x, axis, keepdims),
}

#: Of no axis at all.
OF_ONE: dict[str, Callable[[Tensor], Tensor]] = {
    "ReduceL1": b.absolute,
    "ReduceL2": b.absolute,
    "ReduceSumSquare": b.square,
    "ReduceLogSum": b.log,
}


def _log_sum_exp(x: Tensor, axis: tuple[int, ...], keepdims: bool) -> Tensor:
    if any(x.shape[a] == 0 for a in axis):
        return b.log(b.sum(b.exp(x), axis, keepdims))
    largest = b.max(x, axis, keepdims=True)
    largest = b.stop_gradient(b.where(b.isfinite(largest), largest, 0))
    total = b.log(b.sum(b.exp(x - largest), axis, keepdims=True)) + largest
    return total if keepdims else b.reshape(total, [n for i, n in enumerate(x.shape) if i not in axis])


def _reduced(step: Step, x: Tensor, axes: Any) -> Tensor:
    keepdims = bool(step.get("keepdims", 1))
    if not axes and axes is not None and step.get("noop_with_empty_axes", 0):
        return OF_ONE.get(step.operator, b.identity)(x)
    axis = tuple(range(x.spec.rank)) if not axes else tuple(a % x.spec.rank for a in axes)
    truth = x.dtype == np.bool_
    if x.spec.size == 0 and step.operator in ("ReduceMax", "ReduceMin"):
        size = [1 if i in axis else n for i, n in enumerate(x.shape)]
        shape = size if keepdims else [n for i, n in enumerate(x.shape) if i not in axis]
        if truth:
            return b.full(shape, step.operator == "ReduceMin")
        limits: Any = np.iinfo(x.dtype) if x.dtype.kind in "iu" else None
        low, high = (-np.inf, np.inf) if limits is None else (limits.min, limits.max)
        return b.full(shape, low if step.operator == "ReduceMax" else high, x.dtype)
    if truth:
        x = b.cast(x, "int32")
    found = REDUCTIONS[step.operator](x, axis, keepdims)
    return b.cast(found, np.bool_) if truth else b.cast(found, x.dtype)


def _with_attribute(step: Step, x: Tensor) -> Tensor:
    return _reduced(step, x, step.get("axes"))


def _with_input(step: Step, x: Tensor, axes: Tensor | None = None) -> Tensor:
    chosen = [] if axes is None else step.numbers(1, axes, "the shape")
    return _reduced(step, x, chosen)


for _name in REDUCTIONS:
    reads(_name)(_with_attribute)
    reads(_name, since=13 if _name == "ReduceSum" else 18)(_with_input)


@reads("ArgMax", "ArgMin")
def _place(step: Step, x: Tensor) -> Tensor:
    axis = step.get("axis", 0) % x.spec.rank
    find = b.argmax if step.operator == "ArgMax" else b.argmin
    if step.get("select_last_index", 0):
        turned = b.index(x, tuple(slice(None, None, -1) if i == axis else slice(None) for i in range(x.spec.rank)))
        found = x.shape[axis] - 1 - find(turned, axis)
    else:
        found = find(x, axis)
    return b.expand(found, axis) if step.get("keepdims", 1) else found


@reads("Softmax", "LogSoftmax", "Hardmax")
def _softmax_of_rows(step: Step, x: Tensor) -> Tensor:
    """Of all axes from one on, taken together."""
    axis = step.get("axis", 1) % x.spec.rank
    rows = b.reshape(x, (int(np.prod(x.shape[:axis])), int(np.prod(x.shape[axis:]))))
    return b.reshape(_softmax_along(step, rows, 1), x.shape)


@reads("Softmax", "LogSoftmax", "Hardmax", since=13)
def _softmax(step: Step, x: Tensor) -> Tensor:
    return _softmax_along(step, x, step.get("axis", -1) % x.spec.rank)


def _softmax_along(step: Step, x: Tensor, axis: int) -> Tensor:
    if step.operator == "Hardmax":
        places = b.reshape(b.cast(b.iota(x.shape[axis]), "int64"), [-1 if i == axis else 1 for i in range(x.spec.rank)])
        return b.cast(b.equal(places, b.expand(b.argmax(x, axis), axis)), x.dtype)
    return b.softmax(x, axis) if step.operator == "Softmax" else b.log_softmax(x, axis)


@reads("CumSum")
def _cumulative_sum(step: Step, x: Tensor, axis: Tensor) -> Tensor:
    along = step.numbers(1, axis, "the axis")[0] % x.spec.rank
    total = CumulativeSum(along, bool(step.get("reverse", 0)))(x)
    total = b.cast(total, x.dtype)
    return total - x if step.get("exclusive", 0) else total


@reads("CumProd")
def _cumulative_product(step: Step, x: Tensor, axis: Tensor) -> Tensor:
    """As a recurrence: yᵢ = xᵢ yᵢ₋₁, which begins with 1."""
    along, back = step.numbers(1, axis, "the axis")[0] % x.spec.rank, bool(step.get("reverse", 0))
    if not x.spec.floating:
        raise step.refuse(f"of {x.dtype} there is none; expected float32 or float64")
    size = x.shape[along]
    ends = b.reshape(b.equal(b.cast(b.iota(size), "int64"), size - 1 if back else 0),
                     [-1 if i == along else 1 for i in range(x.spec.rank)])  # fmt: skip
    if step.get("exclusive", 0):
        order = np.clip(np.arange(size) + (1 if back else -1), 0, size - 1)
        x = b.where(ends, 1, taken(x, constant(order), along))
    start = b.where(ends, x, 0)
    return Recurrence(along, back)(b.where(ends, 0, x), start)


@reads("TopK")
def _top(step: Step, x: Tensor, k: Tensor | None = None) -> list[Tensor]:
    count = step.get("k") if k is None else step.numbers(1, k, "the shape")[0]
    values, places = b.topk(x, count, step.get("axis", -1), bool(step.get("largest", 1)))
    return [values, places]


@reads("MatMul")
def _matmul(step: Step, x: Tensor, y: Tensor) -> Tensor:  # noqa: ARG001
    if x.spec.floating:
        return b.matmul(x, y)
    return b.cast(b.matmul(b.cast(x, "float64"), b.cast(y, "float64")), x.dtype)


@reads("Gemm")
def _product(step: Step, x: Tensor, y: Tensor, added: Tensor | None = None) -> Tensor:
    x = b.transpose(x, (1, 0)) if step.get("transA", 0) else x
    y = b.transpose(y, (1, 0)) if step.get("transB", 0) else y
    product, alpha, beta = b.matmul(x, y), step.get("alpha", 1.0), step.get("beta", 1.0)
    product = product if alpha == 1 else alpha * product
    if added is None:
        return product
    return product + (added if beta == 1 else beta * added)


@reads("Einsum")
def _einsum(step: Step, *x: Tensor) -> Tensor:
    return b.einsum(step.get("equation").decode().replace(" ", ""), *x)


@reads("LpNormalization")
def _normalized(step: Step, x: Tensor) -> Tensor:
    axis, p = step.get("axis", -1) % x.spec.rank, step.get("p", 2)
    length = b.sum(b.absolute(x), axis, True) if p == 1 else b.sqrt(b.sum(x * x, axis, True))
    return b.where(b.equal(length, 0), 0, x / b.where(b.equal(length, 0), 1, length))
