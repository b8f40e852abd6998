r"""Text to tokens, by rules that know no language and serve most of them, in native code from end to end."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Sequence

import numpy as np

import chainrule.polars as pl
from chainrule.data.chunks import chunks, in_threads, offsets_of
from chainrule.dataclasses import dataclass
from chainrule.errors import DataError
from chainrule.text.characters import CONTROL, WHITE, members
from chainrule.text.rules import PLAIN, RULES, normalize, token_pattern, tokens_of

#: How many bytes of text are tokenized at a time, and how many before all others.
CHUNK, SAMPLE = 1 << 22, 1 << 18

#: Any character that is not plain.
_SPECIAL = f"[^\\x00-{chr(PLAIN - 1)}]"

#: What a token becomes of which nothing is left: a vocabulary's name of unknown ones.
NO_TOKEN = "<unk>"


@dataclass(frozen=True, eq=False)
class Tokens:
    """The tokens of many texts in one row, as numbers: text i has those of `codes[offsets[i]:offsets[i + 1]]`.

    Args:
        names: Distinct tokens, strings without white space.
        codes: int32 of shape (n,); each token is a place among the names.
        offsets: int64 of shape (texts + 1,), ascending from 0 to n.

    Raises:
        DataError: Names that are not strings, or codes or offsets that do not fit.

    Example:
        >>> tokens = Tokens.of(pl.Series(["so", "so", "good"]), np.array([0, 1, 3]))
        >>> len(tokens), tokens.to_list(), sorted(tokens.names)
        (2, [['so'], ['so', 'good']], ['good', 'so'])
    """

    names: pl.Series
    codes: np.ndarray
    offsets: np.ndarray

    def __post_init__(self) -> None:
        _check_strings(self.names)
        codes, offsets = self.codes, self.offsets
        if codes.dtype != np.int32 or codes.ndim != 1:
            raise DataError(f"token codes must be int32 of shape (n,), got {codes.dtype} of shape {codes.shape}")
        if len(codes) and not 0 <= codes.min() <= codes.max() < len(self.names):
            raise DataError(f"token codes must be from 0 to {len(self.names) - 1}, got {codes.min()} to {codes.max()}")
        if offsets.dtype != np.int64 or offsets.ndim != 1 or not len(offsets):
            raise DataError(f"token offsets must be int64 of shape (texts + 1,), got {offsets.dtype} {offsets.shape}")
        if offsets[0] != 0 or offsets[-1] != len(codes) or (np.diff(offsets) < 0).any():
            raise DataError(f"token offsets must ascend from 0 to {len(codes)}, the number of tokens")

    @classmethod
    def of(cls, values: pl.Series, offsets: np.ndarray) -> Tokens:
        """From all tokens as strings.

        Raises:
            DataError: Values that are not strings, or offsets that do not fit them.
        """
        _check_strings(values)
        names, codes = _coded(values)
        return cls(names, codes, offsets)

    def renamed(self, names: Iterable[str]) -> Tokens:
        """The same tokens under other names, one for each of theirs, which may be the same for several."""
        held, places = _coded(pl.Series("token", list(names), dtype=pl.String))
        return Tokens(held, places[self.codes], self.offsets)

    @property
    def values(self) -> pl.Series:
        """All tokens as strings."""
        return self.names.gather(self.codes)

    def __len__(self) -> int:
        """The number of texts."""
        return len(self.offsets) - 1

    def to_list(self) -> list[list[str]]:
        """The tokens of each text as Python lists, to look at."""
        values = self.values.to_list()
        return [values[start:end] for start, end in zip(self.offsets, self.offsets[1:], strict=False)]


@dataclass(frozen=True)
class Tokenizer:
    """Split texts into words, numbers, emoji and marks.

    A text is lower-cased (if asked), put in Unicode normal form C and its typographic apostrophes (’) made plain.
    Zero-width and direction marks are left out, and so are zero-width joiners after Latin, Greek and Cyrillic letters:
    they split no word. Then, from left to right, a token is the first of these that matches; white space and control
    characters only separate:

    1. a French elision with its apostrophe: `l'homme` → `l'` `homme`, `qu'il` → `qu'` `il`; these are c d j
       l m n s t, qu, jusqu, lorsqu, puisqu, quoiqu, at the start of a token only: `don't` and `aujourd'hui`
       stay whole;
    2. a keycap emoji;
    3. a word or number: letters with their marks and digits, with single apostrophes, soft hyphens or
       zero-width joiners inside; one that begins with digits may have points and commas between digits:
       `don't`, `covid19`, `3rd`, `1,000.5`;
    4. a run of the same `.`, `!` or `?`: `...`, `!!!`;
    5. a flag, or an emoji with its modifiers and all that zero-width joiners tie to it;
    6. any other character that is seen, with the marks upon it: hyphens, signs, each Chinese or Japanese character
       by itself.

    No character that is seen is lost. Other scripts without spaces (Thai, Lao, Khmer, Burmese) come out as long words:
    `characters` of `Text` looks into these. As the rules cannot look ahead, one of the letters of rule 1 in single
    quotes keeps the closing one.

    Few texts need no Polars (`words`), and give the same tokens.

    Args:
        lowercase: Whether `The` and `the` are the same token.
        rules: Their version; by the first, control characters and zero-width marks are tokens.

    Example:
        >>> Tokenizer()(["Don't miss l'Homme, it's 10/10!!!"]).to_list()
        [["don't", 'miss', "l'", 'homme', ',', "it's", '10', '/', '10', '!!!']]
    """

    lowercase: bool = True
    rules: int = RULES

    def words(self, text: str | Sequence[str]) -> list[str]:
        """The tokens of one text, or of one that is split into tokens already; see `form`.

        Example:
            >>> Tokenizer().words("So good!"), Tokenizer().words(["So", "good!"])
            (['so', 'good', '!'], ['so', 'good!'])
        """
        if isinstance(text, str):
            return tokens_of(text, lowercase=self.lowercase, rules=self.rules)
        return [self.form(token) for token in text]

    def form(self, token: str) -> str:
        """A token that is given, as it is known: in lower case, if asked, and with `_` for white space in it.

        One of which nothing is left, such as a mark of direction alone, becomes an unknown one.
        """
        normalized = normalize(token, lowercase=self.lowercase, rules=self.rules)
        return re.sub(f"[{members(WHITE)}]", "_", normalized) or NO_TOKEN

    def __call__(self, texts: pl.Series | Sequence[str]) -> Tokens:
        """The tokens of each text; of texts that are lists, those that are given.

        Raises:
            DataError: Texts that are not strings, missing ones, or one string instead of a list.
        """
        if isinstance(texts, pl.Series) and texts.dtype == pl.List(pl.String):
            counts = texts.list.len().to_numpy()
            names, codes = _coded(texts.explode().drop_nulls())  # an empty list explodes to a null
            return Tokens(names, codes, offsets_of(counts)).renamed(map(self.form, names.to_list()))
        series = _string_series(texts)
        if pl.threads_lost():
            return self._plainly(series.to_list())
        offsets = offsets_of(series.str.len_bytes().to_numpy())
        head = next((stop for _, stop in chunks(offsets, SAMPLE)), 0)
        names, codes, lengths = self._split(series.slice(0, head), None)
        rest = offsets[head:]
        if len(rest) == 1:
            return Tokens(names, codes, offsets_of(lengths))
        # The first texts have the names of most tokens; what others have besides is numbered afterwards.
        size = min(CHUNK, int(rest[-1] - rest[0]) // pl.thread_pool_size() + 1)
        pieces = (series.slice(head + start, stop - start) for start, stop in chunks(rest, size))
        found = list(in_threads(functools.partial(self._split, known=names), pieces))
        more, places = _coded(pl.concat([new for new, _, _ in found]))
        places += len(names)
        all_codes, start = [codes], 0
        for new, codes, _ in found:
            stop = start + len(new)
            all_codes.append(np.concatenate([np.arange(len(names), dtype=np.int32), places[start:stop]])[codes])
            start = stop
        all_lengths = np.concatenate([lengths, *[more_lengths for _, _, more_lengths in found]])
        return Tokens(pl.concat([names, more]), np.concatenate(all_codes), offsets_of(all_lengths))

    def _plainly(self, texts: Sequence[str]) -> Tokens:
        """The same, text by text."""
        places: dict[str, int] = {}
        found = [[places.setdefault(word, len(places)) for word in self.words(text)] for text in texts]
        codes = np.fromiter(itertools.chain.from_iterable(found), np.int32)
        lengths = np.fromiter(map(len, found), np.int64, len(found))
        return Tokens(pl.Series("token", list(places), dtype=pl.String), codes, offsets_of(lengths))

    def _split(self, texts: pl.Series, known: pl.Series | None) -> tuple[pl.Series, np.ndarray, np.ndarray]:
        """The distinct tokens besides those known, each token's place among these two, and how many each text has."""
        normalized = self.normalize(texts)
        limit = 0x110000 if normalized.str.contains(_SPECIAL).any() else PLAIN  # most rules are about rare characters
        found = normalized.str.extract_all(token_pattern(limit, self.rules))
        new, codes = _coded(found.explode().drop_nulls(), known)  # an empty list explodes to a null
        return new, codes, found.list.len().to_numpy()

    def normalize(self, texts: pl.Series | Sequence[str]) -> pl.Series:
        """The texts as the rules see them: lower case, no direction marks, normal form C, plain apostrophes."""
        series = _string_series(texts)
        special = series.str.contains(_SPECIAL).arg_true()
        lower = series.str.to_lowercase() if self.lowercase else series
        if len(special):
            plain = [
                normalize(text, lowercase=self.lowercase, rules=self.rules) for text in series.gather(special).to_list()
            ]
            lower = lower.clone().scatter(special, pl.Series(plain, dtype=pl.String))
        return lower

    def controls(self, texts: pl.Series) -> tuple[int, int]:
        """How many control characters texts have, such as NUL, which are no part of any token; and how many texts.

        Of texts that are lists of tokens, none: these are taken as they are.
        """
        if isinstance(texts, pl.Series) and texts.dtype == pl.List(pl.String):
            return 0, 0
        series = _string_series(texts)
        counts = series.str.count_matches(f"[{members(CONTROL)}]").to_numpy()
        return int(counts.sum()), int(np.count_nonzero(counts))


def _check_strings(values: pl.Series) -> None:
    if values.dtype != pl.String or values.null_count():
        raise DataError(f"tokens must be a String series without nulls, got {values.dtype}")


def _coded(values: pl.Series, known: pl.Series | None = None) -> tuple[pl.Series, np.ndarray]:
    """The distinct values besides those known, and each value's place among the known and these, int32."""
    codes, before = np.full(len(values), -1, np.int32), 0
    if known is not None and len(known):
        before = len(known)
        codes = values.cast(pl.Enum(known), strict=False).to_physical().cast(pl.Int32).fill_null(-1).to_numpy().copy()
    places = np.flatnonzero(codes < 0)
    missing = values.gather(places)
    new = missing.unique().alias("token")
    codes[places] = missing.cast(pl.Enum(new)).to_physical().cast(pl.Int32).to_numpy() + before
    return new, codes


def _string_series(texts: pl.Series | Sequence[str]) -> pl.Series:
    if isinstance(texts, str):
        raise DataError(f"expected a list of texts, got one string: {texts[:40]!r}; put it in a list")
    if not isinstance(texts, pl.Series):
        for row, text in enumerate(texts):
            if not isinstance(text, str):
                raise DataError(f"texts[{row}] is of type {type(text).__name__}; expected a string")
        try:
            texts = pl.Series(texts, dtype=pl.String)
        except UnicodeEncodeError as error:
            raise DataError(f"a text holds half of a surrogate pair, which is no character: {error}") from None
    if texts.dtype != pl.String or texts.null_count():
        raise DataError(f"expected texts of String without nulls, got {texts.dtype} with {texts.null_count()} nulls")
    return texts
