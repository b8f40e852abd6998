"""Direction: what pairs of words have in common as one direction of word vectors, and vectors without it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.errors import ConfigurationError, DataError
from chainrule.fairness.association import COVERED, written_in
from chainrule.fairness.pairs import Pairs
from chainrule.graph.spec import Array
from chainrule.random import generator
from chainrule.vectors.vectors import Vectors

#: Words of each side whose kind is to be told from vectors, and pairs of words whose cosines are compared.
TOLD_APART, COMPARED = 500, 2000
#: Parts that the words are divided into to be told apart.
PARTS = 5
#: Titles whose pairs define a direction, where a list has them: names say less of what a side is.
DEFINING = ("pronouns", "words")


@dataclass(frozen=True, eq=False, repr=False)
class Direction:
    """A direction of word vectors.

    Attributes:
        vector: of length 1, shape (size,); it points from the first side to the second.
        share: the part of the pairs' differences that it explains, from 0 to 1.
        pairs: that define it, as they are written in the vectors.
        missing: pairs of which a word has no vector.
        sides: what both are called.
    """

    vector: Array
    share: float
    pairs: tuple[tuple[str, str], ...]
    missing: tuple[tuple[str, str], ...]
    sides: tuple[str, str]

    def __repr__(self) -> str:
        return f"Direction({self.sides[0]} to {self.sides[1]}, {len(self.pairs)} pairs, {100 * self.share:.0f} %)"

    def projection(self, vectors: Vectors, word: str) -> float:
        """How far a word points in the direction: the cosine, above 0 for the second side.

        Raises:
            ConfigurationError: for a word without a vector.
        """
        x = np.asarray(vectors[word], np.float64)
        length = float(np.linalg.norm(x))
        return float(x @ self.vector) / length if length else 0.0

    def farthest(self, vectors: Vectors, count: int = 10) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
        """The words that point most to the first side, and those that point most to the second, with their cosines.

        The words of the pairs are left out.
        """
        defining = {word for pair in self.pairs for word in pair}
        first = vectors.neighbours(-self.vector.astype(np.float32), count, without=defining)
        second = vectors.neighbours(self.vector.astype(np.float32), count, without=defining)
        return [(word, -cosine) for word, cosine in first], second


def direction(vectors: Vectors, pairs: Pairs | str | os.PathLike[str] = "en") -> Direction:
    """The direction that the words of pairs differ in most.

        g = the first principal component of the vectors a - (a + b) / 2 and b - (a + b) / 2 over all pairs (a, b)

    for vectors of length 1. Of the lists that come with the library, the pairs under [pronouns] and [words] define it.

    Args:
        vectors: of words.
        pairs: of words, or what `Pairs.read` takes.

    Raises:
        DataError: when fewer than 80 % of the pairs have vectors, or for pairs that cannot be read.

    Example:
        >>> from chainrule.fairness.pairs import Pair
        >>> words = ["he", "she", "king", "queen", "nurse"]
        >>> matrix = np.array([[1, 0], [-1, 0], [1, 2], [-1, 2], [-0.5, 1.0]])
        >>> pairs = Pairs("mine", (Pair(("he", "she")), Pair(("king", "queen"))), ("men", "women"))
        >>> found = direction(Vectors(words, matrix), pairs)
        >>> found, round(found.projection(Vectors(words, matrix), "nurse"), 2)
        (Direction(men to women, 2 pairs, 100 %), 0.45)

    Source: Bolukbasi et al., Man is to Computer Programmer as Woman is to Homemaker? Debiasing Word Embeddings (2016).
    """
    listed = pairs if isinstance(pairs, Pairs) else Pairs.read(pairs)
    asked = tuple(pair for pair in listed.pairs if pair.kind in DEFINING) or listed.pairs
    known, missing = [], []
    for pair in asked:
        written = [written_in(vectors, word) for word in pair.words]
        if None in written:
            missing.append(pair.words)
        else:
            known.append((str(written[0]), str(written[1])))
    if not known or len(known) < COVERED * len(asked):
        raise DataError(
            f"direction of {listed.name}: {len(known)} of {len(asked)} pairs have a vector of both words, and "
            f"{100 * COVERED:g} % are needed; take vectors of more words, or another list"
        )
    ends = np.array([[_unit(vectors[word]) for word in pair] for pair in known])
    apart = (ends - ends.mean(axis=1, keepdims=True)).reshape(-1, vectors.size)
    _, lengths, right = np.linalg.svd(apart, full_matrices=False)
    found = right[0]
    if float(((ends[:, 1] - ends[:, 0]) @ found).sum()) < 0:
        found = -found
    total = float((lengths**2).sum())
    share = float(lengths[0] ** 2) / total if total else 0.0
    return Direction(found, share, tuple(known), tuple(missing), listed.sides)


@dataclass(frozen=True, eq=False, repr=False)
class Projected:
    """Vectors without a direction, and what that did and did not change.

    Attributes:
        vectors: without it.
        words: whose vectors were changed.
        kept: words of the pairs, whose vectors are as they were.
        projections: the mean size of the words' projections on the direction, before and after.
        apart: how often words of either side are told from those of the other one, by the words around them, before and
            after; 0.5 is a guess. None where there are too few words.
        cosines: the correlation of cosines of word pairs before and after, from -1 to 1.
    """

    vectors: Vectors
    words: int
    kept: int
    projections: tuple[float, float]
    apart: tuple[float, float] | None
    cosines: float

    def __repr__(self) -> str:
        return f"Projected({self.words:,} words)"

    def __str__(self) -> str:
        """What it changed, and what it did not."""
        before, after = self.projections
        lines = [
            f"{self.words:,} vectors without the direction; those of {self.kept:,} words of the pairs are as they were",
            f"changed: the mean size of projections on the direction, from {before:.3f} to {after:.3f}",
        ]
        if self.apart is not None:
            lines.append(
                f"not changed by that: words that pointed to either side stand together still; which side is told "
                f"from the rest of a vector for {100 * self.apart[1]:.1f} % of them, "
                f"before {100 * self.apart[0]:.1f} % (50 % would be a guess)"
            )
        lines.append(
            f"not changed: how words are alike; the cosines of words before and after correlate with {self.cosines:.3f}"
        )
        return "\n".join(lines)


def projected(vectors: Vectors, found: Direction, *, keep: Sequence[str] | None = None, seed: int = 0) -> Projected:
    """Vectors without a direction: w - (w · g) g for all words, but those whose meaning the direction is.

    That is the step that the paper calls to neutralise. Its other step, which makes pairs equally far from every other
    word, is left out, and so is its scaling to length 1: vectors keep the length that is left of them.

    What this does not do: words that stood together on one side still stand together, as they are alike in other
    directions, too, and a classifier finds that. `Projected` says how well: by the nearer of the two mean vectors of
    the 500 words that pointed most to either side, learned from four fifths of them and asked of the rest.

    Args:
        vectors: of words.
        found: the direction.
        keep: words whose vectors stay as they are; None for those of the pairs.
        seed: of the words that are compared.

    Raises:
        ConfigurationError: for vectors of another size than the direction.

    Sources: Bolukbasi et al. (2016). What is left: Gonen and Goldberg, Lipstick on a Pig: Debiasing Methods Cover up
    Systematic Gender Biases in Word Embeddings But Do Not Remove Them (2019).
    """
    if vectors.size != len(found.vector):
        raise ConfigurationError(
            f"projection: expected vectors of the size of the direction, {len(found.vector)}, got {vectors.size}"
        )
    stay = {word for pair in found.pairs for word in pair} if keep is None else {*keep}
    places = np.array([place for word in stay if (place := vectors.places.get(word)) is not None], np.int64)
    matrix = np.array(vectors.matrix, np.float32)
    others = np.setdiff1d(np.arange(len(matrix)), places)
    before = _cosines(matrix, found.vector)
    changed = matrix.copy()
    along = matrix[others].astype(np.float64) @ found.vector
    changed[others] -= (along[:, None] * found.vector).astype(np.float32)
    after = _cosines(changed, found.vector)
    order = others[np.argsort(before[others], kind="stable")]
    count = min(TOLD_APART, len(order) // 2)
    apart = None
    if count >= 2 * PARTS:
        ends = np.concatenate([order[:count], order[-count:]])
        sides = np.repeat([False, True], count)
        one, two = (_told_apart(x[ends], sides, seed) for x in (matrix, changed))
        apart = (one, two)
    pairs = generator(seed, "pairs of words").integers(0, len(matrix), (COMPARED, 2))
    cosines = [np.einsum("ij,ij->i", *(_rows_of_length_1(x[pairs[:, k]]) for k in (0, 1))) for x in (matrix, changed)]
    sizes = [float(np.abs(x[others]).mean()) if len(others) else 0.0 for x in (before, after)]
    alike = float(np.corrcoef(cosines)[0, 1]) if min(x.std() for x in cosines) else 1.0
    return Projected(Vectors(vectors.words, changed), len(others), len(places), (sizes[0], sizes[1]), apart, alike)


def _told_apart(x: Array, sides: Array, seed: int) -> float:
    """How often the nearer mean of both sides is that of a word's own side, on words that the means do not have."""
    rows = _rows_of_length_1(x)
    parts = generator(seed, "parts of words").permutation(len(rows)) % PARTS
    right = 0
    for part in range(PARTS):
        learned, asked = parts != part, parts == part
        means = [rows[learned & (sides == side)].mean(axis=0) for side in (False, True)]
        gap = means[1] - means[0]
        middle = float(gap @ (means[0] + means[1])) / 2
        right += int(((rows[asked] @ gap > middle) == sides[asked]).sum())
    return right / len(rows)


def _cosines(matrix: Array, vector: Array) -> Array:
    lengths = np.linalg.norm(matrix, axis=1)
    along = matrix @ vector.astype(np.float32)
    return np.asarray(np.divide(along, lengths, out=np.zeros_like(along), where=lengths > 0))


def _rows_of_length_1(x: Array) -> Array:
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray(np.divide(x, lengths, out=np.zeros_like(x), where=lengths > 0), np.float64)


def _unit(x: Array) -> Array:
    held = np.asarray(x, np.float64)
    length = float(np.linalg.norm(held))
    return held / length if length else held
