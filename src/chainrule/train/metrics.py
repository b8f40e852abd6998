"""Metrics of a classifier on a labelled table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.data import Table
from chainrule.errors import DataError
from chainrule.graph.spec import Array
from chainrule.models import TextClassifier


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How well predicted classes fit the true ones.

    Attributes:
        labels: the classes.
        confusion: counts of shape (labels, labels): row the true class, column the predicted one.
        loss: the mean of -ln p(true class), in nats.

    Example:
        >>> evaluation = Evaluation(("no", "yes"), np.array([[3, 1], [0, 4]]), 0.25)
        >>> evaluation.accuracy, evaluation.precision.tolist(), evaluation.recall.tolist()
        (0.875, [1.0, 0.8], [0.75, 1.0])
    """

    labels: tuple[str, ...]
    confusion: Array
    loss: float

    @property
    def examples(self) -> int:
        """The number of texts."""
        return int(self.confusion.sum())

    @property
    def support(self) -> Array:
        """The number of texts of each class."""
        support: Array = self.confusion.sum(axis=1)
        return support

    @property
    def accuracy(self) -> float:
        """The share of texts with the right class, between 0 and 1."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    @property
    def precision(self) -> Array:
        """For each class: of the texts predicted as it, the share that are it; 0 when none was predicted."""
        return _ratio(np.diag(self.confusion), self.confusion.sum(axis=0))

    @property
    def recall(self) -> Array:
        """For each class: of the texts that are it, the share predicted as it; 0 when there are none."""
        return _ratio(np.diag(self.confusion), self.support)

    @property
    def f1(self) -> Array:
        """For each class: the harmonic mean of precision and recall, 2 P R / (P + R); 0 when both are."""
        return _ratio(2 * self.precision * self.recall, self.precision + self.recall)

    @property
    def macro_f1(self) -> float:
        """The mean of F1 over the classes that have texts or were predicted."""
        seen = (self.support + self.confusion.sum(axis=0)) > 0
        return float(self.f1[seen].mean())

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        columns = (self.precision, self.recall, self.f1, self.support)
        return {
            "examples": self.examples,
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
            "loss": self.loss,
            "classes": {
                label: {"precision": float(p), "recall": float(r), "f1": float(f), "support": int(n)}
                for label, p, r, f, n in zip(self.labels, *columns, strict=True)
            },
            "confusion": {"labels": list(self.labels), "counts": self.confusion.tolist()},
        }


def evaluate(model: TextClassifier, table: Table, *, eager: bool | None = None) -> Evaluation:
    """Evaluate a classifier on a labelled table.

    Args:
        model: the classifier.
        table: texts and their true labels.
        eager: whether it predicts block by block on NumPy; None for what suits the number of texts, as
            `TextClassifier` says.

    Raises:
        DataError: for a table without rows or labels, or with a label the classifier does not know.

    Example:
        >>> import chainrule
        >>> table = chainrule.Table.from_lists(["good", "fun", "bad", "dull"] * 5, list("ppnn") * 5)
        >>> run = chainrule.fit(chainrule.BagOfWords(epochs=3), table, table)
        >>> chainrule.evaluate(run.model, table).accuracy
        1.0
    """
    truth = model.encode_labels(table)
    if not len(truth):
        raise DataError(f"{table.name}: has no rows to evaluate on")
    return measure(model.labels, truth, model.predict_probabilities(table.texts, eager=eager))


def measure(labels: tuple[str, ...], truth: Array, probabilities: Array) -> Evaluation:
    """Metrics from the true classes (n,) and the probabilities (n, labels)."""
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(confusion, (truth, probabilities.argmax(axis=1)), 1)
    chosen = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    loss = 0 - float(np.log(np.maximum(chosen, np.finfo(np.float32).tiny)).mean())  # 0 and not -0 where all are sure
    return Evaluation(tuple(labels), confusion, loss)


def _ratio(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
