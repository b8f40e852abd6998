"""Ragged rows of ids, and the mini-batches made of them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from chainrule.data.portions import offsets_of
from chainrule.errors import ConfigurationError, DataError


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
        if ids.dtype != np.int32 or ids.ndim != 1:
            raise DataError(f"ragged ids must be int32 of shape (n,), got {ids.dtype} of shape {ids.shape}")
        if offsets.dtype != np.int64 or offsets.ndim != 1 or not len(offsets):
            raise DataError(f"ragged offsets must be int64 of shape (rows + 1,), got {offsets.dtype} {offsets.shape}")
        if offsets[0] != 0 or offsets[-1] != len(ids) or (offsets[1:] < offsets[:-1]).any():
            raise DataError(f"ragged offsets must ascend from 0 to {len(ids)}, the number of ids")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """The number of ids in each row, int64 of shape (rows,)."""
        return np.diff(self.offsets)

    def take(self, rows: np.ndarray) -> "Ragged":
        """The rows with these numbers, in this order; a number may come more than once."""
        starts, stops = self.offsets[:-1][rows], self.offsets[1:][rows]
        # A copy of each row takes less time than one of all ids by their places, of which there are many a row.
        taken = [self.ids[start:stop] for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]
        ids = np.concatenate(taken) if taken else self.ids[:0]
        return Ragged(ids, offsets_of(stops - starts))

    def slice(self, start: int, stop: int) -> "Ragged":
        """Rows start to stop, stop left out, as a view of the ids."""
        start, stop, _ = slice(start, stop).indices(len(self))
        offsets = self.offsets[start : max(start, stop) + 1]
        return Ragged(self.ids[offsets[0] : offsets[-1]], offsets - offsets[0])

    @classmethod
    def concatenate(cls, parts: "Iterable[Ragged]") -> "Ragged":
        """The rows of the first part, then those of the second, and so on."""
        held = [(part.ids, part.lengths) for part in parts]
        ids = np.concatenate([np.zeros(0, np.int32), *(ids for ids, _ in held)])
        return cls(ids, offsets_of(np.concatenate([np.zeros(0, np.int64), *(lengths for _, lengths in held)])))

    def distinct(self, *, without: int | None = None) -> "Ragged":
        """Each id of a row once, in ascending order, and one id left out altogether if asked for.

        Example:
            >>> Ragged(np.array([7, 0, 7, 2], np.int32), np.array([0, 3, 4])).distinct(without=0).ids
            array([7, 2], dtype=int32)
        """
        ids = self.ids.copy()
        for start, stop in pairwise(self.offsets.tolist()):
            ids[start:stop].sort()  # one row after the other, which stay in the processor's cache
        kept = np.ones(len(ids), bool)
        np.not_equal(ids[1:], ids[:-1], out=kept[1:])
        starts = self.offsets[:-1]
        kept[starts[starts < len(ids)]] = True
        if without is not None:
            kept &= ids != without
        places = np.flatnonzero(kept)
        return Ragged(ids[places], np.searchsorted(places, self.offsets))


@dataclass(frozen=True, eq=False)
class Batch:
    """A mini-batch: bags of ids, their labels (int64, or None), and the numbers of their rows."""

    bags: Ragged
    labels: np.ndarray | None
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


def batches(
    bags: Ragged, labels: np.ndarray | None, batch_size: int, *, generator: np.random.Generator | None = None
) -> Iterator[Batch]:
    """Mini-batches that hold every row exactly once; the last may be smaller.

    Args:
        bags: The rows.
        labels: A label for each row, or None.
        batch_size: Rows in a batch, 1 or more.
        generator: Shuffles the rows, with one draw for the whole pass; None keeps their order.

    Raises:
        ConfigurationError: A batch size below 1.
        DataError: Not as many labels as rows.

    Example:
        >>> bags = Ragged(np.array([7, 8, 9], np.int32), np.array([0, 2, 2, 3]))
        >>> [batch.rows.tolist() for batch in batches(bags, None, 2)]
        [[0, 1], [2]]
    """
    if batch_size < 1:
        raise ConfigurationError(f"batch size must be 1 or more, got {batch_size}")
    if labels is not None and len(labels) != len(bags):
        raise DataError(f"{len(bags)} rows but {len(labels)} labels; expected as many")
    order = np.arange(len(bags)) if generator is None else generator.permutation(len(bags))
    pieces = (order[start : start + batch_size] for start in range(0, len(order), batch_size))
    return (Batch(bags.take(rows), None if labels is None else labels[rows], rows) for rows in pieces)


def encode_labels(labels: pl.Series, names: Sequence[str], rows: np.ndarray | None = None) -> np.ndarray:
    """The position of each label among the names, int64 of shape (rows,).

    Args:
        labels: Strings.
        names: The labels there are.
        rows: The number of each row, for messages, where it is not its place.

    Raises:
        ConfigurationError: A name that comes twice.
        DataError: A label that is not among the names.

    Example:
        >>> encode_labels(pl.Series(["pos", "neg", "pos"]), ["neg", "pos"])
        array([1, 0, 1])
    """
    if len(set(names)) != len(names):
        twice = next(name for position, name in enumerate(names) if name in names[:position])
        raise ConfigurationError(f"label name {twice!r} comes twice; expected distinct names")
    codes = labels.cast(pl.String).cast(pl.Enum(names), strict=False).to_physical()
    if codes.null_count():
        row = int(codes.is_null().arg_max() or 0)
        known = ", ".join(map(repr, names)) or "none"
        number = row if rows is None else int(rows[row])
        raise DataError(f"label {labels[row]!r} of row {number} (the first is 0) is not known; the labels are {known}")
    return codes.to_numpy().astype(np.int64)
