"""Lookup: the ids of the tokens and n-grams of many texts at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

import chainrule.polars as pl
from chainrule.data import Ragged
from chainrule.forks import once
from chainrule.text.keys import KeyTable
from chainrule.text.ngrams import ngram_keys, pair_keys, unpaired
from chainrule.text.subwords import CharacterNgrams


class Lookup:
    """From tokens to ids, by whole numbers.

    An n-gram is known by two ids, that of the (n−1)-gram it begins with and that of its last token. For few texts,
    dictionaries answer; for many, arrays do. Each is made of the other when it is first asked for.

    Args:
        names: the tokens and character n-grams there are, distinct.
        name_ids: the id of each.
        ngrams: for n = 2, 3, ..., the `pair_keys` of the n-grams with their ids.
    """

    def __init__(self, names: pl.Series, name_ids: np.ndarray, ngrams: Sequence[KeyTable]) -> None:
        self._names = names
        self._name_ids = name_ids
        self._ngrams = ngrams

    @classmethod
    def of(cls, by_name: dict[str, int], by_pair: dict[tuple[int, int], int]) -> Lookup:
        """Of names with their ids, and of n-grams with theirs, by the two that they are known by."""
        lookup = cls.__new__(cls)
        lookup.by_name, lookup.by_pair = by_name, by_pair
        return lookup

    @once
    def by_name(self) -> dict[str, int]:
        """The id of each token and character n-gram."""
        return dict(zip(self._names.to_list(), self._name_ids.tolist(), strict=True))

    @once
    def by_pair(self) -> dict[tuple[int, int], int]:
        """The id of each n-gram, by the two that it is known by."""
        found: dict[tuple[int, int], int] = {}
        for table in self._ngrams:
            keys, ids = table.items()
            found |= zip(zip(*[x.tolist() for x in unpaired(keys)], strict=True), ids.tolist(), strict=True)
        return found

    @once
    def _names(self) -> pl.Series:
        return pl.Series("entry", list(self.by_name), dtype=pl.String)

    @once
    def _name_ids(self) -> np.ndarray:
        return np.fromiter(self.by_name.values(), np.int64, len(self.by_name))

    @once
    def _enum(self) -> pl.Enum:
        return pl.Enum(self._names)

    @once
    def _ngrams(self) -> Sequence[KeyTable]:
        count = len(self.by_pair)
        pairs = np.fromiter(itertools.chain.from_iterable(self.by_pair), np.int32, 2 * count).reshape(count, 2)
        ids = np.fromiter(self.by_pair.values(), np.int32, count)
        tables, shorter = list[KeyTable](), self._name_ids
        while len(chosen := np.flatnonzero(np.isin(pairs[:, 0], shorter))):
            tables.append(KeyTable(pair_keys(*pairs[chosen].T), ids[chosen]))
            shorter = ids[chosen]
        return tables

    def find(self, values: pl.Series) -> np.ndarray:
        """The id of each token, int32; 0 for one that is not known."""
        if 8 * len(values) > len(self._name_ids):
            codes = values.cast(self._enum, strict=False).to_physical().cast(pl.Int64).to_numpy()
            places = np.where(np.isnan(codes), len(self._name_ids), codes).astype(np.int64)
            return np.append(self._name_ids, 0)[places].astype(np.int32)
        return np.fromiter((self.by_name.get(value, 0) for value in values.to_list()), np.int32, len(values))

    def longer(self, prefixes: Iterable[int | None], lasts: Iterable[int]) -> list[int | None]:
        """The ids of n-grams, or None, each by that of the (n−1)-gram it begins with and that of its last token."""
        return [*map(self.by_pair.get, zip(prefixes, lasts, strict=False))]  # type: ignore[arg-type]

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
    taken = pieces.take(codes)
    return Ragged(taken.ids, taken.offsets[offsets])
