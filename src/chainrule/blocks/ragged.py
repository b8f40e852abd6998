"""Ragged rows: sums and maxima over segments of different lengths, given by offsets, without padding."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.blocks.arithmetic import maximum
from chainrule.blocks.casting import stop_gradient
from chainrule.blocks.comparison import equal, where
from chainrule.blocks.exponential import exp
from chainrule.blocks.indexing import gather
from chainrule.blocks.movement import iota, reshape
from chainrule.errors import ShapeError
from chainrule.graph.block import Block, Contributions, Element, Samples, integers, real, sample
from chainrule.graph.conversion import as_tensors
from chainrule.graph.spec import INT64, Array, Spec, require_integer, require_rank
from chainrule.graph.sums import BLOCK, SumInMemory, levels_of
from chainrule.graph.tensor import Tensor, TensorLike, operation


def _check_specs(name: str, values: Spec, offsets: Spec) -> None:
    require_integer(name, "offsets", offsets)
    require_rank(name, "values", values, lambda rank: rank >= 1, "at least one axis")
    require_rank(name, "offsets", offsets, lambda rank: rank == 1, "one axis")
    if offsets.shape[0] == 0:
        raise ShapeError(f"{name}: offsets are empty; expected one more than there are segments, the first of them 0")


def lengths_of(name: str, offsets: Array, count: int) -> tuple[Array, int]:
    """The number of values in each segment, and in the shortest.

    Raises:
        ShapeError: for offsets that do not rise from 0 to the number of values.
    """
    lengths = offsets[1:] - offsets[:-1]
    shortest = int(np.minimum.reduce(lengths)) if lengths.size else 0
    if offsets[0] != 0 or offsets[-1] != count or shortest < 0:
        raise ShapeError(
            f"{name}: offsets must rise from 0 to the number of values, {count}; got offsets of shape {offsets.shape} "
            f"from {offsets[0]} to {offsets[-1]}{', with falls' if shortest < 0 else ''}"
        )
    return lengths, shortest


def _refusal(name: str, value: int) -> str:
    return f"{name}: offsets must rise from 0 to the number of values; got {value}"


def segment_bounds(nest: Any, segment: Any, offsets: Element, count: Any) -> tuple[Any, Any]:
    """The first index of a segment and the index after its last; refuses offsets that fall or exceed the values."""
    start, end = offsets((segment,)), offsets((segment + 1,))
    nest.refuse((end < start) | (end > count), end)
    return start, end


def refuse_ends(nest: Any, offsets: Element, count: Any) -> None:
    """Refuse offsets that do not begin with 0, or do not end with the number of values."""
    first, last = offsets((nest.whole(0),)), offsets((nest.whole(-1) + offsets.shape[0],))
    nest.refuse((first != 0) | (last != count), last)


def require_offsets(name: str, offsets: Array, count: int) -> None:
    """Refuse offsets of tokens that do not rise from 0 to their number.

    Raises:
        ShapeError: naming the function.
    """
    if offsets[0] != 0 or offsets[-1] != count or (offsets[1:] < offsets[:-1]).any():
        raise ShapeError(
            f"{name}: offsets must rise from 0 to the number of tokens, {count}; got offsets of shape {offsets.shape} "
            f"from {offsets[0]} to {offsets[-1]}"
        )


def _blocks(offsets: Array) -> tuple[Array, Array]:
    """Segments cut into blocks of at most `BLOCK` values: the first value of each block, and the blocks' offsets."""
    counts = -(-np.diff(offsets) // BLOCK)
    ends = np.concatenate([[0], np.cumsum(counts)])
    number = np.arange(ends[-1]) - np.repeat(ends[:-1], counts)
    return np.repeat(offsets[:-1], counts) + BLOCK * number, ends


class SegmentSum(Block):
    """y[s] = Σ x[i] for i from offsets[s] to offsets[s + 1] - 1; an empty segment gives zeros.

    Gradient: the segment's, for each of its values.
    PyTorch: none. NumPy: numpy.add.reduceat.

    Args:
        x: shape (n, ...).
        offsets: shape (segments + 1,), integers rising from 0 to n.

    Returns:
        shape (segments, ...).

    Raises:
        ShapeError: when the offsets do not cover the values.

    Example:
        >>> import chainrule
        >>> chainrule.segment_sum([1.0, 2.0, 3.0], [0, 2, 2, 3]).value
        array([3., 0., 3.], dtype=float32)
    """

    def infer(self, x: Spec, offsets: Spec) -> Spec:
        _check_specs("segment_sum", x, offsets)
        return Spec((offsets.shape[0] - 1, *x.shape[1:]), x.dtype)

    def forward(self, xp: Any, x: Any, offsets: Any) -> Any:
        lengths, shortest = lengths_of("segment_sum", offsets, x.shape[0])
        while x.dtype.kind == "f" and x.shape[0] > BLOCK and xp.maximum.reduce(lengths, initial=0) > BLOCK:
            first, offsets = _blocks(offsets)
            x, lengths = xp.add.reduceat(x, first, axis=0), offsets[1:] - offsets[:-1]
        if shortest > 0:
            return xp.add.reduceat(x, offsets[:-1], 0, x.dtype)
        y, filled = xp.zeros((lengths.size, *x.shape[1:]), x.dtype), lengths > 0  # reduceat cannot sum empty segments
        if filled.any():
            y[filled] = xp.add.reduceat(x, offsets[:-1][filled], 0, x.dtype)
        return y

    def scratch(self, x: Spec, offsets: Spec) -> Spec:
        return levels_of(self.infer(x, offsets))

    def refusal(self, value: int) -> str:
        return _refusal("segment_sum", value)

    def loops(self, nest: Any, y: Any, levels: Any, x: Element, offsets: Element) -> None:
        zero = nest.number(0, y.spec.dtype)

        def segment(s: Any) -> None:
            start, end = segment_bounds(nest, s, offsets, x.shape[0])
            fours = (end - start) >> 2

            def several(i: Any, count: int) -> None:
                def add(j: Any) -> None:
                    total = y((s, *j))
                    for row in range(count):
                        total = total + x((i + row, *j))
                    y.store(nest, (s, *j), total)

                nest.nest(x.shape[1:], add)

            def four(k: Any) -> None:
                several(start + (k << 2), 4)
                done = k + 1
                total.block_done((done % (BLOCK // 4) == 0) & (done < fours), done // (BLOCK // 4))

            nest.nest(x.shape[1:], lambda j: y.store(nest, (s, *j), zero))
            total = SumInMemory(nest, lambda cell: nest.nest(x.shape[1:], lambda j: cell((s, *j))), y, levels)
            # Four values are added at once, so that each sum is read and written once for all four.
            nest.loop(fours, four, total=x.shape[0] >> 2)
            nest.loop(end, lambda i: several(i, 1), start + (fours << 2), total=y.shape[0])
            total.finish(fours > BLOCK // 4)

        refuse_ends(nest, offsets, x.shape[0])
        nest.loop(y.shape[0], segment, parallel=True)

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor, offsets: Tensor) -> Contributions:
        return gather(gradient, segment_ids(offsets, x)), None

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls(), real(6, 3), np.array([0, 2, 2, 5, 6])),
            sample(cls(), real(4), np.array([0, 0, 4, 4])),
            sample(cls(), real(0, 2), np.array([0, 0])),
        )


class SegmentIds(Block):
    """y[i] = the segment that value i lies in, for offsets and the values they divide.

    Gradient: none.
    PyTorch: none. NumPy: none.

    Example:
        >>> import chainrule
        >>> chainrule.segment_ids([0, 2, 2, 3], [1.0, 2.0, 3.0]).value
        array([0, 0, 2])
    """

    differentiable = False

    def infer(self, offsets: Spec, x: Spec) -> Spec:
        _check_specs("segment_ids", x, offsets)
        return Spec(x.shape[:1], INT64)

    def forward(self, xp: Any, offsets: Any, x: Any) -> Any:
        lengths, _ = lengths_of("segment_ids", offsets, x.shape[0])
        return xp.repeat(xp.arange(lengths.size), lengths)

    def refusal(self, value: int) -> str:
        return _refusal("segment_ids", value)

    def loops(self, nest: Any, y: Any, offsets: Element, x: Element) -> None:
        def segment(s: Any) -> None:
            start, end = segment_bounds(nest, s, offsets, y.shape[0])
            nest.loop(end, lambda i: y.store(nest, (i,), s), start, total=y.shape[0])

        refuse_ends(nest, offsets, y.shape[0])
        nest.loop(offsets.shape[0] - 1, segment, parallel=True)

    def backward(self, gradient: Tensor, output: Tensor, offsets: Tensor, x: Tensor) -> Contributions:
        return None, None

    @classmethod
    def samples(cls) -> Samples:
        return (sample(cls(), np.array([0, 2, 2, 5, 6]), real(6, 3)),)


class SegmentArgmax(Block):
    """y[s] = the position, among all values, of the largest x[i] of segment s; the first of several, and -1 for none.

    NaN counts as larger than any number, as in `argmax`.

    Gradient: none.
    PyTorch: none. NumPy: none.

    Args:
        x: shape (n, ...).
        offsets: shape (segments + 1,), integers rising from 0 to n.

    Returns:
        int64, shape (segments, ...).

    Raises:
        ShapeError: when the offsets do not cover the values.

    Example:
        >>> import chainrule
        >>> chainrule.segment_argmax([1.0, 3.0, 2.0], [0, 1, 1, 3]).value
        array([ 0, -1,  1])
    """

    differentiable = False

    def infer(self, x: Spec, offsets: Spec) -> Spec:
        _check_specs("segment_argmax", x, offsets)
        return Spec((offsets.shape[0] - 1, *x.shape[1:]), INT64)

    def forward(self, xp: Any, x: Any, offsets: Any) -> Any:
        lengths, _ = lengths_of("segment_argmax", offsets, x.shape[0])
        y = xp.full((len(lengths), *x.shape[1:]), -1, INT64)
        for s in xp.flatnonzero(lengths):
            y[s] = offsets[s] + xp.argmax(x[offsets[s] : offsets[s + 1]], axis=0)
        return y

    def refusal(self, value: int) -> str:
        return _refusal("segment_argmax", value)

    def loops(self, nest: Any, y: Any, x: Element, offsets: Element) -> None:
        def segment(s: Any) -> None:
            start, end = segment_bounds(nest, s, offsets, x.shape[0])

            def begin(j: Any) -> None:
                y.store(nest, (s, *j), nest.xp.where(end > start, start, -1))

            def compare(i: Any) -> None:
                def each(j: Any) -> None:
                    best, new = x((y((s, *j)), *j)), x((i, *j))
                    taken = (new > best) | ((new != new) & (best == best))
                    y.store(nest, (s, *j), nest.xp.where(taken, i, y((s, *j))))

                nest.nest(x.shape[1:], each)

            nest.nest(x.shape[1:], begin)
            nest.loop(end, compare, start, total=x.shape[0])

        refuse_ends(nest, offsets, x.shape[0])
        nest.loop(y.shape[0], segment, parallel=True)

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor, offsets: Tensor) -> Contributions:
        return None, None

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls(), real(6, 3), np.array([0, 2, 2, 5, 6])),
            sample(cls(), integers(7, high=3), np.array([0, 0, 4, 7])),
            sample(cls(), real(0, 2), np.array([0, 0])),
        )


segment_sum = operation(SegmentSum())
segment_ids = operation(SegmentIds())
segment_argmax = operation(SegmentArgmax())


@operation
def segment_max(x: TensorLike, offsets: TensorLike) -> Tensor:
    """y[s] = the largest x[i] of segment s; zeros for an empty segment.

    Gradient: the segment's, for the first of its largest values.
    PyTorch: none. NumPy: numpy.maximum.reduceat.

    Args:
        x: shape (n, ...).
        offsets: shape (segments + 1,), integers rising from 0 to n.

    Returns:
        shape (segments, ...).

    Raises:
        ShapeError: when the offsets do not cover the values.

    Example:
        >>> import chainrule
        >>> chainrule.segment_max([1.0, 3.0, 2.0], [0, 1, 1, 3]).value
        array([1., 0., 3.], dtype=float32)
    """
    x, offsets = as_tensors([x, offsets])
    largest = gather(segment_argmax(x, offsets), segment_ids(offsets, x))
    rows = reshape(iota(x.shape[:1]).astype(INT64), (-1, *[1] * (x.spec.rank - 1)))
    return segment_sum(where(equal(largest, rows), x, 0), offsets)


@operation
def segment_mean(x: TensorLike, offsets: TensorLike) -> Tensor:
    """y[s] = the mean of x over segment s; zeros for an empty segment.

    Gradient: the segment's divided by its size, for each of its values.
    PyTorch: none. NumPy: none.

    Args:
        x: shape (n, ...).
        offsets: shape (segments + 1,), integers rising from 0 to n.

    Raises:
        ShapeError: when the offsets do not cover the values.

    Example:
        >>> import chainrule
        >>> chainrule.segment_mean([1.0, 2.0, 3.0], [0, 2, 2, 3]).value
        array([1.5, 0. , 3. ], dtype=float32)
    """
    x, offsets = as_tensors([x, offsets])
    lengths = maximum(offsets[1:] - offsets[:-1], 1).astype(x.dtype)
    return segment_sum(x, offsets) / reshape(lengths, (-1, *[1] * (x.spec.rank - 1)))


@operation
def segment_softmax(x: TensorLike, offsets: TensorLike) -> Tensor:
    """y[i] = exp(x[i] - m) / Σ exp(x[j] - m) over the j of the segment of i, with its maximum m.

    Gradient: y (g - Σ g y), with the sum over the segment.
    PyTorch: none. NumPy: none.

    Args:
        x: shape (n, ...).
        offsets: shape (segments + 1,), integers rising from 0 to n.

    Raises:
        ShapeError: when the offsets do not cover the values.

    Example:
        >>> import chainrule
        >>> chainrule.segment_softmax([1.0, 1.0, 7.0], [0, 2, 3]).value
        array([0.5, 0.5, 1. ], dtype=float32)
    """
    x, offsets = as_tensors([x, offsets])
    ids = segment_ids(offsets, x)
    powers = exp(x - stop_gradient(gather(segment_max(x, offsets), ids)))
    return powers / gather(segment_sum(powers, offsets), ids)
