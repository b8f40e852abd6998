"""Sums of rows that a list names, out of one table or several: what a batch of graphs reads by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.blocks.ragged import refuse_ends, segment_bounds
from chainrule.dataclasses import dataclass
from chainrule.errors import ShapeError
from chainrule.graph.block import Block, Contributions, Element, Samples, real, sample
from chainrule.graph.spec import Spec, require_integer, require_rank
from chainrule.graph.tensor import Tensor

#: What stands in a reading for a source whose rows are left out.
ABSENT = -1


@dataclass(frozen=True, repr=False)
class Collect(Block):
    """y[i] = Σ tables[t][r] over the codes from offsets[i] to offsets[i + 1] - 1: r n + s names row r of source s.

    There are n sources, and `reading[s]` is the table t of source s, or `ABSENT`.

    Fields:
        reading: of each source the table.
        backs: of each table how the codes of its gradient are read: 0 for a source that counts, or `ABSENT`.
        part: whether the offsets are those of some rows only, so that they need not begin with 0, or end with m.

    Args:
        offsets, codes: shapes (rows + 1,) and (m,), integers.
        backs: offsets and codes of each table, for its gradient: which rows of y read a row of the table.
        tables: each of shape (its rows, ...).

    Returns:
        shape (rows, ...).
    """

    reading: tuple[int, ...]
    backs: tuple[tuple[int, ...], ...]
    part: bool = False

    def infer(self, offsets: Spec, codes: Spec, *inputs: Spec) -> Spec:
        backs, tables = inputs[: 2 * len(self.backs)], inputs[2 * len(self.backs) :]
        for x in (offsets, codes, *backs):
            require_integer("collect", "offsets and codes", x)
            require_rank("collect", "offsets and codes", x, lambda rank: rank == 1, "one axis")
        if not tables or len(tables) != len(self.backs):
            raise ShapeError(f"collect: expected {len(self.backs)} tables, got {len(tables)}")
        if not offsets.shape[0] or any(x.rank < 1 or x.shape[1:] != tables[0].shape[1:] for x in tables):
            shapes = ", ".join(str(x.shape) for x in tables)
            raise ShapeError(f"collect: expected tables of rows of one shape, got {shapes}, by offsets {offsets.shape}")
        for table, back in zip(tables, backs[::2], strict=True):
            if back.shape[0] != table.shape[0] + 1:
                raise ShapeError(f"collect: expected offsets for a table of {table.shape[0]} rows, got {back.shape}")
        return Spec((offsets.shape[0] - 1, *tables[0].shape[1:]), tables[0].dtype)

    def forward(self, xp: Any, offsets: Any, codes: Any, *inputs: Any) -> Any:
        return collected(self.reading, offsets, codes, inputs[2 * len(self.backs) :])

    def refusal(self, value: int) -> str:
        return f"collect: {value} is no row, or offsets do not rise from 0 to the number of codes"

    def loops(self, nest: Any, y: Any, offsets: Element, codes: Element, *inputs: Element) -> None:
        sources, tables = len(self.reading), inputs[2 * len(self.backs) :]
        sizes = y.shape[1:]

        def row(i: Any) -> None:
            start, end = segment_bounds(nest, i, offsets, codes.shape[0])
            nest.nest(sizes, lambda j: y.store(nest, (i, *j), nest.number(0, y.spec.dtype)))

            def each(j: Any) -> None:
                code = codes((j,))
                place, source = (code, nest.whole(0)) if sources == 1 else (code // sources, code % sources)
                for number, table in enumerate(self.reading):
                    if table != ABSENT:
                        self._add(nest, y, i, tables[table], place, None if sources == 1 else source == number)

            nest.loop(end, each, start, total=codes.shape[0])

        if not self.part:
            refuse_ends(nest, offsets, codes.shape[0])
        nest.loop(y.shape[0], row, parallel=True)

    @staticmethod
    def _add(nest: Any, y: Any, i: Any, table: Any, place: Any, chosen: Any) -> None:
        """Add a row of a table, where its source is the chosen one."""

        def add() -> None:
            if isinstance(table.shape[0], int) and table.shape[0] == 0:
                nest.refuse(place >= 0, place)
                return
            nest.refuse((place < 0) | (place >= table.shape[0]), place)
            nest.nest(y.shape[1:], lambda j: y.store(nest, (i, *j), table((place, *j)), accumulate=True))

        if chosen is None:
            add()
        else:
            nest.when(chosen, add)

    def backward(self, gradient: Tensor, output: Tensor, *inputs: Tensor) -> Contributions:
        offsets, codes, backs = *inputs[:2], inputs[2 : 2 + 2 * len(self.backs)]
        found = []
        for number, reading in enumerate(self.backs):
            own = (tuple([0 if table == number else ABSENT for table in self.reading]),)
            found.append(Collect(reading, own)(*backs[2 * number : 2 * number + 2], offsets, codes, gradient))
        return (*[None] * (2 + len(backs)), *found)

    @classmethod
    def samples(cls) -> Samples:
        offsets, codes = np.array([0, 1, 1, 3, 4]), np.array([4, 0, 5, 1])  # rows 2 and 0 of source 0; 2 and 0 of 1
        first, second = (np.array([0, 1, 1, 2]), np.array([2, 0])), (np.array([0, 1, 1, 2]), np.array([3, 2]))
        two = cls((0, 1), ((0,), (0,)))
        one = cls((0, ABSENT), ((0,),))
        plain = cls((0,), ((0,),))
        return (
            sample(two, offsets, codes, *first, *second, real(3, 2), real(3, 2)),
            sample(one, offsets, codes, *first, real(3, 2)),
            sample(plain, np.array([0, 2, 3]), np.array([1, 0, 1]), np.array([0, 1, 3]), np.array([0, 0, 1]), real(2)),
        )

    def __repr__(self) -> str:
        return f"collect(reading={self.reading})"


def collected(reading: Sequence[int], offsets: Any, codes: Any, tables: Sequence[Any]) -> Any:
    """The rows on NumPy; see `Collect`.

    Raises:
        ShapeError: for offsets that do not rise from 0 to the number of codes.
    """
    lengths = np.diff(offsets)
    if offsets[0] != 0 or offsets[-1] != len(codes) or (lengths < 0).any():
        raise ShapeError(f"collect: offsets must rise from 0 to the number of codes, {len(codes)}; got {offsets.shape}")
    y = np.zeros((len(lengths), *tables[0].shape[1:]), tables[0].dtype)
    into = np.repeat(np.arange(len(lengths)), lengths)
    places, sources = codes // len(reading), codes % len(reading)
    for number, table in enumerate(reading):
        if table != ABSENT:
            own = sources == number
            np.add.at(y, into[own], tables[table][places[own]])
    return y
