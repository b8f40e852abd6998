"""Illnesses of trainings, provoked on purpose from a seed, and healthy trainings in which nothing is to be found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl

import chainrule
from chainrule.errors import DivergenceError
from chainrule.models.multilayer_perceptron import PerceptronNetwork
from tests.samples import FILLERS, TELLING, as_table


@dataclass(frozen=True, kw_only=True)
class Altered(chainrule.MultilayerPerceptron):
    """Hidden layers whose initial weights are scaled and whose biases are moved; it is not registered."""

    name: ClassVar[str] = "altered"

    def network(self, sizes, answers, generator):
        network = PerceptronNetwork(self, sizes, generator)
        scale, shift = ALTERED[self.dim]
        for name, parameter in network.layers.named_parameters().items():
            factor = scale if name.endswith("weight") else 1.0
            parameter.assign(parameter.numpy() * factor + (shift if name.endswith("bias") else 0.0))
        return network


#: By `dim`, which means nothing without categories: the factor of weights and what is added to biases.
ALTERED = {101: (1.0, -8.0), 102: (60.0, 0.0), 103: (8.0, 0.0)}


def columns(draws, rows=600, classes=2, noise=0.3, kind="classes", columns=4, wiggly=True):
    """Rows of numbers; the label, or number, depends on two of them."""
    x = draws.standard_normal((rows, columns))
    signal = x[:, 0] + (np.sin(2 * x[:, 1]) if wiggly else 0.5 * x[:, 1]) + noise * draws.standard_normal(rows)
    if kind == "numbers":
        y = pl.Series("y", signal)
    else:
        cuts = np.quantile(signal, np.arange(1, classes) / classes)
        y = pl.Series("y", [f"c{i}" for i in np.searchsorted(cuts, signal)])
    frame = pl.DataFrame(x, schema=[f"x{i}" for i in range(columns)]).with_columns(y)
    names, target = [f"x{i}" for i in range(columns)], "number" if kind == "numbers" else "label"
    return chainrule.Table.from_frame(frame, numbers=names, label="y", target=target)


def texts(draws, rows=600, share=0.5, wrong=0.0, telling=2):
    """Texts with words that tell the label; some labels are wrong."""
    found, flipped = [], []
    for i in range(rows):
        label = "positive" if draws.random() < share else "negative"
        words = [*draws.choice(FILLERS, draws.integers(3, 9)), *draws.choice(TELLING[label], telling)]
        if draws.random() < wrong:
            label = {"positive": "negative", "negative": "positive"}[label]
            flipped.append(i)
        found.append((" ".join(draws.permutation(words)), label))
    return as_table(found), flipped


def fit(learner, table, valid=None, task=None, seed=0, **training):
    """The findings of a training, by names; of one that diverges, what its error says as well."""
    try:
        run = chainrule.fit(learner, table, valid, task=task, training=chainrule.Training(**training), seed=seed)
    except DivergenceError as error:
        found = {each.name: each.sentence for each in error.run.findings} if error.run else {"diverging": ""}
        return {**found, "number that is none": str(error)}
    return {found.name: found.sentence for found in run.findings}


def _mlp(**settings):
    return chainrule.MultilayerPerceptron(**{"hidden": (16,), **settings})


def diverging(draws, seed):
    kind = draws.choice(["numbers", "classes"])
    table, task = columns(draws, kind=kind), chainrule.Regress() if kind == "numbers" else None
    learner = chainrule.LinearModel() if draws.random() < 0.5 else _mlp(activation="tanh")
    return fit(learner, table, task=task, seed=seed, learning_rate=float(draws.uniform(30, 300)), epochs=8)


def oscillating(draws, seed):
    rate = float(draws.uniform(0.3, 0.9))
    table = columns(draws, rows=300, kind="classes", classes=3)
    return fit(_mlp(activation="tanh"), table, seed=seed, learning_rate=rate, epochs=20, patience=20, batch_size=32)


def not_decreasing(draws, seed):
    rows = [(" ".join(draws.choice(FILLERS, 6)), str(draws.choice(["a", "b"]))) for _ in range(800)]
    return fit(chainrule.BagOfWords(), as_table(rows), seed=seed, epochs=4)


def too_slow(draws, seed):
    if draws.random() < 0.5:
        return fit(chainrule.BagOfWords(), texts(draws)[0], seed=seed, learning_rate=1e-3, epochs=8)
    return fit(_mlp(), columns(draws), seed=seed, learning_rate=float(draws.uniform(1e-6, 1e-5)), epochs=10)


def converged(draws, seed):
    table = columns(draws, kind="numbers", wiggly=False, rows=800)
    return fit(chainrule.LinearModel(), table, task=chainrule.Regress(), seed=seed, epochs=60, patience=60)


def overfitting(draws, seed):
    table = columns(draws, rows=150, noise=2.0, columns=20)
    return fit(_mlp(hidden=(64,)), table, seed=seed, epochs=60, patience=60, learning_rate=0.01)


def underfitting(draws, seed):
    x = draws.choice([-1.0, 1.0], (800, 2)) + 0.1 * draws.standard_normal((800, 2))
    odd = x[:, 0] * x[:, 1] > 0
    y = np.where(draws.random(800) < 0.25, x[:, 0] > 0, odd)
    frame = pl.DataFrame(x, schema=["a", "b"]).with_columns(pl.Series("y", np.where(y, "yes", "no")))
    table = chainrule.Table.from_frame(frame, numbers=["a", "b"], label="y")
    return fit(chainrule.LinearModel(), table, seed=seed, epochs=40, patience=40)


def dead(draws, seed):
    return fit(Altered(dim=101, hidden=(32,), activation="relu"), columns(draws), seed=seed, epochs=4)


def saturated(draws, seed):
    kind = str(draws.choice(["tanh", "sigmoid"]))
    return fit(Altered(dim=102, hidden=(32,), activation=kind), columns(draws), seed=seed, epochs=3)


def vanishing(draws, seed):
    return fit(
        _mlp(hidden=(16,) * int(draws.integers(7, 11)), activation="sigmoid"), columns(draws), seed=seed, epochs=3
    )


def exploding(draws, seed):
    learner = Altered(dim=103, hidden=(16,) * int(draws.integers(5, 8)), activation="relu")
    return fit(learner, columns(draws), seed=seed, epochs=2)


def too_large(draws, seed):
    return fit(_mlp(), columns(draws), seed=seed, learning_rate=float(draws.uniform(0.7, 2.0)), epochs=2)


def imbalance(draws, seed):
    table, _ = texts(draws, rows=800, share=float(draws.uniform(0.03, 0.08)), telling=1)
    return fit(chainrule.BagOfWords(), table, seed=seed, learning_rate=0.03, epochs=2)


def wrong_labels(draws, seed):
    table, _ = texts(draws, rows=1200, wrong=0.07, telling=4)
    valid, _ = texts(draws, rows=300, wrong=0.07, telling=4)
    return fit(chainrule.BagOfWords(), table, valid, seed=seed, epochs=4)


def repeated(draws, seed):
    table, _ = texts(draws, rows=500)
    again = table.take(draws.choice(500, 15, replace=False))
    fresh, _ = texts(draws, rows=60)
    both = [*zip(again.texts, again.labels, strict=True), *zip(fresh.texts, fresh.labels, strict=True)]
    return fit(chainrule.BagOfWords(), table, as_table(both), seed=seed, epochs=4)


def none(draws, seed):
    kind = draws.choice(["numbers", "classes"])
    table, task = columns(draws, kind=kind), chainrule.Regress() if kind == "numbers" else None
    found = fit(_mlp(), table, task=task, seed=seed, learning_rate=1e38, optimizer="sgd", epochs=2)
    said = found.get("number that is none", "")
    named = (
        "the first block that made one" in said or "was the first that made one" in said
    ) and "whose rows are" in said
    return {"number that is none": said} if named else {}


#: How each illness is provoked, by its name.
PROVOKED = {
    "diverging": diverging,
    "oscillating": oscillating,
    "loss not decreasing": not_decreasing,
    "decreasing too slowly": too_slow,
    "converged": converged,
    "overfitting": overfitting,
    "underfitting": underfitting,
    "dead units": dead,
    "saturated units": saturated,
    "vanishing gradients": vanishing,
    "exploding gradients": exploding,
    "updates too large": too_large,
    "class imbalance ignored": imbalance,
    "labels likely wrong": wrong_labels,
    "training rows in validation": repeated,
    "number that is none": none,
}


#: Kinds of healthy trainings.
HEALTHY_KINDS = 7


def healthy(draws, seed, kind=None):
    """A training as it should be, of one of several kinds; that it has converged is no illness."""
    kind = int(draws.integers(HEALTHY_KINDS)) if kind is None else kind
    if kind == 0:
        found = fit(chainrule.BagOfWords(), texts(draws, rows=1200)[0], seed=seed)
    elif kind == 1:
        found = fit(chainrule.FeedForward(dim=16, hidden=(16,)), texts(draws, rows=1500)[0], seed=seed)
    elif kind == 2:
        found = fit(_mlp(hidden=(32,)), columns(draws, rows=1500), seed=seed, epochs=25)
    elif kind == 3:
        table = columns(draws, rows=1500, kind="numbers")
        found = fit(
            _mlp(activation=str(draws.choice(["relu", "tanh"]))), table, task=chainrule.Regress(), seed=seed, epochs=25
        )
    elif kind == 4:
        table = columns(draws, rows=1000, kind="numbers", wiggly=False)
        found = fit(chainrule.LinearModel(), table, task=chainrule.Regress(), seed=seed, epochs=30)
    elif kind == 5:
        found = fit(_mlp(), columns(draws, rows=1500, classes=4), seed=seed, epochs=25)
    else:
        found = fit(chainrule.LinearModel(), columns(draws, rows=1000, wiggly=False), seed=seed, epochs=30)
    return {name: said for name, said in found.items() if name != "converged"}
