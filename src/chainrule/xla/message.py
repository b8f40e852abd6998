"""Message: what the host tells the device in a call, as one array of each dtype.

A transfer takes about as long for eight bytes as for some thousand. Arrays whose sizes are rounded up are written into
a message as they are, and only what is added is filled in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.graph.spec import Array, Spec


class Message:
    """Where each of some arrays stands in a message.

    Args:
        specs: of the arrays, in the sizes that are computed.
        go_on: of which arrays the last row is repeated where rows are added, as in offsets: texts without tokens. Those
            of the others are zeros.

    Attributes:
        nbytes: of a message.
    """

    def __init__(self, specs: Sequence[Spec], go_on: Sequence[int] = ()) -> None:
        self._specs = list(specs)
        self._go_on = frozenset(go_on)
        self._places: list[tuple[int, slice]] = []
        self._sizes: dict[np.dtype[Any], int] = {}
        for spec in specs:
            start = self._sizes.setdefault(spec.dtype, 0)
            self._sizes[spec.dtype] = start + spec.size
            self._places.append((list(self._sizes).index(spec.dtype), slice(start, start + spec.size)))
        self.nbytes = sum(dtype.itemsize * size for dtype, size in self._sizes.items())

    def packed(self, arrays: Sequence[Any]) -> list[Array]:
        """A new message of arrays or numbers: a copy, as their owners may write into theirs while a step runs."""
        found = [np.empty(size, dtype) for dtype, size in self._sizes.items()]
        for position, (x, (number, place)) in enumerate(zip(arrays, self._places, strict=True)):
            flat = found[number][place]
            if isinstance(x, np.ndarray):
                flat[: x.size] = x.reshape(-1)
                if x.size < flat.size:
                    flat[x.size :] = self.added(x, position)
            else:
                flat[0] = x
        return found

    def added(self, x: Array, position: int) -> Any:
        """What is told for rows that are added to an array."""
        return x[-1] if position in self._go_on and len(x) else 0

    def unpacked(self, packed: Sequence[Any]) -> list[Any]:
        """The arrays, on the device."""
        pairs = zip(self._specs, self._places, strict=True)
        return [packed[number][place].reshape(spec.shape) for spec, (number, place) in pairs]
