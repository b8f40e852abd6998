"""Print the figures of docs/statistics.md: all of them in some ten minutes on one core, or those of the parts named."""

import sys

from tests.report.statistics import simulations as of


def line(what, *shares):
    print(f"{what:72}", *(f"{100 * x:5.1f}" for x in shares), flush=True)


def seeds():
    for n in (3, 4, 5, 7, 10, 20):
        for shape in of.SHAPES:
            line(f"mean over {n} seeds, {shape}", of.coverage_over_seeds(shape, n, 2000))


def examples():
    for rows in (50, 200, 700):
        for accuracy in (0.6, 0.8, 0.9, 0.95, 0.99):
            line(f"mean over {rows} rows, {accuracy:.0%} right", of.coverage_over_examples(accuracy, rows, 1000))


def both():
    for count, rows in ((3, 700), (5, 200), (5, 700), (5, 3000), (10, 700)):
        for by_seed in (0, 0.01, 0.05):
            found = of.coverage_over_both(count, rows, 0.8, by_seed, 1000)
            line(f"mean over {count} seeds and {rows} rows, by seed {by_seed}: both, rows alone", *found)


def comparison():
    for rows, count in ((700, 1000), (10_000, 200)):
        for by_seed in (0, 0.01, 0.03):
            found = of.false_differences(rows, by_seed, count)
            line(f"two equal learners differ, {rows} rows, by seed {by_seed}: both, rows, seeds", *found)
    for by_seed in (0, 0.01, 0.03):
        line(f"difference, 700 rows, by seed {by_seed}", of.coverage_of_difference(700, by_seed, 1000))


def winner():
    for learners in (2, 3, 5):
        for by_seed in (0, 0.01, 0.03):
            named = of.winners_named([0.8] * learners, by_seed, 1000)
            line(f"a winner of {learners} equal ones, by seed {by_seed}: any", named[0])
        line(f"a winner of {learners} equal ones, over seeds alone: any", of.winners_named_over_seeds(learners, 2000))
    for lead in (0.02, 0.04, 0.06, 0.08):
        found = of.winners_named([0.8, 0.8, 0.8 + lead], 0.01, 500)
        line(f"a winner of three, by {lead}, by seed 0.01: any, the best", *found)


def dominance():
    for n, count in ((5, 2000), (10, 1000), (20, 500)):
        line(f"the first of two equal learners is better, {n} seeds", of.dominance_among_equals(n, count))


def budget():
    for runs, best_of in ((20, 1), (20, 2), (50, 1), (50, 2), (50, 5), (100, 10)):
        for shape in ("normal", "beta", "exponential"):
            line(f"the best of {best_of}, of {runs} runs, {shape}", of.coverage_of_budget(shape, runs, best_of, 1000))


def effects():
    for runs in (15, 30, 100):
        line(f"effects, {runs} runs", of.coverage_of_effects(runs, 1000))


PARTS = (seeds, examples, both, comparison, winner, dominance, budget, effects)

if __name__ == "__main__":
    for part in PARTS:
        if part.__name__ in sys.argv[1:] or not sys.argv[1:]:
            part()
