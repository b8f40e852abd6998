"""KeyTable: whole numbers to ids, in memory once and looked up many at a time."""

import numpy as np

#: 2⁶⁴ divided by the golden ratio: multiples of it spread evenly.
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


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
        self._last = (1 << bits) - 1
        self._keys = np.zeros(1 << bits, np.int64)
        self._ids = np.zeros(1 << bits, np.int32)
        slots = self._slots(keys)
        while len(keys):
            free = self._keys[slots] == 0
            self._keys[slots[free]] = keys[free]  # of several keys for one slot, one gets it
            placed = self._keys[slots] == keys
            self._ids[slots[placed]] = ids[placed]
            keys, ids, slots = keys[~placed], ids[~placed], (slots[~placed] + 1) & self._last

    def find(self, keys: np.ndarray) -> np.ndarray:
        """The id of each key, int32; 0 for a key that is not there."""
        slots = self._slots(keys)
        held = self._keys[slots]
        found = np.where(held == keys, self._ids[slots], np.int32(0))
        waiting = np.flatnonzero((held != keys) & (held != 0))
        slots = slots[waiting]
        while len(waiting):
            slots = (slots + 1) & self._last
            held, wanted = self._keys[slots], keys[waiting]
            hit = held == wanted
            found[waiting[hit]] = self._ids[slots[hit]]
            going_on = ~hit & (held != 0)
            waiting, slots = waiting[going_on], slots[going_on]
        return found

    def _slots(self, keys: np.ndarray) -> np.ndarray:
        return np.asarray(((keys.view(np.uint64) * _SPREAD) >> self._shift).view(np.int64))
