"""Tokens to numbers: a vocabulary of tokens and n-grams, counted exactly."""

import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from chainrule.errors import ConfigurationError, DataError, ModelError
from chainrule.files import write_file
from chainrule.text.batches import Ragged
from chainrule.text.keys import KeyTable
from chainrule.text.portions import portions
from chainrule.text.tokenize import Tokens

UNKNOWN = "<unk>"

#: How many tokens are encoded at a time.
PORTION = 1 << 18


class Vocabulary:
    """The entries a model knows, each with the id that is its place, and how often each was counted.

    Id 0 is `<unk>`, which stands for every token without an entry. An n-gram is its tokens joined by one
    space. It is known by two ids, that of the (n−1)-gram it begins with and that of its last token, so that
    n-grams of any order are looked up by whole numbers; both have entries wherever the n-gram has one.

    Args:
        entries: Distinct strings, `<unk>` first.
        counts: How often each was seen, int64; for `<unk>`, how many tokens have no entry.

    Raises:
        DataError: Entries that are not a vocabulary; the message tells which.

    Example:
        >>> from chainrule.text.tokenize import Tokenizer
        >>> tokens = Tokenizer()(["so good, so good", "so bad"])
        >>> vocabulary = Vocabulary.build(tokens, ngrams=2)
        >>> vocabulary.entries.to_list()
        ['<unk>', 'so', 'good', 'so good', ',', 'bad']
        >>> vocabulary.encode(Tokenizer()(["so good so what"])).ids
        array([1, 2, 1, 0, 3], dtype=int32)
    """

    def __init__(self, entries: pl.Series, counts: np.ndarray) -> None:
        _check_entries(entries, counts)
        orders = entries.str.count_matches(" ", literal=True).to_numpy() + 1
        token_ids = prefix_ids = np.flatnonzero(orders == 1)
        tokens = pl.Enum(entries.gather(token_ids))
        ngrams = []
        for order in range(2, int(orders.max()) + 1):
            ids = np.flatnonzero(orders == order)
            halves = entries.gather(ids).str.extract_groups(r"^(.+) (.+)$").struct.unnest().get_columns()
            prefixes = _find(halves[0], pl.Enum(entries.gather(prefix_ids)), prefix_ids)
            lasts = _find(halves[1], tokens, token_ids)
            lost = (prefixes == 0) | (lasts == 0)
            if lost.any():
                place = int(ids[lost.argmax()])
                raise _EntryError(place, f"n-gram {entries[place]!r} begins or ends with what has no entry")
            ngrams.append(KeyTable(_pair_keys(prefixes, lasts), ids))
            prefix_ids = ids
        self._set(entries, counts, token_ids, ngrams)

    def _set(self, entries: pl.Series, counts: np.ndarray, token_ids: np.ndarray, ngrams: list[KeyTable]) -> None:
        """Take over what is known to fit: which entries are tokens, and for n = 2, 3, ... the keys of the n-grams."""
        self.entries = entries.alias("entry")
        self.counts = counts
        self._token_ids = token_ids
        self._tokens = pl.Enum(entries.gather(token_ids))
        self._ngrams = ngrams

    def __len__(self) -> int:
        return len(self.entries)

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} entries, n-grams up to {self.ngrams})"

    @property
    def ngrams(self) -> int:
        """The length of the longest entry in tokens."""
        return 1 + len(self._ngrams)

    @classmethod
    def build(
        cls,
        tokens: Tokens,
        *,
        ngrams: int = 1,
        minimum_count: int = 1,
        minimum_ngram_count: int = 2,
        maximum_size: int | None = None,
    ) -> "Vocabulary":
        """Count tokens and n-grams and keep those that are frequent enough.

        Entries come in order of falling count; at equal counts the shorter n-gram first, then ascending
        text. So what an n-gram is made of always comes before it, and cutting the list short leaves a whole
        vocabulary.

        Args:
            tokens: The texts to count; n-grams do not reach from one text into the next.
            ngrams: The longest n-gram; 1 is tokens alone.
            minimum_count: How often a token must occur.
            minimum_ngram_count: How often an n-gram must occur, all of whose tokens must have entries.
            maximum_size: How many entries to keep at most, `<unk>` included.

        Raises:
            ConfigurationError: An argument below the least value it may take.
            DataError: No token, none frequent enough, or a token that holds white space.
        """
        _check_arguments(ngrams, minimum_count, minimum_ngram_count, maximum_size)
        counts = np.bincount(tokens.codes, minlength=len(tokens.names))
        counted = pl.DataFrame({"entry": tokens.names, "count": counts}).with_row_index("code")
        counted = counted.filter((pl.col("entry") != UNKNOWN) & (pl.col("count") > 0))
        spaced = counted.filter(pl.col("entry").str.contains(r"^$|\s"))["entry"]
        if len(spaced):
            raise DataError(f"token {spaced[0]!r} is empty or holds white space; tokens must not")
        if not len(counted):
            raise DataError(f"no vocabulary: the {len(tokens)} texts hold no token")
        known = counted.filter(pl.col("count") >= minimum_count)
        if not len(known):
            most = int(counted["count"].to_numpy().max())
            raise DataError(
                f"no vocabulary: no token occurs {minimum_count} times, at most {most}; "
                "lower minimum_count (--min-count)"
            )
        parts = _count(tokens, known.sort("entry"), ngrams, minimum_ngram_count)
        counts = np.concatenate([part.counts for part in parts])
        order = np.argsort(-counts, kind="stable")  # equal counts stay as they are: by n, then by text
        order = order[: len(order) if maximum_size is None else maximum_size - 1]
        ids = np.zeros(len(counts), np.int64)
        ids[order] = np.arange(1, len(order) + 1)
        token_ids, *ngram_ids = np.split(ids, np.cumsum([len(part.counts) for part in parts])[:-1])
        unknown = len(tokens.codes) - int(parts[0].counts[token_ids > 0].sum())
        tables, prefix_ids = [], token_ids
        for part, part_ids in zip(parts[1:], ngram_ids, strict=True):
            kept = np.flatnonzero(part_ids)
            if not len(kept):
                break
            tables.append(
                KeyTable(_pair_keys(prefix_ids[part.prefixes[kept]], token_ids[part.lasts[kept]]), part_ids[kept])
            )
            prefix_ids = part_ids
        vocabulary = cls.__new__(cls)
        vocabulary._set(  # noqa: SLF001  (its own)
            pl.concat([pl.Series("entry", [UNKNOWN]), pl.concat([part.entries for part in parts]).gather(order)]),
            np.concatenate([[unknown], counts[order]]),
            np.concatenate([[0], np.sort(token_ids[token_ids > 0])]),
            tables,
        )
        return vocabulary

    def encode(self, tokens: Tokens) -> Ragged:
        """The ids of each text: one for each token, 0 if it is unknown, then those of the known n-grams.

        N-grams follow by rising n, and for each n in the order of the text.
        """
        return Ragged.concatenate(self.portions(tokens))

    def portions(self, tokens: Tokens) -> Iterator[Ragged]:
        """What `encode` gives, some texts at a time."""
        name_ids = self._find_tokens(tokens.names)
        for start, stop in portions(tokens.offsets, PORTION):
            offsets = tokens.offsets[start : stop + 1]
            yield self._encode(name_ids[tokens.codes[offsets[0] : offsets[-1]]], offsets - offsets[0])

    def _encode(self, ids: np.ndarray, offsets: np.ndarray) -> Ragged:
        pieces = [(ids, offsets)]
        prefixes = ids
        for order, known in enumerate(self._ngrams, start=2):
            places, keys = _ngram_keys(prefixes, ids, offsets, order)
            prefixes = np.zeros(len(ids), np.int32)
            prefixes[places] = known.find(keys)
            hits = np.flatnonzero(prefixes)
            pieces.append((prefixes[hits], np.searchsorted(hits, offsets)))
        return _side_by_side(pieces)

    def _find_tokens(self, values: pl.Series) -> np.ndarray:
        if 8 * len(values) > len(self._token_ids):
            return _find(values, self._tokens, self._token_ids)
        return np.fromiter((self._by_token.get(value, 0) for value in values.to_list()), np.int64, len(values))

    @functools.cached_property
    def _by_token(self) -> dict[str, int]:
        """The tokens' ids once more, for few tokens at a time: casting to an Enum costs a pass over all its names."""
        return dict(zip(self.entries.gather(self._token_ids).to_list(), self._token_ids.tolist(), strict=True))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a UTF-8 text file with a line for each id, from 0: the entry, a tab, its count."""
        lines = self.entries + "\t" + pl.Series(self.counts).cast(pl.String) + "\n"
        write_file(path, "".join(lines.to_list()))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Vocabulary":
        """Read what `save` wrote.

        Raises:
            ModelError: A file that is missing or damaged; the message tells the line.
        """
        try:
            text = Path(path).read_bytes().decode()
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise ModelError(f"{path}, line {line}: not UTF-8 at offset {error.start}; the file is damaged") from error
        *lines, rest = text.split("\n")
        if rest or not lines:
            raise ModelError(f"{path}, line {len(lines) + 1}: the file ends inside a line; it is cut short")
        fields = pl.Series("line", lines).str.extract_groups(r"^([^\t]+)\t([0-9]{1,18})$").struct.unnest()
        entries, counts = fields.get_columns()
        if entries.null_count():
            line = int(entries.is_null().arg_max() or 0)
            raise ModelError(f"{path}, line {line + 1}: expected an entry, a tab and a count, got {lines[line][:60]!r}")
        try:
            return cls(entries, counts.cast(pl.Int64).to_numpy())
        except _EntryError as error:
            raise ModelError(f"{path}, line {error.place + 1}: {error.reason}; the file is damaged") from error


def _check_arguments(ngrams: int, minimum_count: int, minimum_ngram_count: int, maximum_size: int | None) -> None:
    least = {
        "ngrams": (ngrams, 1),
        "minimum_count": (minimum_count, 1),
        "minimum_ngram_count": (minimum_ngram_count, 1),
        "maximum_size": (2 if maximum_size is None else maximum_size, 2),
    }
    for name, (value, bound) in least.items():
        if value < bound:
            raise ConfigurationError(f"{name} must be {bound} or more, got {value}")


class _EntryError(DataError):
    """An entry that does not belong in a vocabulary: its place and why."""

    def __init__(self, place: int, reason: str) -> None:
        super().__init__(f"vocabulary entry {place}: {reason}")
        self.place = place
        self.reason = reason


def _check_entries(entries: pl.Series, counts: np.ndarray) -> None:
    if len(entries) != len(counts):
        place = min(len(entries), len(counts))
        raise _EntryError(place, f"there are {len(entries)} entries but {len(counts)} counts")
    if not len(entries) or entries[0] != UNKNOWN:
        got = repr(entries[0]) if len(entries) else "nothing"
        raise _EntryError(0, f"expected {UNKNOWN!r}, the unknown token, got {got}")
    again = ~entries.is_first_distinct()
    spaced = entries.str.contains(r"[\s--\x20]|^ | $|  |^$")
    for wrong, reason in ((again, "comes a second time"), (spaced, "is not tokens joined by single spaces")):
        if wrong.any():
            place = int(wrong.arg_max() or 0)
            raise _EntryError(place, f"{entries[place]!r} {reason}")


def _find(values: pl.Series, names: pl.Enum, ids: np.ndarray) -> np.ndarray:
    """The id of each value, `ids[i]` for the i-th of the names, or 0 for a value that is none of them."""
    codes = values.cast(names, strict=False).to_physical().cast(pl.Int64).fill_null(len(ids)).to_numpy()
    return np.asarray(np.append(ids, 0)[codes])


def _pair_keys(prefixes: np.ndarray, lasts: np.ndarray) -> np.ndarray:
    return np.asarray((prefixes.astype(np.int64) << 32) | lasts)


def _ngram_keys(
    prefixes: np.ndarray, ids: np.ndarray, offsets: np.ndarray, order: int
) -> tuple[np.ndarray, np.ndarray]:
    """Where n-grams of this order begin all of whose parts are known, and their keys.

    Args:
        prefixes: For each token, the id of the (n−1)-gram that begins there, or 0.
        ids: For each token its id, or 0.
        offsets: Where each text begins.
        order: n.
    """
    whole = prefixes[: 1 - order] > 0
    whole &= ids[order - 1 :] > 0
    for back in range(1, order):  # an n-gram that begins on one of the last n − 1 tokens of a text reaches beyond it
        ends = offsets[1:] - back
        whole[ends[(ends >= 0) & (ends < len(whole))]] = False
    places = np.flatnonzero(whole)
    return places, _pair_keys(prefixes[places], ids[places + order - 1])


@dataclass(frozen=True, eq=False)
class _Counted:
    """The n-grams of one n in ascending order of text; of each, the place of its (n−1)-gram and of its last token."""

    entries: pl.Series
    counts: np.ndarray
    prefixes: np.ndarray
    lasts: np.ndarray


def _count(tokens: Tokens, known: pl.DataFrame, ngrams: int, minimum_count: int) -> list[_Counted]:
    """For n = 1, 2, 3, ...: the n-grams of known tokens that are frequent enough.

    Everything is counted and sorted as numbers. A token's rank is its place in the order of texts, from 1; its open
    rank, as the beginning of a longer text, that in the order of texts with a space behind them. The two differ where
    a token holds a character below the space. So n-grams sort as pairs: the open rank of what they begin with, and the
    rank of their last token.
    """
    names, none = known["entry"], np.zeros(0, np.int64)
    parts = [_Counted(names, known["count"].to_numpy().astype(np.int64), none, none)]
    if ngrams == 1:
        return parts
    ranks = np.zeros(len(tokens.names), np.int32)
    ranks[known["code"].to_numpy()] = np.arange(1, len(names) + 1)
    ids = ranks[tokens.codes]
    opened = (names + " ").arg_sort().to_numpy()
    open_ranks = _ranks(opened)
    prefixes = np.append(np.int32(0), open_ranks)[ids]
    for order in range(2, ngrams + 1):
        places, keys = _ngram_keys(prefixes, ids, tokens.offsets, order)
        distinct, counts = np.unique(keys, return_counts=True)
        frequent = counts >= minimum_count
        distinct, counts = distinct[frequent], counts[frequent]
        if not len(distinct):
            break  # a longer n-gram begins with one that is not there
        begun, lasts = opened[(distinct >> 32) - 1], (distinct & 0xFFFFFFFF) - 1
        entries = parts[-1].entries.gather(begun) + " " + names.gather(lasts)
        parts.append(_Counted(entries, counts, begun, lasts))
        if order < ngrams:
            opened = np.argsort(_pair_keys(distinct >> 32, open_ranks[lasts]))
            prefixes = np.zeros(len(ids), np.int32)
            prefixes[places] = KeyTable(distinct, _ranks(opened)).find(keys)
    return parts


def _ranks(order: np.ndarray) -> np.ndarray:
    """From 1, the place of each number in the order."""
    ranks = np.empty(len(order), np.int32)
    ranks[order] = np.arange(1, len(order) + 1)
    return ranks


def _side_by_side(pieces: list[tuple[np.ndarray, np.ndarray]]) -> Ragged:
    """Join ragged arrays (ids, offsets) row by row: row i of the first, then that of the second, and so on."""
    offsets: np.ndarray = np.sum([offsets for _, offsets in pieces], axis=0)
    ids = np.empty(offsets[-1], np.int32)
    starts = offsets[:-1].copy()
    for values, piece_offsets in pieces:
        lengths = np.diff(piece_offsets)
        ids[np.arange(len(values)) + np.repeat(starts - piece_offsets[:-1], lengths)] = values
        starts += lengths
    return Ragged(ids, offsets)
