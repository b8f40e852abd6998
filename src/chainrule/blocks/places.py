"""Rows that change places: neighbours within a segment, and texts side by side, step by step.

Recurrence takes all texts of a batch through their steps at the same time. It works on rows in *step-major* order: the
first tokens of all texts, then the second tokens of all that have one, and so on. Texts are taken longest first, so
that in each step the first rows are those that are still there: `counts[t]` rows from `starts[t]` on, none is wasted.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.blocks.ragged import segment_ids
from chainrule.dataclasses import dataclass
from chainrule.errors import ShapeError
from chainrule.graph.block import Block, Contributions, Element, Index, Movement, Samples, real, sample
from chainrule.graph.conversion import as_tensors
from chainrule.graph.spec import INT64, Array, Shape, Spec, require_integer, require_rank
from chainrule.graph.tensor import Tensor, TensorLike, operation


class Rearrange(Movement):
    """y[i, ...] = x[to[i], ...], or zeros where to[i] is no row; `back` is the inverse: to[back[j]] = j.

    Gradient: that of y, rearranged by `back`: no two rows come from the same one.
    """

    def infer(self, x: Spec, to: Spec, back: Spec) -> Spec:
        require_rank("rearrange", "x", x, lambda rank: rank >= 1, "at least one axis")
        for name, places, size in (("to", to, None), ("back", back, x.shape[0])):
            require_integer("rearrange", name, places)
            require_rank("rearrange", name, places, lambda rank: rank == 1, "one axis")
            if size is not None and places.shape[0] != size:
                raise ShapeError(f"rearrange: expected a place for each of {size} rows in {name}, got {places.shape}")
        return Spec((*to.shape, *x.shape[1:]), x.dtype)

    def forward(self, xp: Any, x: Any, to: Any, back: Any) -> Any:
        y = xp.zeros((*to.shape, *x.shape[1:]), x.dtype)
        there = (to >= 0) & (to < x.shape[0])
        y[there] = x[to[there]]
        return y

    def element(self, xp: Any, index: Index, shape: Shape, x: Element, to: Element, back: Element) -> Any:
        if isinstance(x.shape[0], int) and x.shape[0] == 0:
            return 0
        row = to(index[:1])
        held = xp.minimum(xp.maximum(row, 0), x.shape[0] - 1)
        return xp.where(held == row, x((held, *index[1:])), 0)

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor, to: Tensor, back: Tensor) -> Contributions:
        return Rearrange.of()(gradient, back, to), None, None

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls(), real(4, 3), np.array([2, -1, 0]), np.array([2, -1, 0, -1])),
            sample(cls(), real(3), np.array([1, 2, -1]), np.array([-1, 0, 1])),
            sample(cls(), real(2, 2, 2), np.array([1, 0]), np.array([1, 0])),
            sample(cls(), real(0, 2), np.array([], np.int64), np.array([], np.int64)),
        )


@dataclass(frozen=True, repr=False)
class Neighbours(Block):
    """y[i] = i + by where that is in the segment of i, and -1 where it is not."""

    differentiable = False
    by: int

    def infer(self, ids: Spec) -> Spec:
        require_integer("neighbours", "segments", ids)
        require_rank("neighbours", "segments", ids, lambda rank: rank == 1, "one axis")
        return Spec(ids.shape, INT64)

    def forward(self, xp: Any, ids: Any) -> Any:
        there = xp.arange(len(ids)) + self.by
        inside = (there >= 0) & (there < len(ids))
        inside[inside] = ids[there[inside]] == ids[inside]
        return xp.where(inside, there, -1)

    def loops(self, nest: Any, y: Any, ids: Element) -> None:
        size = y.shape[0]

        def place(i: Any) -> None:
            there = i + self.by
            held = nest.xp.minimum(nest.xp.maximum(there, 0), size - 1)
            y.store(nest, (i,), nest.xp.where((held == there) & (ids((held,)) == ids((i,))), there, nest.whole(-1)))

        nest.loop(size, place, parallel=True)

    def backward(self, gradient: Tensor, output: Tensor, ids: Tensor) -> Contributions:
        return (None,)

    @classmethod
    def samples(cls) -> Samples:
        ids = np.array([0, 0, 1, 1, 1, 3])
        return sample(cls(1), ids), sample(cls(-2), ids), sample(cls(0), ids), sample(cls(1), ids[:0])


def _require_below(block: Block, place: int, limit: int, *inputs: Array) -> None:
    """Refuse a place that is none."""
    if not 0 <= place < limit:
        shapes = ", ".join(str(x.shape) for x in inputs)
        raise ShapeError(f"{block.name}: place {place} is not below {limit}, for inputs of shapes {shapes}")


def _counts(offsets: Array) -> Array:
    """How many texts have a token in each step."""
    lengths = np.diff(offsets)
    return (lengths.size - np.cumsum(np.bincount(lengths, minlength=1)))[: lengths.max(initial=0)]


class StepStarts(Block):
    """y[t] = the first row of step t in step-major order; from the end of the longest text on, the number of tokens."""

    differentiable = False

    def infer(self, offsets: Spec, ids: Spec) -> Spec:
        require_integer("step_starts", "offsets", offsets)
        return Spec((ids.shape[0] + 1,), INT64)

    def forward(self, xp: Any, offsets: Any, ids: Any) -> Any:
        y = xp.full(len(ids) + 1, len(ids), dtype=INT64)
        starts = xp.concatenate([[0], xp.cumsum(_counts(offsets))])
        y[: len(starts)] = starts
        return y

    def loops(self, nest: Any, y: Any, offsets: Element, ids: Element) -> None:
        def text(s: Any) -> None:
            def token(t: Any) -> None:
                y.store(nest, (t + 1,), y((t + 1,)) + 1)

            nest.loop(offsets((s + 1,)) - offsets((s,)), token, total=y.shape[0])

        def add(t: Any) -> None:
            y.store(nest, (t + 1,), y((t + 1,)) + y((t,)))

        nest.loop(y.shape[0], lambda t: y.store(nest, (t,), nest.whole(0)))
        nest.loop(offsets.shape[0] - 1, text)
        nest.loop(y.shape[0] - 1, add)

    def backward(self, gradient: Tensor, output: Tensor, offsets: Tensor, ids: Tensor) -> Contributions:
        return None, None

    @classmethod
    def samples(cls) -> Samples:
        offsets = np.array([0, 2, 2, 5, 6])
        return sample(cls(), offsets, np.zeros(6, np.int64)), sample(cls(), np.array([0, 0]), np.zeros(0, np.int64))


@dataclass(frozen=True, repr=False)
class StepPlaces(Block):
    """y[p] = the token at row p in step-major order; or, the other way, y[i] = the row of token i.

    Inputs are the offsets of the texts, their order (longest first), and `StepStarts`.
    """

    differentiable = False
    back: bool

    def infer(self, offsets: Spec, order: Spec, starts: Spec) -> Spec:
        return Spec((starts.shape[0] - 1,), INT64)

    def forward(self, xp: Any, offsets: Any, order: Any, starts: Any) -> Any:
        y = xp.zeros(len(starts) - 1, INT64)
        for rank, text in enumerate(order):
            _require_below(self, text, len(offsets) - 1, offsets, order, starts)
            length = offsets[text + 1] - offsets[text]
            if length > 0:
                _require_below(self, starts[min(length, len(y)) - 1] + rank, len(y), offsets, order, starts)
                _require_below(self, offsets[text + 1] - 1, len(y), offsets, order, starts)
            tokens, rows = offsets[text] + xp.arange(length), starts[:length] + rank
            y[tokens if self.back else rows] = rows if self.back else tokens
        return y

    def loops(self, nest: Any, y: Any, offsets: Element, order: Element, starts: Element) -> None:
        def text(rank: Any) -> None:
            number = nest.declare(order((rank,)))
            nest.refuse((number.get() < 0) | (number.get() >= offsets.shape[0] - 1), number.get())
            first = nest.declare(offsets((number.get(),)))

            def token(t: Any) -> None:
                token, row = first.get() + t, starts((t,)) + rank
                place = token if self.back else row
                nest.refuse((place < 0) | (place >= y.shape[0]), place)
                y.store(nest, (place,), row if self.back else token)

            nest.loop(offsets((number.get() + 1,)) - first.get(), token, total=y.shape[0])

        nest.loop(order.shape[0], text)

    def backward(self, gradient: Tensor, output: Tensor, *inputs: Tensor) -> Contributions:
        return None, None, None

    @classmethod
    def samples(cls) -> Samples:
        given = np.array([0, 2, 2, 5, 6]), np.array([2, 0, 3, 1]), np.array([0, 3, 5, 6, 6, 6, 6])
        return sample(cls(False), *given), sample(cls(True), *given)


@dataclass(frozen=True, repr=False)
class StepNeighbours(Block):
    """y[p] = the row of the same text in the step before (`by` = -1) or after (1) that of row p; -1 for none."""

    differentiable = False
    by: int

    def infer(self, starts: Spec) -> Spec:
        return Spec((starts.shape[0] - 1,), INT64)

    def forward(self, xp: Any, starts: Any) -> Any:
        y = xp.full(len(starts) - 1, -1, dtype=INT64)
        sizes = xp.diff(starts)
        for t in range(int(xp.count_nonzero(sizes)) - 1):
            here, there, count = starts[t], starts[t + 1], sizes[t + 1]
            if self.by < 0:
                y[there : there + count] = here + xp.arange(count)
            else:
                y[here : here + count] = there + xp.arange(count)
        return y

    def loops(self, nest: Any, y: Any, starts: Element) -> None:
        def step(t: Any) -> None:
            def row(r: Any) -> None:
                here, there = starts((t,)) + r, starts((t + 1,)) + r
                y.store(nest, (there if self.by < 0 else here,), here if self.by < 0 else there)

            nest.loop(starts((t + 2,)) - starts((t + 1,)), row, total=y.shape[0])

        nest.loop(y.shape[0], lambda p: y.store(nest, (p,), nest.whole(-1)))
        nest.loop(y.shape[0] - 1, step)

    def backward(self, gradient: Tensor, output: Tensor, starts: Tensor) -> Contributions:
        return (None,)

    @classmethod
    def samples(cls) -> Samples:
        starts = np.array([0, 3, 5, 6, 6, 6, 6])
        return (
            sample(cls(-1), starts),
            sample(cls(1), starts),
            sample(cls(1), starts[:1]),
            sample(cls(-1), np.array([0, 1])),
        )


@dataclass(frozen=True, repr=False)
class StepEnds(Block):
    """y[r] = the row of the first token of the text that is r-th in order, or of its last one; -1 for an empty text.

    Inputs are `StepStarts` and the order of the texts.
    """

    differentiable = False
    last: bool

    def infer(self, starts: Spec, order: Spec) -> Spec:
        return Spec(order.shape, INT64)

    def forward(self, xp: Any, starts: Any, order: Any) -> Any:
        y = xp.full(len(order), -1, dtype=INT64)
        sizes = xp.diff(starts)
        for t in range(int(xp.count_nonzero(sizes)) if self.last else min(len(sizes), 1)):
            y[: sizes[t]] = starts[t] + xp.arange(sizes[t])
        return y

    def loops(self, nest: Any, y: Any, starts: Element, order: Element) -> None:
        def step(t: Any) -> None:
            def row(r: Any) -> None:
                y.store(nest, (r,), starts((t,)) + r)

            nest.loop(nest.xp.minimum(starts((t + 1,)) - starts((t,)), y.shape[0]), row, total=y.shape[0])

        steps = starts.shape[0] - 1
        nest.loop(y.shape[0], lambda r: y.store(nest, (r,), nest.whole(-1)))
        nest.loop(steps if self.last else nest.xp.minimum(nest.whole(1), steps), step)

    def backward(self, gradient: Tensor, output: Tensor, starts: Tensor, order: Tensor) -> Contributions:
        return None, None

    @classmethod
    def samples(cls) -> Samples:
        given = np.array([0, 3, 5, 6, 6, 6, 6]), np.array([2, 0, 3, 1])
        empty = np.array([0]), np.array([0, 1])
        return sample(cls(False), *given), sample(cls(True), *given), sample(cls(True), *empty)


class Inverse(Block):
    """y[to[i]] = i, and -1 for what no place leads to; as many numbers as `like` has rows."""

    differentiable = False

    def infer(self, to: Spec, like: Spec) -> Spec:
        return Spec(like.shape[:1], INT64)

    def forward(self, xp: Any, to: Any, like: Any) -> Any:
        y = xp.full(len(like), -1, dtype=INT64)
        _require_below(self, to.max(initial=-1) + 1, len(like) + 1, to, like)
        y[to[to >= 0]] = xp.flatnonzero(to >= 0)
        return y

    def loops(self, nest: Any, y: Any, to: Element, like: Element) -> None:
        def place(i: Any) -> None:
            there = nest.declare(to((i,)))
            nest.refuse(there.get() >= y.shape[0], there.get())
            nest.when(there.get() >= 0, lambda: y.store(nest, (there.get(),), i))

        nest.loop(y.shape[0], lambda i: y.store(nest, (i,), nest.whole(-1)))
        nest.loop(to.shape[0], place)

    def refusal(self, value: int) -> str:
        return f"inverse: place {value} is not below the number of rows"

    def backward(self, gradient: Tensor, output: Tensor, to: Tensor, like: Tensor) -> Contributions:
        return None, None

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls(), np.array([2, -1, 0]), real(4)),
            sample(cls(), np.array([1, 0]), real(2)),
            sample(cls(), np.array([], np.int64), real(0)),
        )


@operation
def segment_shift(x: TensorLike, offsets: TensorLike, by: int) -> Tensor:
    """y[i] = x[i + by] where that is in the segment of i, and zeros where it is not.

    Gradient: shifted the other way.
    PyTorch: none. NumPy: none.

    Args:
        x: shape (n, ...).
        offsets: shape (segments + 1,), integers rising from 0 to n.
        by: how many places further on, or back where it is negative.

    Raises:
        ShapeError: when the offsets do not cover the values.

    Example:
        >>> import chainrule
        >>> chainrule.segment_shift([1.0, 2.0, 3.0], [0, 2, 3], 1).value
        array([2., 0., 0.], dtype=float32)
    """
    x, offsets = as_tensors([x, offsets])
    return shifted(x, segment_ids(offsets, x), by)


def shifted(x: Tensor, ids: Tensor, by: int) -> Tensor:
    """As `segment_shift`, where the segment of each value is known."""
    return x if by == 0 else Rearrange.of()(x, Neighbours.of(by)(ids), Neighbours.of(-by)(ids))
