"""From a table to an evaluated classifier, beside fastText: the time of whole processes, and test accuracy.

    python benchmarks/end_to_end.py [TABLE] [--rounds 5] [--threads 1 2] [--dims 2 10 100] [--ffnn 10 100]

TABLE is a labelled table (default: .data/reviews.csv, 25,000 film reviews, from `make data`), split 80/10/10 by label.
chainrule reads the CSV files, tokenizes, builds the vocabulary, trains for 5 epochs, validating after each, and
evaluates on the test texts. fastText reads its own format, trains for 5 epochs and evaluates likewise. Somebody has to
write that format: lower case and marks set apart, as its tutorial says; that is timed as a process of its own.

The learner bow reads words and bigrams and holds one number a class and n-gram, two here, so fastText with 2 dimensions
and bigrams is as large; 10 and 100 (its default) are larger. The learner ffnn, of words alone, is compared with
fastText of words alone and as many dimensions a word. The learning rates of fastText and ffnn are the best of several
on the validation texts, for each dimension; bow has its default. Rounds alternate. A process may use as many processors
as threads.
"""

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RATES = {"fasttext": (0.1, 0.2, 0.5, 1.0, 2.0), "ffnn": (0.0001, 0.0003, 0.001)}
EPOCHS = 5
PARTS = ("train", "valid", "test")
POOLS = ("POLARS_MAX_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def run_bow(folder):
    import chainrule

    return trained(chainrule.BagOfWords(), folder, "test")


def run_ffnn(folder, dim, rate, part="test"):
    import chainrule

    task = chainrule.Classify(inputs=chainrule.Text(ngrams=1))
    return trained(chainrule.FeedForward(dim=int(dim)), folder, part, task=task, learning_rate=float(rate))


def trained(learner, folder, part, *, task=None, learning_rate=None):
    """A learner's accuracy on a part after training."""
    import chainrule

    tables = {name: chainrule.read_table(folder / f"{name}.csv") for name in PARTS}
    training = chainrule.Training(epochs=EPOCHS, patience=EPOCHS, learning_rate=learning_rate)
    run = chainrule.fit(learner, tables["train"], tables["valid"], task=task, training=training)
    return chainrule.evaluate(run.model, tables[part]).accuracy


def run_writing(folder):
    """The texts as fastText reads them."""
    import csv

    marks = re.compile(r"([.!?,'\"/()])")
    for part in PARTS:
        with (folder / f"{part}.csv").open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        random.Random(0).shuffle(rows)  # it reads in the order of the file
        with (folder / f"{part}.txt").open("w", encoding="utf-8") as stream:
            for row in rows:
                words = marks.sub(r" \1 ", row["text"]).lower().split()
                stream.write(f"__label__{row['label']} {' '.join(words)}\n")


def run_fasttext(folder, dim, rate, ngrams, threads, part="test"):
    import fasttext

    model = fasttext.train_supervised(
        str(folder / "train.txt"),
        dim=int(dim),
        lr=float(rate),
        epoch=EPOCHS,
        wordNgrams=int(ngrams),
        thread=int(threads),
        verbose=0,
    )
    return model.test(str(folder / f"{part}.txt"))[1]


RUNS = {"bow": run_bow, "ffnn": run_ffnn, "writing": run_writing, "fasttext": run_fasttext}


def measured(threads, system, folder, *words):
    """The seconds of a process and what it found."""
    environment = {**os.environ, **dict.fromkeys(POOLS, str(threads)), "CHAINRULE_CACHE": str(folder / "cache")}
    # An installed package has its bytecode beside it: the first process may write it.
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "PYTHONDONTWRITEBYTECODE"):
        environment.pop(name, None)
    processors = sorted(os.sched_getaffinity(0))[:threads]
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, "--run", system, str(folder), *map(str, words)],
        env=environment,
        check=True,
        capture_output=True,
        preexec_fn=lambda: os.sched_setaffinity(0, processors),
    )
    return time.perf_counter() - started, json.loads(done.stdout)


def write_parts(table, folder):
    import polars as pl

    import chainrule

    for name, part in zip(PARTS, chainrule.read_table(table).split(80, 10, 10, seed=0), strict=True):
        pl.DataFrame({"text": part.texts, "label": part.labels}).write_csv(folder / f"{name}.csv")


def best_rate(system, folder, dim, *words):
    """The learning rate that classifies the validation texts best."""
    found = {rate: measured(1, system, folder, dim, rate, *words, "valid")[1] for rate in RATES[system]}
    print(f"{system} {dim} {words}: validation accuracy by learning rate {found}", flush=True)
    return max(found, key=found.get)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", nargs="?", default=".data/reviews.csv")
    parser.add_argument("--rounds", type=int, default=5, help="of all systems in turn (default: %(default)s)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="(default: 1 2)")
    parser.add_argument("--dims", type=int, nargs="+", default=[2, 10, 100], help="of fastText (default: 2 10 100)")
    parser.add_argument("--ffnn", type=int, nargs="*", default=[10, 100], help="dimensions of ffnn (default: 10 100)")
    parser.add_argument("--run", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        system, folder, *more = arguments.run
        print(json.dumps(RUNS[system](Path(folder), *more)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_parts(arguments.table, folder)
        measured(1, "writing", folder)
        seconds, _ = measured(1, "bow", folder)
        print(f"chainrule bow, the first time on a machine, when its kernels are compiled: {seconds:.2f} s", flush=True)
        bigrams = {dim: best_rate("fasttext", folder, dim, 2, 1) for dim in arguments.dims}
        words = {dim: best_rate("fasttext", folder, dim, 1, 1) for dim in arguments.ffnn}
        ffnn = {dim: best_rate("ffnn", folder, dim) for dim in arguments.ffnn}
        for threads in arguments.threads:
            systems = {"writing fastText's input": ("writing", folder), "chainrule bow": ("bow", folder)}
            for dim, rate in bigrams.items():
                systems[f"fastText, bigrams, {dim} dimensions"] = ("fasttext", folder, dim, rate, 2, threads)
            for dim in arguments.ffnn:
                systems[f"chainrule ffnn, {dim} dimensions"] = ("ffnn", folder, dim, ffnn[dim])
                systems[f"fastText, {dim} dimensions"] = ("fasttext", folder, dim, words[dim], 1, threads)
            results = {system: [] for system in systems}
            for _ in range(arguments.rounds):
                for system, command in systems.items():
                    results[system].append(measured(threads, *command))
            print(f"{threads} thread{'s' if threads > 1 else ''}, median of {arguments.rounds}")
            for system, found in results.items():
                seconds = statistics.median(second for second, _ in found)
                accuracies = [accuracy for _, accuracy in found if accuracy is not None]
                shown = f"   test accuracy {100 * statistics.median(accuracies):.2f} %" if accuracies else ""
                print(f"  {system:34} {seconds:6.2f} s{shown}", flush=True)


if __name__ == "__main__":
    main()
