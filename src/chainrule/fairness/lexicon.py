"""Lexicon: words by group, and which texts have one of them."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chainrule.errors import ConfigurationError, DataError, shortened
from chainrule.graph.spec import Array
from chainrule.settings import suggestion
from chainrule.shown import listing

#: Lists of words and sentences that come with the library.
LISTS = Path(__file__).with_name("lists")
#: Of these languages.
SHIPPED = ("en", "fr")
#: What words are made of, combining marks among it, and a run of that.
LETTER = r"\w\u0300-\u036f"
_RUN = re.compile(f"[{LETTER}]+")


@dataclass(frozen=True)
class Lexicon:
    """Words by group.

    Attributes:
        name: of the list, for messages.
        groups: the words of each group, by its name; several words with blanks between them are a phrase.

    Raises:
        DataError: for fewer than two groups, or a group without words.
    """

    name: str
    groups: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        if len(self.groups) < 2 or not all(self.groups.values()):
            raise DataError(
                f"{self.name}: expected two groups or more with a word each, got {listing(self.groups)}; write [women] "
                f"on a line of its own, and words below it"
            )

    @classmethod
    def read(cls, place: str | os.PathLike[str]) -> Lexicon:
        """The words of a file, or "en" or "fr" for those of both sides of the pairs that come with the library.

        A file has a line `[group]` for each group, and below it words, with commas between them or a line each. What
        follows a `#` is a remark.

        Raises:
            DataError: for a file that cannot be read, or holds something else.
        """
        if str(place) in SHIPPED:
            from chainrule.fairness.pairs import Pairs

            pairs = Pairs.read(place)
            left, right = (tuple(dict.fromkeys(pair.words[side] for pair in pairs.pairs)) for side in (0, 1))
            shared = {*left} & {*right}
            sides = (tuple(word for word in side if word not in shared) for side in (left, right))
            return cls(pairs.name, dict(zip(pairs.sides, sides, strict=True)))
        groups: dict[str, list[str]] = {}
        for number, title, line in sections(place):
            if not title:
                raise DataError(f"{place}, line {number}: {shortened(line)} stands before the first [group]")
            groups.setdefault(title, []).extend(word.strip() for word in line.split(",") if word.strip())
        return cls(str(place), {name: tuple(words) for name, words in groups.items()})

    def found(self, texts: Sequence[str]) -> Array:
        """Whether each text has a word of each group, bool of shape (texts, groups)."""
        finders = [Finder(words) for words in self.groups.values()]
        found = [[any(True for _ in finder.matches(text)) for finder in finders] for text in texts]
        return np.array(found, bool).reshape(len(texts), len(finders))


class Finder:
    """What finds whole words in any case: "son" is no part of "person", and "Anne" none of "Anne-Marie".

    Example:
        >>> finder = Finder(["he", "father in law"])
        >>> [found[0] for found in finder.matches("He, the father in law, and she-he.")]
        ['He', 'father in law']
    """

    def __init__(self, words: Iterable[str]) -> None:
        spelled = {unicodedata.normalize(form, word) for word in words for form in ("NFC", "NFD")}
        longest = sorted(spelled, key=lambda word: (-len(word), word))
        listed = "|".join(re.escape(word).replace(r"\ ", r"\s+").replace("'", "['’]") for word in longest)
        self._pattern = re.compile(rf"(?<![{LETTER}-])(?:{listed})(?![{LETTER}]|-\w)", re.IGNORECASE)
        runs = [_RUN.match(word) for word in spelled]
        self._starts = {run[0].lower() for run in runs if run is not None} if all(runs) else None

    def matches(self, text: str) -> Iterator[re.Match[str]]:
        """The words of a text that are found, one after another.

        Only where a run of letters begins one of the words is the pattern of all of them tried.
        """
        if self._starts is None:
            yield from self._pattern.finditer(text)
            return
        end = 0
        for run in _RUN.finditer(text):
            if run.start() >= end and run[0].lower() in self._starts:
                found = self._pattern.match(text, run.start())
                if found is not None:
                    end = found.end()
                    yield found


def sections(place: str | os.PathLike[str]) -> list[tuple[int, str, str]]:
    """The lines of a list: their numbers, the last [title] above each, and the lines, without remarks and blanks.

    Raises:
        DataError: when it cannot be read as text in UTF-8, or holds nothing.
    """
    path = Path(place)
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "is no text in UTF-8"
        raise DataError(f"{path}: a list of words cannot be read: {reason}{_near(path)}") from error
    found, title = [], ""
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if text.startswith("[") and text.endswith("]"):
            title = text[1:-1].strip()
        elif text:
            found.append((number, title, text))
    if not found:
        raise DataError(f"{path}: a list of words holds none; see docs/bias.md for how it is written")
    return found


def shipped(name: str | os.PathLike[str], kind: str) -> Path:
    """The file of a list that comes with the library, such as "en"; a name of a file is that file."""
    return LISTS / f"{name}-{kind}.txt" if str(name) in SHIPPED else Path(name)


def require_list(name: str) -> None:
    """Refuse an empty name.

    Raises:
        ConfigurationError: for that.
    """
    if not name:
        raise ConfigurationError(f"expected the name of a list of words, {' or '.join(SHIPPED)} or a file, got none")


def _near(path: Path) -> str:
    return suggestion(str(path), SHIPPED) or f"; with the library come {' and '.join(SHIPPED)}"
