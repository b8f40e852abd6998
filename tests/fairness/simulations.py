"""Models made up: answers for rows of groups, right as often as is planted."""

import numpy as np

from chainrule.fairness.gaps import corrected, gap, measure
from chainrule.fairness.groups import Groups
from chainrule.fairness.judged import TRUE_SHARE, Judged


def answered(source, rows, accuracies, models=1, spread=0.0):
    """A classifier of two labels on rows of as many groups as accuracies; with several models each a little different.

    Returns:
        what it answers, and the groups.
    """
    codes = np.arange(rows) % len(accuracies)
    truth = source.random(rows) < 0.5
    expected = np.array(accuracies)[codes]
    right = np.array([
        source.random(rows) < np.clip(expected + source.normal(0, spread), 0, 1) for _ in range(models)
    ])  # fmt: skip
    given = np.where(right, truth, ~truth)
    sure = source.beta(4, 1, (models, rows)) / 2
    scores = np.where(given, 0.5 + sure, 0.5 - sure)
    names = tuple("abcdefgh"[: len(accuracies)])
    groups = Groups("group", names, codes, tuple(range(len(names))))
    return Judged("classify", ("yes",), truth[:, None], given[:, :, None], scores[:, :, None], right), groups


def gaps(judged, groups, seed=0):
    """All gaps of what was answered, corrected, by name."""
    figures = [x for x in judged.figures() if x.name != TRUE_SHARE]
    found = [gap(x, measure(x, groups, 0.95), groups, 0.95, seed) for x in figures]
    return {x.figure.name: x for x in corrected([x for x in found if x is not None], 0.05)}


def counted(accuracies, rows, simulations, models=1, spread=0.0, seed=0):
    """In how many simulations the gap of accuracy is named, in how many any gap is, and whose interval holds it."""
    source = np.random.default_rng(seed)
    named = anyone = held = 0
    for _ in range(simulations):
        found = gaps(*answered(source, rows, accuracies, models, spread))
        accuracy = found["accuracy"]
        named += accuracy.named
        anyone += any(x.named for x in found.values())
        held += accuracies[accuracy.high] - accuracies[accuracy.low] in accuracy.interval
    return named, anyone, held
