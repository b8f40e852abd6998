"""Association tests: whether words of one kind stand nearer to pleasant words, say, than words of another kind do."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.errors import ConfigurationError, DataError
from chainrule.fairness.lexicon import LISTS, sections
from chainrule.graph.spec import Array
from chainrule.random import generator
from chainrule.shown import listing, one_line
from chainrule.vectors.vectors import Vectors

if TYPE_CHECKING:
    from chainrule.report.study.document import Document

#: The tests that come with the library: those of the paper.
TESTS = tuple(str(number) for number in range(1, 11))
#: Partitions that are all looked at, and how many are drawn where there are more.
EXACT, DRAWS = 200_000, 100_000
#: Partitions that are held at a time.
AT_ONCE = 10_000
#: The share of the words of each list that must have a vector.
COVERED = 0.8
#: Sums that differ by less than this part of what they may be are equal, but for rounding.
ROUNDING = 1e-12
#: Sentences in which a word says as little as can be, for encoders of sentences; ours.
BARE = ("This is {word}.", "That is {word}.", "There is {word}.", "Here is {word}.", "It is about {word}.")


@dataclass(frozen=True)
class AssociationTest:
    """Two lists of targets and two of attributes.

    Attributes:
        name: such as "6", or a file.
        lists: words by what they stand for: first and second targets, first and second attributes.
    """

    name: str
    lists: Mapping[str, tuple[str, ...]]

    @classmethod
    def read(cls, place: str | os.PathLike[str]) -> AssociationTest:
        """A test of WEAT by its number, "1" to "10", or one of a file.

        A file has four lists, each below a line `[what they stand for]`: two of targets and two of attributes; words
        stand with commas between them.

        Raises:
            DataError: for a file that cannot be read, or holds something else.

        Example:
            >>> list(AssociationTest.read("6").lists)
            ['Male names', 'Female names', 'Career', 'Family']
        """
        shipped = LISTS / "weat" / f"{place}.txt"
        found: dict[str, list[str]] = {}
        for number, title, line in sections(shipped if str(place) in TESTS else place):
            if not title:
                raise DataError(
                    f"{place}, line {number}: a word stands before the first [list]; write its name above it"
                )
            found.setdefault(title, []).extend(word.strip() for word in line.split(",") if word.strip())
        if len(found) != 4 or min(map(len, found.values())) < 2:
            raise DataError(
                f"{place}: expected four lists of two words or more, two of targets and two of attributes, got "
                f"{listing(found)}"
            )
        return cls(str(place), {name: tuple(words) for name, words in found.items()})


@dataclass(frozen=True, eq=False, repr=False)
class Association:
    """What a test came to; `print` shows it, `save` writes a page or JSON.

    Attributes:
        test: that was made.
        of: the vectors, in words.
        missing: the words of each list without a vector, by the list.
        scores: s(w) of each target word, by list: how much nearer it is to the first attributes than to the second.
        effect: d; above 0 where the first targets are nearer to the first attributes.
        one_sided: p of an effect as large in this direction.
        two_sided: p of an effect as large in either.
        partitions: of the targets that were looked at.
        exact: whether these are all there are.
    """

    test: AssociationTest
    of: str
    missing: Mapping[str, tuple[str, ...]]
    scores: Mapping[str, Mapping[str, float]]
    effect: float
    one_sided: float
    two_sided: float
    partitions: int
    exact: bool

    def __repr__(self) -> str:
        return f"Association({self.test.name}: d={self.effect:.2f}, p={self.one_sided:.4g})"

    def __str__(self) -> str:
        from chainrule.fairness.association_document import association_text

        return association_text([self])

    @property
    def question(self) -> str:
        """What is asked, in words."""
        one, two, a, b = (one_line(name, 30) for name in self.test.lists)
        return f"{one} / {two}, {a} / {b}"

    @property
    def covered(self) -> str:
        """How many words have a vector."""
        words = sum(map(len, self.test.lists.values()))
        return f"{words - sum(map(len, self.missing.values()))} of {words} words"

    def as_dict(self) -> dict[str, Any]:
        """All of it, as JSON can hold it."""
        return {
            "kind": "association test", "format": 1, "test": self.test.name, "question": self.question, "of": self.of,
            "effect": self.effect, "one_sided": self.one_sided, "two_sided": self.two_sided,
            "partitions": self.partitions, "exact": self.exact,
            "missing": {name: list(words) for name, words in self.missing.items()},
            "scores": {name: dict(words) for name, words in self.scores.items()},
        }  # fmt: skip

    def document(self) -> Document:
        """A page."""
        from chainrule.fairness.association_document import association_document

        return association_document([self])

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a page that needs nothing else (.html), or all figures (.json), and return the path.

        Raises:
            ConfigurationError: for another ending.
            StorageError: when it cannot be written.
        """
        from chainrule.fairness.output import save

        return save(path, self.document, self.as_dict)


def weat(
    vectors: Vectors,
    test: AssociationTest | str | os.PathLike[str],
    *,
    seed: int = 0,
    draws: int = DRAWS,
    of: str = "vectors",
) -> Association:
    """The Word Embedding Association Test.

        s(w) = mean cos(w, a) - mean cos(w, b)
        d = (mean s(x) - mean s(y)) / sd s(x ∪ y)

    over the attributes a of the first list and b of the second, and the targets x and y; sd is over n - 1. p is the
    share of the ways to part all targets into lists of these lengths in which mean s(x) - mean s(y) is as large, or
    larger (one-sided), and in which its size is (two-sided). Of up to 200,000 ways all are looked at; of more so many
    are drawn, and the one there is counts as one of them. A word is looked up as it is written, and else in small
    letters; one without a vector is left out and told.

    Such associations are of the vectors, and do not say how a classifier made with them treats anybody (see
    `chainrule.fairness.by_group`).

    Args:
        vectors: of words.
        test: "1" to "10" for those of the paper, a file, or lists; see `AssociationTest.read`.
        seed: of what is drawn.
        draws: ways that are drawn.
        of: what the vectors are, in words.

    Raises:
        DataError: when fewer than 80 % of the words of a list have a vector, or for a test that cannot be read.
        ConfigurationError: for fewer than one draw.

    Example:
        >>> words = ["rose", "tulip", "wasp", "gnat", "love", "peace", "death", "filth"]
        >>> matrix = np.array([[1, 0.1], [1, 0.2], [0.1, 1], [0.2, 1], [1, 0], [0.9, 0], [0, 1], [0, 0.9]])
        >>> targets = {"flowers": ("rose", "tulip"), "insects": ("wasp", "gnat")}
        >>> attributes = {"good": ("love", "peace"), "bad": ("death", "filth")}
        >>> found = weat(Vectors(words, matrix), AssociationTest("mine", targets | attributes))
        >>> round(found.effect, 2), round(found.one_sided, 3), found.partitions, found.exact
        (1.73, 0.167, 6, True)

    Sources: Caliskan, Bryson and Narayanan, Semantics Derived Automatically from Language Corpora Contain Human-like
    Biases (2017), whose p is one-sided; Phipson and Smyth (2010) for p of drawn ways. Against its use for classifiers:
    Goldfarb-Tarrant et al., Intrinsic Bias Metrics Do Not Correlate with Application Bias (2021).
    """
    asked = test if isinstance(test, AssociationTest) else AssociationTest.read(test)
    places = {word: place for words in asked.lists.values() for word in words if (place := written_in(vectors, word))}
    _require_covered(asked, places)
    held = {word: [np.asarray(vectors[place], np.float64)] for word, place in places.items()}
    return _association(asked, held, places, of, seed, draws)


def seat(
    encode: Callable[[Sequence[str]], Any],
    test: AssociationTest | str | os.PathLike[str],
    *,
    templates: Sequence[str] = BARE,
    seed: int = 0,
    draws: int = DRAWS,
    of: str = "sentences",
) -> Association:
    """The same test of an encoder of sentences, in which each word stands in sentences that say as little as can be.

    The cosines of a word are the means over its sentences, and words are what p exchanges: two sentences of one word
    are no two words. May et al. exchange sentences, whose p is smaller for the same vectors.

    Args:
        encode: gives a vector for each of several sentences: `SentenceEncoder.encode`, or anything that is called so.
        test: as of `weat`; phrases and sentences may stand for words.
        templates: sentences with `{word}` in them.
        seed: of what is drawn.
        draws: ways that are drawn.
        of: what the sentences are encoded by, in words.

    Raises:
        DataError: for vectors of another number than sentences, or that are no finite numbers.
        ConfigurationError: for a template without `{word}`, or fewer than one draw.

    Source: May et al., On Measuring Social Biases in Sentence Encoders (2019).
    """
    asked = test if isinstance(test, AssociationTest) else AssociationTest.read(test)
    if not templates or not all("{word}" in template for template in templates):
        raise ConfigurationError(f"templates: expected sentences with {{word}} in each, got {listing(templates)}")
    words = list(dict.fromkeys(word for held in asked.lists.values() for word in held))
    sentences = [template.replace("{word}", word) for word in words for template in templates]
    found = np.asarray(encode(sentences), np.float64)
    if found.ndim != 2 or len(found) != len(sentences) or not np.isfinite(found).all():
        raise DataError(
            f"seat: expected finite numbers of shape ({len(sentences)}, size) of the encoder, got an array of shape "
            f"{found.shape}"
        )
    held = {word: list(found[k * len(templates) : (k + 1) * len(templates)]) for k, word in enumerate(words)}
    return _association(asked, held, {word: word for word in words}, of, seed, draws)


def written_in(vectors: Vectors, word: str) -> str | None:
    """How a word is written in vectors: as it is, or in small letters; None where it has none."""
    for written in (word, word.lower()):
        found = vectors.coverage([written])
        if found.known or found.composed:
            return written
    return None


def _require_covered(test: AssociationTest, places: Mapping[str, str]) -> None:
    for name, words in test.lists.items():
        known = [word for word in words if word in places]
        if len(known) < COVERED * len(words) or len(known) < 2:
            missing = listing([word for word in words if word not in places], 5)
            raise DataError(
                f"test {test.name}: {len(known)} of the {len(words)} words of {name!r:.60} have a vector, "
                f"and {100 * COVERED:g} % are needed; missing are {missing}. Take vectors of more words, or own lists"
            )


def _association(
    test: AssociationTest,
    held: Mapping[str, Sequence[Array]],
    places: Mapping[str, str],
    of: str,
    seed: int,
    draws: int,
) -> Association:
    if draws < 1:
        raise ConfigurationError(f"draws: expected a whole number of 1 or more, got {draws}")
    unit = {word: np.array([_unit(x) for x in vectors]) for word, vectors in held.items()}
    (one, x), (two, y), (_, a), (_, b) = (
        (name, [word for word in words if word in places]) for name, words in test.lists.items()
    )
    first, second = (np.concatenate([unit[word] for word in words]) for words in (a, b))

    def score(word: str) -> float:
        return float((unit[word] @ first.T).mean() - (unit[word] @ second.T).mean())

    scores = {name: {word: score(word) for word in words} for name, words in ((one, x), (two, y))}
    values = np.array([*scores[one].values(), *scores[two].values()])
    difference = float(values[: len(x)].mean() - values[len(x) :].mean())
    deviation = float(values.std(ddof=1))
    one_sided, two_sided, partitions, exact = _p(values, len(x), seed, draws)
    missing = {name: tuple(word for word in words if word not in places) for name, words in test.lists.items()}
    effect = difference / deviation if deviation else 0.0
    return Association(test, of, missing, scores, effect, one_sided, two_sided, partitions, exact)


def _unit(x: Array) -> Array:
    length = float(np.linalg.norm(x))
    return x / length if length else x


def _p(values: Array, first: int, seed: int, draws: int) -> tuple[float, float, int, bool]:
    """p on one side and on either, how many partitions were looked at, and whether they are all."""
    count = len(values)
    centred = values - values.mean()  # a sum of the first list tells the difference of means
    ways = math.comb(count, first)
    exact = ways <= EXACT
    least = float(centred[:first].sum())
    close = ROUNDING * float(np.abs(centred).sum())
    above = outside = 0
    for sums in _all_sums(centred, first) if exact else _drawn_sums(centred, first, draws, seed):
        above += int((sums >= least - close).sum())
        outside += int((np.abs(sums) >= abs(least) - close).sum())
    if exact:
        return above / ways, outside / ways, ways, True
    return (1 + above) / (1 + draws), (1 + outside) / (1 + draws), draws, False


def _all_sums(values: Array, first: int) -> Any:
    """The sums of all choices, some at a time."""
    choices = itertools.combinations(range(len(values)), first)
    while some := list(itertools.islice(choices, AT_ONCE)):
        yield values[np.array(some)].sum(axis=1)


def _drawn_sums(values: Array, first: int, draws: int, seed: int) -> Any:
    source = generator(seed, "partitions")
    for start in range(0, draws, AT_ONCE):
        keys = source.random((min(AT_ONCE, draws - start), len(values)))
        yield values[np.argpartition(keys, first - 1, axis=1)[:, :first]].sum(axis=1)
