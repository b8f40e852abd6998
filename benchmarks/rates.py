"""The learning-rate range test: how far its suggestions differ between seeds, and how good training with them is.

    python benchmarks/rates.py [--seeds 10] [--grids 2] [--tables .data/tables]

For each of the tasks, the largest suggestion over the smallest of all seeds; and, for some of the seeds, the measure of
a training at the suggestion beside that of the best of nine rates, from a hundredth of the learner's tuned rate to a
hundred times it, each half a decade from the next. Which of the nine is best is decided by validation, as one would;
the measures are of other rows, a fifth of the table, as the largest of nine figures is large by chance too. Tables:
sentences of film reviews (text classification), California-style prices (regression of columns), descriptions of
packages with their sections and the topics that they name (multi-label), and news.
"""

import argparse
import math
import statistics
import time
from pathlib import Path

import chainrule
import columns
import known_tables
from chainrule.errors import DivergenceError
from chainrule.random import generator
from chainrule.train.fit import VALIDATION
from chainrule.train.validation import parted

TOPICS = ("bibliothèque", "données", "serveur", "fichiers", "interface", "python")
#: Rows that are taken of a table, at most, so that nine trainings a seed take minutes.
ROWS = 6000


def text_table(name, folder):
    return chainrule.read_table(known_tables.prepared(name, folder, 0) / "train.csv")


def prices(_folder):
    return columns.as_table(*columns.california(ROWS), "numbers")


def topics(folder):
    table = text_table("packages", folder)
    rows = zip(table.texts, table.labels, strict=True)
    pairs = [(text, [label, *(topic for topic in TOPICS if topic in text.lower())]) for text, label in rows]
    chosen = generator(0, "rows").permutation(len(pairs))[:ROWS]
    return chainrule.Table.from_lists([pairs[i][0] for i in chosen], [pairs[i][1] for i in chosen], name="topics")


PROBLEMS = {
    "film sentences, bow": (
        chainrule.BagOfWords(), chainrule.Classify(), lambda x: text_table("film sentences", x), "accuracy"
    ),
    "prices, mlp": (chainrule.MultilayerPerceptron(), chainrule.Regress(), prices, "r2"),
    "topics, bow": (chainrule.BagOfWords(), chainrule.MultiLabel(), topics, "micro_f1"),
    "film sentences, ffnn": (
        chainrule.FeedForward(), chainrule.Classify(), lambda x: text_table("film sentences", x), "accuracy"
    ),
    "news, ffnn": (chainrule.FeedForward(), chainrule.Classify(), lambda x: text_table("news", x), "accuracy"),
}  # fmt: skip


def score(learner, table, test, task, measure, rate, seed):
    """The measure of a training in validation and on test rows; nothing for one that diverges at once."""
    try:
        run = chainrule.fit(learner, table, task=task, training=chainrule.Training(learning_rate=rate), seed=seed)
    except DivergenceError:
        return -math.inf, -math.inf
    return run.best.valid[measure], run.model.evaluate(test).measures[measure]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--grids", type=int, default=2, help="seeds that a grid is trained for")
    parser.add_argument("--tables", type=Path, default=Path(".data/tables"))
    parser.add_argument("--problems", nargs="+", default=list(PROBLEMS))
    arguments = parser.parse_args()
    for name in arguments.problems:
        learner, task, load, measure = PROBLEMS[name]
        rows, test = load(arguments.tables).split(0.8, 0.2, seed=0)
        found = []
        started = time.perf_counter()
        for seed in range(arguments.seeds):
            train, _, _ = parted(rows, VALIDATION, seed)
            found.append(chainrule.find_rate(learner, train, task=task, seed=seed).suggestion)
        each = (time.perf_counter() - started) / arguments.seeds
        known = [rate for rate in found if rate is not None]
        shown = " ".join("none" if rate is None else f"{rate:.2g}" for rate in found)
        print(f"{name}: {shown}; largest over smallest {max(known) / min(known):.2f}; {each:.1f} s each", flush=True)
        tuned = chainrule.Training().resolved(learner, task).learning_rate
        grid = [tuned * 10 ** (power / 2) for power in range(-4, 5)]
        shares = []
        for seed in range(arguments.grids):
            scores = [score(learner, rows, test, task, measure, rate, seed) for rate in grid]
            (_, best), (_, default) = max(scores), scores[4]
            _, at = score(learner, rows, test, task, measure, found[seed] or tuned, seed)
            shares.append(at / best)
            listed = " ".join(f"{rate:.2g}:{value:.3f}" for rate, (value, _) in zip(grid, scores, strict=True))
            print(
                f"  seed {seed}: {measure} at the suggestion {at:.4f}, at the best {best:.4f}, at the default "
                f"{default:.4f}; validation of the grid {listed}",
                flush=True,
            )
        if shares:
            print(f"  suggestion over the best of the grid: {100 * statistics.fmean(shares):.1f} %", flush=True)


if __name__ == "__main__":
    main()
