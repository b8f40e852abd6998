"""Resizing and sampling of grids: each axis is a matrix of weights, or the numbers around a place are read."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from chainrule import blocks as b
from chainrule.graph.spec import Array
from chainrule.graph.tensor import Tensor
from chainrule.onnx.reading.step import Step, constant, reads


@reads("Upsample")
def _upsample(step: Step, x: Tensor, scales: Tensor | None = None) -> Tensor:
    found = step.get("scales") if scales is None else step.known(1, scales, "the shape").tolist()
    return _resized(step, x, found, None, None, "asymmetric", "floor")


@reads("Resize")
def _resize_10(step: Step, x: Tensor, scales: Tensor) -> Tensor:
    return _resized(step, x, step.known(1, scales, "the shape").tolist(), None, None, "asymmetric", "floor")


@reads("Resize", since=11)
def _resize(
    step: Step, x: Tensor, roi: Tensor | None = None, scales: Tensor | None = None, sizes: Tensor | None = None
) -> Tensor:
    def given(place: int, value: Tensor | None) -> list[Any] | None:
        return None if value is None or value.spec.size == 0 else step.known(place, value, "the shape").tolist()

    coordinates = step.get("coordinate_transformation_mode", b"half_pixel").decode()
    nearest = step.get("nearest_mode", b"round_prefer_floor").decode()
    return _resized(step, x, given(2, scales), given(3, sizes), given(1, roi), coordinates, nearest)


def _resized(
    step: Step,
    x: Tensor,
    scales: list[float] | None,
    sizes: list[int] | None,
    roi: list[float] | None,
    coordinates: str,
    nearest: str,
) -> Tensor:
    axes = [axis % x.spec.rank for axis in step.get("axes", range(x.spec.rank))]
    if scales is None:
        if sizes is None:
            raise step.refuse("expected scales or sizes")
        scales = [size / x.shape[axis] for size, axis in zip(sizes, axes, strict=True)]
        policy = step.get("keep_aspect_ratio_policy", b"stretch")
        if policy != b"stretch":
            one = min(scales) if policy == b"not_larger" else max(scales)
            scales = [one] * len(axes)
            sizes = [int(one * x.shape[axis] + 0.5) for axis in axes]
    else:
        sizes = [math.floor(x.shape[axis] * scale) for axis, scale in zip(axes, scales, strict=True)]
    outside = None
    for i, axis in enumerate(axes):
        part = (0.0, 1.0) if roi is None else (roi[i], roi[i + len(axes)])
        if scales[i] == 1 and sizes[i] == x.shape[axis] and coordinates != "tf_crop_and_resize":
            continue
        size = x.shape[axis]
        places = _coordinates(coordinates, size, sizes[i], scales[i], part)
        x = _along(x, _weights(step, places, size, scales[i], nearest), axis)
        if coordinates == "tf_crop_and_resize":
            beyond = (places < 0) | (places > size - 1)
            beyond = beyond.reshape([-1 if j == axis else 1 for j in range(x.spec.rank)])
            outside = beyond if outside is None else outside | beyond
    if outside is not None and outside.any():
        x = b.where(constant(outside), step.get("extrapolation_value", 0.0), x)
    return b.identity(x)


def _coordinates(mode: str, size: int, count: int, scale: float, roi: tuple[float, float]) -> Array:
    """Where each number that is computed lies among those that are there."""
    y, whole = np.arange(count, dtype=np.float64), scale * size
    if mode == "align_corners":
        return np.zeros(count) if whole == 1 else y * (size - 1) / (whole - 1)
    if mode == "asymmetric":
        return y / scale
    if mode == "tf_crop_and_resize":
        span = (roi[1] - roi[0]) * (size - 1)
        return roi[0] * (size - 1) + (np.full(count, span / 2) if whole == 1 else y * span / (whole - 1))
    if mode == "pytorch_half_pixel" and whole == 1:
        return np.full(count, -0.5)
    middle = size / 2 * (1 - count / whole) if mode == "half_pixel_symmetric" else 0
    return middle + (y + 0.5) / scale - 0.5


def _weights(step: Step, places: Array, size: int, scale: float, nearest: str) -> Array:
    """A matrix (computed, there): what each number that is there counts."""
    mode = step.get("mode", b"nearest").decode()
    if mode == "nearest":
        found: Array = np.eye(size)[np.clip(_nearest(places, nearest), 0, size - 1)]
        return found
    kernel: Callable[[Array], Array] = (
        _hat if mode in ("linear", "bilinear") else _cubic(step.get("cubic_coeff_a", -0.75))
    )
    reach = 1 if mode in ("linear", "bilinear") else 2
    shrink = min(scale, 1.0) if step.get("antialias", 0) else 1.0
    reach = math.ceil(reach / shrink)
    around = np.floor(places).astype(int)[:, None] + np.arange(1 - reach, reach + 1)
    found = kernel((around - places[:, None]) * shrink)
    if step.get("exclude_outside", 0):
        found = np.where((around < 0) | (around >= size), 0, found)
    if step.get("antialias", 0) or step.get("exclude_outside", 0):
        found /= found.sum(axis=1, keepdims=True)
    matrix = np.zeros((len(places), size))
    np.add.at(matrix, (np.arange(len(places))[:, None], np.clip(around, 0, size - 1)), found)
    return matrix


def _nearest(places: Array, mode: str) -> Array:
    if mode.startswith("round"):
        places = np.ceil(places - 0.5) if mode == "round_prefer_floor" else np.floor(places + 0.5)
    return (np.ceil(places) if mode == "ceil" else np.floor(places)).astype(np.int64)


def _hat(x: Array) -> Array:
    found: Array = np.maximum(1 - np.abs(x), 0)
    return found


def _cubic(a: float) -> Callable[[Array], Array]:
    def kernel(x: Array) -> Array:
        x = np.abs(x)
        near = (a + 2) * x**3 - (a + 3) * x**2 + 1
        return np.where(x <= 1, near, np.where(x < 2, a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a, 0))

    return kernel


def _along(x: Tensor, matrix: Array, axis: int) -> Tensor:
    """The product of a matrix and x along an axis."""
    order = (*(i for i in range(x.spec.rank) if i != axis), axis)
    moved = b.transpose(x, order)
    dtype = x.dtype if x.spec.floating else np.dtype(np.float64)
    rows = b.cast(b.reshape(moved, (-1 if x.spec.size else 0, x.shape[axis])), dtype)
    found = b.reshape(b.matmul(rows, constant(matrix.T.astype(dtype))), (*moved.shape[:-1], len(matrix)))
    found = found if x.spec.floating else b.cast(b.round(found), x.dtype)
    return b.transpose(found, tuple(order.index(i) for i in range(x.spec.rank)))


@reads("GridSample")
def _grid_sample(step: Step, x: Tensor, grid: Tensor) -> Tensor:
    """Weights of the numbers around each place, which the grid names from -1 to 1, the last axis first."""
    sizes, axes = x.shape[2:], x.spec.rank - 2
    aligned, mode = bool(step.get("align_corners", 0)), step.get("mode", b"linear").decode().removeprefix("bi")
    padding = step.get("padding_mode", b"zeros").decode()
    batch, channels, places = x.shape[0], x.shape[1], grid.shape[1:-1]
    count = math.prod(places)
    flat = b.reshape(b.transpose(x, (0, *range(2, 2 + axes), 1)), (batch * math.prod(sizes), channels))
    first = constant(np.arange(batch)[:, None] * math.prod(sizes))
    taps, weights = [], []
    for axis, size in enumerate(sizes):
        given = b.reshape(b.index(grid, (..., axes - 1 - axis)), (batch, count))
        place = (given + 1) / 2 * (size - 1) if aligned else ((given + 1) * size - 1) / 2
        place = _inside(place, size, padding, aligned)
        floor = b.floor(place)
        if mode == "nearest":
            near, offsets = b.round(place), [0]
            held: list[Tensor | None] = [None]
        else:
            near, offsets = floor, [0, 1] if mode == "linear" else [-1, 0, 1, 2]
            held = [_kernel(b.absolute(floor + k - place), mode) for k in offsets]
        taps.append([_inside(near + k, size, padding, aligned) for k in offsets])
        weights.append(held)
    total: Any = None
    for chosen in product(*(range(len(each)) for each in taps)):
        flat_place: Any = first
        there: Any = None
        weight: Any = None
        for axis, k in enumerate(chosen):
            here, size = taps[axis][k], sizes[axis]
            inside = b.logical_and(b.greater_equal(here, 0), b.less(here, size))
            there = inside if there is None else b.logical_and(there, inside)
            inner = b.cast(b.clamp(here, 0, size - 1), "int64")
            factor = math.prod(sizes[axis + 1 :])
            flat_place = flat_place + inner * factor
            own = weights[axis][k]
            weight = own if weight is None else weight if own is None else weight * own
        values = b.reshape(b.gather(flat, b.reshape(flat_place, (batch * count,))), (batch, count, channels))
        values = b.where(b.expand(there, 2), values, 0)
        values = values if weight is None else values * b.expand(weight, 2)
        total = values if total is None else total + values
    return b.reshape(b.transpose(total, (0, 2, 1)), (batch, channels, *places))


def _inside(place: Tensor, size: int, padding: str, aligned: bool) -> Tensor:
    """A place, as the padding has those that are outside; with zeros, they stay there."""
    if padding == "border":
        return b.clamp(place, 0, size - 1)
    if padding == "reflection":
        low, high = (0.0, size - 1.0) if aligned else (-0.5, size - 0.5)
        span = max(high - low, 1e-30)
        away = b.remainder(place - low, 2 * span)
        return b.minimum(away, 2 * span - away) + low
    return place


def _kernel(x: Tensor, mode: str) -> Tensor:
    if mode == "linear":
        return b.maximum(1 - x, 0)
    a = -0.75
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    return b.where(b.less_equal(x, 1), near, ((a * x - 5 * a) * x + 8 * a) * x - 4 * a)
