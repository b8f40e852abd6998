"""Learners over columns beside scikit-learn's, with their defaults, on tables that scikit-learn brings and one drawn.

    python benchmarks/columns.py [--seeds 5] [--threads 1]

Four fifths of a table are for training, one for the test, split once a seed. `mlp` and scikit-learn's multilayer
perceptron both stop by a tenth of the training part; scikit-learn's is put behind a scaler, and its numbers to predict
are scaled too, as its users are told to. `linear` stands beside logistic and ridge regression, which have no need to
stop. Each system trains in a process of its own, in turns; a time is the median of the fits, without imports.
California-style is drawn: 20,640 rows of eight numbers with skewed distributions, and a price that depends on income
and on how near a place is to the coast and to two cities.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import warnings

import numpy as np
import polars as pl
from sklearn import datasets
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import chainrule

SYSTEMS = ("mlp", "MLP of scikit-learn", "linear", "linear of scikit-learn")


def california(rows=20_640, seed=0):
    draws = np.random.default_rng(seed)
    income, age = draws.lognormal(1.25, 0.45, rows), draws.uniform(1, 52, rows)
    rooms, population = draws.lognormal(1.65, 0.25, rows), draws.lognormal(7, 0.7, rows)
    bedrooms, occupancy = rooms * draws.normal(0.2, 0.02, rows), draws.lognormal(1.05, 0.2, rows)
    latitude = draws.uniform(32.5, 42, rows)
    shore = -124.3 + (42 - latitude) * 0.9
    longitude = shore + draws.gamma(1.5, 1.2, rows)
    north = np.exp(-((latitude - 37.7) ** 2 + (longitude + 122.3) ** 2) / 0.8)
    south = np.exp(-((latitude - 34.0) ** 2 + (longitude + 118.3) ** 2) / 1.2)
    price = 0.45 * income + 0.8 * np.exp((shore - longitude) / 0.8) + 1.3 * north + south
    price += (bedrooms / rooms - 0.2) - 0.12 * (occupancy - 2.8) + 0.004 * age + draws.normal(0, 0.45, rows)
    columns = (income, age, rooms, bedrooms, population, occupancy, latitude, longitude)
    return np.column_stack(columns), np.clip(price, 0.15, 5)


TABLES = {
    "wine": ("classes", lambda: datasets.load_wine(return_X_y=True)),
    "breast cancer": ("classes", lambda: datasets.load_breast_cancer(return_X_y=True)),
    "digits": ("classes", lambda: datasets.load_digits(return_X_y=True)),
    "diabetes": ("numbers", lambda: datasets.load_diabetes(return_X_y=True)),
    "California-style": ("numbers", california),
}


def parts(name, seed):
    kind, load = TABLES[name]
    inputs, targets = load()
    stratify = targets if kind == "classes" else None
    return kind, *train_test_split(inputs, targets, test_size=0.2, random_state=seed, stratify=stratify)


def as_table(inputs, targets, kind):
    names = [f"x{i}" for i in range(inputs.shape[1])]
    labels = pl.Series("y", targets if kind == "numbers" else list(map(str, targets)))
    frame = pl.DataFrame(inputs, schema=names).with_columns(labels)
    target = "number" if kind == "numbers" else "label"
    return chainrule.Table.from_frame(frame, numbers=names, label="y", target=target)


def ours(learner, kind, train, test, seed, threads):
    started = time.perf_counter()
    task = chainrule.Regress() if kind == "numbers" else chainrule.Classify()
    run = chainrule.fit(learner, as_table(*train, kind), task=task, seed=seed, threads=threads)
    seconds = time.perf_counter() - started
    evaluation = run.model.evaluate(as_table(*test, kind))
    return evaluation.r2 if kind == "numbers" else evaluation.accuracy, seconds


def theirs(model, kind, train, test):
    if kind == "numbers":
        model = TransformedTargetRegressor(model, transformer=StandardScaler())
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(*train)
    return model.score(*test), time.perf_counter() - started


def measure(system, name, seed, threads):
    """The score on the test part, and the seconds of a second fit: the first may wait for code to be compiled."""
    kind, x_train, x_test, y_train, y_test = parts(name, seed)
    train, test = (x_train, y_train), (x_test, y_test)
    mlp = MLPRegressor if kind == "numbers" else MLPClassifier
    runs = {
        "mlp": lambda: ours(chainrule.MultilayerPerceptron(), kind, train, test, seed, threads),
        "linear": lambda: ours(chainrule.LinearModel(), kind, train, test, seed, threads),
        "MLP of scikit-learn": lambda: theirs(
            make_pipeline(StandardScaler(), mlp(early_stopping=True, max_iter=1000, random_state=seed)),
            kind, train, test,
        ),
        "linear of scikit-learn": lambda: theirs(
            make_pipeline(StandardScaler(), Ridge() if kind == "numbers" else LogisticRegression(max_iter=5000)),
            kind, train, test,
        ),
    }  # fmt: skip
    score, first = runs[system]()
    return score, first, runs[system]()[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        system, name, seed = arguments.child
        print(json.dumps(measure(system, name, int(seed), arguments.threads)))
        return
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, str(arguments.threads))}
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        environment.pop(name, None)
    print(f"{arguments.seeds} seeds, {arguments.threads} thread(s); accuracy in % or R² times 100; seconds of a fit")
    for name in TABLES:
        results = {system: [] for system in SYSTEMS}
        for seed in range(arguments.seeds):
            for system in SYSTEMS:
                words = ["--child", system, name, str(seed), "--threads", str(arguments.threads)]
                done = subprocess.run(
                    [sys.executable, __file__, *words], env=environment, capture_output=True, check=True
                )
                results[system].append(json.loads(done.stdout.splitlines()[-1]))
        print(f"\n{name}")
        for system, found in results.items():
            scores = [100 * score for score, _, _ in found]
            first, again = (statistics.median(x[i] for x in found) for i in (1, 2))
            spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
            mean = f"{statistics.fmean(scores):7.2f} ± {spread:4.2f}"
            print(f"  {system:24}{mean}   first {first:7.3f} s, then {again:7.3f} s")


if __name__ == "__main__":
    main()
