"""Sizes of ragged batches, rounded up to a short list, so that few functions are compiled.

A size is rounded up to the next power of `RATIO`, which adds 12 % at most and half of that on average. A function is
compiled for the first `OWN` combinations of sizes that come. After those a batch takes the smallest one that it fits
into; where it fits into none, one is compiled that all batches so far fit into, with room in what was too small.
Mini-batches of one number of texts need `SHAPES` at most, as far as was seen; more are compiled with a warning.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping

from chainrule.errors import PerformanceWarning

#: From one size to the next.
RATIO = 1.12
#: Room in a size that was too small. How long the longest of some texts is varies more than how many tokens they have,
#: and what is added to it costs attention alone.
ROOM, ROOM_OF_LONGEST = RATIO, 1.5
#: How many combinations of sizes are compiled as they come, and how many at all without a word.
OWN, SHAPES = 5, 8


def rounded(size: int) -> int:
    """The size of the list that is the next from this one on.

    Example:
        >>> [rounded(x) for x in (1, 30, 1000, 1001)]
        [8, 32, 1088, 1088]
    """
    found = 8
    while found < size:
        found = max(int(found * RATIO) // 8 * 8, found + 8)
    return found


def _with_room(name: str, size: int) -> int:
    return rounded(int(size * (ROOM_OF_LONGEST if name.startswith("longest") else ROOM)))


class Shapes:
    """The combinations of sizes that a function was compiled for, by the names of the sizes.

    Attributes:
        name: of the function, for messages.
        known: the combinations.
        real, padded: numbers of ragged axes that were computed, and those among them that stood for something.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.known: list[dict[str, int]] = []
        self.real = self.padded = 0
        self._last: Mapping[str, int] = {}

    @property
    def padding(self) -> float:
        """The share of what was computed that stood for nothing."""
        return 1 - self.real / self.padded if self.padded else 0.0

    def choose(self, sizes: Mapping[str, int]) -> dict[str, int]:
        """The sizes to compute with, none of which is smaller than the real one."""
        # Sizes that come twice in a row will come again, as where all texts are of one length: these are not rounded.
        wanted = dict(sizes) if sizes == self._last else {name: rounded(x) for name, x in sizes.items()}
        self._last = dict(sizes)
        if sizes in self.known:
            wanted = dict(sizes)
        if wanted not in self.known:
            wanted = self._other(sizes, wanted)
        for name, size in sizes.items():
            if not name.startswith("longest"):
                self.real, self.padded = self.real + size, self.padded + wanted[name]
        return wanted

    def _other(self, sizes: Mapping[str, int], wanted: dict[str, int]) -> dict[str, int]:
        """The smallest combination that there is, or else another one, which is compiled."""
        if len(self.known) >= OWN:
            fitting = [x for x in self.known if all(x[name] >= size for name, size in sizes.items())]
            if fitting:
                return min(fitting, key=lambda x: math.prod(x.values()))
            largest = {name: max(x[name] for x in self.known) for name in sizes}
            wanted = {name: x if x >= sizes[name] else _with_room(name, sizes[name]) for name, x in largest.items()}
        if len(self.known) >= SHAPES:
            listed = ", ".join(f"{size:,} {name}" for name, size in sizes.items())
            warnings.warn(
                f"xla: {self.name} is compiled once more, for {listed}, after {len(self.known)} times for others; "
                f"mini-batches of like sizes need fewer: smaller ones, or texts cut to a length",
                PerformanceWarning,
                stacklevel=4,
            )
        self.known.append(wanted)
        return wanted
