"""Streaming prediction: sentences a second through `chainrule predict MODEL < FILE`, on one core, start-up included.

    python benchmarks/predict.py [TABLE]

TABLE is a labelled table (default: .data/sentences.csv, from `make data`).
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import chainrule

ONE_THREAD = ("POLARS_MAX_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
REPEATS = 10
RUNS = 5


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", nargs="?", default=".data/sentences.csv")
    arguments = parser.parse_args()
    table = chainrule.read_table(arguments.table)
    lines = "".join(" ".join(text.split()) + "\n" for text in table.texts) * REPEATS
    count = len(table) * REPEATS
    environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1")}
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        environment.pop(name, None)
    for learner in (chainrule.BagOfWords(epochs=2), chainrule.FeedForward(epochs=2)):
        with tempfile.TemporaryDirectory() as folder:
            model, text = Path(folder) / "model", Path(folder) / "lines.txt"
            chainrule.fit(learner, table, seed=0).model.save(model)
            text.write_text(lines, encoding="utf-8")
            seconds = []
            for _ in range(RUNS):
                with text.open("rb") as stream:
                    started = time.perf_counter()
                    subprocess.run(
                        [sys.executable, "-m", "chainrule", "predict", str(model)],
                        stdin=stream,
                        stdout=subprocess.DEVNULL,
                        env=environment,
                        check=True,
                    )
                    seconds.append(time.perf_counter() - started)
        median = statistics.median(seconds)
        rate = f"{count / median:8,.0f} sentences/s"
        print(f"{learner.name:5} {rate}   ({count:,} sentences in {median:.2f} s, median of {RUNS})")


if __name__ == "__main__":
    main()
