"""Source: the rows of a training on the device, of which a mini-batch is told by their numbers.

Encoded texts go to the device once. A step is then told which rows it reads and where each text begins, and takes the
ids itself, in the order in which the host has them.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.data.examples import Examples, offsets_of_field
from chainrule.data.ragged import Ragged
from chainrule.graph.spec import Array, Shape
from chainrule.xla.device import put
from chainrule.xla.forms.segments import ids_of
from chainrule.xla.mesh import layout

#: The share of a device's free memory that rows may take.
SHARE = 0.25
#: By the rows that they hold: a range test and the training after it read the same ones.
HELD: weakref.WeakKeyDictionary[Examples, Source] = weakref.WeakKeyDictionary()


class Chosen(NamedTuple):
    """Rows of a source.

    Attributes:
        source: where they are.
        numbers: which, in order, int32.
    """

    source: Source
    numbers: Array


class Source:
    """Rows on the device.

    Args:
        examples: the rows.

    Attributes:
        arrays: on the device; of ragged fields the ids, and where each row of them begins.
        taken: positions of `Examples.arrays` that a step takes from them; it is told the others, which are offsets.
    """

    def __init__(self, examples: Examples) -> None:
        self._examples = weakref.ref(examples)
        self.arrays: list[Any] = []
        self.taken: list[int] = []
        self._offsets: list[int | None] = []  # of each that is taken, at which position its offsets are
        positions = {name: i for i, name in enumerate(examples.arrays())}
        for name, field in examples.fields.items():
            self.taken.append(positions[name])
            if isinstance(field, Ragged):
                self._offsets.append(positions[offsets_of_field(name)])
                self.arrays += [put(field.ids), put(field.offsets[:-1])]
            else:
                self._offsets.append(None)
                self.arrays.append(put(field))

    def chosen(self, batch: Examples) -> Chosen | None:
        """Which rows a mini-batch has; None where it was made in another way than by taking some of these."""
        if batch.origin is None or batch.origin[0] is not self._examples():
            return None
        return Chosen(self, batch.origin[1].astype(np.int32))

    def count(self, shapes: Sequence[Shape]) -> int:
        """How many rows arguments of these shapes have."""
        at = self._offsets[0]
        return shapes[self.taken[0]][0] if at is None else shapes[at][0] - 1

    def read(
        self, arrays: Sequence[Any], numbers: Any, offsets: Mapping[int, Any], sizes: Mapping[int, int]
    ) -> dict[int, Any]:
        """What is taken, by position, in a step.

        Args:
            arrays: those of the source, as the step gets them.
            numbers: of the rows.
            offsets: by position.
            sizes: by position: how many ids the array of a ragged field has, rounded up; those behind the last are 0.
        """
        rest, found = iter(arrays), dict[int, Any]()
        for position, at in zip(self.taken, self._offsets, strict=True):
            held = next(rest)
            if at is None:
                found[position] = jnp.take(held, numbers, axis=0, mode="clip")
                continue
            starts, count = next(rest), sizes[position]
            if not held.size:
                found[position] = jnp.zeros(count, held.dtype)
                continue
            row, places = ids_of(offsets[at], count), jnp.arange(count)
            begins = jnp.take(starts, numbers, mode="clip") - offsets[at][:-1]
            ids = jnp.take(held, places + jnp.take(begins, row, mode="clip"), mode="clip")
            found[position] = jnp.where(places < offsets[at][-1], ids, 0)
        return found


def source_of(examples: Examples) -> Source | None:
    """The rows on the device, which are sent once; None where they do not fit, or where several devices share them."""
    if layout() is not None or not examples.rows or not _fit(examples):
        return None
    found = HELD.get(examples)
    if found is None:
        found = HELD[examples] = Source(examples)
    return found


def _fit(examples: Examples) -> bool:
    """Whether there is room. A device that is a CPU has the memory of the host, where they are already."""
    told = jax.devices()[0].memory_stats() or {}
    if "bytes_limit" not in told:
        return True
    nbytes = sum(x.nbytes for x in examples.arrays().values())
    return bool(nbytes <= SHARE * (told["bytes_limit"] - told.get("bytes_in_use", 0)))
