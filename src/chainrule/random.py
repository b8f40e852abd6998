"""Explicit randomness: every draw comes from a seed that was given, never from a global state.

Draws inside a network (dropout) are counter-based: a function of a key and a position. A key is made of a seed, a step
and a site. Draws outside of it (initial weights, the order of examples) come from `generator`.
"""

from __future__ import annotations

import functools
import zlib
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, shortened


@dataclass(frozen=True, eq=False)
class Key:
    """What the random draws of one place in one training step depend on.

    Attributes:
        words: two uint32 numbers, of the seed and the step; an array, or a tensor when a step is traced.
        site: a number for the place in the network, fixed when the network is built.

    Example:
        >>> key = Key.of(seed=0, step=7)
        >>> key.at(0).site == key.at(1).site, key.at(0).at(1).site == key.at(1).at(0).site
        (False, False)
    """

    words: Any
    site: int = 0

    def __post_init__(self) -> None:
        if getattr(self.words, "shape", None) != (2,):
            raise ConfigurationError(
                f"Key: expected the two words of a key, got {shortened(self.words)}; Key.of(seed=0, step=7) makes a key"
            )

    @classmethod
    def of(cls, seed: int, step: int = 0) -> Key:
        """The key of a training step under a seed.

        Raises:
            ConfigurationError: for a seed below 0.
        """
        return cls(np.array((_word(seed), step % 2**32), np.uint32))

    def at(self, place: int) -> Key:
        """The key of a place inside this place, such as the layer at a position."""
        return replace(self, site=zlib.crc32(f"{self.site}/{place}".encode()))


@functools.lru_cache  # a step of training makes its key anew, of the same seed
def _word(seed: int) -> int:
    """A uint32 number for a seed, without any pattern in those of neighbouring seeds."""
    _require_seed(seed)
    return int(np.random.SeedSequence(seed).generate_state(1, np.uint32)[0])


def generator(seed: int, *path: int | str) -> np.random.Generator:
    """A NumPy generator for one purpose under a seed; generators of different purposes are independent.

    Args:
        seed: the seed of the run, at least 0.
        path: the purpose, such as ("shuffle", epoch).

    Raises:
        ConfigurationError: for a seed below 0.

    Example:
        >>> draws = [generator(0, "shuffle", epoch).integers(100) for epoch in (0, 0, 1)]
        >>> bool(draws[0] == draws[1])
        True
    """
    _require_seed(seed)
    words = [zlib.crc32(part.encode()) if isinstance(part, str) else part for part in path]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *words])))


def _require_seed(seed: int) -> None:
    if seed < 0:
        raise ConfigurationError(f"seed: expected a whole number of 0 or more, got {seed}")
