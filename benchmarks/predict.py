"""Prediction on one core: single texts, and sentences a second through `chainrule predict MODEL < FILE`.

    python benchmarks/predict.py [TABLE]

TABLE is a labelled table (default: .data/sentences.csv, from `make data`). For single texts: the whole process of
`chainrule predict MODEL TEXT`, start-up included; then `predict([text])` in a process that goes on, compiled (the
default) and block by block, and scikit-learn's TF-IDF with logistic regression and fastText with 2-grams, each in a
process of its own, where they are installed. For the stream, start-up is included.
"""

import argparse
import importlib.util
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
SINGLE = """
import statistics, sys, time
import chainrule
model = chainrule.Model.load(sys.argv[1])
texts = open(sys.argv[2], encoding="utf-8").read().splitlines()[:500]
for settings in ({}, {"engine": "eager"}):
    seconds = []
    for text in texts:
        started = time.perf_counter()
        model.predict([text], **settings)
        seconds.append(time.perf_counter() - started)
    print(seconds[0], statistics.median(seconds))
"""
PEER = """
import statistics, sys, time
import polars
kind, table, lines, folder = sys.argv[1:]
rows = polars.read_csv(table, infer_schema=False)
labels = rows["label"].to_list()
plain = [" ".join(text.split()) for text in rows["text"]]
texts = open(lines, encoding="utf-8").read().splitlines()[:500]
if kind == "scikit-learn":
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(max_iter=1000)).fit(plain, labels)
    predict = lambda text: model.predict([text])
else:
    import fasttext
    with open(f"{folder}/fasttext.txt", "w", encoding="utf-8") as stream:
        stream.writelines(f"__label__{label.replace(' ', '_')} {text}\\n" for label, text in zip(labels, plain))
    predict = fasttext.train_supervised(f"{folder}/fasttext.txt", wordNgrams=2, verbose=0, thread=1).predict
seconds = []
for text in texts:
    started = time.perf_counter()
    predict(text)
    seconds.append(time.perf_counter() - started)
print(seconds[0], statistics.median(seconds))
"""
PEERS = {"scikit-learn": "sklearn", "fastText": "fasttext"}


def run(environment, *words, text=os.devnull):
    """The seconds of a process, and what it printed."""
    with Path(text).open("rb") as stream:
        started = time.perf_counter()
        done = subprocess.run([sys.executable, *words], stdin=stream, capture_output=True, env=environment, check=True)
        return time.perf_counter() - started, done.stdout.decode()


def show(what, first, median):
    """Print the seconds of the first call, and the median of all."""
    print(f"{what}: {1e6 * float(median):.0f} µs, first {1e3 * float(first):.1f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", nargs="?", default=".data/sentences.csv")
    arguments = parser.parse_args()
    table = chainrule.read_table(arguments.table)
    lines = [" ".join(text.split()) for text in table.texts]
    count = len(table) * REPEATS
    training = chainrule.Training(epochs=2)
    for learner in (chainrule.BagOfWords(), chainrule.FeedForward()):
        with tempfile.TemporaryDirectory() as folder:
            model, text = str(Path(folder) / "model"), str(Path(folder) / "lines.txt")
            chainrule.fit(learner, table, training=training, seed=0).model.save(model)
            Path(text).write_text("".join(f"{line}\n" for line in lines * REPEATS), encoding="utf-8")
            environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1"), "CHAINRULE_CACHE": f"{folder}/cache"}
            for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
                environment.pop(name, None)
            predict = ("-m", "chainrule", "predict", model)
            cold = run(environment, *predict, lines[0])[0]
            single = statistics.median(run(environment, *predict, lines[0])[0] for _ in range(RUNS))
            print(f"{learner.name:5} chainrule predict MODEL TEXT: first {cold:.2f} s, then {single:.2f} s")
            figures = [line.split() for line in run(environment, "-c", SINGLE, model, text)[1].splitlines()]
            for kind, figure in zip(("as it is", "eager"), figures, strict=True):
                show(f"{'':5} predict([text]), {kind}", *figure)
            seconds = statistics.median(run(environment, *predict, text=text)[0] for _ in range(RUNS))
            print(f"{'':5} stream: {count / seconds:,.0f} sentences/s ({count:,} sentences in {seconds:.2f} s)")
    with tempfile.TemporaryDirectory() as folder:
        text = f"{folder}/lines.txt"
        Path(text).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        for peer, module in PEERS.items():
            if importlib.util.find_spec(module) is None:
                print(f"{peer} is not installed")
                continue
            show(f"{peer}, one text", *run(environment, "-c", PEER, peer, arguments.table, text, folder)[1].split())


if __name__ == "__main__":
    main()
