"""Spelling: the characters of tokens, by their ids, so that a word nobody has seen is not like every other."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from chainrule.data import Ragged
from chainrule.data.chunks import offsets_of
from chainrule.dataclasses import dataclass
from chainrule.text.lookup import joined
from chainrule.text.tokenize import Tokens

#: A character has an id where so many different tokens have it; the others share that of unknown ones.
FEWEST = 2


@dataclass(frozen=True)
class Spelling:
    """The characters that are known, in ascending order: the first has id 1, and 0 stands for an unknown one.

    Attributes:
        alphabet: the characters.

    Example:
        >>> spelling = Spelling("abc")
        >>> fields = spelling.encode_few([["ab", "cx"], ["a"]])
        >>> fields["characters"].ids, fields["characters"].offsets, fields["lengths"].ids
        (array([1, 2, 3, 0, 1], dtype=int32), array([0, 4, 5]), array([2, 2, 1], dtype=int32))
    """

    alphabet: str

    @property
    def size(self) -> int:
        """How many ids there are."""
        return 1 + len(self.alphabet)

    @classmethod
    def learn(cls, tokens: Tokens) -> Spelling:
        """The characters that two different tokens or more have."""
        each = [character for name in tokens.names.to_list() for character in set(name)]
        codes, counts = np.unique(_points("".join(each)), return_counts=True)
        return cls("".join(map(chr, codes[counts >= FEWEST].tolist())))

    def encode(self, tokens: Tokens) -> dict[str, Ragged]:
        """Of each text the characters of its tokens, one token after the other, and how many each token has."""
        pieces = self._pieces(tokens.names.to_list())
        lengths = pieces.lengths[tokens.codes].astype(np.int32)
        return {
            "characters": joined(pieces, tokens.codes, tokens.offsets),
            "lengths": Ragged(lengths, tokens.offsets),
        }

    def encode_few(self, words: Sequence[Sequence[str]]) -> dict[str, Ragged]:
        """What `encode` gives, of the tokens of few texts, without Polars."""
        pieces = self._pieces(list(itertools.chain.from_iterable(words)))
        offsets = offsets_of(np.array(list(map(len, words)), np.int64))
        return {
            "characters": Ragged(pieces.ids, pieces.offsets[offsets]),
            "lengths": Ragged(pieces.lengths.astype(np.int32), offsets),
        }

    def _pieces(self, names: Sequence[str]) -> Ragged:
        """The characters of each token."""
        known, found = _points(self.alphabet), _points("".join(names))
        places = np.searchsorted(known, found)
        same = np.append(known, 0)[places] == found
        ids = np.where(same, places + 1, 0).astype(np.int32)
        return Ragged(ids, offsets_of(np.array(list(map(len, names)), np.int64)))


def _points(text: str) -> np.ndarray:
    """The code point of each character."""
    return np.frombuffer(text.encode("utf-32-le", errors="surrogatepass"), "<u4")
