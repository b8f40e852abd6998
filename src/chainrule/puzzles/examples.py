"""Examples of puzzles: arrays of sizes that differ from one example to the next."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chainrule.graph.spec import Array

#: The least and the largest size of an axis.
SIZES = 2, 4
#: Numbers keep away from 0, where some functions have a kink.
LEAST = 0.05


def drawn(low: float = -2.0, high: float = 2.0, **axes: str) -> Callable[[np.random.Generator], dict[str, Array]]:
    """Arrays by name, each with an axis for each letter; the same letter is the same size in all arrays of an example.

    Numbers have two digits behind the point, so that they can be read in a picture.

    Example:
        >>> found = drawn(x="nd", b="d")(np.random.default_rng(0))
        >>> found["x"].shape[1] == len(found["b"])
        True
    """

    def make(draws: np.random.Generator) -> dict[str, Array]:
        sizes = {letter: int(draws.integers(SIZES[0], SIZES[1] + 1)) for letter in sorted(set("".join(axes.values())))}
        return {
            name: away(np.round(draws.uniform(low, high, tuple(sizes[letter] for letter in letters)), 2))
            for name, letters in axes.items()
        }

    return make


def away(x: Array) -> Array:
    """Numbers that are not nearly 0."""
    return np.where(np.abs(x) < LEAST, LEAST, x)
