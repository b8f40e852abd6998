"""Samples: what the shared test tries a block on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.graph.spec import Array, Shape

if TYPE_CHECKING:
    from chainrule.graph.block import Block


@dataclass(frozen=True)
class Sample:
    """A block and arrays to test it on; the gradient is tested for the floating-point arrays."""

    block: Block
    inputs: tuple[Array, ...]


Samples: TypeAlias = Sequence[Sample]


def sample(block: Block, *inputs: Array) -> Sample:
    """A sample for the shared test."""
    return Sample(block, inputs)


def real(*shape: int, low: float = -2.0, high: float = 2.0) -> Array:
    """Floating-point numbers for a sample, in a fixed mixed order and spread over an interval.

    No two are equal, so that maxima are unique, and none is 0, so that kinks at 0 are avoided.
    """
    size = int(np.prod(shape))
    spread = (np.arange(size) * 0.6180339887 + 0.3141592653) % 1.0  # multiples of the golden ratio stay far apart
    return (low + (high - low) * spread).reshape(shape)


def integers(*shape: int, low: int = 0, high: int) -> Array:
    """Integers in [low, high) for a sample, with repetitions."""
    return low + (np.arange(int(np.prod(shape)), dtype=np.int64) * 7 + 3).reshape(shape) % (high - low)


def spread(shapes: Sequence[Shape], intervals: Sequence[Any]) -> list[Array]:
    """An array from each interval, with the shapes in turn; from equal intervals, no number comes twice."""
    chosen = [shapes[i % len(shapes)] for i in range(len(intervals))]
    sizes = [math.prod(shape) for shape in chosen]
    parts = np.split(real(sum(sizes), low=0, high=1), np.cumsum(sizes)[:-1])
    return [
        (low + (high - low) * part).reshape(shape)
        for part, shape, (low, high) in zip(parts, chosen, intervals, strict=True)
    ]
