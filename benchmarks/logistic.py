"""Milliseconds to the optimum of logistic regression by L-BFGS, beside scikit-learn's LogisticRegression.

    python benchmarks/logistic.py [--rounds 15]

Both start from zeros in float64 with the same L2 penalty. The optimum is that of scikit-learn with a tolerance of
1e-12; each system gets the loosest of its tolerances (four to a power of ten) at which its loss is within 1e-6 of that,
relatively. Then they take turns, one fit each, on one thread; the least and the median of the times are shown, and how
many times as long scikit-learn takes. "First" is what chainrule's first fit takes in addition: the loss is traced, and
compiled or read from the cache.
"""

import argparse
import os
import statistics
import time
from functools import partial

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # before NumPy loads
    os.environ[variable] = "1"

# ruff: noqa: E402
import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, make_classification
from sklearn.linear_model import LogisticRegression

import chainrule
from chainrule.optim import LBFGS, Problem

EXACT = 1e-6
PROBLEMS = {
    "cancer, 569 × 30, 2 classes": (load_breast_cancer, 1.0),
    "digits, 1797 × 64, 10 classes": (load_digits, 1.0),
    "20,000 × 100, 5 classes": (
        partial(make_classification, 20_000, 100, n_informative=40, n_classes=5, random_state=0), 1.0
    ),
}  # fmt: skip


def objective(x, labels, weight, bias, strength):
    """The mean cross-entropy and the penalty, in float64."""
    scores = x @ weight + bias
    scores -= scores.max(axis=1, keepdims=True)
    losses = np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(len(x)), labels]
    return losses.mean() + strength / 2 * (weight**2).sum()


def ours(x, labels, strength):
    """A function that fits with a tolerance, and gives the loss."""
    classes = int(labels.max()) + 1
    weight = chainrule.Parameter.of(np.zeros((x.shape[1], classes)), dtype="float64")
    bias = chainrule.Parameter.of(np.zeros(classes), dtype="float64")
    data = chainrule.tensor(x, "float64")

    def loss():
        scores = data @ weight + bias
        return chainrule.nn.cross_entropy(scores, labels) + strength / 2 * (weight * weight).sum()

    problem = Problem.of(loss, [weight, bias], threads=1)

    def fit(tolerance):
        weight.assign(np.zeros(weight.shape))
        bias.assign(np.zeros(bias.shape))
        LBFGS(tolerance=tolerance).minimize(problem, [weight, bias])
        return objective(x, labels, weight.numpy(), bias.numpy(), strength)

    return fit


def theirs(x, labels, strength):
    """The same of scikit-learn, whose penalty for two classes is of one vector: half of it for each of ours."""
    classes = int(labels.max()) + 1
    inverse = (1 if classes > 2 else 2) / (strength * len(x))

    def fit(tolerance):
        found = LogisticRegression(C=inverse, tol=tolerance, max_iter=100_000).fit(x, labels)
        weight, bias = found.coef_.T, found.intercept_
        if classes == 2:
            weight, bias = np.hstack([-weight / 2, weight / 2]), np.concatenate([-bias / 2, bias / 2])
        return objective(x, labels, weight, bias, strength)

    return fit


def loosest(fit, optimum):
    """The loosest tolerance at which a fit is exact enough."""
    for power in range(4, 4 * 12 + 1):
        if fit(10.0 ** (-power / 4)) <= optimum * (1 + EXACT):
            return 10.0 ** (-power / 4)
    raise SystemExit("no tolerance is tight enough")


def seconds(call):
    """How long a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def main():
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    print(f"{'problem':<40}{'chainrule':>10}{'sklearn':>10}{'ratio':>7}{'first':>8}   tolerances")
    for name, (load, strength) in PROBLEMS.items():
        x, labels = load(return_X_y=True) if "×" in name and not isinstance(load, partial) else load()
        x = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-12)
        fits = [make(x, labels, strength / len(x)) for make in (ours, theirs)]
        first = seconds(partial(fits[0], 1.0)) - seconds(partial(fits[0], 1.0))
        optimum = fits[1](1e-12)
        tolerances = [loosest(fit, optimum) for fit in fits]
        taken = [[], []]
        for _ in range(arguments.rounds):
            for kept, fit, tolerance in zip(taken, fits, tolerances, strict=True):
                kept.append(seconds(partial(fit, tolerance)))
        listed = ", ".join(f"{tolerance:.2g}" for tolerance in tolerances)
        for what, chosen in (("least", min), ("median", statistics.median)):
            a, b = (1e3 * chosen(each) for each in taken)
            print(f"{name:<32}{what:<8}{a:>7.1f} ms{b:>7.1f} ms{b / a:>7.2f}{1e3 * first:>5.0f} ms   {listed}")


if __name__ == "__main__":
    main()
