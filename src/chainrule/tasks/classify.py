"""Classify: one label for each row."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl

from chainrule.blocks import argmax, concatenate, equal, greater, sigmoid, softmax, squeeze, tanh
from chainrule.data import Examples, Table
from chainrule.errors import DataError
from chainrule.graph.spec import Array
from chainrule.graph.tensor import Tensor
from chainrule.nn import binary_cross_entropy_with_logits, cross_entropy, hinge
from chainrule.settings import setting
from chainrule.shown import one_line
from chainrule.tasks import measures
from chainrule.tasks.codec import Codec, Fields
from chainrule.tasks.labels import LabelAnswer, Labels, labels_of, load_labels
from chainrule.tasks.task import TASKS, Answer, Rows, Task

SOFTMAX, SIGMOID, TANH = OUTPUTS = ("softmax", "sigmoid", "tanh")


@TASKS.register
@dataclass(frozen=True, kw_only=True)
class Classify(Task):
    """One label for each row, of those that the training rows have.

        softmax:  p = softmax(z), one output z a label;    L = -ln p[y]
        sigmoid:  p = 1 / (1 + e⁻ᶻ) for the second of two labels, one output;    L = -y ln p - (1 - y) ln(1 - p)
        tanh:     s = tanh z for -1 (the first label) or +1 (the second), one output;    L = max(0, 1 - y s)

    With tanh, (1 + s) / 2 stands for the probability of the second label; the hinge loss does not make it one.

    Attributes:
        inputs: what is known of each row.
        output: "softmax", "sigmoid" or "tanh".

    Example:
        >>> import chainrule
        >>> table = chainrule.Table.from_lists(["good", "fun", "bad", "dull"] * 5, list("1100") * 5)
        >>> run = chainrule.fit(chainrule.BagOfWords(), table, table, task=Classify(output="sigmoid"))
        >>> run.model.codec.sizes.outputs, run.model.predict(["good fun"])
        (1, ['1'])
    """

    name: ClassVar[str] = "classify"
    watched: ClassVar[tuple[str, ...]] = ("loss", "accuracy", "macro_f1")

    output: str = setting(SOFTMAX, "what the network gives: a number a label, or one for two labels", choices=OUTPUTS)

    def learn_targets(self, table: Table) -> tuple[Labels, Fields]:
        """The labels, in ascending order.

        Raises:
            DataError: for fewer than two labels, or more than two where there is one output.
        """
        names = table.label_names() if table.labels is not None and table.labels.dtype == pl.String else ()
        if table.labels is not None:
            labels_of(table, pl.String)
        if len(names) < 2:
            found = f"only the label {names[0]!r}" if names else "no labels"
            raise DataError(f"{table.name}: {found}; a classifier needs examples of at least two labels")
        if self.output != SOFTMAX and len(names) > 2:
            raise DataError(
                f"{table.name}: {len(names)} labels, and one output ({self.output}) tells two apart; use softmax"
            )
        labels = self._labels(names)
        return labels, labels.encode(table)

    def load_targets(self, description: Mapping[str, Any]) -> Labels:
        """The labels of a model.

        Raises:
            ModelError: when they are not two or more distinct strings.
        """
        return self._labels(load_labels(description, 2))

    def _labels(self, names: Sequence[str]) -> Labels:
        return Labels(names, len(names) if self.output == SOFTMAX else 1)

    def loss(self, outputs: Tensor, batch: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """The equations above, and how many rows get the right label."""
        classes = batch["classes"]
        if self.output == SOFTMAX:
            loss, predicted = cross_entropy(outputs, classes), argmax(outputs, 1)
        else:
            z = squeeze(outputs, 1)
            truth = classes.astype(z.dtype)
            predicted = greater(z, 0).astype(classes.dtype)
            if self.output == SIGMOID:
                loss = binary_cross_entropy_with_logits(z, truth)
            else:
                loss = hinge(tanh(z), 2 * truth - 1)
        return loss, {"accuracy": equal(predicted, classes).astype("float32").sum()}

    def response(self, outputs: Tensor) -> Tensor:
        """The probability of each label."""
        if self.output == SOFTMAX:
            return softmax(outputs)
        p = sigmoid(outputs) if self.output == SIGMOID else (1 + tanh(outputs)) / 2
        return concatenate([1 - p, p], 1)

    def evaluate(self, responses: Array, examples: Examples, codec: Codec) -> Classification:
        """How well probabilities fit the true labels."""
        truth = examples.array("classes")
        loss = None
        if self.output == TANH:
            side = 2 * truth - 1
            loss = float(np.maximum(0, 1 - side * (2 * responses[:, 1].astype(np.float64) - 1)).mean())
        return Classification(codec.targets.names, truth, responses, loss)

    def predict(self, responses: Array, codec: Codec) -> list[Answer]:
        """The most probable label of each row."""
        names = codec.targets.names
        chosen = responses.argmax(axis=1).tolist()
        return [
            LabelAnswer(names[best], dict(zip(names, row, strict=True)))
            for best, row in zip(chosen, responses.tolist(), strict=True)
        ]


class Classification:
    """How well predicted classes fit the true ones.

    Args:
        labels: the classes.
        truth: the true class of each row, shape (rows,).
        probabilities: shape (rows, labels).
        loss: the mean loss, where it is not the log loss.

    Example:
        >>> probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3]])
        >>> evaluation = Classification(("no", "yes"), np.array([0, 0, 1, 1]), probabilities)
        >>> evaluation.accuracy, evaluation.confusion.tolist(), evaluation.roc_auc
        (0.5, [[1, 1], [1, 1]], 0.75)
    """

    def __init__(self, labels: Sequence[str], truth: Array, probabilities: Array, loss: float | None = None) -> None:
        self.labels = tuple(labels)
        self.truth = truth
        self.probabilities = probabilities
        self.predicted = probabilities.argmax(axis=1)
        self.confusion = measures.confusion_matrix(truth, self.predicted, len(self.labels))
        self.log_loss = measures.log_loss(probabilities[np.arange(len(truth)), truth])
        self.loss = self.log_loss if loss is None else loss

    @property
    def examples(self) -> int:
        """The number of rows."""
        return len(self.truth)

    @property
    def support(self) -> Array:
        """The number of rows of each class."""
        support: Array = self.confusion.sum(axis=1)
        return support

    @property
    def accuracy(self) -> float:
        """The share of rows with the right class, between 0 and 1."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    @property
    def balanced_accuracy(self) -> float:
        """The mean of recall over the classes that have rows."""
        return float(self.recall[self.support > 0].mean())

    @property
    def precision(self) -> Array:
        """For each class: of the rows predicted as it, the share that are it; 0 when none was predicted."""
        return self._scores[0]

    @property
    def recall(self) -> Array:
        """For each class: of the rows that are it, the share predicted as it; 0 when there are none."""
        return self._scores[1]

    @property
    def f1(self) -> Array:
        """For each class: the harmonic mean of precision and recall, 2 P R / (P + R); 0 when both are."""
        return self._scores[2]

    @functools.cached_property
    def _scores(self) -> tuple[Array, Array, Array]:
        return measures.f_scores(np.diag(self.confusion), self.confusion.sum(axis=0), self.support)

    @property
    def macro_f1(self) -> float:
        """The mean of F1 over the classes that have rows or were predicted."""
        seen = (self.support + self.confusion.sum(axis=0)) > 0
        return float(self.f1[seen].mean())

    @property
    def micro_f1(self) -> float:
        """F1 of all decisions together; where each row has one label, that is the accuracy."""
        return self.accuracy

    @property
    def roc_auc(self) -> float:
        """The area under the ROC curve: of the second of two labels, or the mean over each label against the rest."""
        if len(self.labels) == 2:
            return measures.roc_auc(self.truth == 1, self.probabilities[:, 1])
        found = [measures.roc_auc(self.truth == i, self.probabilities[:, i]) for i in range(len(self.labels))]
        return measures.mean_known(found)

    @property
    def average_precision(self) -> float:
        """The average precision: of the second of two labels, or the mean over each label against the rest."""
        if len(self.labels) == 2:
            return measures.average_precision(self.truth == 1, self.probabilities[:, 1])
        found = [measures.average_precision(self.truth == i, self.probabilities[:, i]) for i in range(len(self.labels))]
        return measures.mean_known(found)

    @property
    def calibration_error(self) -> float:
        """How far confidence is from accuracy, on average, between 0 and 1; see `measures.calibration_error`."""
        return measures.calibration_error(self.probabilities.max(axis=1), self.predicted == self.truth)

    @property
    def measures(self) -> dict[str, float]:
        """All figures of the whole by name."""
        names = (
            "accuracy", "balanced_accuracy", "macro_f1", "micro_f1", "roc_auc", "average_precision", "log_loss",
            "calibration_error", "loss",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        columns = (self.precision, self.recall, self.f1, self.support)
        return {
            "examples": self.examples,
            **measures.for_json(self.measures),
            "classes": {
                label: {"precision": float(p), "recall": float(r), "f1": float(f), "support": int(n)}
                for label, p, r, f, n in zip(self.labels, *columns, strict=True)
            },
            "confusion": {"labels": list(self.labels), "counts": self.confusion.tolist()},
        }

    def tables(self) -> list[tuple[str, Rows]]:
        """The figures of each class, and the confusion matrix."""
        labels = [one_line(label) for label in self.labels]
        matrix = [[label, *map(str, row)] for label, row in zip(labels, self.confusion, strict=True)]
        return [
            ("", class_rows(self.labels, self.precision, self.recall, self.f1, self.support)),
            ("confusion matrix (rows: true class, columns: predicted class)", [["", *labels], *matrix]),
        ]


def class_rows(labels: Sequence[str], precision: Array, recall: Array, f1: Array, support: Array) -> Rows:
    """A table of precision, recall, F1 and support by class."""
    rows = [["class", "precision", "recall", "F1", "support"]]
    for i, label in enumerate(labels):
        rows.append([one_line(label), *(f"{column[i]:.4f}" for column in (precision, recall, f1)), str(support[i])])
    return rows
