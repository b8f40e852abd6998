"""Tokens to numbers: a vocabulary of tokens and n-grams, counted exactly."""

import os
from pathlib import Path

import numpy as np
import polars as pl

from chainrule.errors import ConfigurationError, DataError, ModelError
from chainrule.files import write_file
from chainrule.text.batches import Ragged
from chainrule.text.tokenize import Tokens

UNKNOWN = "<unk>"


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
        self.entries = entries.alias("entry")
        self.counts = counts
        self._token_ids = prefix_ids = np.flatnonzero(orders == 1)
        self._tokens = pl.Enum(entries.gather(self._token_ids))
        self._ngrams: list[pl.DataFrame] = []  # for n = 2, 3, ...: the key of each known n-gram and its id
        for order in range(2, int(orders.max()) + 1):
            ids = np.flatnonzero(orders == order)
            halves = entries.gather(ids).str.extract_groups(r"^(.+) (.+)$").struct.unnest().get_columns()
            prefixes = _find(halves[0], pl.Enum(entries.gather(prefix_ids)), prefix_ids)
            lasts = _find(halves[1], self._tokens, self._token_ids)
            lost = (prefixes == 0) | (lasts == 0)
            if lost.any():
                place = int(ids[lost.argmax()])
                raise _EntryError(place, f"n-gram {entries[place]!r} begins or ends with what has no entry")
            self._ngrams.append(pl.DataFrame({"key": _pair_keys(prefixes, lasts), "id": ids}))
            prefix_ids = ids

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
        counted = tokens.values.alias("entry").value_counts(name="count").filter(pl.col("entry") != UNKNOWN)
        spaced = counted.filter(pl.col("entry").str.contains(r"^$|\s"))["entry"]
        if len(spaced):
            raise DataError(f"token {spaced[0]!r} is empty or holds white space; tokens must not")
        if not len(counted):
            raise DataError(f"no vocabulary: the {len(tokens)} texts hold no token")
        known = counted.filter(pl.col("count") >= minimum_count)
        if not len(known):
            most = int(counted["count"].to_numpy().max())
            raise DataError(
                f"no vocabulary: no token occurs {minimum_count} times, at most {most}; lower minimum_count"
            )
        known = known.select("entry", pl.col("count").cast(pl.Int64), order=pl.lit(1, pl.Int64))
        found = [known, *_count_ngrams(tokens, known["entry"], ngrams, minimum_ngram_count)]
        table = pl.concat(found).sort(["count", "order", "entry"], descending=[True, False, False])
        table = table.head(len(table) if maximum_size is None else maximum_size - 1)
        unknown = len(tokens.values) - int(table.filter(pl.col("order") == 1)["count"].sum())
        entries = pl.concat([pl.Series("entry", [UNKNOWN]), table["entry"]])
        return cls(entries, np.concatenate([[unknown], table["count"].to_numpy()]))

    def encode(self, tokens: Tokens) -> Ragged:
        """The ids of each text: one for each token, 0 if it is unknown, then those of the known n-grams.

        N-grams follow by rising n, and for each n in the order of the text.
        """
        ids = _find(tokens.values, self._tokens, self._token_ids)
        pieces = [(ids, tokens.offsets)]
        prefixes = ids
        for order, known in enumerate(self._ngrams, start=2):
            places, keys = _ngram_keys(prefixes, ids, tokens.offsets, order)
            prefixes = np.zeros(len(ids), np.int64)
            prefixes[places] = _look_up(keys, known)
            hits = np.flatnonzero(prefixes)
            pieces.append((prefixes[hits], np.searchsorted(hits, tokens.offsets)))
        return _side_by_side(pieces)

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
    return np.asarray((prefixes << 32) | lasts)


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


def _count_ngrams(tokens: Tokens, known: pl.Series, ngrams: int, minimum_count: int) -> list[pl.DataFrame]:
    """For n = 2, 3, ...: entry, count and order of the n-grams of known tokens that are frequent enough."""
    if ngrams == 1:
        return []
    names = pl.concat([pl.Series("entry", [UNKNOWN]), known])
    ids = _find(tokens.values, pl.Enum(names), np.arange(len(names)))
    prefixes, prefix_names = ids, names
    found = []
    for order in range(2, ngrams + 1):
        places, keys = _ngram_keys(prefixes, ids, tokens.offsets, order)
        distinct, counts = np.unique(keys, return_counts=True)
        frequent = counts >= minimum_count
        distinct, counts = distinct[frequent], counts[frequent]
        entries = prefix_names.gather(distinct >> 32) + " " + names.gather(distinct & 0xFFFFFFFF)
        if not len(entries):
            break  # a longer n-gram begins with one that is not there
        found.append(pl.DataFrame({"entry": entries, "count": counts, "order": np.full(len(counts), order)}))
        prefixes = np.zeros(len(ids), np.int64)
        prefixes[places] = _look_up(keys, pl.DataFrame({"key": distinct, "id": np.arange(1, len(distinct) + 1)}))
        prefix_names = pl.concat([names.head(1), entries])
    return found


def _look_up(keys: np.ndarray, known: pl.DataFrame) -> np.ndarray:
    """The id that belongs to each key, or 0."""
    joined = pl.DataFrame({"key": keys}).join(known, on="key", how="left", maintain_order="left")
    return joined["id"].fill_null(0).to_numpy()


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
