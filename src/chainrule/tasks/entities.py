"""Entities: what tags such as B-PER, I-PER and O say of which tokens are a name together.

Two definitions are usual, which differ where a sequence is broken, that is, where I-X follows neither B-X nor I-X:

- that of the shared tasks of CoNLL (the script conlleval): such an I-X begins an entity. So does the former scheme in
  which B-X stands only where two entities of a type touch;
- the strict one (seqeval with `mode="strict", scheme=IOB2`): only B-X begins an entity, and such an I-X is none.

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

#: No part of an entity; and a tag of one: whether it begins or goes on, and the type, which may be empty.
OUTSIDE, PART = "O", re.compile("([BI])(?:-(.+))?")


def kinds_of(names: Sequence[str]) -> Array | None:
    """What each tag says: 0 for O, 2 t for B and 2 t + 1 for I of the type with the number t, from 1.

    None where one is neither, or where no tag is B or I: these are no tags of entities.

    Example:
        >>> kinds_of(["B-PER", "I-PER", "O", "I-ORG"]), kinds_of(["NOUN", "O"])
        (array([2, 3, 0, 5]), None)
    """
    parts = [PART.fullmatch(name) for name in names]
    if not any(parts) or any(part is None and name != OUTSIDE for part, name in zip(parts, names, strict=True)):
        return None
    types: dict[str, int] = {}
    kinds = [part and 2 * types.setdefault(part[2] or "", len(types) + 1) + (part[1] == "I") for part in parts]
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
    def of(cls, kinds: Array, offsets: Array, *, strict: bool = False) -> Entities:
        """The entities of tags.

        Args:
            kinds: of each token; see `kinds_of`.
            offsets: where each text begins, and the last one ends.
            strict: by the strict definition; else by that of CoNLL.

        Example (B-X I-X I-Y in one text, whose I-Y is broken):
            >>> kinds, offsets = np.array([2, 3, 5]), np.array([0, 3])
            >>> Entities.of(kinds, offsets).first, Entities.of(kinds, offsets, strict=True).first
            (array([0, 2]), array([0]))
        """
        types, inside = kinds // 2, kinds > 1
        begins = inside & ((kinds % 2 == 0) | broken(kinds, offsets))
        ends = np.append(begins[1:] | ~inside[1:], True)[: len(kinds)] & inside  # the next token is not of it
        ends[_lasts(offsets)] = inside[_lasts(offsets)]
        first, last = np.flatnonzero(begins), np.flatnonzero(ends)
        if strict:
            kept = kinds[first] % 2 == 0
            first, last = first[kept], last[kept]
        return cls(first, last, types[first])

    def __len__(self) -> int:
        return len(self.first)

    def shared(self, other: Entities) -> Array:
        """The types of those that both have."""
        _, places, others = np.intersect1d(self.first, other.first, return_indices=True)
        same = (self.last[places] == other.last[others]) & (self.types[places] == other.types[others])
        types: Array = self.types[places[same]]
        return types


def broken(kinds: Array, offsets: Array) -> Array:
    """Which tags go on with an entity that there is not: I-X after neither B-X nor I-X; bool of shape (tokens,)."""
    before = np.append(0, kinds[:-1])[: len(kinds)]
    starts = offsets[:-1][offsets[:-1] < offsets[1:]]
    before[starts] = 0
    alone: Array = (kinds % 2 == 1) & (kinds // 2 != before // 2)
    return alone


def _lasts(offsets: Array) -> Array:
    return offsets[1:][offsets[:-1] < offsets[1:]] - 1


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
