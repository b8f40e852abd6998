"""Entities: what tags such as B-PER, I-PER and O say of which tokens are a name together.

Tags say of a token that an entity begins there (B), goes on (I), is not there (O), and in two other schemes that it
ends (E of IOBES, L of BILOU) or has this token alone (S of IOBES, U of BILOU).

Two definitions are usual, which differ where a sequence is broken: where I-X or E-X follows neither B-X nor I-X, or,
where ends are marked, neither I-X nor E-X follows B-X or I-X:

- that of the shared tasks of CoNLL (the script conlleval, and seqeval unless told otherwise): such a tag begins an
  entity, and an entity ends where the next tag is not of it. So does the former scheme in which B-X stands only where
  two entities of a type touch;
- the strict one (seqeval with `mode="strict"` and the scheme): an entity is B-X with all I-X that follow it; where ends
  are marked, it is S-X, or B-X with all I-X that follow and an E-X behind these. All else is none.

An entity is right where type, first and last token all are.

Sources: Tjong Kim Sang and De Meulder, Introduction to the CoNLL-2003 Shared Task (2003); Nakayama, seqeval (2018).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.graph.spec import Array
from chainrule.tasks import measures

#: No part of an entity; and a tag of one: which part it is, and the type, which may be empty.
OUTSIDE, PART = "O", re.compile("([BIESLU])(?:-(.+))?")
#: What the letters say: it begins, goes on, ends, or is the only token.
BEGINS, GOES_ON, ENDS, ALONE = range(4)
LETTERS = {"B": BEGINS, "I": GOES_ON, "E": ENDS, "L": ENDS, "S": ALONE, "U": ALONE}
#: Schemes by their names, and the letters that only they have.
IOB2, IOBES, BILOU = "IOB2", "IOBES", "BILOU"
OWN = {IOBES: {"E", "S"}, BILOU: {"L", "U"}}


def scheme_of(names: Sequence[str]) -> str | None:
    """The scheme of tags; None where one is of none, where two are mixed, or where no tag is part of an entity.

    Letters without a type are tags of entities where B or I is among them.

    Example:
        >>> scheme_of(["B-X", "I-X", "O"]), scheme_of(["B-X", "E-X"]), scheme_of(["O", "U-X"]), scheme_of(["NOUN"])
        ('IOB2', 'IOBES', 'BILOU', None)
    """
    parts = [PART.fullmatch(name) for name in names if name != OUTSIDE]
    found = [part for part in parts if part is not None]
    letters = {part[1] for part in found}
    if not found or len(found) < len(parts) or (not letters & {"B", "I"} and any(part[2] is None for part in found)):
        return None
    schemes = [name for name, own in OWN.items() if letters & own] or [IOB2]
    return schemes[0] if len(schemes) == 1 else None


def kinds_of(names: Sequence[str]) -> Array | None:
    """What each tag says: 0 for O, 4 t + `LETTERS` for the type with the number t, from 1.

    None where they are no tags of entities; see `scheme_of`.

    Example:
        >>> kinds_of(["B-PER", "I-PER", "O", "I-ORG"]), kinds_of(["S-X", "E-X", "B-X"]), kinds_of(["NOUN", "O"])
        (array([4, 5, 0, 9]), array([7, 6, 4]), None)
    """
    if scheme_of(names) is None:
        return None
    types: dict[str, int] = {}
    parts = map(PART.fullmatch, names)
    kinds = [part and 4 * types.setdefault(part[2] or "", len(types) + 1) + LETTERS[part[1]] for part in parts]
    return np.array([kind or 0 for kind in kinds], np.int64)


def type_names(names: Sequence[str]) -> list[str]:
    """The types of entities, by their numbers from 1, as `kinds_of` has them."""
    return list(dict.fromkeys(part[2] or "" for name in names if (part := PART.fullmatch(name))))


@dataclass(frozen=True, eq=False)
class Entities:
    """The entities of texts, in their order.

    Attributes:
        first, last: of each entity the place of its first and last token.
        types: of each the number of its type.
    """

    first: Array
    last: Array
    types: Array

    @classmethod
    def of(cls, kinds: Array, offsets: Array, *, strict: bool = False, marked: bool = False) -> Entities:
        """The entities of tags.

        Args:
            kinds: of each token; see `kinds_of`.
            offsets: where each text begins, and the last one ends.
            strict: by the strict definition; else by that of CoNLL.
            marked: whether the scheme marks ends, as IOBES and BILOU do.

        Example (B-X I-X I-Y in one text, whose I-Y is broken):
            >>> kinds, offsets = np.array([4, 5, 9]), np.array([0, 3])
            >>> Entities.of(kinds, offsets).first, Entities.of(kinds, offsets, strict=True).first
            (array([0, 2]), array([0]))
        """
        parts, inside = kinds % 4, kinds >= 4
        begins = inside & ((parts == BEGINS) | (parts == ALONE) | _headless(kinds, offsets))
        first, last = np.flatnonzero(begins), np.flatnonzero(inside & ~_followed(kinds, offsets))
        if strict:
            kept = (parts[first] == BEGINS) | (parts[first] == ALONE)
            if marked:
                kept &= (parts[last] == ENDS) | (parts[last] == ALONE)
            first, last = first[kept], last[kept]
        return cls(first, last, kinds[first] // 4)

    def __len__(self) -> int:
        return len(self.first)

    def shared(self, other: Entities) -> Array:
        """The types of those that both have."""
        _, places, others = np.intersect1d(self.first, other.first, return_indices=True)
        same = (self.last[places] == other.last[others]) & (self.types[places] == other.types[others])
        types: Array = self.types[places[same]]
        return types


def broken(kinds: Array, offsets: Array, *, marked: bool = False) -> Array:
    """Which tags go on with an entity that there is not, or leave one without its end; bool of shape (tokens,).

    The first are I-X and E-X after neither B-X nor I-X; the others, where ends are marked, B-X and I-X that neither I-X
    nor E-X follows.
    """
    found = _headless(kinds, offsets)
    if marked:
        found |= (kinds >= 4) & (kinds % 4 <= GOES_ON) & ~_followed(kinds, offsets)
    return found


def _headless(kinds: Array, offsets: Array) -> Array:
    """Which tags go on with an entity, or end it, that there is not."""
    before = np.append(0, kinds[:-1])[: len(kinds)]
    before[offsets[:-1][offsets[:-1] < offsets[1:]]] = 0
    goes_on = (kinds % 4 == GOES_ON) | (kinds % 4 == ENDS)
    found: Array = goes_on & ((kinds // 4 != before // 4) | (before % 4 >= ENDS))
    return found


def _followed(kinds: Array, offsets: Array) -> Array:
    """Which tokens are followed by one that goes on with their entity, or ends it."""
    after = np.append(kinds[1:], 0)[: len(kinds)]
    after[offsets[1:][offsets[:-1] < offsets[1:]] - 1] = 0
    goes_on = (after % 4 == GOES_ON) | (after % 4 == ENDS)
    found: Array = (kinds % 4 <= GOES_ON) & goes_on & (kinds // 4 == after // 4)
    return found


@dataclass(frozen=True, eq=False)
class EntityScores:
    """Precision, recall and F1 of entities, all together, and by their types.

    Args:
        truth: the true ones.
        predicted: those that were found.
        types: how many types there are, from 1.
    """

    truth: Entities
    predicted: Entities
    types: int

    def counts(self) -> tuple[Array, Array, Array]:
        """Of each type, how many entities are found rightly, are found, and are there; shape (types,)."""
        held = (self.truth.shared(self.predicted), self.predicted.types, self.truth.types)
        right, found, there = (np.bincount(x, minlength=self.types + 1)[1:] for x in held)
        return right, found, there

    def by_type(self) -> tuple[Array, Array, Array]:
        """Precision, recall and F1 of each type."""
        return measures.f_scores(*self.counts())

    def together(self) -> tuple[float, float, float]:
        """Precision, recall and F1 of all entities (the micro average)."""
        precision, recall, f1 = measures.f_scores(*(x.sum() for x in self.counts()))
        return float(precision), float(recall), float(f1)
