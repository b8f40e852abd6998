"""Tokens to numbers: a vocabulary of tokens and n-grams, counted exactly."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

import chainrule.polars as pl
from chainrule.data import Ragged
from chainrule.data.chunks import chunks
from chainrule.errors import ConfigurationError
from chainrule.files import write_file
from chainrule.forks import once
from chainrule.text.entries import UNKNOWN, check_entries, known_tokens, longest_ngram, read_entries
from chainrule.text.hashing import HashedNgrams
from chainrule.text.keys import KeyTable, sort_with_places
from chainrule.text.lookup import Lookup, joined
from chainrule.text.ngrams import count_ngrams, pair_keys, side_by_side
from chainrule.text.subwords import CharacterNgrams
from chainrule.text.tokenize import Tokens

#: How many tokens are counted or encoded at a time.
CHUNK = 1 << 18


class Vocabulary:
    """The entries a model knows, each with the id that is its place, and how often each was counted.

    Id 0 is `<unk>`, which stands for every token without an entry. An n-gram is its tokens joined by one space; its
    tokens and the (n−1)-gram it begins with have entries wherever it has one. A character n-gram begins with `##`.
    Hashed n-grams have no entries; their ids follow behind those of the entries.

    Args:
        entries: Distinct strings, `<unk>` first.
        counts: How often each was seen, int64; for `<unk>`, how many tokens have no entry.
        characters: The character n-grams of tokens that are looked up beside them; None for none.
        hashed: What gives n-grams their ids where none has an entry; None where they have entries.

    Attributes:
        counts: as given.
        characters: as given.
        hashed: as given.

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

    def __init__(
        self,
        entries: pl.Series | Sequence[str],
        counts: np.ndarray,
        characters: CharacterNgrams | None = None,
        hashed: HashedNgrams | None = None,
    ) -> None:
        listed = entries if isinstance(entries, list) else list(entries)
        self._lookup = Lookup.of(*check_entries(listed, counts, ngrams=hashed is None))
        self._make_entries: Callable[[], pl.Series] = functools.partial(_series, listed)
        self.counts = counts
        self.characters = characters
        self.hashed = hashed
        self.ngrams = longest_ngram(listed)

    @once
    def entries(self) -> pl.Series:
        """The strings by id; put together when first asked for, as neither encoding nor training needs them."""
        return self._make_entries()

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def size(self) -> int:
        """How many ids there are: those of entries, and those that hashed n-grams share."""
        return len(self) + (0 if self.hashed is None else self.hashed.rows)

    def __repr__(self) -> str:
        longest, more = self.ngrams, ""
        if self.hashed is not None:
            longest, more = self.hashed.longest, f" hashed to {self.hashed.rows} rows"
        return f"Vocabulary({len(self)} entries, n-grams up to {longest}{more})"

    @classmethod
    def build(
        cls,
        tokens: Tokens,
        *,
        ngrams: int = 1,
        minimum_count: int = 1,
        minimum_ngram_count: int = 2,
        maximum_size: int | None = None,
        characters: CharacterNgrams | None = None,
        minimum_character_count: int = 1,
        hashed: HashedNgrams | None = None,
    ) -> Vocabulary:
        """Count tokens and n-grams and keep those that are frequent enough.

        Entries come in order of falling count; at equal counts the shorter n-gram first and character n-grams last,
        then ascending text. So what an n-gram is made of always comes before it, and cutting the list short leaves a
        whole vocabulary.

        Args:
            tokens: The texts to count; n-grams do not reach from one text into the next.
            ngrams: The longest n-gram; 1 is tokens alone.
            minimum_count: How often a token must occur.
            minimum_ngram_count: How often an n-gram must occur, all of whose tokens must have entries.
            maximum_size: How many entries to keep at most, `<unk>` included.
            characters: The character n-grams that are counted beside; None for none.
            minimum_character_count: How often a character n-gram must occur.
            hashed: What gives n-grams their ids without counting them; `ngrams` is 1 then. None for none.

        Raises:
            ConfigurationError: An argument below the least value it may take, or n-grams both counted and hashed.
            DataError: No token, none frequent enough, or a token that holds white space.
        """
        return cls.build_and_encode(
            tokens,
            ngrams=ngrams,
            minimum_count=minimum_count,
            minimum_ngram_count=minimum_ngram_count,
            maximum_size=maximum_size,
            characters=characters,
            minimum_character_count=minimum_character_count,
            hashed=hashed,
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
        characters: CharacterNgrams | None = None,
        minimum_character_count: int = 1,
        hashed: HashedNgrams | None = None,
    ) -> tuple[Vocabulary, Iterator[Ragged]]:
        """What `build` gives, and what its `chunks` gives for the same tokens: counting found the n-grams in them.

        Raises:
            ConfigurationError: As `build`.
            DataError: As `build`.
        """
        _check_arguments(ngrams, minimum_count, minimum_ngram_count, maximum_size, minimum_character_count)
        if hashed is not None and ngrams > 1:
            raise ConfigurationError(f"n-grams are counted or hashed: expected ngrams of 1 beside hashed, got {ngrams}")
        known = known_tokens(tokens, minimum_count)
        parts = count_ngrams(tokens, known, ngrams, minimum_ngram_count)
        pieces = _Pieces(tokens, known.all_counts, characters, minimum_character_count)
        counts = np.concatenate([*[part.counts for part in parts], pieces.counts])
        order = np.arange(len(counts))
        sort_with_places(counts.max() - counts, order)  # equal counts stay as they are: by n, then by text
        order = order[: len(order) if maximum_size is None else maximum_size - 1]
        all_ids = np.zeros(len(counts), np.int32)
        all_ids[order] = np.arange(1, len(order) + 1)
        *ids, piece_ids = np.split(all_ids, np.cumsum([len(part.counts) for part in parts]))
        tables = []
        for part, prefix_ids, part_ids in zip(parts[1:], ids, ids[1:], strict=False):
            kept = np.flatnonzero(part_ids)
            if not len(kept):
                break
            tables.append(
                KeyTable(pair_keys(prefix_ids[part.prefixes[kept]], ids[0][part.lasts[kept]]), part_ids[kept])
            )
        unknown = len(tokens.codes) - int(parts[0].counts[ids[0] > 0].sum())
        names = pl.concat([pl.Series("entry", [UNKNOWN]), known.names, pieces.names])
        name_ids = np.concatenate([[0], ids[0], piece_ids])
        kept = np.flatnonzero(name_ids > 0)
        kept = np.append(0, kept[np.argsort(name_ids[kept])])  # by ascending id
        vocabulary = cls.__new__(cls)
        vocabulary.counts = np.concatenate([[unknown], counts[order]])
        vocabulary.characters = characters
        vocabulary.hashed = hashed
        vocabulary.ngrams = 1 + len(tables)
        vocabulary._lookup = Lookup(names.gather(kept), name_ids[kept], tables)  # noqa: SLF001  (its own)
        pairs = [(part.prefixes, part.lasts) for part in parts[1:]]
        vocabulary._make_entries = functools.partial(_entries, known.names, pairs, pieces.names, order)  # noqa: SLF001
        columns = [(np.append(np.int32(0), ids[n]), parts[n].found) for n in range(1 + len(tables))]
        rows = pieces.with_ids(piece_ids)
        return vocabulary, vocabulary._encoded(tokens, columns, rows)  # noqa: SLF001

    def encode(self, tokens: Tokens) -> Ragged:
        """The ids of each text: one for each token, 0 if it is unknown, then those of the known n-grams.

        N-grams follow by rising n, and for each n in the order of the text; then the character n-grams of each token.
        """
        return Ragged.concatenate(self.chunks(tokens))

    def chunks(self, tokens: Tokens) -> Iterator[Ragged]:
        """What `encode` gives, some texts at a time."""
        rows = None if self.characters is None else self._lookup.pieces(tokens.names, self.characters)
        return self._encoded(tokens, [(self._lookup.find(tokens.names), tokens.codes)], rows)

    def _encoded(
        self, tokens: Tokens, found: Sequence[tuple[np.ndarray, np.ndarray]], rows: Ragged | None
    ) -> Iterator[Ragged]:
        """The ids of each text, some texts at a time.

        Args:
            tokens: of the texts.
            found: for n = 1, and for as many more as were looked up already: ids, and for each token which of them is
                that of the n-gram that begins there.
            rows: of each distinct token, the ids of its character n-grams; None for none.
        """
        for offsets in _offset_portions(tokens):
            starts = offsets - offsets[0]
            columns = [ids[places[offsets[0] : offsets[-1]]] for ids, places in found]
            if self.hashed is not None:
                columns += self.hashed.columns(columns[0], starts, len(self))
            elif len(columns) == 1:
                columns += self._lookup.columns(columns[0], starts)
            yield side_by_side(columns, starts, *_pieces_of(rows, tokens, offsets))

    def ids(self, tokens: Sequence[str]) -> list[int]:
        """What `encode` gives for the tokens of one text, without Polars.

        Example:
            >>> vocabulary = Vocabulary(["<unk>", "so", "good", "so good"], np.array([0, 2, 2, 2]))
            >>> vocabulary.ids(["so", "good", "so", "what"])
            [1, 2, 1, 0, 3]
        """
        find = self._lookup.by_name.get
        ids = [find(token, 0) for token in tokens]
        found = list(ids)
        prefixes: Iterable[int | None] = ids
        if self.hashed is not None:
            found += self.hashed.of(ids, len(self))
        for order in range(2, self.ngrams + 1):
            prefixes = self._lookup.longer(prefixes, ids[order - 1 :])
            found += filter(None, prefixes)
        if self.characters is not None:
            found += filter(None, map(find, itertools.chain.from_iterable(map(self.characters.of, tokens))))
        return found

    def places(self, tokens: Sequence[str]) -> list[tuple[int, int, int]]:
        """Where each of `ids` is but for unknown ones: the id, its first token, and the one after its last.

        Example:
            >>> vocabulary = Vocabulary(["<unk>", "so", "good", "so good"], np.array([0, 2, 2, 2]))
            >>> vocabulary.places(["so", "good", "what"])
            [(1, 0, 1), (2, 1, 2), (3, 0, 2)]
        """
        find = self._lookup.by_name.get
        ids = [find(token, 0) for token in tokens]
        found = [(entry, start, start + 1) for start, entry in enumerate(ids)]
        prefixes: Iterable[int | None] = ids
        for order in range(2, self.ngrams + 1):
            prefixes = self._lookup.longer(prefixes, ids[order - 1 :])
            found += [(entry or 0, start, start + order) for start, entry in enumerate(prefixes)]
        for order in range(2, 1 if self.hashed is None else self.hashed.longest + 1):
            for start in range(len(tokens) - order + 1):
                if all(run := ids[start : start + order]):  # the last of the n-grams in it is the whole
                    found.append((self.hashed.of(run, len(self))[-1], start, start + order))  # type: ignore[union-attr]
        for start, token in enumerate([] if self.characters is None else tokens):
            found += [(find(piece, 0), start, start + 1) for piece in self.characters.of(token)]  # type: ignore[union-attr]
        return [place for place in found if place[0]]

    def text(self) -> str:
        """A line for each id, from 0: the entry, a tab, its count."""
        lines = self.entries + "\t" + pl.Series(self.counts).cast(pl.String) + "\n"
        return "".join(lines.to_list())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `text` as a UTF-8 file."""
        write_file(path, self.text())

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        characters: CharacterNgrams | None = None,
        hashed: HashedNgrams | None = None,
    ) -> Vocabulary:
        """Read what `save` wrote; how n-grams of characters and hashed ones are found is not in the file.

        Raises:
            ModelError: A file that is missing or damaged; the message tells the line.
        """
        return read_entries(Path(path), functools.partial(cls, characters=characters, hashed=hashed))


def _series(entries: list[str]) -> pl.Series:
    return pl.Series("entry", entries, dtype=pl.String)


def _check_arguments(
    ngrams: int,
    minimum_count: int,
    minimum_ngram_count: int,
    maximum_size: int | None,
    minimum_character_count: int,
) -> None:
    least = {
        "ngrams": (ngrams, 1),
        "minimum_count": (minimum_count, 1),
        "minimum_ngram_count": (minimum_ngram_count, 1),
        "maximum_size": (2 if maximum_size is None else maximum_size, 2),
        "minimum_character_count": (minimum_character_count, 1),
    }
    for name, (value, bound) in least.items():
        if value < bound:
            raise ConfigurationError(f"{name} must be {bound} or more, got {value}")


class _Pieces:
    """The character n-grams of texts that are frequent enough, in ascending order of text.

    Attributes:
        names: of them.
        counts: how often each came.
    """

    def __init__(
        self, tokens: Tokens, token_counts: np.ndarray, characters: CharacterNgrams | None, minimum_count: int
    ) -> None:
        self._rows = None
        names: list[str] = []
        self.counts = np.zeros(0, np.int64)
        if characters is not None:
            names, self._rows = characters.coded(tokens.names.to_list())
            each = np.repeat(token_counts, self._rows.lengths)
            counts = np.bincount(self._rows.ids, weights=each, minlength=len(names)).astype(np.int64)
            self._kept = np.flatnonzero(counts >= minimum_count)
            names, self.counts = [names[place] for place in self._kept.tolist()], counts[self._kept]
            self._total = len(counts)
        self.names = pl.Series("entry", names, dtype=pl.String)

    def with_ids(self, ids: np.ndarray) -> Ragged | None:
        """For each distinct token, the ids of its character n-grams that have one; None where there are none at all.

        Args:
            ids: of those that are frequent enough, or 0.
        """
        if self._rows is None:
            return None
        all_ids = np.zeros(self._total, np.int32)
        all_ids[self._kept] = ids
        found = all_ids[self._rows.ids]
        known = np.flatnonzero(found)
        return Ragged(found[known], np.searchsorted(known, self._rows.offsets))


def _pieces_of(rows: Ragged | None, tokens: Tokens, offsets: np.ndarray) -> list[Ragged]:
    """The ids of character n-grams of some texts, if there are any."""
    if rows is None:
        return []
    return [joined(rows, tokens.codes[offsets[0] : offsets[-1]], offsets - offsets[0])]


def _entries(
    names: pl.Series, pairs: Sequence[tuple[np.ndarray, np.ndarray]], pieces: pl.Series, order: np.ndarray
) -> pl.Series:
    """The strings of a vocabulary.

    Args:
        names: The tokens.
        pairs: For n = 2, 3, ..., of each n-gram, the places of its (n−1)-gram and of its last token.
        pieces: The character n-grams.
        order: Which of them all come, for n = 1, 2, 3, ... and then the pieces counted through.
    """
    texts = [names]
    for prefixes, lasts in pairs:
        texts.append(texts[-1].gather(prefixes) + " " + names.gather(lasts))
    return pl.concat([pl.Series("entry", [UNKNOWN]), pl.concat([*texts, pieces]).gather(order)])


def _offset_portions(tokens: Tokens) -> Iterator[np.ndarray]:
    """Where texts begin and the last ends, of some texts at a time."""
    for start, stop in chunks(tokens.offsets, CHUNK):
        yield tokens.offsets[start : stop + 1]
