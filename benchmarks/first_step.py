"""Processor seconds until the first step of a training is done, for each learner of texts: cold, and from the cache.

    python benchmarks/first_step.py [TABLE] [--learner cnn lstm] [--rounds 3]

Each figure is of a fresh process, first with an empty cache folder, then with the one that was left. The time is that
of tracing the step for its smallest and largest mini-batches, of compiling or loading it, and of running it once, with
the modules that are loaded on the way; reading the table, drawing weights and making mini-batches are not in it.
Medians.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile

LEARNERS = ("bow", "ffnn", "cnn", "rnn", "gru", "lstm", "transformer")
CODE = """
import sys, time
import chainrule
from chainrule.models import LEARNERS, Model
from chainrule.random import generator
from chainrule.train.trainer import Trainer
task, learner = chainrule.Classify(), LEARNERS.make(sys.argv[2])
task = task.resolved(learner.reads, learner.name)
train, valid = chainrule.read_table(sys.argv[1]).split(0.9, 0.1, seed=0)
model, examples = Model.untrained(learner, task, train, seed=0)
valid = model.codec.encode(valid, targets=True)
before = time.process_time()
trainer = Trainer(model, chainrule.Training(epochs=1), examples, valid, seed=0, threads=1)
prepared = time.process_time() - before
batch = next(trainer.shuffled(examples, generator(0, "order")))
before = time.process_time()
trainer.run_batch(batch)
print(prepared + time.process_time() - before)
"""


def seconds(table, learner, folder):
    """Of a fresh process."""
    environment = {**os.environ, "CHAINRULE_CACHE": folder}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # modules are compiled once, as after the first use
    command = [sys.executable, "-c", CODE, table, learner]
    found = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    return float(found.split()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", nargs="?", default=".data/sentences.csv", help="texts (default: %(default)s)")
    parser.add_argument("--learner", nargs="+", default=LEARNERS, help="which (default: those of texts)")
    parser.add_argument("--rounds", type=int, default=3, help="fresh folders (default: %(default)s)")
    arguments = parser.parse_args()
    print(
        f"load {os.getloadavg()[0]:.2f}, {os.cpu_count()} cores; processor seconds\n{'':12} {'cold':>8} {'cached':>8}"
    )
    for learner in arguments.learner:
        cold, cached = [], []
        for _ in range(arguments.rounds):
            with tempfile.TemporaryDirectory() as folder:
                cold.append(seconds(arguments.table, learner, folder))
                cached.append(seconds(arguments.table, learner, folder))
        print(f"{learner:12} {statistics.median(cold):8.2f} {statistics.median(cached):8.2f}", flush=True)


if __name__ == "__main__":
    main()
