"""N-grams as numbers: found in texts, counted, and put in the order of their text."""

from __future__ import annotations

import numpy as np

from chainrule.data import Ragged
from chainrule.dataclasses import dataclass
from chainrule.text.entries import Known
from chainrule.text.keys import order_of, sort_with_places
from chainrule.text.tokenize import Tokens


@dataclass(frozen=True, eq=False)
class Counted:
    """The n-grams of one n, in ascending order of text.

    Attributes:
        counts: how often each came.
        prefixes: the place of the (n−1)-gram that each begins with, among those of n − 1; none for n = 1.
        lasts: the place of its last token, among those of n = 1; none for n = 1.
        found: for each token of the texts, 1 plus the place of the n-gram that begins there, or 0, int32.
    """

    counts: np.ndarray
    prefixes: np.ndarray
    lasts: np.ndarray
    found: np.ndarray


def count_ngrams(tokens: Tokens, known: Known, ngrams: int, minimum_count: int) -> list[Counted]:
    """For n = 1, 2, 3, ...: the n-grams of known tokens that are frequent enough.

    Everything is counted and sorted as numbers. A token's rank is its place in the order of texts, from 1; its open
    rank, as the beginning of a longer text, that in the order of texts with a space behind them. The two differ where
    a token holds a character below the space. So n-grams sort as pairs: the open rank of what they begin with, and the
    rank of their last token.

    Args:
        tokens: the texts.
        known: the tokens to count with.
        ngrams: the largest n.
        minimum_count: how often an n-gram must come, for n above 1.
    """
    names, none = known.names, np.zeros(0, np.int64)
    ranks = np.zeros(len(tokens.names), np.int32)
    ranks[known.codes] = np.arange(1, len(names) + 1)
    ids = ranks[tokens.codes]
    parts = [Counted(known.counts, none, none, ids)]
    if ngrams == 1:
        return parts
    opened = order_of(names + " ")
    open_ranks = _ranks(opened)
    prefixes = np.append(np.int32(0), open_ranks)[ids]
    bits = len(names).bit_length()
    for order in range(2, ngrams + 1):
        whole, keys = ngram_keys(prefixes, ids, tokens.offsets, order, bits)
        places = np.flatnonzero(whole)
        sort_with_places(keys, places)
        starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
        counts = np.diff(starts, append=len(keys))
        frequent = counts >= minimum_count
        found = np.zeros(len(ids), np.int32)
        found[places] = np.repeat(np.where(frequent, np.cumsum(frequent, dtype=np.int32), np.int32(0)), counts)
        distinct, counts = keys[starts[frequent]], counts[frequent]
        if not len(distinct):
            break  # a longer n-gram begins with one that is not there
        begun, lasts = unpaired(distinct, bits)
        lasts -= 1
        parts.append(Counted(counts, opened[begun - 1], lasts, found))
        if order < ngrams:
            opened = np.argsort(pair_keys(begun, open_ranks[lasts], bits))
            prefixes = np.append(np.int32(0), _ranks(opened))[found]
    return parts


def ngram_keys(
    prefixes: np.ndarray, ids: np.ndarray, offsets: np.ndarray, order: int, bits: int = 32
) -> tuple[np.ndarray, np.ndarray]:
    """Whether an n-gram begins at a token all of whose parts are known, and the keys of these n-grams.

    Args:
        prefixes: For each token, the id of the (n−1)-gram that begins there, or 0.
        ids: For each token its id, or 0.
        offsets: Where each text begins.
        order: n.
        bits: An id is below 2 to the power of so many.

    Returns:
        `begins_ngram`; their `pair_keys`.
    """
    whole = begins_ngram(prefixes, ids, offsets, order)
    return whole, pair_keys(prefixes[: 1 - order][whole], ids[order - 1 :][whole], bits)


def begins_ngram(prefixes: np.ndarray, ids: np.ndarray, offsets: np.ndarray, order: int) -> np.ndarray:
    """For each token but the last n − 1, whether an n-gram begins there all of whose parts are known.

    Args:
        prefixes: For each token, a number above 0 where a known (n−1)-gram begins, or 0.
        ids: For each token its id, or 0.
        offsets: Where each text begins.
        order: n.
    """
    prefixes, lasts = prefixes[: 1 - order], ids[order - 1 :]
    whole: np.ndarray = prefixes > 0
    whole &= lasts > 0
    for back in range(1, order):  # an n-gram that begins on one of the last n − 1 tokens of a text reaches beyond it
        ends = offsets[1:] - back
        whole[ends[(ends >= 0) & (ends < len(whole))]] = False
    return whole


def pair_keys(prefixes: np.ndarray, lasts: np.ndarray, bits: int = 32) -> np.ndarray:
    """Two numbers as one, int64, that sorts as the pair does; the second is below 2 to the power of `bits`."""
    keys: np.ndarray = np.left_shift(prefixes, bits, dtype=np.int64)
    keys |= lasts
    return keys


def unpaired(keys: np.ndarray, bits: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """The numbers that `pair_keys` made one of."""
    return keys >> bits, keys & ((1 << bits) - 1)


def side_by_side(columns: list[np.ndarray], offsets: np.ndarray, *further: Ragged) -> Ragged:
    """The ids of each text: those of the first column, then those of the next that are not 0, and so on.

    Args:
        columns: For each n and each token, the id of the n-gram that begins there, or 0.
        offsets: Where each text begins.
        further: More ids of each text, which come after these.
    """
    pieces = [(columns[0], offsets)]
    for column in columns[1:]:
        hits = np.flatnonzero(column)
        pieces.append((column[hits], np.searchsorted(hits, offsets)))
    pieces += [(rows.ids, rows.offsets) for rows in further]
    joined: np.ndarray = np.sum([starts for _, starts in pieces], axis=0)
    ids = np.empty(joined[-1], np.int32)
    begins = joined[:-1].copy()
    for values, starts in pieces:
        lengths = np.diff(starts)
        ids[np.arange(len(values)) + np.repeat(begins - starts[:-1], lengths)] = values
        begins += lengths
    return Ragged(ids, joined)


def _ranks(order: np.ndarray) -> np.ndarray:
    """From 1, the place of each number in the order."""
    ranks = np.empty(len(order), np.int32)
    ranks[order] = np.arange(1, len(order) + 1)
    return ranks
