"""What diagnostics cost: the share of the time of trainings that is spent in them.

    python benchmarks/diagnostics.py [--turns 5] [--tables .data/tables]

A time is of the processor, of `chainrule.fit` on a table that was read before, in a process in which the code of its
steps has been compiled: the cost is shown against the least that a training takes. What is spent in the observer, and
in what is said at the end, is measured there, as two trainings differ by more than it. Set OPENBLAS_NUM_THREADS=1, as
threads that wait for work count too.
"""

import argparse
import itertools
import statistics
import time
from pathlib import Path

import chainrule
import chainrule.train.observers
import columns
import known_tables
from chainrule.train.diagnostics.observation import Observation


def sentences(folder):
    return chainrule.read_table(known_tables.prepared("film sentences", folder, 0) / "train.csv")


def prices(_folder):
    return columns.as_table(*columns.california(), "numbers")


def digits(_folder):
    return columns.as_table(*columns.TABLES["digits"][1](), "classes")


PROBLEMS = {
    "film sentences, bow": (chainrule.BagOfWords(), chainrule.Classify(), sentences),
    "film sentences, ffnn": (chainrule.FeedForward(), chainrule.Classify(), sentences),
    "prices, mlp": (chainrule.MultilayerPerceptron(), chainrule.Regress(), prices),
    "digits, mlp": (chainrule.MultilayerPerceptron(), chainrule.Classify(), digits),
}


class Clock:
    """Adds up the time that is spent in functions, without what it takes to look at the clock."""

    def __init__(self):
        self.spent = 0.0
        looks = [time.process_time() for _ in range(10_000)]
        self.look = statistics.median(after - before for before, after in itertools.pairwise(looks))

    def watch(self, owner, name):
        """Count what a method takes."""
        function = getattr(owner, name)

        def watched(*arguments):
            started = time.process_time()
            try:
                return function(*arguments)
            finally:
                self.spent += time.process_time() - started - self.look

        setattr(owner, name, watched)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--tables", type=Path, default=Path(".data/tables"))
    parser.add_argument("--problems", nargs="+", default=list(PROBLEMS))
    arguments = parser.parse_args()
    clock = Clock()
    for name in ("__init__", "training_started", "batch_ended", "epoch_ended", "training_ended"):
        clock.watch(Observation, name)
    clock.watch(chainrule.train.observers, "findings")
    for name in arguments.problems:
        learner, task, load = PROBLEMS[name]
        table = load(arguments.tables)
        shares, totals = [], []
        for _ in range(arguments.turns + 1):  # the first compiles, and does not count
            clock.spent, started = 0.0, time.process_time()
            chainrule.fit(learner, table, task=task, threads=1)
            totals.append(time.process_time() - started)
            shares.append(100 * clock.spent / (totals[-1] - clock.spent))
        share, total = statistics.median(shares[1:]), statistics.median(totals[1:])
        print(f"{name:24}{total:8.3f} s, of which diagnostics add {share:.1f} %", flush=True)


if __name__ == "__main__":
    main()
