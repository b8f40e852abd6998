"""Symbols: texts as sequences of words, of characters or of what blanks separate, that become texts again."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np

import chainrule.polars as pl
from chainrule.data import Ragged
from chainrule.data.chunks import offsets_of
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError
from chainrule.text.tokenize import Tokenizer, Tokens

#: What texts are cut into: words and marks by the rules of `Tokenizer`, characters, or what stands between blanks.
WORDS, CHARACTERS, SYMBOLS = UNITS = ("words", "characters", "symbols")

#: The ids of the end of a text, and of a symbol that is not known.
END, UNKNOWN_SYMBOL = 0, 1

#: What ids that stand for no symbol are shown as.
NAMES = ("<end>", "<unk>")


@dataclass(frozen=True)
class Splitter:
    """From texts to their units, and back.

    Args:
        unit: "words", "characters" (of Unicode's normal form C) or "symbols".
        lowercase: whether upper and lower case are the same.

    Raises:
        ConfigurationError: for another unit.

    Example:
        >>> Splitter("symbols").split("HH AH  L OW"), Splitter("characters").split("so so")
        (['HH', 'AH', 'L', 'OW'], ['s', 'o', ' ', 's', 'o'])
        >>> Splitter("words").joined(["so", "good", "!"])
        'so good !'
    """

    unit: str = WORDS
    lowercase: bool = False

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise ConfigurationError(f"unit: expected {', '.join(UNITS)}, got {self.unit!r}")

    def split(self, text: str) -> list[str]:
        """The units of one text."""
        if self.unit == WORDS:
            return Tokenizer(self.lowercase).words(text)
        text = unicodedata.normalize("NFC", text.lower() if self.lowercase else text)
        return list(text) if self.unit == CHARACTERS else re.findall(r"\S+", text)

    def __call__(self, texts: pl.Series) -> Tokens:
        """The units of many texts."""
        if self.unit == WORDS:
            return Tokenizer(self.lowercase)(texts)
        rows = [self.split(text) for text in texts.to_list()]
        held = pl.Series(list(itertools.chain.from_iterable(rows)), dtype=pl.String)
        return Tokens.of(held, offsets_of(np.fromiter(map(len, rows), np.int64, len(rows))))

    def joined(self, units: Iterable[str]) -> str:
        """The text of these units: characters side by side, words and symbols with blanks between."""
        return ("" if self.unit == CHARACTERS else " ").join(units)


class Symbols:
    """The units that a model knows, each with its id; a text is encoded with its end.

    Args:
        names: of the units, distinct; their ids go from 2 on.
        splitter: what cuts texts.

    Example:
        >>> symbols, _ = Symbols.learned(pl.Series(["a b a", "b a"]), Splitter("symbols"))
        >>> symbols.names, symbols.encode_few(["b c", ""]).ids
        (('a', 'b'), array([3, 1, 0, 0], dtype=int32))
        >>> symbols.text([3, 2, 1])
        'b a <unk>'
    """

    def __init__(self, names: Sequence[str], splitter: Splitter) -> None:
        self.names = tuple(names)
        self.splitter = splitter
        self._ids = {name: number for number, name in enumerate(self.names, start=len(NAMES))}

    @classmethod
    def learned(
        cls, texts: pl.Series, splitter: Splitter, *, minimum_count: int = 1, maximum_size: int | None = None
    ) -> tuple[Symbols, Ragged]:
        """The units that come often enough, the commonest first, at a tie in ascending order; and the texts' ids.

        Args:
            texts: to learn from.
            splitter: what cuts them.
            minimum_count: how often a unit must come.
            maximum_size: how many are kept at most, the commonest; None for no limit.
        """
        tokens = splitter(texts)
        counts = np.bincount(tokens.codes, minlength=len(tokens.names))
        listed = zip(counts.tolist(), tokens.names.to_list(), strict=True)
        kept = sorted((-count, name) for count, name in listed if count >= minimum_count and count)
        symbols = cls([name for _, name in kept[:maximum_size]], splitter)
        return symbols, symbols._of(tokens)

    def __len__(self) -> int:
        """How many ids there are."""
        return len(self.names) + len(NAMES)

    def encode(self, texts: pl.Series) -> Ragged:
        """The ids of texts, each with its end."""
        return self._of(self.splitter(texts))

    def _of(self, tokens: Tokens) -> Ragged:
        ids = np.array([self._ids.get(name, UNKNOWN_SYMBOL) for name in tokens.names.to_list()], np.int32)
        offsets = tokens.offsets + np.arange(len(tokens.offsets))
        found = np.full(offsets[-1], END, np.int32)
        inside = np.ones(len(found), bool)
        inside[offsets[1:] - 1] = False
        found[inside] = ids[tokens.codes]
        return Ragged(found, offsets)

    def encode_few(self, texts: Sequence[str]) -> Ragged:
        """What `encode` gives, without Polars."""
        rows = [[*(self._ids.get(unit, UNKNOWN_SYMBOL) for unit in self.splitter.split(text)), END] for text in texts]
        ids = np.array(list(itertools.chain.from_iterable(rows)), np.int32)
        return Ragged(ids, offsets_of(np.array([len(row) for row in rows], np.int64)))

    def units(self, ids: Iterable[int]) -> list[str]:
        """The units of ids; `<unk>` for an unknown one."""
        return [NAMES[i] if i < len(NAMES) else self.names[i - len(NAMES)] for i in ids]

    def text(self, ids: Iterable[int]) -> str:
        """The text of ids."""
        return self.splitter.joined(self.units(ids))
