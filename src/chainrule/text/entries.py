"""The entries of a vocabulary: chosen among tokens, read from its file, and checked."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import chainrule.polars as pl
from chainrule.dataclasses import dataclass
from chainrule.errors import DataError, ModelError, shortened
from chainrule.text.characters import WHITE, members
from chainrule.text.keys import order_of
from chainrule.text.tokenize import Tokens

UNKNOWN = "<unk>"

#: How many tokens are counted at a time.
CHUNK = 1 << 18

#: A line of a vocabulary's file.
_LINE = "[^\t\n]++\t[0-9]{1,18}+"

Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Known:
    """The tokens that come often enough, in ascending order.

    Attributes:
        names: of them.
        codes: the place of each among the names of the texts' tokens.
        counts: how often each came.
        all_counts: how often each token of the texts came, frequent or not.
    """

    names: pl.Series
    codes: np.ndarray
    counts: np.ndarray
    all_counts: np.ndarray


def known_tokens(tokens: Tokens, minimum_count: int) -> Known:
    """The tokens that come often enough.

    Raises:
        DataError: No token, none frequent enough, or one that holds white space.
    """
    counts = np.zeros(len(tokens.names), np.int64)
    for start in range(0, len(tokens.codes), CHUNK):  # it makes int64 of all it counts
        counts += np.bincount(tokens.codes[start : start + CHUNK], minlength=len(counts))
    listed = tokens.names.to_list()
    codes = np.flatnonzero(counts)
    if UNKNOWN in listed:
        codes = codes[codes != listed.index(UNKNOWN)]
    held, white = [listed[code] for code in codes.tolist()], re.compile(f"[{members(WHITE)}]")
    if "" in held or white.search("".join(held)):
        spaced = next(token for token in held if not token or white.search(token))
        raise DataError(f"token {shortened(spaced)} is empty or holds white space; tokens must not")
    if not len(codes):
        raise DataError(f"no vocabulary: the {len(tokens)} texts hold no token")
    frequent = codes[counts[codes] >= minimum_count]
    if not len(frequent):
        most = int(counts[codes].max())
        raise DataError(
            f"no vocabulary: no token occurs {minimum_count} times, at most {most}; lower minimum_count (--min-count)"
        )
    names = tokens.names.gather(frequent).alias("entry")
    order = order_of(names)
    return Known(names.gather(order), frequent[order], counts[frequent[order]], counts)


def read_entries(path: Path, make: Callable[[list[str], np.ndarray], Made]) -> Made:
    """What is made of the entries and counts in the file of a vocabulary.

    Raises:
        ModelError: A file that is missing or damaged; the message tells the line.
    """
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ModelError(f"{path}, line {line}: not UTF-8 at offset {error.start}; the file is damaged") from error
    if not text.endswith("\n"):
        line = text.count("\n") + 1
        raise ModelError(f"{path}, line {line}: the file ends inside a line; it is cut short")
    if not re.fullmatch(f"(?:{_LINE}\n)++", text):
        lines = text.split("\n")
        line = next(place for place, found in enumerate(lines) if not re.fullmatch(_LINE, found))
        raise ModelError(f"{path}, line {line + 1}: expected an entry, a tab and a count, got {shortened(lines[line])}")
    fields = text.replace("\t", "\n").split("\n")
    try:
        return make(fields[:-1:2], np.fromstring("\n".join(fields[1::2]), np.int64, sep="\n"))
    except _EntryError as error:
        raise ModelError(f"{path}, line {error.place + 1}: {error.reason}; the file is damaged") from error


def check_entries(
    entries: Sequence[str], counts: np.ndarray, *, ngrams: bool = True
) -> tuple[dict[str, int], dict[tuple[int, int], int]]:
    """The id of each token and character n-gram; and of each n-gram, by those of its (n−1)-gram and its last token.

    Args:
        entries: strings.
        counts: how often each was seen.
        ngrams: whether n-grams may have entries.

    Raises:
        DataError: Entries that are not a vocabulary; the message tells which.
    """
    if len(entries) != len(counts):
        place = min(len(entries), len(counts))
        raise _EntryError(place, f"there are {len(entries)} entries but {len(counts)} counts")
    if not len(entries) or entries[0] != UNKNOWN:
        got = shortened(entries[0]) if len(entries) else "nothing"
        raise _EntryError(0, f"expected {UNKNOWN!r}, the unknown token, got {got}")
    ids = dict(zip(entries, itertools.count(), strict=False))
    if len(ids) != len(entries):
        first = {entry: place for place, entry in reversed(list(enumerate(entries)))}
        place = next(place for place, entry in enumerate(entries) if first[entry] != place)
        raise _EntryError(place, f"{shortened(entries[place])} comes a second time")
    if not _joined(entries):
        place = next(place for place, entry in enumerate(entries) if not _joined([entry]))
        raise _EntryError(place, f"{shortened(entries[place])} is not tokens joined by single spaces")
    pairs: dict[tuple[int, int], int] = {}
    for entry in entries:
        if " " in entry:
            prefix, _, last = entry.rpartition(" ")
            if not ngrams:
                raise _EntryError(ids[entry], f"n-gram {shortened(entry)} has an entry, and n-grams are hashed")
            before, after = ids.get(prefix), ids.get(last)
            if not before or not after:
                raise _EntryError(ids[entry], f"n-gram {shortened(entry)} begins or ends with what has no entry")
            pairs[before, after] = ids[entry]
    return {entry: number for entry, number in ids.items() if " " not in entry} if pairs else ids, pairs


def longest_ngram(entries: Sequence[str]) -> int:
    """The tokens of the longest n-gram, by counting the spaces of all lines at once.

    Example:
        >>> longest_ngram(["<unk>", "so", "good", "so good"])
        2
    """
    text = np.frombuffer("\n".join(entries).encode(errors="surrogatepass"), np.uint8)
    spaces, line_ends = np.flatnonzero(text == ord(" ")), np.flatnonzero(text == ord("\n"))
    return 1 + int(np.bincount(np.searchsorted(line_ends, spaces)).max(initial=0))


def _joined(entries: Sequence[str]) -> bool:
    """Whether all entries are tokens joined by single spaces; they are looked at in one piece, which is fast."""
    text = "\n" + "\n".join(entries) + "\n"
    other = members(WHITE.replace("9-D 20 ", "9 B-D "))
    spaced = text.count("\n") > len(entries) + 1 or any(pair in text for pair in ("\n\n", "\n ", " \n", "  "))
    return not spaced and re.search(f"[{other}]", text) is None


class _EntryError(DataError):
    """An entry that does not belong in a vocabulary: its place and why."""

    def __init__(self, place: int, reason: str) -> None:
        super().__init__(f"vocabulary entry {place}: {reason}")
        self.place = place
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.place, self.reason), vars(self)
