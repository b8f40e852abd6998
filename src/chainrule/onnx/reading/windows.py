"""Convolution and pooling: operators over windows of arrays of shape (batch, channels, *sizes)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from chainrule import blocks as b
from chainrule.blocks.slicing import Unslice
from chainrule.blocks.windows import Stencil, Windows
from chainrule.graph.tensor import Tensor
from chainrule.onnx.reading.step import Step, constant, reads


def stencil_of(step: Step, sizes: Sequence[int], width: Sequence[int]) -> Stencil:
    """Where windows lie, by the attributes of a node."""
    axes = len(width)
    stride = step.get("strides", [1] * axes)
    dilation = step.get("dilations", [1] * axes)
    spans = [d * (w - 1) + 1 for d, w in zip(dilation, width, strict=True)]
    pads = list(step.get("pads", [0] * 2 * axes))
    auto = step.get("auto_pad", b"NOTSET")
    if auto in (b"SAME_UPPER", b"SAME_LOWER"):
        needed = [max((-(-n // s) - 1) * s + span - n, 0) for n, s, span in zip(sizes, stride, spans, strict=True)]
        less, more = [n // 2 for n in needed], [n - n // 2 for n in needed]
        pads = less + more if auto == b"SAME_UPPER" else more + less
    before, after = pads[:axes], pads[axes:]
    if step.get("ceil_mode", 0):
        for i, (n, s, span) in enumerate(zip(sizes, stride, spans, strict=True)):
            places = -(-(n + before[i] + after[i] - span) // s) + 1
            if (places - 1) * s >= n + before[i]:  # a window has to begin before the padding behind the array
                places -= 1
            after[i] = (places - 1) * s + span - n - before[i]
    return Stencil(tuple(width), tuple(stride), tuple(dilation), tuple(before), tuple(after))


def last_channels(x: Tensor) -> Tensor:
    """From (batch, channels, *sizes) to (batch, *sizes, channels)."""
    return b.transpose(x, (0, *range(2, x.spec.rank), 1))


def first_channels(x: Tensor) -> Tensor:
    """The other way."""
    return b.transpose(x, (0, x.spec.rank - 1, *range(1, x.spec.rank - 1)))


def windows(x: Tensor, stencil: Stencil, filling: float = 0.0) -> Tensor:
    """What windows read, shape (batch, *places, numbers of a window, channels); negative padding cuts the array."""
    cut = [(max(-a, 0), n - max(-z, 0)) for a, z, n in zip(stencil.before, stencil.after, x.shape[2:], strict=True)]
    x = b.index(last_channels(x), (slice(None), *(slice(*pair) for pair in cut)))
    before, after = (tuple(max(n, 0) for n in margin) for margin in (stencil.before, stencil.after))
    found = Windows(Stencil(stencil.width, stencil.stride, stencil.dilation, before, after), filling)(x)
    places = found.shape[1 : 1 + stencil.axes]
    return b.reshape(found, (x.shape[0], *places, math.prod(stencil.width), x.shape[-1]))


def convolved(x: Tensor, weight: Tensor, stencil: Stencil, groups: int) -> Tensor:
    """The products of windows and weights: shape (batch, outputs, *places).

    Weights have shape (outputs, inputs / groups, *width).
    """
    found = windows(x, stencil)
    batch, *places, read, channels = found.shape
    outputs, inputs = weight.shape[0], weight.shape[1]
    count = batch * math.prod(places)
    by_group = b.transpose(b.reshape(found, (count, read, groups, channels // groups)), (2, 0, 1, 3))
    taps = b.transpose(b.reshape(weight, (groups, outputs // groups, inputs, read)), (0, 3, 2, 1))
    products = b.matmul(
        b.reshape(by_group, (groups, count, read * inputs)), b.reshape(taps, (groups, read * inputs, outputs // groups))
    )
    rows = b.reshape(b.transpose(products, (1, 0, 2)), (batch, *places, outputs))
    return first_channels(rows)


def _biased(y: Tensor, bias: Tensor | None) -> Tensor:
    return y if bias is None else y + b.reshape(bias, (-1, *[1] * (y.spec.rank - 2)))


@reads("Conv")
def _convolution(step: Step, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    stencil = stencil_of(step, x.shape[2:], weight.shape[2:])
    return _biased(convolved(x, weight, stencil, step.get("group", 1)), bias)


@reads("ConvTranspose")
def _transposed_convolution(step: Step, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The convolution of x, with zeros between its numbers, and the weights turned round."""
    axes, width, groups = x.spec.rank - 2, weight.shape[2:], step.get("group", 1)
    stride, dilation = step.get("strides", [1] * axes), step.get("dilations", [1] * axes)
    more = step.get("output_padding", [0] * axes)
    spans = [d * (w - 1) + 1 for d, w in zip(dilation, width, strict=True)]
    pads, auto = list(step.get("pads", [0] * 2 * axes)), step.get("auto_pad", b"NOTSET")
    wanted = step.get("output_shape")
    if auto in (b"SAME_UPPER", b"SAME_LOWER") and wanted is None:
        wanted = [n * s for n, s in zip(x.shape[2:], stride, strict=True)]
    if wanted is not None:
        whole = zip(x.shape[2:], stride, spans, more, wanted[-axes:], strict=True)
        total = [s * (n - 1) + extra + span - size for n, s, span, extra, size in whole]
        less, rest = [n // 2 for n in total], [n - n // 2 for n in total]
        pads = less + rest if auto == b"SAME_UPPER" else rest + less
    zero, one = (0, 0), (1, 1)
    spread = Unslice(
        (*zero, *[0] * axes),
        (*one, *stride),
        (*x.shape[:2], *((n - 1) * s + 1 if n else 0 for n, s in zip(x.shape[2:], stride, strict=True))),
    )
    before = [span - 1 - a for span, a in zip(spans, pads[:axes], strict=True)]
    after = [span - 1 - z + extra for span, z, extra in zip(spans, pads[axes:], more, strict=True)]
    stencil = Stencil(tuple(width), (1,) * axes, tuple(dilation), tuple(before), tuple(after))
    turned = b.index(weight, (slice(None), slice(None), *[slice(None, None, -1)] * axes))
    inputs, outputs = weight.shape[:2]
    by_group = b.reshape(turned, (groups, inputs // groups, outputs, *width))
    by_group = b.transpose(by_group, (0, 2, 1, *range(3, 3 + axes)))
    taps = b.reshape(by_group, (groups * outputs, inputs // groups, *width))
    return _biased(convolved(spread(x), taps, stencil, groups), bias)


@reads("MaxPool")
def _max_pool(step: Step, x: Tensor) -> list[Tensor]:
    stencil = stencil_of(step, x.shape[2:], step.get("kernel_shape"))
    dtype, x = x.dtype, x if x.spec.floating else b.cast(x, "float64")  # whole numbers have nothing below all of them
    read = windows(x, stencil, -math.inf)
    axis = read.spec.rank - 2
    results = [b.cast(first_channels(b.max(read, axis)), dtype)]
    if step.outputs > 1:
        sizes: tuple[int, ...] = x.shape[2:]
        order: Literal["C", "F"] = "F" if step.get("storage_order", 0) else "C"
        numbers = np.reshape(np.arange(math.prod(sizes)), sizes, order=order)
        every = numbers + np.arange(math.prod(x.shape[:2])).reshape(*x.shape[:2], *[1] * len(sizes)) * numbers.size
        places = windows(constant(every), stencil, -1)
        best = b.take_along_axis(places, b.expand(b.argmax(read, axis), axis), axis)
        results.append(first_channels(b.reshape(best, (*best.shape[:axis], best.shape[-1]))))
    return results


@reads("AveragePool")
def _average_pool(step: Step, x: Tensor) -> Tensor:
    stencil = stencil_of(step, x.shape[2:], step.get("kernel_shape"))
    there = np.ones((1, 1, *x.shape[2:]), x.dtype)
    if step.get("count_include_pad", 0):
        # The padding counts, and what is added so that the last windows are whole does not.
        axes = stencil.axes
        pads = [
            *stencil.before,
            *(stencil.after if "auto_pad" in step.attributes else step.get("pads", [0] * 2 * axes)[axes:]),
        ]
        held = constant(np.pad(there, [(0, 0), (0, 0), *zip(pads[:axes], pads[axes:], strict=True)], constant_values=1))
        rest = [z - p for z, p in zip(stencil.after, pads[axes:], strict=True)]
        counted = Stencil(stencil.width, stencil.stride, stencil.dilation, (0,) * axes, tuple(rest))
        counts = b.sum(windows(held, counted), -2)
    else:
        counts = b.sum(windows(constant(there), stencil), -2)
    return first_channels(b.sum(windows(x, stencil), -2) / counts)


@reads("LpPool")
def _lp_pool(step: Step, x: Tensor) -> Tensor:
    p = step.get("p", 2)
    read = windows(x, stencil_of(step, x.shape[2:], step.get("kernel_shape")))
    return first_channels(b.power(b.sum(b.power(b.absolute(read), p), -2), 1 / p))


@reads("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def _global_pool(step: Step, x: Tensor) -> Tensor:
    axes = tuple(range(2, x.spec.rank))
    if step.operator == "GlobalLpPool":
        p = step.get("p", 2)
        return b.power(b.sum(b.power(b.absolute(x), p), axes, True), 1 / p)
    return (b.max if step.operator == "GlobalMaxPool" else b.mean)(x, axes, True)


@reads("LRN")
def _local_response(step: Step, x: Tensor) -> Tensor:
    size = step.get("size")
    before, after = (size - 1) // 2, size - 1 - (size - 1) // 2
    rank, channels = x.spec.rank, x.shape[1]
    squares = b.pad(x * x, [(0, 0), (before, after), *[(0, 0)] * (rank - 2)])
    total = b.index(squares, (slice(None), slice(0, channels)))
    for k in range(1, size):
        total = total + b.index(squares, (slice(None), slice(k, k + channels)))
    return x / b.power(step.get("bias", 1.0) + step.get("alpha", 0.0001) / size * total, step.get("beta", 0.75))


@reads("Col2Im")
def _from_columns(step: Step, x: Tensor, image: Tensor, block: Tensor) -> Tensor:
    """Each number of a window is added where it was read."""
    sizes, width = step.numbers(1, image, "the shape"), step.numbers(2, block, "the shape")
    axes = len(sizes)
    stencil = stencil_of(step, sizes, width)
    numbers = constant(np.arange(math.prod(sizes)).reshape(1, 1, *sizes))
    places = windows(numbers, stencil, -1)
    flat = b.reshape(places, (math.prod(places.shape[1 : 1 + axes]), math.prod(width)))
    target = b.where(b.less(flat, 0), math.prod(sizes), flat)
    batch, channels = x.shape[0], x.shape[1] // math.prod(width)
    rows = b.reshape(x, (batch, channels, math.prod(width), -1))
    moved = b.reshape(b.transpose(rows, (3, 2, 0, 1)), (-1, batch * channels))
    added = b.scatter_add(moved, b.reshape(target, (target.spec.size,)), math.prod(sizes))
    return b.reshape(b.transpose(added, (1, 0)), (batch, channels, *sizes))


@reads("BatchNormalization")
def _batch_norm(step: Step, x: Tensor, scale: Tensor, shift: Tensor, mean: Tensor, variance: Tensor) -> list[Tensor]:
    shape = (1, -1, *[1] * (x.spec.rank - 2))
    results: list[Tensor] = []
    if step.get("training_mode", 0):
        axes, keep = tuple(i for i in range(x.spec.rank) if i != 1), step.get("momentum", 0.9)
        own_mean, own_variance = b.mean(x, axes), b.var(x, axes)
        results = [old * keep + new * (1 - keep) for old, new in ((mean, own_mean), (variance, own_variance))]
        mean, variance = own_mean, own_variance
    mean, variance, scale, shift = (b.reshape(each, shape) for each in (mean, variance, scale, shift))
    return [(x - mean) / b.sqrt(variance + step.get("epsilon", 1e-5)) * scale + shift, *results]


@reads("InstanceNormalization")
def _instance_norm(step: Step, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    axes, shape = tuple(range(2, x.spec.rank)), (1, -1, *[1] * (x.spec.rank - 2))
    centred = x - b.mean(x, axes, True)
    deviation = b.sqrt(b.mean(centred * centred, axes, True) + step.get("epsilon", 1e-5))
    return centred / deviation * b.reshape(scale, shape) + b.reshape(shift, shape)
