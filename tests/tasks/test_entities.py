"""Entities by both usual definitions, by hand and against a slow reading of each."""

import numpy as np
import pytest

from chainrule.tasks.entities import Entities, EntityScores, broken, kinds_of, scheme_of, type_names

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


#: By scheme the letters of an end and of a token alone.
MARKED = {"IOBES": "ES", "BILOU": "LU"}


def by_seqeval(tags):
    """The rules of seqeval 1.2.2 unless told otherwise, those of conlleval: where a chunk ends, and starts."""
    found, begun = [], 0
    before, kind_before = "O", ""
    for i, tag in enumerate([*tags, "O"]):
        prefix, _, kind = tag.partition("-")
        ends = (
            before in ("E", "S")
            or (before == "B" and prefix in ("B", "S", "O"))
            or (before == "I" and prefix in ("B", "S", "O"))
            or (before != "O" and kind_before != kind)
        )
        starts = (
            prefix in ("B", "S")
            or (before in ("E", "S", "O") and prefix in ("E", "I"))
            or (prefix != "O" and kind_before != kind)
        )
        if ends and before != "O":
            found.append((begun, i - 1, kind_before))
        if starts:
            begun = i
        before, kind_before = prefix, kind
    return found


def by_scheme(tags):
    """The strict rule, span by span: S-X; or B-X, any number of I-X, and E-X."""
    found = []
    for i, tag in enumerate(tags):
        kind = tag[2:]
        if tag[0] == "S":
            found.append((i, i, kind))
        for j in range(i + 1, len(tags) if tag[0] == "B" else 0):
            inner = [f"I-{kind}"] * (j - i - 1)
            if tags[i + 1 : j + 1] == [*inner, f"E-{kind}"]:
                found.append((i, j, kind))
    return found


@pytest.mark.parametrize("scheme", MARKED)
def test_schemes_that_mark_ends_are_those_of_seqeval(scheme):
    names = ["O", *(f"{letter}-{kind}" for letter in "BIES" for kind in ("X", "Y"))]
    own = [name.translate(str.maketrans("ES", MARKED[scheme])) for name in names]
    assert scheme_of(own) == scheme
    held, types = kinds_of(own), type_names(own)
    draws = np.random.default_rng(1)
    seen = 0
    for _ in range(500):
        texts = [draws.choice(len(names), draws.integers(0, 9)) for _ in range(3)]
        kinds, offsets = held[np.concatenate(texts)], np.cumsum([0, *map(len, texts)])
        for strict, rule in ((False, by_seqeval), (True, by_scheme)):
            found = Entities.of(kinds, offsets, strict=strict, marked=True)
            wanted = [
                (a + start, b + start, kind)
                for text, start in zip(texts, offsets, strict=False)
                for a, b, kind in rule([names[x] for x in text])
            ]
            assert [
                (a, b, types[t - 1]) for a, b, t in zip(found.first, found.last, found.types, strict=True)
            ] == wanted
            seen += strict * len(wanted)
        whole = Entities.of(kinds, offsets, marked=True)
        sound = Entities.of(kinds, offsets, strict=True, marked=True)
        assert (broken(kinds, offsets, marked=True).sum() == 0) == (len(whole) == len(sound))
    assert seen > 300


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
        (["O", "B-X", "I-X"], [0, 4, 5]),
        (["B", "I", "O"], [4, 5, 0]),
        (["I-X", "O"], [5, 0]),
        (["B-a-b", "I-c", "O"], [4, 9, 0]),
        (["B-X", "O", "S-X", "E-Y", "I-X"], [4, 0, 7, 10, 5]),
        (["U-X", "L-X", "O"], [7, 6, 0]),
        (["B", "I", "E", "S", "O"], [4, 5, 6, 7, 0]),
        (["NOUN", "VERB"], None),
        (["B-X", "E-X", "L-X"], None),
        (["S", "U", "O"], None),
        (["S", "E"], None),
        (["O"], None),
    ],
)
def test_which_tags_are_of_entities(names, expected):
    found = kinds_of(names)
    assert (None if found is None else found.tolist()) == expected
