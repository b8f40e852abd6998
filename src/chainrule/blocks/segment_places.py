"""Where in its text each token stands."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.blocks.ragged import lengths_of
from chainrule.dataclasses import dataclass
from chainrule.errors import ShapeError
from chainrule.graph.block import Block, Contributions, Element, Samples, real, sample
from chainrule.graph.spec import INT64, Spec, require_integer, require_rank
from chainrule.graph.tensor import Tensor


@dataclass(frozen=True, repr=False)
class SegmentPlaces(Block):
    """y[i] = i minus the offset of its segment, for offsets and the values that they divide: 0, 1, 2, ... in each.

    Fields:
        most: how many values a segment may have; a longer one is refused. None for any number.
    """

    differentiable = False
    most: int | None = None

    def infer(self, offsets: Spec, x: Spec) -> Spec:
        require_integer(self.name, "offsets", offsets)
        require_rank(self.name, "offsets", offsets, lambda rank: rank == 1, "one axis")
        require_rank(self.name, "values", x, lambda rank: rank >= 1, "at least one axis")
        return Spec(x.shape[:1], INT64)

    def forward(self, xp: Any, offsets: Any, x: Any) -> Any:
        lengths, _ = lengths_of(self.name, offsets, len(x))
        if self.most is not None and lengths.max(initial=0) > self.most:
            longer = int(np.argmax(lengths > self.most))
            raise ShapeError(self.refusal((longer << 32) + int(lengths[longer])))
        return xp.arange(len(x)) - xp.repeat(offsets[:-1], lengths)

    def refusal(self, value: int) -> str:
        text, length = divmod(value, 2**32)
        if value < 0 or self.most is None:
            return f"{self.name}: offsets must rise from 0 to the number of values; got {value}"
        return (
            f"text {text} of the batch, counted from 0, has {length:,} tokens, and there are {self.most:,} learned "
            f"positions; cut such texts, make a network of more positions, or choose sinusoidal or rotary ones, which "
            f"have no end"
        )

    def loops(self, nest: Any, y: Any, offsets: Element, x: Element) -> None:
        def segment(s: Any) -> None:
            start, end = offsets((s,)), offsets((s + 1,))
            nest.refuse((end < start) | (end > y.shape[0]) | (start < 0), nest.whole(-1))
            if self.most is not None:
                nest.refuse(end - start > self.most, (s << 32) + (end - start))
            nest.loop(end, lambda i: y.store(nest, (i,), i - start), start, total=y.shape[0])

        first, last = offsets((nest.whole(0),)), offsets((nest.whole(-1) + offsets.shape[0],))
        nest.refuse((first != 0) | (last != y.shape[0]), nest.whole(-1))
        nest.loop(offsets.shape[0] - 1, segment, parallel=True)

    def backward(self, gradient: Tensor, output: Tensor, offsets: Tensor, x: Tensor) -> Contributions:
        return None, None

    @classmethod
    def samples(cls) -> Samples:
        offsets = np.array([0, 2, 2, 5, 6])
        return (
            sample(cls(), offsets, real(6, 3)),
            sample(cls(3), offsets, real(6)),
            sample(cls(), np.array([0, 0]), real(0, 2)),
        )
