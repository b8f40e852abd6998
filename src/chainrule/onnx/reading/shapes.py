"""Operators that make arrays, and give them other shapes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule import blocks as b
from chainrule.graph.tensor import Tensor
from chainrule.onnx.library import library
from chainrule.onnx.reading.narrow import Narrow
from chainrule.onnx.reading.step import Step, Value, constant, held, reads


@reads("Shape", arrays=True)
def _shape(step: Step, x: Value) -> Tensor:
    return constant(x.shape[step.get("start", 0) : step.get("end")], np.int64)  # type: ignore[union-attr]


@reads("Size", arrays=True)
def _size(step: Step, x: Value) -> Tensor:  # noqa: ARG001
    return constant(math.prod(x.shape), np.int64)  # type: ignore[union-attr]


@reads("Reshape")
def _reshape_attribute(step: Step, x: Tensor) -> Tensor:
    return _reshaped(x, list(step.get("shape")), allow_zero=False)


@reads("Reshape", since=5)
def _reshape(step: Step, x: Tensor, shape: Tensor) -> Tensor:
    return _reshaped(x, step.numbers(1, shape, "the shape"), allow_zero=bool(step.get("allowzero", 0)))


def _reshaped(x: Tensor, shape: list[int], *, allow_zero: bool) -> Tensor:
    sizes = [x.shape[axis] if n == 0 and not allow_zero else n for axis, n in enumerate(shape)]
    if (-1 in sizes and 0 in sizes) or (-1 in sizes and x.spec.size == 0):
        sizes[sizes.index(-1)] = 0
    return b.reshape(x, sizes)


@reads("Transpose")
def _transpose(step: Step, x: Tensor) -> Tensor:
    return b.transpose(x, step.get("perm", tuple(reversed(range(x.spec.rank)))))


@reads("Squeeze")
def _squeeze_attribute(step: Step, x: Tensor) -> Tensor:
    return _squeezed(x, step.get("axes"))


@reads("Squeeze", since=13)
def _squeeze(step: Step, x: Tensor, axes: Tensor | None = None) -> Tensor:
    return _squeezed(x, None if axes is None else step.numbers(1, axes, "the shape"))


def _squeezed(x: Tensor, axes: Any) -> Tensor:
    chosen = [i for i, n in enumerate(x.shape) if n == 1] if axes is None else [a % x.spec.rank for a in axes]
    return b.reshape(x, [n for i, n in enumerate(x.shape) if i not in chosen])


@reads("Unsqueeze")
def _unsqueeze_attribute(step: Step, x: Tensor) -> Tensor:
    return unsqueezed(x, step.get("axes"))


@reads("Unsqueeze", since=13)
def _unsqueeze(step: Step, x: Tensor, axes: Tensor) -> Tensor:
    return unsqueezed(x, step.numbers(1, axes, "the shape"))


def unsqueezed(x: Tensor, axes: Any) -> Tensor:
    """With new axes of size 1."""
    rank = x.spec.rank + len(axes)
    chosen = {a % rank for a in axes}
    rest = iter(x.shape)
    return b.reshape(x, [1 if i in chosen else next(rest) for i in range(rank)])


@reads("Flatten")
def _flatten(step: Step, x: Tensor) -> Tensor:
    axis = step.get("axis", 1)
    axis = axis + x.spec.rank if axis < 0 else axis
    return b.reshape(x, (math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))


@reads("Expand")
def _expand(step: Step, x: Tensor, shape: Tensor) -> Tensor:
    return b.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(step.numbers(1, shape, "the shape"))))


@reads("Tile")
def _tile(step: Step, x: Tensor, repeats: Tensor) -> Tensor:
    return b.tile(x, step.numbers(1, repeats, "the shape"))


@reads("Concat")
def _concatenate(step: Step, *x: Tensor) -> Tensor:
    return b.concatenate(x, step.get("axis", 1))


@reads("Split")
def _split_attribute(step: Step, x: Tensor) -> list[Tensor]:
    return _parts(step, x, step.get("split"))


@reads("Split", since=13)
def _split(step: Step, x: Tensor, split: Tensor | None = None) -> list[Tensor]:
    return _parts(step, x, None if split is None else step.numbers(1, split, "the sizes"))


def _parts(step: Step, x: Tensor, sizes: list[int] | None) -> list[Tensor]:
    axis = step.get("axis", 0)
    if sizes is None:
        count = step.get("num_outputs", step.outputs)
        each = -(-x.shape[axis] // count)
        sizes = [min(each, max(x.shape[axis] - each * i, 0)) for i in range(count)]
    return b.split(x, sizes, axis)


@reads("Slice")
def _slice_attributes(step: Step, x: Tensor) -> Tensor:
    starts, ends = step.get("starts"), step.get("ends")
    return _sliced(x, starts, ends, step.get("axes", range(len(starts))), [1] * len(starts))


@reads("Slice", since=10)
def _slice(
    step: Step, x: Tensor, starts: Tensor, ends: Tensor, axes: Tensor | None = None, steps: Tensor | None = None
) -> Tensor:
    first, last = step.numbers(1, starts, "the shape"), step.numbers(2, ends, "the shape")
    along = range(len(first)) if axes is None else step.numbers(3, axes, "the shape")
    by = [1] * len(first) if steps is None else step.numbers(4, steps, "the shape")
    return _sliced(x, first, last, along, by)


def _sliced(x: Tensor, starts: Any, ends: Any, axes: Any, steps: Any) -> Tensor:
    key: list[Any] = [slice(None)] * x.spec.rank
    for start, end, axis, by in zip(starts, ends, axes, steps, strict=True):
        size = x.shape[axis]
        # Python takes -1 for the last number; here, what is below 0 after adding the size once is before the first.
        first = min(max(start + size if start < 0 else start, 0), size if by > 0 else size - 1)
        last = min(max(end + size if end < 0 else end, 0 if by > 0 else -1), size)
        key[axis] = slice(first, None if last < 0 else last, by)
    return b.index(x, tuple(key))


@reads("ConstantOfShape", arrays=True)
def _constant_of_shape(step: Step, shape: Tensor) -> Value:
    value = step.get("value")
    one = held(np.zeros(1, np.float32) if value is None else library("numpy_helper").to_array(value))
    sizes = step.numbers(0, shape, "the shape")
    if isinstance(one, Narrow):
        return Narrow(b.broadcast_to(b.reshape(one.numbers, ()), sizes), one.dtype)
    if not isinstance(one, Tensor):
        raise step.refuse(f"there are no tensors of {one.dtype}")
    return b.broadcast_to(b.reshape(one, ()), sizes)


@reads("Range")
def _range(step: Step, start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    numbers = [step.known(i, x, "the shape").reshape(()) for i, x in enumerate((start, limit, delta))]
    first, last, by = numbers
    count = max(math.ceil((last.item() - first.item()) / by.item()), 0)
    return constant(first + np.arange(count) * by, start.dtype)


@reads("EyeLike")
def _eye_like(step: Step, x: Tensor) -> Value:
    dtype = x.dtype if "dtype" not in step.attributes else library("helper").tensor_dtype_to_np_dtype(step.get("dtype"))
    found = held(np.eye(x.shape[0], x.shape[1], k=step.get("k", 0)).astype(dtype))
    if not isinstance(found, Tensor | Narrow):
        raise step.refuse(f"there are no tensors of {found.dtype}")
    return found


@reads("Trilu")
def _triangle(step: Step, x: Tensor, k: Tensor | None = None) -> Tensor:
    diagonal = 0 if k is None else step.numbers(1, k, "the triangle")[0]
    return b.triu(x, diagonal) if step.get("upper", 1) else b.tril(x, diagonal)


@reads("DepthToSpace")
def _depth_to_space(step: Step, x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    size = step.get("blocksize")
    if step.get("mode", b"DCR") == b"DCR":
        apart = b.transpose(b.reshape(x, (n, size, size, c // size**2, h, w)), (0, 3, 4, 1, 5, 2))
    else:
        apart = b.transpose(b.reshape(x, (n, c // size**2, size, size, h, w)), (0, 1, 4, 2, 5, 3))
    return b.reshape(apart, (n, c // size**2, h * size, w * size))


@reads("SpaceToDepth")
def _space_to_depth(step: Step, x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    size = step.get("blocksize")
    apart = b.reshape(x, (n, c, h // size, size, w // size, size))
    order = (0, 3, 5, 1, 2, 4) if step.get("mode", b"DCR") == b"DCR" else (0, 1, 3, 5, 2, 4)
    return b.reshape(b.transpose(apart, order), (n, c * size**2, h // size, w // size))


@reads("Pad")
def _pad_attributes(step: Step, x: Tensor) -> Tensor:
    return padded(step, x, list(step.get("pads")), step.get("value", 0.0))


@reads("Pad", since=11)
def _pad(step: Step, x: Tensor, pads: Tensor, value: Tensor | None = None, axes: Tensor | None = None) -> Tensor:
    widths, rank = step.numbers(1, pads, "the shape"), x.spec.rank
    filling = 0 if value is None else step.known(2, value, "what is around it").reshape(()).item()
    if axes is not None:
        chosen = [a % rank for a in step.numbers(3, axes, "the shape")]
        whole = [0] * (2 * rank)
        for i, axis in enumerate(chosen):
            whole[axis], whole[axis + rank] = widths[i], widths[i + len(chosen)]
        widths = whole
    return padded(step, x, widths, filling)


def padded(step: Step, x: Tensor, widths: list[int], filling: float) -> Tensor:
    """With more numbers around it, or fewer."""
    rank, mode = x.spec.rank, step.get("mode", b"constant")
    pairs = list(zip(widths[:rank], widths[rank:], strict=True))
    if mode != b"constant":
        for axis, (before, after) in enumerate(pairs):
            kind = {b"edge": "edge", b"reflect": "reflect", b"wrap": "wrap"}[mode]
            if before or after:
                cut = max(-before, 0), x.shape[axis] - max(-after, 0)
                places = np.arange(*cut)
                places = np.pad(places, (max(before, 0), max(after, 0)), mode=kind)  # type: ignore[call-overload]
                x = taken(x, constant(places), axis)
        return x
    key = tuple(slice(max(-before, 0), n - max(-after, 0)) for (before, after), n in zip(pairs, x.shape, strict=True))
    return b.pad(b.index(x, key), [(max(before, 0), max(after, 0)) for before, after in pairs], filling)


def taken(x: Tensor, places: Tensor, axis: int) -> Tensor:
    """x along an axis at places that are known to be inside: any number of new axes in its place."""
    axis %= x.spec.rank
    if axis == 0:
        return b.gather(x, places)
    order = (axis, *(i for i in range(x.spec.rank) if i != axis))
    found = b.gather(b.transpose(x, order), places)
    new = places.spec.rank
    back = (*range(new, new + axis), *range(new), *range(new + axis, found.spec.rank))
    return b.transpose(found, back)
