"""Lookup: the ids of the tokens and n-grams of many texts at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

import chainrule.polars as pl
from chainrule.data import Ragged
from chainrule.data.chunks import offsets_of
from chainrule.forks import once
from chainrule.text.keys import KeyTable
from chainrule.text.ngrams import ngram_keys, pair_keys
from chainrule.text.subwords import CharacterNgrams


class Lookup:
    """From tokens to ids, by whole numbers.

    An n-gram is known by two ids, that of the (n−1)-gram it begins with and that of its last token.

    Args:
        names: the tokens and character n-grams there are, distinct.
        name_ids: the id of each.
        ngrams: for n = 2, 3, ..., the `pair_keys` of the n-grams with their ids.
    """

    def __init__(self, names: pl.Series, name_ids: np.ndarray, ngrams: Sequence[KeyTable]) -> None:
        self._names = names
        self._name_ids = name_ids
        self._enum = pl.Enum(names)
        self._ngrams = ngrams

    @property
    def ngrams(self) -> int:
        """The length of the longest n-gram."""
        return 1 + len(self._ngrams)

    @classmethod
    def of(cls, entries: Sequence[str], ids: Mapping[str, int]) -> Lookup:
        """Of entries in the order of their ids, all of whose n-grams begin and end with what has an entry."""
        names: list[int] = []
        longer: dict[int, list[tuple[int, int, int]]] = {}
        for number, entry in enumerate(entries):
            order = 1 + entry.count(" ")
            if order == 1:
                names.append(number)
            else:
                prefix, _, last = entry.rpartition(" ")
                longer.setdefault(order, []).append((ids[prefix], ids[last], number))
        tables = []
        for order in sorted(longer):
            prefixes, lasts, numbers = np.array(longer[order], np.int32).T
            tables.append(KeyTable(pair_keys(prefixes, lasts), numbers))
        held = pl.Series("entry", [entries[number] for number in names], dtype=pl.String)
        return cls(held, np.array(names, np.int64), tables)

    def find(self, values: pl.Series) -> np.ndarray:
        """The id of each token, int32; 0 for one that is not known."""
        if 8 * len(values) > len(self._name_ids):
            codes = values.cast(self._enum, strict=False).to_physical().cast(pl.Int64).to_numpy()
            places = np.where(np.isnan(codes), len(self._name_ids), codes).astype(np.int64)
            return np.append(self._name_ids, 0)[places].astype(np.int32)
        return np.fromiter((self._by_name.get(value, 0) for value in values.to_list()), np.int32, len(values))

    @once
    def _by_name(self) -> dict[str, int]:
        """The ids once more, for few names at a time: casting to an Enum costs a pass over all its names."""
        return dict(zip(self._names.to_list(), self._name_ids.tolist(), strict=True))

    def pieces(self, names: pl.Series, characters: CharacterNgrams) -> Ragged:
        """For each token, the ids of its character n-grams that are known."""
        entries, rows = characters.coded(names.to_list())
        ids = self.find(pl.Series(entries, dtype=pl.String))[rows.ids]
        known = np.flatnonzero(ids)
        return Ragged(ids[known], np.searchsorted(known, rows.offsets))

    def columns(self, ids: np.ndarray, offsets: np.ndarray) -> Iterator[np.ndarray]:
        """For n = 2, 3, ... and each token, the id of the n-gram that begins there, or 0.

        Args:
            ids: for each token its id, or 0.
            offsets: where each text begins.
        """
        prefixes = ids
        for order, known in enumerate(self._ngrams, start=2):
            whole, keys = ngram_keys(prefixes, ids, offsets, order)
            prefixes = np.zeros(len(ids), np.int32)
            prefixes[: len(whole)][whole] = known.find(keys)
            yield prefixes


def joined(pieces: Ragged, codes: np.ndarray, offsets: np.ndarray) -> Ragged:
    """For each text, the pieces of all its tokens.

    Args:
        pieces: of each distinct token.
        codes: the distinct token that each token of the texts is.
        offsets: where each text begins.

    Example:
        >>> pieces = Ragged(np.array([7, 8, 9], np.int32), np.array([0, 2, 3]))
        >>> joined(pieces, np.array([1, 0, 1]), np.array([0, 2, 3])).ids
        array([9, 7, 8, 9], dtype=int32)
    """
    starts, lengths = pieces.offsets[codes], pieces.lengths[codes]
    ends = offsets_of(lengths)
    places = np.arange(ends[-1]) + np.repeat(starts - ends[:-1], lengths)
    return Ragged(pieces.ids[places], ends[offsets])
