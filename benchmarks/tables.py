"""A whole run with the defaults, beside peers, on tables that nobody tuned for: accuracy, time, memory, size.

    python benchmarks/tables.py [--tables "film sentences" news] [--systems bow ffnn svm] [--seeds 3] [--threads 1 2]

Each table (`benchmarks/known_tables.py`) is split 80/10/10 by label, once a seed. Timed are whole processes, from the
file to the saved model: `chainrule train`, with its defaults, on the 80, stopping by the first 10; the peers on the 80.
Then another process loads the model and answers the last 10. fastText reads a format of its own, which is written
beforehand and not timed: lower case and marks set apart, as its tutorial says. The systems bow100k and bow1m, which are
measured where they are named, hash n-grams into so many rows.

The peers are set up as an expert would: TF-IDF of words and pairs of words, with sublinear counts, for logistic
regression and the linear SVM (scikit-learn), whose C is the best of several on the validation rows; fastText with 100
dimensions, with words alone and with pairs, and the best of several learning rates and numbers of epochs. The choice is
made on the first seed, for the linear ones on 20,000 of its rows, is not timed, and is kept beside the tables
(choices.json).

A process may use as many processors as threads. Systems alternate; a figure is the mean over the seeds. Where other
programs run beside, the seconds that processors worked tell more than those that passed.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

try:
    from benchmarks import known_tables
except ModuleNotFoundError:  # run as a file
    import known_tables

POOLS = ("POLARS_MAX_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
DIMENSIONS = 100
#: C is chosen on so many rows, as it hardly depends on how many there are, and large tables with many labels take long.
ROWS_TO_CHOOSE = 20_000
#: Of each kind of peer, the settings that are tried.
CHOICES = {
    "logistic regression": [{"C": c} for c in (1, 3, 10, 30, 100)],
    "svm": [{"C": c} for c in (0.1, 0.3, 1, 3)],
    "fasttext": [{"lr": lr, "epoch": epoch} for epoch, lr in product((5, 25), (0.1, 0.5, 1.0))],
}
#: How systems are named on the command line and in what is printed.
#: Of chainrule, by system: what a training is told beside the table.
LEARNERS = {
    "bow": ["--learner", "bow"],
    "ffnn": ["--learner", "ffnn"],
    "bow100k": ["--learner", "bow", "--hashed-ngrams", "100000"],
    "bow1m": ["--learner", "bow", "--hashed-ngrams", "1000000"],
}
SYSTEMS = {
    "bow": "chainrule bow",
    "ffnn": "chainrule ffnn",
    "bow100k": "chainrule bow, 100,000 hashed",
    "bow1m": "chainrule bow, 1,000,000 hashed",
    "lr": "TF-IDF + logistic regression",
    "svm": "TF-IDF + linear SVM",
    "fasttext1": "fastText, words",
    "fasttext2": "fastText, pairs of words",
}
#: What is measured unless systems are named.
DEFAULT_SYSTEMS = ["bow", "ffnn", "lr", "svm", "fasttext1", "fasttext2"]


def columns(path):
    """The texts and labels of a CSV file."""
    import csv

    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [row["text"] for row in rows], [row["label"] for row in rows]


def train_linear(parts, model, kind, choice, seed, rows=None):
    import joblib
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    texts, labels = columns(parts / "train.csv")
    if rows is not None and rows < len(texts):
        drawn = random.Random(0).sample(range(len(texts)), rows)
        texts, labels = [texts[i] for i in drawn], [labels[i] for i in drawn]
    terms = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    last = LinearSVC(**choice, random_state=seed) if kind == "svm" else LogisticRegression(**choice, max_iter=300)
    joblib.dump(make_pipeline(terms, last).fit(texts, labels), model)


def score_linear(parts, model, part):
    import joblib

    return joblib.load(model).score(*columns(parts / f"{part}.csv"))


def write_fasttext(parts):
    """The tables as fastText reads them."""
    import re

    marks = re.compile(r"([.!?,'\"/()])")
    for part in ("train", "valid", "test"):
        lines = []
        for text, label in zip(*columns(parts / f"{part}.csv"), strict=True):
            words = marks.sub(r" \1 ", text).lower().split()
            lines.append(f"__label__{label} {' '.join(words)}\n")
        random.Random(0).shuffle(lines)  # it reads in the order of the file
        (parts / f"{part}.txt").write_text("".join(lines), encoding="utf-8")


def train_fasttext(parts, model, ngrams, threads, choice, seed):
    import fasttext

    settings = {"dim": DIMENSIONS, "wordNgrams": ngrams, "thread": threads, "seed": seed, "verbose": 0}
    fasttext.train_supervised(str(parts / "train.txt"), **settings, **choice).save_model(str(model))


def score_fasttext(parts, model, part):
    import fasttext

    return fasttext.load_model(str(model)).test(str(parts / f"{part}.txt"))[1]


def score_chainrule(parts, model, part):
    import chainrule

    return chainrule.evaluate(chainrule.Model.load(model), chainrule.read_table(parts / f"{part}.csv")).accuracy


def kind_of(system):
    return {"lr": "logistic regression", "svm": "svm"}.get(system, "fasttext")


def run_peer(what, system, parts, model, more):
    """What a process of a peer does: train and save, or load and answer."""
    linear = system in ("lr", "svm")
    if what == "score":
        print(json.dumps((score_linear if linear else score_fasttext)(parts, model, more)))
    elif linear:
        train_linear(parts, model, kind_of(system), more["choice"], more["seed"], more["rows"])
    else:
        train_fasttext(parts, model, int(system[-1]), more["threads"], more["choice"], more["seed"])


def process(command, threads):
    """Of a process: seconds, those that processors worked, the most memory it had at a time, and what it printed."""
    environment = {**os.environ, **dict.fromkeys(POOLS, str(threads))}
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "PYTHONDONTWRITEBYTECODE"):
        environment.pop(name, None)
    processors = sorted(os.sched_getaffinity(0))[:threads]
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        child = subprocess.Popen(
            command,
            env=environment,
            stdout=printed,
            stderr=said,
            preexec_fn=lambda: os.sched_setaffinity(0, processors),
        )
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        for stream in (printed, said):
            stream.seek(0)
        if status:
            raise SystemExit(f"{' '.join(map(str, command))} failed:\n{said.read().decode()}")
        memory = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return seconds, usage.ru_utime + usage.ru_stime, memory, printed.read().decode()


def train(system, parts, model, *, threads, seed, choice, rows=None):
    """The seconds, processor seconds and memory of a training that leaves a model, of a linear peer on so many rows."""
    if system in LEARNERS:
        files = [str(parts / "train.csv"), "--valid", str(parts / "valid.csv")]
        settings = [*LEARNERS[system], "--seed", str(seed), "--threads", str(threads), "--quiet"]
        command = [sys.executable, "-m", "chainrule", "train", *files, "--out", str(model), *settings]
    else:
        more = json.dumps({"threads": threads, "seed": seed, "choice": choice, "rows": rows})
        command = [sys.executable, __file__, "--run", "train", system, str(parts), str(model), more]
    return process(command, threads)[:3]


def score(system, parts, model, part):
    """The accuracy of a saved model, by a process that loads it."""
    if system in LEARNERS:
        return score_chainrule(parts, model, part)
    command = [sys.executable, __file__, "--run", "score", system, str(parts), str(model), json.dumps(part)]
    return json.loads(process(command, 1)[3])


def chosen(system, name, parts, folder):
    """The settings of a peer that answer the validation rows of the first seed best."""
    if system in LEARNERS:
        return None
    path = folder / "choices.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    if f"{name}: {system}" not in known:
        found = []
        for choice in CHOICES[kind_of(system)]:
            with tempfile.TemporaryDirectory() as place:
                model = Path(place) / "model"
                train(system, parts, model, threads=1, seed=0, choice=choice, rows=ROWS_TO_CHOOSE)
                found.append(score(system, parts, model, "valid"))
        known[f"{name}: {system}"] = CHOICES[kind_of(system)][max(range(len(found)), key=found.__getitem__)]
        path.write_text(json.dumps(known, indent=1))
    return known[f"{name}: {system}"]


def size_of(path):
    """The bytes of a saved model, but for pictures and records."""
    files = [path] if path.is_file() else [x for x in path.iterdir() if x.suffix not in (".svg", ".jsonl")]
    return sum(file.stat().st_size for file in files)


def measure(name, systems, folder, seeds, threads):
    """Print what came out for one table."""
    parts = {seed: known_tables.prepared(name, folder, seed) for seed in range(seeds)}
    for place in parts.values():
        if not (place / "train.txt").exists():
            write_fasttext(place)
    held = known_tables.described(parts[0])
    print(f"\n{name}: {held['rows']:,} rows to learn from, {held['labels']} labels, {held['bytes'] / 1e6:.1f} MB")
    for count in threads:
        found = {system: [] for system in systems}
        for seed, system in product(range(seeds), systems):
            choice = chosen(system, name, parts[0], folder)
            with tempfile.TemporaryDirectory() as place:
                model = Path(place) / "model"
                seconds, worked, memory = train(system, parts[seed], model, threads=count, seed=seed, choice=choice)
                accuracy = 100 * score(system, parts[seed], model, "test")
                found[system].append((accuracy, seconds, worked, memory / 1e6, size_of(model) / 1e6))
        heading = "accuracy, %    seconds   of processors    MB at most    MB saved"
        print(f"  {count} thread{'s' * (count > 1)}{'':20} {heading}")
        for system, rows in found.items():
            accuracy, seconds, worked, memory, size = (statistics.fmean(row) for row in zip(*rows, strict=True))
            spread = statistics.stdev(row[0] for row in rows) if len(rows) > 1 else 0.0
            figures = f"{accuracy:5.1f} ± {spread:3.1f} {seconds:12.1f} {worked:15.1f} {memory:13,.0f} {size:11,.1f}"
            choice = chosen(system, name, parts[0], folder)
            print(f"  {SYSTEMS[system]:30} {figures}   {'' if choice is None else json.dumps(choice)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    named = {"nargs": "+", "metavar": "NAME"}
    parser.add_argument("--tables", **named, choices=known_tables.TABLES, default=list(known_tables.TABLES))
    parser.add_argument("--systems", **named, choices=SYSTEMS, default=DEFAULT_SYSTEMS)
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds, from 0 (default: %(default)s)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="(default: 1 2)")
    parser.add_argument("--folder", type=Path, default=Path(".data/tables"), help="(default: %(default)s)")
    parser.add_argument("--run", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        what, system, parts, model, more = arguments.run
        run_peer(what, system, Path(parts), Path(model), json.loads(more))
        return
    systems = list(arguments.systems)
    for system, module in (("lr", "sklearn"), ("svm", "sklearn"), ("fasttext1", "fasttext"), ("fasttext2", "fasttext")):
        if (
            system in systems
            and subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True).returncode
        ):
            print(f"{SYSTEMS[system]} is left out: {module} is not installed (make benchmark)")
            systems.remove(system)
    for name in arguments.tables:
        try:
            measure(name, systems, arguments.folder, arguments.seeds, arguments.threads)
        except known_tables.UnavailableError as error:
            print(f"\n{name}: left out, {error}")


if __name__ == "__main__":
    main()
