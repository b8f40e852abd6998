"""Pieces: what a text is cut into so that it can be put together again: characters, bytes, words or subwords."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from chainrule.data import Ragged
from chainrule.data.chunks import offsets_of
from chainrule.errors import DataError, ModelError, shortened

#: The ids that are no pieces: what was not learned, and the beginning or the end of a text.
UNSEEN, EDGE = 0, 1
#: What stands for the first in a text.
REPLACEMENT = "\ufffd"

#: A word or a mark with the blank before it, or other white space.
WORD = re.compile(r" ?\w+| ?[^\w\s]|\s+(?!\S)|\s+")


class Pieces(ABC):
    """The pieces of texts, each with an id. Put together, the pieces of a text are that text again.

    Attributes:
        content: of each id, the bytes (in UTF-8) that it stands for; empty for those that are no pieces.
    """

    #: What a piece is.
    unit: ClassVar[str]
    content: Sequence[bytes]

    def __len__(self) -> int:
        return len(self.content)

    @abstractmethod
    def ids(self, text: str) -> np.ndarray:
        """The ids of the pieces of a text, int32 of shape (pieces,); 0 for one that was not learned."""

    @abstractmethod
    def cut(self, text: str) -> list[str]:
        """The pieces of a text, one an id, for people: a piece that is a part of a character is shown by its bytes."""

    @abstractmethod
    def file(self) -> bytes:
        """What a model folder keeps of it."""

    def encode(self, texts: Iterable[str]) -> Ragged:
        """The ids of texts."""
        rows = [self.ids(text) for text in texts]
        ids = np.concatenate([np.zeros(0, np.int32), *rows])
        return Ragged(ids, offsets_of(np.array([len(row) for row in rows], np.int64)))

    def decode(self, ids: Iterable[int]) -> str:
        """The text that ids stand for; bytes that are no character, and pieces that were not learned, become U+FFFD."""
        unseen = REPLACEMENT.encode()
        return b"".join(unseen if i == UNSEEN else self.content[i] for i in ids).decode("utf-8", "replace")


class Listed(Pieces):
    """Pieces that are texts, each in a list.

    Args:
        pieces: distinct; the first has the id 2.

    Raises:
        ModelError: for what are no pieces.
    """

    def __init__(self, pieces: Sequence[str]) -> None:
        if len(set(pieces)) < len(pieces) or not all(isinstance(x, str) and self.whole(x) for x in pieces):
            raise ModelError(f"expected {self.unit}, each once")
        self.pieces = list(pieces)
        self.content = [b"", b"", *(piece.encode() for piece in pieces)]

    @classmethod
    def learn(cls, texts: Sequence[str], *, minimum_count: int, maximum_size: int | None) -> Listed:
        """The pieces that texts have, the commonest first.

        Raises:
            DataError: where none is common enough.
        """
        counts = cls.count(texts)
        chosen = sorted((x for x, n in counts.items() if n >= minimum_count), key=lambda x: (-counts[x], x))
        if maximum_size is not None:
            chosen = chosen[: max(maximum_size - EDGE - 1, 0)]
        if not chosen:
            found = f"none of {len(counts):,} {cls.unit} occurs {minimum_count} times" if counts else "texts are empty"
            raise DataError(f"{found}; give more text, or a lower --min-count")
        return cls(chosen)

    @staticmethod
    @abstractmethod
    def count(texts: Sequence[str]) -> Mapping[str, int]:
        """How often each piece comes."""

    @staticmethod
    @abstractmethod
    def whole(text: str) -> bool:
        """Whether a text is one piece."""

    def file(self) -> bytes:
        """The list, as JSON."""
        return (json.dumps({"unit": self.unit, "pieces": self.pieces}, ensure_ascii=False, indent=0) + "\n").encode()


class Characters(Listed):
    """Characters, as Unicode counts them: letters and the marks upon them may be two.

    Example:
        >>> pieces = Characters(["e", "s"])
        >>> pieces.ids("see").tolist(), pieces.decode([3, 2, 2])
        ([3, 2, 2], 'see')
    """

    unit = "characters"

    def __init__(self, pieces: Sequence[str]) -> None:
        super().__init__(pieces)
        self._table = np.zeros(1 + max((ord(piece) for piece in pieces), default=0), np.int32)
        self._table[[ord(piece) for piece in pieces]] = np.arange(EDGE + 1, len(self.content))

    @staticmethod
    def count(texts: Sequence[str]) -> Mapping[str, int]:
        """How often each character comes."""
        counts: Counter[str] = Counter()
        for text in texts:
            codes, found = np.unique(_codes(text), return_counts=True)
            counts.update(dict(zip(map(chr, codes.tolist()), found.tolist(), strict=True)))
        return counts

    @staticmethod
    def whole(text: str) -> bool:
        """Whether it is one character."""
        return len(text) == 1

    def ids(self, text: str) -> np.ndarray:
        """The ids of its characters."""
        codes = _codes(text)
        known: np.ndarray = self._table[np.minimum(codes, len(self._table) - 1)]
        known[codes >= len(self._table)] = UNSEEN
        return known

    def cut(self, text: str) -> list[str]:
        """Its characters."""
        return list(text)


class Words(Listed):
    """Words and marks, each with the blank before it if there is one, and other white space.

    Example:
        >>> Words([]).cut("So it is,  really.")
        ['So', ' it', ' is', ',', ' ', ' really', '.']
    """

    unit = "words"

    def __init__(self, pieces: Sequence[str]) -> None:
        super().__init__(pieces)
        self._known = {piece: i for i, piece in enumerate(pieces, start=EDGE + 1)}

    @staticmethod
    def count(texts: Sequence[str]) -> Mapping[str, int]:
        """How often each word comes."""
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(WORD.findall(text))
        return counts

    @staticmethod
    def whole(text: str) -> bool:
        """Whether it is one word."""
        return WORD.fullmatch(text) is not None

    def ids(self, text: str) -> np.ndarray:
        """The ids of its words."""
        known = self._known
        return np.array([known.get(word, UNSEEN) for word in WORD.findall(text)], np.int32)

    def cut(self, text: str) -> list[str]:
        """Its words."""
        return WORD.findall(text)


class Bytes(Pieces):
    """Bytes of UTF-8: all of them are known, so every text can be written.

    Example:
        >>> pieces = Bytes()
        >>> pieces.ids("né").tolist(), pieces.decode(pieces.ids("né"))
        ([112, 197, 171], 'né')
    """

    unit = "bytes"

    def __init__(self) -> None:
        self.content = [b"", b"", *(bytes([i]) for i in range(256))]

    def ids(self, text: str) -> np.ndarray:
        """Its bytes."""
        return np.frombuffer(text.encode(), np.uint8).astype(np.int32) + (EDGE + 1)

    def cut(self, text: str) -> list[str]:
        """Its bytes."""
        return [chr(byte) if byte < 128 else f"\\x{byte:02x}" for byte in text.encode()]

    def file(self) -> bytes:
        """That they are bytes."""
        return (json.dumps({"unit": self.unit}) + "\n").encode()


def listed_of_file(content: Any, kind: type[Listed]) -> Listed:
    """The pieces that `Listed.file` wrote.

    Raises:
        ModelError: for something else.
    """
    pieces = content.get("pieces") if isinstance(content, Mapping) else None
    if not isinstance(pieces, list) or content.get("unit") != kind.unit:
        raise ModelError(f"expected a list of {kind.unit}, got {shortened(content)}")
    return kind(pieces)


def _codes(text: str) -> np.ndarray:
    """The number of each character.

    Raises:
        DataError: for half of a surrogate pair.
    """
    try:
        return np.frombuffer(text.encode("utf-32-le"), np.uint32)
    except UnicodeEncodeError as error:
        raise DataError(f"half of a surrogate pair, which is no character: {error}") from None
