"""Memory of training on a million short texts: the peaks of a process, beside the size of the ids it trains on.

    python benchmarks/memory.py [--texts 1000000]

The texts have 5 to 35 words, drawn by Zipf's law from 50,000, and are trained on by the learner bow with single tokens
for one epoch. Each figure is the peak so far less what was resident before the texts were made (Linux).

Measured: texts 144 MB, ids 70 MB, peak 616 MB when they are encoded with one Polars thread, 673 MB with two, each of
which tokenizes a chunk; training adds nothing.
"""

import argparse
import resource
import subprocess
import sys
from pathlib import Path


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def measure(count):
    import numpy as np
    import polars as pl

    import chainrule
    from chainrule.data import Table
    from chainrule.data.table import ReadReport
    from chainrule.train import Trainer

    draws = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(50_000)])
    before = resident()
    pieces = []
    for start in range(0, count, 10_000):
        rows = min(10_000, count - start)
        lengths = draws.integers(5, 36, rows)
        drawn = words[draws.zipf(1.2, lengths.sum()) % len(words)]
        parts = np.split(drawn, np.cumsum(lengths)[:-1])
        pieces.append(pl.Series([" ".join(part.tolist()) for part in parts]))
    texts = pl.concat(pieces, rechunk=True)
    labels = pl.Series(draws.integers(0, 2, count)).cast(pl.String)
    table = Table(pl.DataFrame({"text": texts}), labels, "drawn", ReadReport(count, 0, 0))
    del pieces
    task, training = chainrule.Classify(inputs=chainrule.Text(ngrams=1)), chainrule.Training(epochs=1)
    figures = {"texts": texts.estimated_size(), "peak after the texts were made": peak() - before}
    model, examples = chainrule.Model.untrained(chainrule.BagOfWords(), task, table, seed=0)
    arrays = examples.arrays()
    figures["ids and offsets"] = arrays["ids"].nbytes + arrays["offsets"].nbytes
    figures["peak after the vocabulary was built and the texts encoded"] = peak() - before
    trainer = Trainer(model, training, examples, examples.slice(0, 1000), seed=0)
    trainer.run_epoch()
    figures["peak after training"] = peak() - before
    for name, figure in figures.items():
        print(f"{name:60} {figure / 1e6:8.0f} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=1_000_000, help="(default: %(default)s)")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        measure(arguments.texts)
    else:  # a process of its own, as a peak never falls
        subprocess.run([sys.executable, __file__, "--child", "--texts", str(arguments.texts)], check=True)


if __name__ == "__main__":
    main()
