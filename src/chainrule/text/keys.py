"""KeyTable: whole numbers to ids, in memory once and looked up many at a time. And what puts numbers in order."""

from __future__ import annotations

import numpy as np

import chainrule.polars as pl

#: 2⁶⁴ divided by the golden ratio: multiples of it spread evenly.
SPREAD = 0x9E3779B97F4A7C15


class KeyTable:
    """A hash table from distinct whole numbers above 0 to ids, by open addressing with linear probing.

    Args:
        keys: int64 of shape (n,), distinct and above 0.
        ids: as many, int32.

    Example:
        >>> table = KeyTable(np.array([7, 1 << 40]), np.array([3, 4], np.int32))
        >>> table.find(np.array([1 << 40, 8, 7]))
        array([4, 0, 3], dtype=int32)

    Source: Knuth, The Art of Computer Programming 3, section 6.4: algorithm L, and hashing by the golden ratio.
    """

    def __init__(self, keys: np.ndarray, ids: np.ndarray) -> None:
        bits = max(4, (3 * len(keys) // 2).bit_length())  # at most two thirds of the slots are taken
        self._shift = np.uint64(64 - bits)
        # In the order of their slots, a key comes into its own slot, or right behind the key before it.
        slots, order = self._slots(keys), np.arange(len(keys))
        sort_with_places(slots, order)
        steps = np.arange(len(keys))
        slots = np.maximum.accumulate(slots - steps) + steps
        size = 1 + max(1 << bits, int(slots[-1]) + 1 if len(keys) else 0)  # a free slot ends every search
        self._keys = np.zeros(size, np.int64)
        self._ids = np.zeros(size, np.int32)
        self._keys[slots] = keys[order]
        self._ids[slots] = ids[order]

    def items(self) -> tuple[np.ndarray, np.ndarray]:
        """All keys, and their ids."""
        held = np.flatnonzero(self._keys)
        return self._keys[held], self._ids[held]

    def find(self, keys: np.ndarray) -> np.ndarray:
        """The id of each key, int32; 0 for a key that is not there."""
        slots = self._slots(keys)
        held = self._keys[slots]
        found = np.where(held == keys, self._ids[slots], np.int32(0))
        waiting = np.flatnonzero((held != keys) & (held != 0))
        slots = slots[waiting]
        while len(waiting):
            slots += 1
            held, wanted = self._keys[slots], keys[waiting]
            hit = held == wanted
            found[waiting[hit]] = self._ids[slots[hit]]
            going_on = ~hit & (held != 0)
            waiting, slots = waiting[going_on], slots[going_on]
        return found

    def _slots(self, keys: np.ndarray) -> np.ndarray:
        return np.asarray(((keys.view(np.uint64) * SPREAD) >> self._shift).view(np.int64))


def sort_with_places(keys: np.ndarray, places: np.ndarray) -> None:
    """Sort keys in place, and let their places go along; equal keys stay as they are.

    Sorting numbers alone takes a quarter of the time of sorting something that carries another along, so each key and
    its place are made one number where both fit into it. It is done in place, as large arrays take long to come by.

    Args:
        keys: int64, 0 or more.
        places: as many, int64, ascending, 0 or more.

    Example:
        >>> keys, places = np.array([7, 1, 7, 3]), np.arange(4)
        >>> sort_with_places(keys, places)
        >>> keys, places
        (array([1, 3, 7, 7]), array([1, 3, 0, 2]))
    """
    bits = int(places.max(initial=0)).bit_length()
    if int(keys.max(initial=0)).bit_length() + bits < 64:
        keys <<= bits
        keys |= places
        keys.sort()  # by vector instructions: one thread takes less time than two of Polars
        np.bitwise_and(keys, (1 << bits) - 1, out=places)
        keys >>= bits
        return
    order = np.argsort(keys, kind="stable")
    keys[:], places[:] = keys[order], places[order]


def order_of(texts: pl.Series) -> np.ndarray:
    """The places of strings, those of the smallest first.

    Example:
        >>> order_of(pl.Series(["so", "bad", "good"])).tolist()
        [1, 2, 0]
    """
    if pl.threads_lost():
        listed = texts.to_list()
        return np.array(sorted(range(len(listed)), key=listed.__getitem__), np.int64)
    return texts.arg_sort().to_numpy()
