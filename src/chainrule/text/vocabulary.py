"""Tokens to numbers: a vocabulary of tokens and n-grams, counted exactly."""

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from chainrule.data import Ragged
from chainrule.data.chunks import chunks
from chainrule.errors import ConfigurationError, DataError, ModelError, shortened
from chainrule.files import write_file
from chainrule.text.keys import KeyTable, sort_with_places
from chainrule.text.ngrams import count_ngrams, ngram_keys, pair_keys, side_by_side
from chainrule.text.tokenize import Tokens

UNKNOWN = "<unk>"

#: How many tokens are counted or encoded at a time.
CHUNK = 1 << 18


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

    _make_entries: Callable[[], pl.Series]

    def __init__(self, entries: pl.Series, counts: np.ndarray) -> None:
        _check_entries(entries, counts)
        orders = entries.str.count_matches(" ", literal=True).to_numpy() + 1
        _check_orders(entries, orders)
        token_ids = prefix_ids = np.flatnonzero(orders == 1)
        names = entries.gather(token_ids)
        tokens = pl.Enum(names)
        ngrams = []
        for order in range(2, int(orders.max()) + 1):
            ids = np.flatnonzero(orders == order)
            halves = entries.gather(ids).str.extract_groups(r"^(.+) (.+)$").struct.unnest().get_columns()
            prefixes = _find(halves[0], pl.Enum(entries.gather(prefix_ids)), prefix_ids)
            lasts = _find(halves[1], tokens, token_ids)
            lost = (prefixes == 0) | (lasts == 0)
            if lost.any():
                place = int(ids[lost.argmax()])
                raise _EntryError(place, f"n-gram {shortened(entries[place])} begins or ends with what has no entry")
            ngrams.append(KeyTable(pair_keys(prefixes, lasts), ids))
            prefix_ids = ids
        self._set(counts, names, token_ids, ngrams)
        self.entries = entries.alias("entry")

    def _set(self, counts: np.ndarray, names: pl.Series, token_ids: np.ndarray, ngrams: list[KeyTable]) -> None:
        """Take over what is known to fit: the tokens and their ids, and for n = 2, 3, ... the keys of the n-grams."""
        self.counts = counts
        self._names = names
        self._token_ids = token_ids
        self._tokens = pl.Enum(names)
        self._ngrams = ngrams

    @functools.cached_property
    def entries(self) -> pl.Series:
        """The strings by id; put together when first asked for, as neither encoding nor training needs them."""
        return self._make_entries()

    def __len__(self) -> int:
        return len(self.counts)

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
        return cls.build_and_encode(
            tokens,
            ngrams=ngrams,
            minimum_count=minimum_count,
            minimum_ngram_count=minimum_ngram_count,
            maximum_size=maximum_size,
        )[0]

    @classmethod
    def build_and_encode(
        cls,
        tokens: Tokens,
        *,
        ngrams: int,
        minimum_count: int,
        minimum_ngram_count: int,
        maximum_size: int | None,
    ) -> "tuple[Vocabulary, Iterator[Ragged]]":
        """What `build` gives, and what its `chunks` gives for the same tokens: counting found the n-grams in them.

        Raises:
            ConfigurationError: As `build`.
            DataError: As `build`.
        """
        _check_arguments(ngrams, minimum_count, minimum_ngram_count, maximum_size)
        known = _known_tokens(tokens, minimum_count)
        parts = count_ngrams(tokens, known, ngrams, minimum_ngram_count)
        counts = np.concatenate([part.counts for part in parts])
        order = np.arange(len(counts))
        sort_with_places(counts.max() - counts, order)  # equal counts stay as they are: by n, then by text
        order = order[: len(order) if maximum_size is None else maximum_size - 1]
        all_ids = np.zeros(len(counts), np.int32)
        all_ids[order] = np.arange(1, len(order) + 1)
        ids = np.split(all_ids, np.cumsum([len(part.counts) for part in parts])[:-1])
        tables = []
        for part, prefix_ids, part_ids in zip(parts[1:], ids, ids[1:], strict=False):
            kept = np.flatnonzero(part_ids)
            if not len(kept):
                break
            tables.append(
                KeyTable(pair_keys(prefix_ids[part.prefixes[kept]], ids[0][part.lasts[kept]]), part_ids[kept])
            )
        unknown = len(tokens.codes) - int(parts[0].counts[ids[0] > 0].sum())
        kept = order[order < len(ids[0])]  # tokens, by ascending id
        vocabulary = cls.__new__(cls)
        vocabulary._set(  # noqa: SLF001  (its own)
            np.concatenate([[unknown], counts[order]]),
            pl.concat([pl.Series("entry", [UNKNOWN]), known["entry"].gather(kept)]),
            np.append(0, ids[0][kept]),
            tables,
        )
        pairs = [(part.prefixes, part.lasts) for part in parts[1:]]
        vocabulary._make_entries = functools.partial(_entries, known["entry"], pairs, order)  # noqa: SLF001
        columns = [(np.append(np.int32(0), ids[n]), parts[n].found) for n in range(1 + len(tables))]
        return vocabulary, (
            side_by_side([of[found[offsets[0] : offsets[-1]]] for of, found in columns], offsets - offsets[0])
            for offsets in _offset_portions(tokens)
        )

    def encode(self, tokens: Tokens) -> Ragged:
        """The ids of each text: one for each token, 0 if it is unknown, then those of the known n-grams.

        N-grams follow by rising n, and for each n in the order of the text.
        """
        return Ragged.concatenate(self.chunks(tokens))

    def chunks(self, tokens: Tokens) -> Iterator[Ragged]:
        """What `encode` gives, some texts at a time."""
        name_ids = self._find_tokens(tokens.names).astype(np.int32)
        for offsets in _offset_portions(tokens):
            yield self._encode(name_ids[tokens.codes[offsets[0] : offsets[-1]]], offsets - offsets[0])

    def _encode(self, ids: np.ndarray, offsets: np.ndarray) -> Ragged:
        columns = [ids]
        for order, known in enumerate(self._ngrams, start=2):
            whole, keys = ngram_keys(columns[-1], ids, offsets, order)
            found = np.zeros(len(ids), np.int32)
            found[: len(whole)][whole] = known.find(keys)
            columns.append(found)
        return side_by_side(columns, offsets)

    def _find_tokens(self, values: pl.Series) -> np.ndarray:
        if 8 * len(values) > len(self._token_ids):
            return _find(values, self._tokens, self._token_ids)
        return np.fromiter((self._by_token.get(value, 0) for value in values.to_list()), np.int64, len(values))

    @functools.cached_property
    def _by_token(self) -> dict[str, int]:
        """The tokens' ids once more, for few tokens at a time: casting to an Enum costs a pass over all its names."""
        return dict(zip(self._names.to_list(), self._token_ids.tolist(), strict=True))

    def text(self) -> str:
        """A line for each id, from 0: the entry, a tab, its count."""
        lines = self.entries + "\t" + pl.Series(self.counts).cast(pl.String) + "\n"
        return "".join(lines.to_list())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `text` as a UTF-8 file."""
        write_file(path, self.text())

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


def _known_tokens(tokens: Tokens, minimum_count: int) -> pl.DataFrame:
    """The tokens that come often enough, in ascending order: `entry`, its `code` and `count`."""
    counts = np.zeros(len(tokens.names), np.int64)
    for start in range(0, len(tokens.codes), CHUNK):  # it makes int64 of all it counts
        counts += np.bincount(tokens.codes[start : start + CHUNK], minlength=len(counts))
    counted = pl.DataFrame({"entry": tokens.names, "count": counts}).with_row_index("code")
    counted = counted.filter((pl.col("entry") != UNKNOWN) & (pl.col("count") > 0))
    spaced = counted.filter(pl.col("entry").str.contains(r"^$|\s"))["entry"]
    if len(spaced):
        raise DataError(f"token {shortened(spaced[0])} is empty or holds white space; tokens must not")
    if not len(counted):
        raise DataError(f"no vocabulary: the {len(tokens)} texts hold no token")
    known = counted.filter(pl.col("count") >= minimum_count)
    if not len(known):
        most = int(counted["count"].to_numpy().max())
        raise DataError(
            f"no vocabulary: no token occurs {minimum_count} times, at most {most}; lower minimum_count (--min-count)"
        )
    return known.sort("entry")


def _entries(names: pl.Series, pairs: Sequence[tuple[np.ndarray, np.ndarray]], order: np.ndarray) -> pl.Series:
    """The strings of a vocabulary.

    Args:
        names: The tokens.
        pairs: For n = 2, 3, ..., of each n-gram, the places of its (n−1)-gram and of its last token.
        order: Which of them all come, for n = 1, 2, 3, ... counted through.
    """
    texts = [names]
    for prefixes, lasts in pairs:
        texts.append(texts[-1].gather(prefixes) + " " + names.gather(lasts))
    return pl.concat([pl.Series("entry", [UNKNOWN]), pl.concat(texts).gather(order)])


def _offset_portions(tokens: Tokens) -> Iterator[np.ndarray]:
    """Where texts begin and the last ends, of some texts at a time."""
    for start, stop in chunks(tokens.offsets, CHUNK):
        yield tokens.offsets[start : stop + 1]


class _EntryError(DataError):
    """An entry that does not belong in a vocabulary: its place and why."""

    def __init__(self, place: int, reason: str) -> None:
        super().__init__(f"vocabulary entry {place}: {reason}")
        self.place = place
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.place, self.reason), vars(self)


def _check_entries(entries: pl.Series, counts: np.ndarray) -> None:
    if len(entries) != len(counts):
        place = min(len(entries), len(counts))
        raise _EntryError(place, f"there are {len(entries)} entries but {len(counts)} counts")
    if not len(entries) or entries[0] != UNKNOWN:
        got = shortened(entries[0]) if len(entries) else "nothing"
        raise _EntryError(0, f"expected {UNKNOWN!r}, the unknown token, got {got}")
    again = ~entries.is_first_distinct()
    spaced = entries.str.contains(r"[\s--\x20]|^ | $|  |^$")
    for wrong, reason in ((again, "comes a second time"), (spaced, "is not tokens joined by single spaces")):
        if wrong.any():
            place = int(wrong.arg_max() or 0)
            raise _EntryError(place, f"{shortened(entries[place])} {reason}")


def _check_orders(entries: pl.Series, orders: np.ndarray) -> None:
    """Refuse an n-gram where there is no (n−1)-gram: a long one alone would take n steps to look up."""
    present = np.unique(orders)
    gap = np.flatnonzero(present != np.arange(1, len(present) + 1))
    if len(gap):
        place = int((orders == present[gap[0]]).argmax())
        raise _EntryError(place, f"n-gram {shortened(entries[place])} begins or ends with what has no entry")


def _find(values: pl.Series, names: pl.Enum, ids: np.ndarray) -> np.ndarray:
    """The id of each value, `ids[i]` for the i-th of the names, or 0 for a value that is none of them."""
    codes = values.cast(names, strict=False).to_physical().cast(pl.Int64).fill_null(len(ids)).to_numpy()
    return np.asarray(np.append(ids, 0)[codes])
