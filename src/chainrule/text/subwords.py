"""Character n-grams: the pieces of words, which misspelt words and words of unspaced scripts share."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from chainrule.data import Ragged
from chainrule.data.chunks import offsets_of
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError
from chainrule.text.characters import UNSPACED, members

#: What the entry of a character n-gram begins with in a vocabulary; no token does.
PIECE = "##"

#: The setting of those who leave it to the texts, and of those who want none.
AUTO, NONE = "auto", "none"

#: What "auto" takes where texts need it, and of how many of their characters unspaced scripts must be.
UNSPACED_LENGTHS, UNSPACED_SHARE = "2-4", 0.1


@dataclass(frozen=True)
class CharacterNgrams:
    """The character n-grams of `<token>`, whose marks tell where it begins and ends, from n = `least` to `most`.

    Args:
        least: the shortest.
        most: the longest.

    Example:
        >>> CharacterNgrams(3, 4).of("film")
        ['##<fi', '##fil', '##ilm', '##lm>', '##<fil', '##film', '##ilm>']

    Source: Bojanowski, Grave, Joulin and Mikolov, Enriching Word Vectors with Subword Information (2017). Deviations:
    each piece has an entry of its own, none is hashed, and tokens of one character have none.
    """

    least: int
    most: int

    @classmethod
    def parsed(cls, lengths: str) -> CharacterNgrams:
        """From the lengths as a text, such as "3-5", or "3" for one length.

        Raises:
            ConfigurationError: for what are no lengths.
        """
        found = re.fullmatch(r"([0-9]{1,2})(?:-([0-9]{1,2}))?", lengths)
        least, most = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not 1 <= least <= most:
            raise ConfigurationError(f"expected lengths of character n-grams such as 3-5, got {lengths[:40]!r}")
        return cls(least, most)

    def __str__(self) -> str:
        return f"{self.least}-{self.most}"

    def of(self, token: str) -> list[str]:
        """The entries of a token's character n-grams."""
        if len(token) < 2:
            return []
        whole = f"<{token}>"
        return [
            PIECE + whole[start : start + length]
            for length in range(self.least, self.most + 1)
            for start in range(len(whole) - length + 1)
        ]

    def coded(self, tokens: Sequence[str]) -> tuple[list[str], Ragged]:
        """The distinct entries of tokens, in ascending order, and for each token the places of its own."""
        places: dict[str, int] = {}
        rows = [[places.setdefault(piece, len(places)) for piece in self.of(token)] for token in tokens]
        names = sorted(places)
        ranks = np.empty(len(names), np.int32)
        ranks[np.fromiter(map(places.__getitem__, names), np.int64, len(names))] = np.arange(len(names))
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        codes = np.fromiter((place for row in rows for place in row), np.int64, int(lengths.sum()))
        return names, Ragged(ranks[codes], offsets_of(lengths))


def chosen(setting: str, texts: Sequence[str]) -> CharacterNgrams | None:
    """The character n-grams that a setting ("auto", "none" or lengths) means for texts.

    "auto" takes some where more than a tenth of all characters belong to scripts without spaces between words.
    """
    if setting != AUTO:
        return None if setting == NONE else CharacterNgrams.parsed(setting)
    unspaced = re.compile(f"[{members(UNSPACED)}]")
    held, all_of_them = 0, 0
    for text in texts:
        all_of_them += len(text)
        if not text.isascii():
            held += len(unspaced.findall(text))
    return CharacterNgrams.parsed(UNSPACED_LENGTHS) if held > UNSPACED_SHARE * all_of_them else None
