"""Results whose truth is known: how often statistics say what is so.

`python -m tests.report.statistics` prints the figures of docs/statistics.md; the tests ask for fewer simulations.
"""

import math

import numpy as np
from scipy.special import ndtri

from chainrule.report.statistics import (
    almost_stochastic_order,
    compare,
    compare_on_examples,
    compare_over_seeds,
    crossed_interval,
    expected_best,
    main_effects,
    mean_interval,
    name_winner,
)  # fmt: skip

#: How results of seeds may be spread, and their mean.
SHAPES = {
    "normal": (lambda draws, n: draws.normal(size=n), 0.0),
    "uniform": (lambda draws, n: draws.random(n), 0.5),
    "beta": (lambda draws, n: draws.beta(40, 4, n), 40 / 44),
    "exponential": (lambda draws, n: -draws.exponential(size=n), -1.0),
    "accuracy": (lambda draws, n: draws.binomial(700, np.clip(draws.normal(0.8, 0.006, n), 0, 1)) / 700, 0.8),
}


def right(draws, seeds, rows, accuracy, by_seed, learners=1, validation=0):
    """Whether rows are answered rightly by models of several seeds, float64 of shape (learners, seeds, rows).

    A row is right where ability + seed + difficulty of the row (for all, and for the learner) + chance is above 0, all
    normal; so its mean over all seeds and rows is the accuracy, and the accuracy of seeds has the deviation `by_seed`.
    With rows of validation, a second array of the same models on these.
    """
    accuracy = np.broadcast_to(accuracy, learners)[:, None, None]
    q = ndtri(accuracy)
    spread = 1 + 1.0 + 0.5  # chance, the row for all, and for the learner
    ability = by_seed * math.sqrt(2 * math.pi * spread) * np.exp(q**2 / 2)
    seed = ability * draws.normal(size=(learners, seeds, 1))
    found = []
    for count in (rows, validation):
        row = draws.normal(size=(1, 1, count)) + math.sqrt(0.5) * draws.normal(size=(learners, 1, count))
        z = q * np.sqrt(spread + ability**2) + seed + row + draws.normal(size=(learners, seeds, count))
        found.append((z > 0).astype(np.float64))
    return tuple(found) if validation else found[0]


def share(hits):
    """The share of simulations in which something was so."""
    return float(np.mean([bool(hit) for hit in hits]))


def coverage_over_seeds(shape, n, count, seed=0):
    draws, (draw, truth) = np.random.default_rng(seed), SHAPES[shape]
    return share(truth in mean_interval(draw(draws, n)) for _ in range(count))


def coverage_over_examples(accuracy, rows, count, seed=0):
    draws = np.random.default_rng(seed)
    return share(accuracy in mean_interval((draws.random(rows) < accuracy).astype(float)) for _ in range(count))


def coverage_over_both(seeds, rows, accuracy, by_seed, count, seed=0):
    """Of the crossed interval, and of the one over examples alone."""
    draws, crossed, alone = np.random.default_rng(seed), [], []
    for _ in range(count):
        scores = right(draws, seeds, rows, accuracy, by_seed)[0]
        crossed.append(accuracy in crossed_interval(scores))
        alone.append(accuracy in mean_interval(scores.mean(axis=0)))
    return share(crossed), share(alone)


def false_differences(rows, by_seed, count, seed=0, seeds=5, accuracy=0.8):
    """How often two equal learners differ at 0.05: over seeds and examples, over examples, and over seeds."""
    draws, found = np.random.default_rng(seed), []
    for number in range(count):
        one, other = right(draws, seeds, rows, accuracy, by_seed, learners=2)
        found.append(
            (
                compare(one, other).p,
                compare_on_examples(one.mean(axis=0), other.mean(axis=0), draws=500, seed=number).p,
                compare_over_seeds(one.mean(axis=1), other.mean(axis=1)).p,
            )
        )
    return tuple((np.array(found) <= 0.05).mean(axis=0).tolist())


def coverage_of_difference(rows, by_seed, count, seed=0, seeds=5):
    draws, accuracies = np.random.default_rng(seed), np.array([0.84, 0.8])
    return share(
        0.04 in compare(*right(draws, seeds, rows, accuracies, by_seed, learners=2)).interval for _ in range(count)
    )


def winners_named(accuracies, by_seed, count, seed=0, seeds=5, rows=500):
    """How often a winner is named, and how often the best one."""
    draws, named, best = np.random.default_rng(seed), [], []
    for _ in range(count):
        test, valid = right(draws, seeds, rows, np.array(accuracies), by_seed, len(accuracies), validation=rows)
        names = [f"learner {i}" for i in range(len(accuracies))]
        verdict = name_winner(
            dict(zip(names, test, strict=True)), dict(zip(names, valid.mean(axis=(1, 2)), strict=True))
        )
        named.append(verdict.named)
        best.append(verdict.named and verdict.winner == names[int(np.argmax(accuracies))])
    return share(named), share(best)


def winners_named_over_seeds(learners, count, seed=0, seeds=5):
    """How often a winner is named among equals where it is chosen and compared by the same results of seeds."""
    draws, found = np.random.default_rng(seed), []
    for _ in range(count):
        results = {f"learner {i}": draws.normal(size=seeds) for i in range(learners)}
        found.append(name_winner(results, {name: x.mean() for name, x in results.items()}).named)
    return share(found)


def dominance_among_equals(n, count, seed=0):
    draws = np.random.default_rng(seed)
    return share(almost_stochastic_order(*draws.normal(size=(2, n))).better for _ in range(count))


def coverage_of_budget(shape, runs, budget, count, seed=0):
    draws, (draw, _) = np.random.default_rng(seed), SHAPES[shape]
    many = np.sort(draw(np.random.default_rng(1), 400_000))
    truth = float(many @ np.diff((np.arange(len(many) + 1) / len(many)) ** budget))
    found = [expected_best(draw(draws, runs)) for _ in range(count)]
    return share(x.low[budget - 1] <= truth <= x.high[budget - 1] for x in found)


def coverage_of_effects(runs, count, seed=0):
    """Of all levels of a setting with three values, of which one adds 1, beside another that adds as much as chance."""
    draws, found = np.random.default_rng(seed), []
    for _ in range(count):
        kind, size = draws.integers(0, 3, runs), draws.random(runs)
        settings = [{"kind": "abc"[k], "size": s} for k, s in zip(kind, size, strict=True)]
        effects = main_effects(settings, (kind == 2) + size * 3 + draws.normal(size=runs))
        (effect,) = (x for x in effects if x.setting == "kind")
        over = (kind == 2).mean()
        levels = [level for level in effect.levels if level.interval is not None]
        found += [(level.name == "c") - over in level.interval for level in levels]
    return share(found)
