r"""Text to tokens, by rules that know no language and serve most of them, in native code from end to end."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from chainrule.errors import DataError

# Scripts written without spaces are no part of words; `scx` (script extensions) takes in the signs they
# share.
_UNSPACED = r"[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}]"
_LETTER = rf"[\p{{M}}[\p{{L}}--{_UNSPACED}]]"
_DIGIT = rf"[\p{{N}}--{_UNSPACED}]"
_INNER = r"['\x{AD}\x{200C}\x{200D}]"  # apostrophe, soft hyphen, zero-width non-joiner and joiner
_EMOJI = r"\p{Extended_Pictographic}[\x{FE0F}\p{Emoji_Modifier}\x{E0020}-\x{E007F}]*"

# The first alternative that matches wins, so that the order is part of the rules.
_TOKEN = "|".join(
    [
        r"(?i:[cdjlmnst]|(?:jus|lors|puis|quoi)?qu)'",  # French elision
        r"[0-9#*]\x{FE0F}?\x{20E3}",  # keycap
        rf"(?:{_DIGIT}+(?:[.,]{_DIGIT}+)*|{_LETTER})[{_LETTER}{_DIGIT}]*(?:{_INNER}[{_LETTER}{_DIGIT}]+)*",
        r"\.+|!+|\?+",
        r"\p{Regional_Indicator}{2}",  # flag
        rf"{_EMOJI}(?:\x{{200D}}{_EMOJI})*",
        r"\S\p{M}*",
    ]
)

# Below U+0300 every text is in normal form C already: most texts need not be normalised.
_MAY_NEED_NORMALISING = r"[^\x00-\x{2FF}]"


@dataclass(frozen=True, eq=False)
class Tokens:
    """The tokens of many texts in one row: text i has `values[offsets[i]:offsets[i + 1]]`.

    Args:
        values: All tokens, as strings without white space.
        offsets: int64 of shape (texts + 1,), ascending from 0 to the number of tokens.

    Raises:
        DataError: Values that are not strings, or offsets that do not fit them.
    """

    values: pl.Series
    offsets: np.ndarray

    def __post_init__(self) -> None:
        if self.values.dtype != pl.String or self.values.null_count():
            raise DataError(f"tokens must be a String series without nulls, got {self.values.dtype}")
        offsets = self.offsets
        if offsets.dtype != np.int64 or offsets.ndim != 1 or not len(offsets):
            raise DataError(f"token offsets must be int64 of shape (texts + 1,), got {offsets.dtype} {offsets.shape}")
        if offsets[0] != 0 or offsets[-1] != len(self.values) or (np.diff(offsets) < 0).any():
            raise DataError(f"token offsets must ascend from 0 to {len(self.values)}, the number of tokens")

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

    A text is lower-cased (if asked), put in Unicode normal form C and its typographic apostrophes (’) made
    plain. Then, from left to right, a token is the first of these that matches; white space only separates:

    1. a French elision with its apostrophe: `l'homme` → `l'` `homme`, `qu'il` → `qu'` `il`; these are c d j
       l m n s t, qu, jusqu, lorsqu, puisqu, quoiqu, at the start of a token only: `don't` and `aujourd'hui`
       stay whole;
    2. a keycap emoji;
    3. a word or number: letters with their marks and digits, with single apostrophes, soft hyphens or
       zero-width joiners inside; one that begins with digits may have points and commas between digits:
       `don't`, `covid19`, `3rd`, `1,000.5`;
    4. a run of the same `.`, `!` or `?`: `...`, `!!!`;
    5. a flag, or an emoji with its modifiers and all that zero-width joiners tie to it;
    6. any other character, with the marks upon it: hyphens, signs, each Chinese or Japanese character by
       itself.

    No character but white space is lost. Other scripts without spaces (Thai, Lao, Khmer, Burmese) come out
    as long words. As the rules cannot look ahead, one of the letters of rule 1 in single quotes keeps the
    closing one.

    Args:
        lowercase: Whether `The` and `the` are the same token.

    Example:
        >>> Tokenizer()(["Don't miss l'Homme, it's 10/10!!!"]).to_list()
        [["don't", 'miss', "l'", 'homme', ',', "it's", '10', '/', '10', '!!!']]
    """

    lowercase: bool = True

    def __call__(self, texts: pl.Series | Sequence[str]) -> Tokens:
        """Tokenize texts.

        Args:
            texts: A series or sequence of strings; not a single string, which would be taken by letters.

        Returns:
            The tokens of all texts, in order. A blank text has none.

        Raises:
            DataError: Texts that are not strings.
        """
        found = self.normalize(texts).str.extract_all(_TOKEN)
        offsets = np.zeros(len(found) + 1, np.int64)
        np.cumsum(found.list.len().to_numpy(), out=offsets[1:])
        return Tokens(found.explode().drop_nulls().alias("token"), offsets)  # an empty list explodes to a null

    def normalize(self, texts: pl.Series | Sequence[str]) -> pl.Series:
        """The texts as the rules see them: lower case, normal form C, plain apostrophes."""
        series = _string_series(texts)
        if self.lowercase:
            series = series.str.to_lowercase()
        rows = series.str.contains(_MAY_NEED_NORMALISING).arg_true()
        if len(rows):
            plain = series.gather(rows).str.normalize("NFC").str.replace_all("’", "'", literal=True)
            series = series.clone().scatter(rows, plain)
        return series


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
