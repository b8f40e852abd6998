"""Entities by both usual definitions, by hand and against a slow reading of each."""

import numpy as np
import pytest

from chainrule.tasks.entities import Entities, EntityScores, broken, kinds_of, type_names

NAMES = ["B-LOC", "B-PER", "I-LOC", "I-PER", "O"]


def kinds(texts):
    """What tags say, and the offsets of the texts."""
    held = kinds_of(NAMES)
    codes = [NAMES.index(tag) for text in texts for tag in text.split()]
    return held[codes], np.cumsum([0, *(len(text.split()) for text in texts)])


def spans(texts, *, strict=False):
    """(first, last, type) of each entity."""
    found = Entities.of(*kinds(texts), strict=strict)
    types = type_names(NAMES)
    return [(a, b, types[t - 1]) for a, b, t in zip(found.first, found.last, found.types, strict=True)]


def by_conlleval(texts):
    """The rules of the script conlleval, tag by tag: where a chunk ends, and where one starts."""
    found, place = [], 0
    for text in texts:
        open_, before = None, ("O", "")
        for i, tag in enumerate([*text.split(), "O"]):
            prefix, _, kind = tag.partition("-")
            ends = before[0] != "O" and (prefix in ("B", "O") or kind != before[1])
            starts = prefix == "B" or (prefix == "I" and (before[0] == "O" or kind != before[1]))
            if ends and open_ is not None:
                found.append((open_, place + i - 1, before[1]))
                open_ = None
            if starts:
                open_ = place + i
            before = (prefix, kind)
        place += len(text.split())
    return found


def by_strict_rule(texts):
    """B-X and all I-X that follow it."""
    found, place = [], 0
    for text in texts:
        tags = text.split()
        for i, tag in enumerate(tags):
            if tag.startswith("B-"):
                j = i
                while j + 1 < len(tags) and tags[j + 1] == "I" + tag[1:]:
                    j += 1
                found.append((place + i, place + j, tag[2:]))
        place += len(tags)
    return found


def test_by_hand():
    texts = ["B-PER I-PER O B-LOC", "I-LOC I-LOC I-PER", "B-PER B-PER I-LOC", "", "O"]
    assert spans(texts) == [
        (0, 1, "PER"), (3, 3, "LOC"), (4, 5, "LOC"), (6, 6, "PER"), (7, 7, "PER"), (8, 8, "PER"), (9, 9, "LOC")
    ]  # fmt: skip
    assert spans(texts, strict=True) == [(0, 1, "PER"), (3, 3, "LOC"), (7, 7, "PER"), (8, 8, "PER")]
    assert np.flatnonzero(broken(*kinds(texts))).tolist() == [4, 6, 9]


def test_they_are_those_of_the_definitions():
    draws = np.random.default_rng(0)
    for _ in range(200):
        texts = [" ".join(draws.choice(NAMES, draws.integers(0, 8))) for _ in range(4)]
        assert spans(texts) == by_conlleval(texts)
        assert spans(texts, strict=True) == by_strict_rule(texts)


def test_scores_by_hand():
    """The figures that conlleval and seqeval 1.2.2 print of these."""
    truth = ["B-PER I-PER O B-LOC", "O B-LOC I-LOC", "B-PER O"]
    found = ["B-PER I-PER O I-LOC", "O B-LOC O", "B-LOC O"]
    held = [kinds(texts) for texts in (truth, found)]
    loose, strict = (EntityScores(*(Entities.of(*x, strict=s) for x in held), 2) for s in (False, True))
    assert loose.together() == pytest.approx((2 / 4, 2 / 4, 2 / 4))
    assert strict.together() == pytest.approx((1 / 3, 1 / 4, 2 / 7))
    right, predicted, true = loose.counts()
    assert (right.tolist(), predicted.tolist(), true.tolist()) == ([1, 1], [3, 1], [2, 2])


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["O", "B-X", "I-X"], [0, 2, 3]),
        (["B", "I", "O"], [2, 3, 0]),
        (["I-X", "O"], [3, 0]),
        (["B-a-b", "I-c", "O"], [2, 5, 0]),
        (["NOUN", "VERB"], None),
        (["B-X", "O", "S-X"], None),
        (["O"], None),
    ],
)
def test_which_tags_are_of_entities(names, expected):
    found = kinds_of(names)
    assert (None if found is None else found.tolist()) == expected
