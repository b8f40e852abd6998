"""Table: an embedding table with what an optimizer remembers of it, and the step after which each row was written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import zip_longest

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.graph.leaves import Mutable
from chainrule.graph.spec import Array, spec_of
from chainrule.graph.tensor import Tensor

#: What `Table.written` holds is the step plus one: 0 is left for a row that sleeps, and is also what the look-up of a
#: row that does not exist gives. A row written before counting began holds the 1 of step 0.
ASLEEP, BEGINNING = 0, 1
#: A row and what is remembered of it, in bytes, up to which they are moved to one place in memory: two cache lines.
WIDEST_SHARED_ROW = 128


@dataclass(eq=False)
class Table:
    """An embedding table and what is remembered of it.

    Attributes:
        parameter: the table.
        slot: what is remembered of it, by name.
        written: the step after which each row was written, plus one, int32. 0 (`ASLEEP`) stands for a row of which
            nothing is remembered yet, where the rule keeps such rows as they are.
        known: the versions of `slot` when it was last found out which rows are asleep; empty once someone else may have
            changed what is in them.
    """

    parameter: Mutable
    slot: Mapping[str, Mutable]
    written: Mutable
    known: Sequence[object] = ()

    @classmethod
    def of(cls, parameter: Mutable, slot: Mapping[str, Mutable]) -> Table:
        """The table of a parameter; its rows, where they are narrow, move beside what is remembered of them."""
        written = Mutable.of(np.full(parameter.shape[0], BEGINNING, np.int32), name="written")
        table = cls(parameter, slot, written)
        if any(leaf.held is not None for leaf in table.leaves):  # an engine has them, and they stay where they are
            return table
        held = [leaf.array for leaf in table.leaves]
        arrays = [array for array in held if array is not None]
        if len(arrays) == len(held):
            *moved, written.array = side_by_side([*arrays, written.numpy()])
            for leaf, array in zip(table.leaves, moved, strict=True):
                leaf.array = array
        return table

    @property
    def leaves(self) -> list[Mutable]:
        """The parameter and what is remembered of it."""
        return [self.parameter, *self.slot.values()]

    def awaken(self) -> None:
        """Find out which rows are asleep, unless the arrays are still those for which it is known."""
        versions = [leaf.version for leaf in self.slot.values()]
        if any(version is not known for version, known in zip_longest(versions, self.known)):
            # What an engine has is not fetched for this: a row that is taken for awake is computed, and comes out as is.
            awake = np.full(self.parameter.shape[0], any(leaf.held is not None for leaf in self.slot.values()))
            for array in [leaf.array for leaf in self.slot.values() if leaf.held is None]:
                if array is not None:
                    awake |= array.any(axis=tuple(range(1, array.ndim)))
            self.written.numpy()[...] = np.where(awake, BEGINNING, ASLEEP)
            self.known = versions


def side_by_side(arrays: Sequence[Array]) -> list[Array]:
    """Arrays of as many rows as views of one array, in which row i of each lies beside row i of the others.

    A step finds such a row anywhere in a large memory, and with it all that belongs to it. Rows are aligned so that
    they cross no more borders of cache lines than they must. Rows wider than `WIDEST_SHARED_ROW` stay where they are.
    """
    sizes = [array.itemsize * math.prod(array.shape[1:]) for array in arrays]
    if not 0 < sum(sizes) <= WIDEST_SHARED_ROW or not len(arrays[0]):
        return list(arrays)
    rows, width = len(arrays[0]), 1 << (sum(sizes) - 1).bit_length()
    memory = np.zeros(rows * width + WIDEST_SHARED_ROW, np.uint8)
    place = -memory.ctypes.data % WIDEST_SHARED_ROW
    views = {}
    for i in sorted(range(len(arrays)), key=lambda i: -arrays[i].itemsize):
        inside = np.empty(arrays[i].shape[1:], arrays[i].dtype).strides
        views[i] = np.ndarray(arrays[i].shape, arrays[i].dtype, memory.data, place, (width, *inside))
        views[i][...] = arrays[i]
        place += sizes[i]
    return [views[i] for i in range(len(arrays))]


def leaf_of(value: Array, name: str) -> Tensor:
    """An array as a leaf."""
    return Tensor(spec_of(value), value, name=name)
