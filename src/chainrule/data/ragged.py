"""Ragged rows of ids: rows of any length, one after the other, without padding."""

from collections.abc import Iterable, Sequence
from itertools import accumulate, chain, pairwise

import numpy as np

from chainrule.data.chunks import offsets_of
from chainrule.dataclasses import dataclass
from chainrule.errors import DataError

#: As NumPy compares dtypes with these sooner than with the names of types.
INT32, INT64 = np.dtype(np.int32), np.dtype(np.int64)
#: Rows of so many ids are copied id by id, each from its place, in less time than row by row; longer ones are not.
SHORT = 150


@dataclass(frozen=True, eq=False)
class Ragged:
    """Rows of ids of any length, without padding: row i is `ids[offsets[i]:offsets[i + 1]]`.

    Args:
        ids: int32 of shape (n,), all rows one after the other.
        offsets: int64 of shape (rows + 1,), ascending from 0 to n.

    Raises:
        DataError: Arrays of another type or shape, or offsets that do not fit the ids.

    Example:
        >>> bags = Ragged(np.array([7, 8, 9], np.int32), np.array([0, 2, 2, 3]))
        >>> bags.lengths
        array([2, 0, 1])
        >>> bags.take(np.array([2, 0])).ids
        array([9, 7, 8], dtype=int32)
    """

    ids: np.ndarray
    offsets: np.ndarray

    def __post_init__(self) -> None:
        ids, offsets = self.ids, self.offsets
        if ids.dtype != INT32 or ids.ndim != 1:
            raise DataError(f"ragged ids must be int32 of shape (n,), got {ids.dtype} of shape {ids.shape}")
        if offsets.dtype != INT64 or offsets.ndim != 1 or not len(offsets):
            raise DataError(f"ragged offsets must be int64 of shape (rows + 1,), got {offsets.dtype} {offsets.shape}")
        falls = len(offsets) > 2 and np.count_nonzero(offsets[1:] < offsets[:-1])  # of one row, the ends tell
        if offsets[0] != 0 or offsets[-1] != len(ids) or falls:
            raise DataError(f"ragged offsets must ascend from 0 to {len(ids)}, the number of ids")

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> "Ragged":
        """From rows as lists of numbers that int32 holds.

        Example:
            >>> Ragged.of([[7, 8], [], [9]]).offsets
            array([0, 2, 2, 3])
        """
        ids = rows[0] if len(rows) == 1 else [*chain.from_iterable(rows)]
        ragged = object.__new__(cls)  # whose arrays fit as they are made, and need no check
        object.__setattr__(ragged, "ids", np.fromiter(ids, INT32, len(ids)))
        object.__setattr__(ragged, "offsets", np.array([0, *accumulate(map(len, rows))], INT64))
        return ragged

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """The number of ids in each row, int64 of shape (rows,)."""
        offsets = self.offsets
        lengths: np.ndarray = offsets[1:] - offsets[:-1]  # np.diff takes longer, of few rows
        return lengths

    def take(self, rows: np.ndarray) -> "Ragged":
        """The rows with these numbers, in this order; a number may come more than once."""
        starts, stops = self.offsets[:-1][rows], self.offsets[1:][rows]
        offsets = offsets_of(stops - starts)
        if offsets[-1] <= SHORT * len(rows):
            places = np.repeat(starts - offsets[:-1], stops - starts)
            places += np.arange(len(places))
            return Ragged(self.ids[places], offsets)
        taken = [self.ids[start:stop] for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]
        return Ragged(np.concatenate(taken), offsets)

    def slice(self, start: int, stop: int) -> "Ragged":
        """Rows start to stop, stop left out, as a view of the ids."""
        start, stop, _ = slice(start, stop).indices(len(self))
        offsets = self.offsets[start : max(start, stop) + 1]
        part = object.__new__(Ragged)  # of rows that fit, so that nothing is to be checked
        object.__setattr__(part, "ids", self.ids[offsets[0] : offsets[-1]])
        object.__setattr__(part, "offsets", offsets - offsets[0])
        return part

    @classmethod
    def concatenate(cls, parts: "Iterable[Ragged]") -> "Ragged":
        """The rows of the first part, then those of the second, and so on."""
        held = [(part.ids, part.lengths) for part in parts]
        ids = np.concatenate([np.zeros(0, np.int32), *(ids for ids, _ in held)])
        return cls(ids, offsets_of(np.concatenate([np.zeros(0, np.int64), *(lengths for _, lengths in held)])))

    def distinct(self, *, without: int | None = None, doubled: bool = False) -> "Ragged":
        """Each id of a row once, in ascending order, and one id left out altogether if asked for.

        Args:
            without: The id that is left out.
            doubled: Whether an id comes again each time that its number of occurrences has doubled: 1 + ⌊log₂ c⌋ times
                where it occurs c times.

        Example:
            >>> rows = Ragged(np.array([7, 0, 7, 7, 2], np.int32), np.array([0, 4, 5]))
            >>> rows.distinct(without=0).ids, rows.distinct(without=0, doubled=True).ids
            (array([7, 2], dtype=int32), array([7, 7, 2], dtype=int32))
        """
        ids = self.ids.copy()
        for start, stop in pairwise(self.offsets.tolist()):
            ids[start:stop].sort()  # one row after the other, which stay in the processor's cache
        kept = np.ones(len(ids), bool)
        np.not_equal(ids[1:], ids[:-1], out=kept[1:])
        starts = self.offsets[:-1]
        kept[starts[starts < len(ids)]] = True
        if doubled:
            firsts, again = np.flatnonzero(kept), np.flatnonzero(~kept)
            before = again - firsts[np.searchsorted(firsts, again) - 1]  # of the same id in the row
            kept[again[before & (before + 1) == 0]] = True  # the 2nd, the 4th, the 8th, ...
        if without is not None:
            kept &= ids != without
        places = np.flatnonzero(kept)
        return Ragged(ids[places], np.searchsorted(places, self.offsets))
