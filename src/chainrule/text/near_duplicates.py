"""Near-duplicates: texts of rows that models are judged by, which are almost those of rows they learn from."""

from __future__ import annotations

import numpy as np

import chainrule.polars as pl
from chainrule.data import Table
from chainrule.data.helper import uses_polars
from chainrule.random import generator

#: The share of shingles of two texts that both have (Jaccard's index), from which on they are near-duplicates.
ALIKE = 0.8
#: Bands, and how many hashes make one: texts are compared that agree on a band.
BANDS, HASHES = 8, 4
#: Odd numbers that the hashes of the second and the third word of a shingle are multiplied by.
SECOND, THIRD = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)


@uses_polars
def near_duplicates(train: Table, *others: Table) -> int | None:
    """How many rows of other tables have almost the text of a row to learn from; None where rows are no texts.

    Two texts are almost the same where |A ∩ B| / |A ∪ B| ≥ 0.8 for their sets of shingles, which are three words in a
    row, without case and punctuation. A text is compared with those to learn from that agree with it on a band of
    4 of 32 MinHashes, one of each band: of pairs at 0.8 a share of 1 - (1 - 0.8⁴)⁸ = 0.985 agree on one.

    Source: Broder, On the resemblance and containment of documents (1997).

    Example:
        >>> text = "the plot is thin but the jokes are good and many of them are new"
        >>> train = Table.from_lists([text, "dull"], ["p", "n"])
        >>> test = Table.from_lists([text.replace("thin but", "thin, but").upper(), "quite dull"], ["p", "n"])
        >>> near_duplicates(train, test)
        1
    """
    tables = (train, *others)
    if not train.textual or train.columns["text"].dtype.is_nested():
        return None
    shingles, ends = _shingles(pl.concat([table.columns["text"] for table in tables]))
    starts = np.append(0, ends[:-1])
    written = np.flatnonzero(ends > starts)
    if not len(written):
        return 0
    known, tested = written[written < len(train)], written[written >= len(train)]
    found = np.zeros(len(ends), bool)
    numbers = generator(0, "near duplicates").integers(0, 2**63, (BANDS, HASHES, 2), np.uint64)
    for band in numbers:
        code = np.zeros(len(ends), np.uint64)
        for factor, addend in band:
            mixed = _mixed(shingles * (factor | np.uint64(1)) + addend)
            code[written] = _mixed(code[written] ^ np.minimum.reduceat(mixed, starts[written]))
        order = known[np.argsort(code[known], kind="stable")]
        places = np.minimum(np.searchsorted(code[order], code[tested]), len(order) - 1)
        agree = code[order[places]] == code[tested] if len(order) else np.zeros(len(tested), bool)
        for row, other in zip(tested[agree], order[places[agree]] if len(order) else (), strict=True):
            if not found[row]:
                found[row] = _jaccard(*(shingles[starts[x] : ends[x]] for x in (row, other))) >= ALIKE
    return int(found.sum())


def _shingles(texts: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """The hashes of all shingles of all texts, one text after the other, and where each text ends."""
    words = texts.str.to_lowercase().str.extract_all(r"\w+")
    lengths = words.list.len().to_numpy().astype(np.int64)
    hashes = words.filter(words.list.len() > 0).explode().hash(seed=0).to_numpy()
    left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(hashes))  # words from here to the end of the text
    shingles = hashes.copy()
    for distance, factor in ((1, SECOND), (2, THIRD)):
        inside = left > distance
        shingles[inside] += hashes[np.flatnonzero(inside) + distance] * factor
    whole = (left > 2) | (left == np.repeat(lengths, lengths))  # a text of fewer words is one shingle
    return _mixed(shingles[whole]), np.cumsum(np.maximum(lengths - 2, np.minimum(lengths, 1)))


def _mixed(values: np.ndarray) -> np.ndarray:
    """Hashes all of whose bits depend on all bits of others (the end of MurmurHash3)."""
    values = values ^ (values >> np.uint64(33))
    values = values * np.uint64(0xFF51AFD7ED558CCD)
    mixed: np.ndarray = values ^ (values >> np.uint64(33))
    return mixed


def _jaccard(one: np.ndarray, other: np.ndarray) -> float:
    one, other = np.unique(one), np.unique(other)
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both / (len(one) + len(other) - both)
