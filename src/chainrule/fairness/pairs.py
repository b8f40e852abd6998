"""Pairs of words, such as he and she, and texts with each of them in the place of the other."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from chainrule.errors import DataError, shortened
from chainrule.fairness.lexicon import Finder, require_list, sections, shipped
from chainrule.shown import listing

#: The condition of a pair: it holds where a word follows at once.
BEFORE = "before a word"
#: The title of the line that names the sides, and those of both where a list does not.
SIDES, UNNAMED = "sides", ("first", "second")
_WORD_FOLLOWS = re.compile(r"\s+\w")


@dataclass(frozen=True)
class Pair:
    """Two words that stand for each other.

    Attributes:
        words: the first and the second.
        kind: the title it stands under, such as "names".
        before: whether it holds only where a word follows: "her book" is "his book", and "I saw her." "I saw him."
    """

    words: tuple[str, str]
    kind: str = ""
    before: bool = False


@dataclass(frozen=True)
class Swapped:
    """A text with the words of pairs in the place of each other.

    Attributes:
        text: what became of it.
        sides: how many words of the first side were replaced, and how many of the second.
        guessed: words with several counterparts, of which one was chosen, each as "her as his".
    """

    text: str
    sides: tuple[int, int]
    guessed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pairs:
    """Pairs of words.

    Attributes:
        name: of the list, for messages.
        pairs: of words, in the order in which they are tried.
        sides: what the first words and the second ones stand for, such as "men" and "women".

    Raises:
        DataError: for no pair, or one of the same word twice.

    Example:
        >>> pairs = Pairs.read("en")
        >>> pairs.swapped("He told HIS mother: it is hers.").text
        'She told HER father: it is his.'
        >>> pairs.swapped("I met her, and her dog.").guessed
        ('her as him', 'her as his')
    """

    name: str
    pairs: tuple[Pair, ...]
    sides: tuple[str, str] = UNNAMED
    _places: Mapping[str, list[tuple[int, Pair]]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.pairs:
            raise DataError(f"{self.name}: expected a pair of words or more, such as the line: he, she; got none")
        places: dict[str, list[tuple[int, Pair]]] = {}
        for pair in self.pairs:
            if _key(pair.words[0]) == _key(pair.words[1]):
                raise DataError(f"{self.name}: expected two words, got {shortened(pair.words[0])} twice")
            for side in (0, 1):
                places.setdefault(_key(pair.words[side]), []).append((side, pair))
        object.__setattr__(self, "_places", places)

    @classmethod
    def read(cls, place: str | os.PathLike[str]) -> Pairs:
        """The pairs of a file, or "en" or "fr" for those that come with the library.

        A line holds two words with a comma between them, and after another comma it may say `before a word`. A line
        `[names]` is the title of those below it; below `[sides]` stands what both sides are called. What follows a `#`
        is a remark. Several lists are read as one by `+`.

        Raises:
            DataError: for a file that cannot be read, or a line that is no pair.
        """
        require_list(str(place))
        found, sides = [], UNNAMED
        for number, title, line in sections(shipped(place, "pairs")):
            words = [" ".join(word.split()) for word in line.split(",")]
            if len(words) not in (2, 3) or not all(words) or words[2:] not in ([], [BEFORE]):
                raise DataError(
                    f"{place}, line {number}: expected two words with a comma between them, and no more than "
                    f"', {BEFORE}' after them, got {shortened(line)}"
                )
            if title == SIDES:
                sides = (words[0], words[1])
            else:
                found.append(Pair((words[0], words[1]), title, len(words) == 3))
        return cls(str(place), tuple(found), sides)

    def __add__(self, other: Pairs) -> Pairs:
        """Both lists; the first one's pairs are tried first."""
        return Pairs(f"{self.name} and {other.name}", (*self.pairs, *other.pairs), self.sides)

    def of_kind(self, kind: str) -> tuple[Pair, ...]:
        """The pairs under a title."""
        return tuple(pair for pair in self.pairs if pair.kind == kind)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The titles there are."""
        return tuple(dict.fromkeys(pair.kind for pair in self.pairs))

    @cached_property
    def _finder(self) -> Finder:
        return Finder(word for pair in self.pairs for word in pair.words)

    @property
    def ambiguous(self) -> dict[str, tuple[str, ...]]:
        """The words that have several counterparts, with these.

        Example:
            >>> Pairs.read("en").ambiguous["her"]
            ('his', 'him')
        """
        found = {word: [pair.words[1 - side] for side, pair in held] for word, held in self._places.items()}
        return {word: tuple(dict.fromkeys(x)) for word, x in found.items() if len(set(map(_key, x))) > 1}

    def swapped(self, text: str) -> Swapped:
        """A text with both words of every pair in the place of each other, in the case that they are written in.

        Words are replaced as a whole, all at once. Of several counterparts, the first that holds is taken: those that
        hold before a word alone, where a word follows, and else the others. It is said which were chosen so.
        """
        sides, guessed = [0, 0], []

        def counterpart(match: re.Match[str]) -> str:
            word = match[0]
            places = self._places[_key(word)]
            follows = _WORD_FOLLOWS.match(text, match.end()) is not None
            fitting = [x for x in places if x[1].before and follows] or [x for x in places if not x[1].before] or places
            side, pair = fitting[0]
            other = pair.words[1 - side]
            if len({_key(x.words[1 - s]) for s, x in places}) > 1:
                guessed.append(f"{_key(word)} as {other}")
            sides[side] += 1
            return _in_case_of(word, other)

        parts, end = [], 0
        for match in self._finder.matches(text):
            parts += [text[end : match.start()], counterpart(match)]
            end = match.end()
        return Swapped("".join([*parts, text[end:]]), (sides[0], sides[1]), tuple(guessed))

    def all_swapped(self, texts: Sequence[str]) -> tuple[list[Swapped], dict[str, int]]:
        """Each text swapped, and how often each word with several counterparts was taken for which."""
        found = [self.swapped(text) for text in texts]
        return found, dict(Counter(guess for each in found for guess in each.guessed).most_common())


def filled(templates: Sequence[str], pairs: Pairs) -> list[str]:
    """Sentences of templates: each `{names}` stands for every first word of the pairs under that title.

    Example:
        >>> pairs = Pairs("mine", (Pair(("Max", "Mia"), "names"), Pair(("he", "she"))))
        >>> filled(["{names} said that he was late."], pairs)
        ['Max said that he was late.']

    Raises:
        DataError: for a title that there is not.
    """
    sentences = []
    for template in templates:
        slots = re.findall(r"\{([^{}]*)\}", template)
        for slot in slots:
            if not pairs.of_kind(slot):
                raise DataError(
                    f"template {shortened(template)}: there are no pairs under [{slot[:40]}] in {pairs.name}; there "
                    f"are {listing(x for x in pairs.kinds if x)}"
                )
        words = [pair.words[0] for pair in pairs.of_kind(slots[0])] if slots else [""]
        sentences += [re.sub(r"\{[^{}]*\}", lambda _, word=word: word, template) for word in words]  # type: ignore[misc]
    return list(dict.fromkeys(sentences))


def read_templates(place: str | os.PathLike[str]) -> list[str]:
    """The sentences of a file, one a line, or "en" or "fr" for those that come with the library.

    Raises:
        DataError: for a file that cannot be read, or holds none.
    """
    return [line for _, _, line in sections(shipped(place, "sentences"))]


def _key(word: str) -> str:
    """A word as it is looked up: small letters, composed, single blanks, straight apostrophes."""
    return " ".join(unicodedata.normalize("NFC", word).lower().replace("’", "'").split())


def _in_case_of(word: str, other: str) -> str:
    """A word as another one is written: in capitals, with a capital, or as it stands in the list.

    Example:
        >>> _in_case_of("HIS", "her"), _in_case_of("His", "her"), _in_case_of("james", "Mary")
        ('HER', 'Her', 'mary')
    """
    if len(word) > 1 and word.isupper():
        return other.upper()
    if word[:1].isupper():
        return other[:1].upper() + other[1:]
    return other if other[:1].islower() else other.lower()
