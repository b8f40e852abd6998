"""How well classes that a model predicts fit the true ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from chainrule.forks import once
from chainrule.graph.spec import Array
from chainrule.shown import one_line
from chainrule.tasks import measures
from chainrule.tasks.task import Rows

#: Classes that tables show, and rows of the list of confusions that stands for the matrix of more.
SHOWN = 30


class ScoresByLabel(ABC):
    """Precision, recall and F1 of each label, which a row has, and which it gets by prediction."""

    @property
    @abstractmethod
    def _figures(self) -> tuple[Array, Array, Array]:
        """The three of them, each of shape (labels,)."""

    @property
    def precision(self) -> Array:
        """For each label: of the rows that get it, the share that have it; 0 when none gets it."""
        return self._figures[0]

    @property
    def recall(self) -> Array:
        """For each label: of the rows that have it, the share that get it; 0 when none has it."""
        return self._figures[1]

    @property
    def f1(self) -> Array:
        """For each label: the harmonic mean of precision and recall, 2 P R / (P + R); 0 when both are."""
        return self._figures[2]


class Decisions(ScoresByLabel):
    """How well one label for each row, or for each token, fits the true one.

    A true label that is not among those that the model knows is one that it has never seen, so each decision about it
    is wrong.

    Args:
        labels: those that the model knows.
        truth: the true one of each, shape (n,): its place among the labels, or a number above them for one that is
            unseen, the same for the same label.
        predicted: shape (n,), places among the labels.
    """

    #: What the labels are called, and what has them.
    word: ClassVar[str] = "class"
    has: ClassVar[str] = "rows"

    def __init__(self, labels: Sequence[str], truth: Array, predicted: Array) -> None:
        self.labels = tuple(labels)
        self.truth = truth
        self.predicted = predicted
        self.known = truth < len(self.labels)

    @once
    def right(self) -> Array:
        """Whether each has the right label, bool of shape (n,)."""
        return np.asarray(self.predicted == self.truth)

    @once
    def support(self) -> Array:
        """The number of rows of each class."""
        return self._counts(self.truth[self.known])

    @property
    def accuracy(self) -> float:
        """The share of rows with the right class, between 0 and 1."""
        return float(self.right.mean())

    @property
    def balanced_accuracy(self) -> float:
        """The mean of recall over the classes that have rows; it is 0 for an unseen one."""
        classes = np.count_nonzero(self.support) + self._unseen_classes
        return float(self.recall[self.support > 0].sum() / classes)

    @once
    def _figures(self) -> tuple[Array, Array, Array]:
        right = self._counts(self.truth[self.right])
        return measures.f_scores(right, self._counts(self.predicted), self.support)

    @property
    def macro_f1(self) -> float:
        """The mean of F1 over the classes that have rows or were predicted; it is 0 for an unseen one."""
        seen = (self.support + self._counts(self.predicted)) > 0
        return float(self.f1[seen].sum() / (np.count_nonzero(seen) + self._unseen_classes))

    @once
    def confusion(self) -> Array:
        """Counts, int64 of shape (labels, labels): row the true class, column the predicted one; see `confusions`."""
        return measures.confusion_matrix(self.truth[self.known], self.predicted[self.known], len(self.labels))

    def confusions(self) -> list[tuple[str, str, int]]:
        """The true and the predicted class of wrong rows, and how many these are, the commonest first."""
        wrong = self.known & ~self.right
        pairs = self.truth[wrong] * len(self.labels) + self.predicted[wrong]
        found, counts = np.unique(pairs, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        true, predicted = np.divmod(found[order], len(self.labels))
        return [
            (self.labels[i], self.labels[j], int(count))
            for i, j, count in zip(true, predicted, counts[order], strict=True)
        ]

    def by_label(self) -> dict[str, Any]:
        """The figures of each label, and the confusion matrix of up to 30 labels, or the confusions of more."""
        columns = (self.precision, self.recall, self.f1, self.support)
        if len(self.labels) <= SHOWN:
            confusion: dict[str, Any] = {"confusion": {"labels": list(self.labels), "counts": self.confusion.tolist()}}
        else:
            names = ("true", "predicted", "count")
            confusion = {"confusions": [dict(zip(names, each, strict=True)) for each in self.confusions()]}
        return {
            "classes": {
                label: {"precision": float(p), "recall": float(r), "f1": float(f), "support": int(n)}
                for label, p, r, f, n in zip(self.labels, *columns, strict=True)
            },
            **confusion,
        }

    def tables(self) -> list[tuple[str, Rows]]:
        """The figures of each class and the confusion matrix; of many classes, those with most rows and confusions."""
        classes = class_table(self.labels, self.precision, self.recall, self.f1, self.support, self.word, self.has)
        if len(self.labels) <= SHOWN:
            labels = [one_line(label) for label in self.labels]
            matrix = [[label, *map(str, row)] for label, row in zip(labels, self.confusion, strict=True)]
            title = f"confusion matrix (rows: true {self.word}, columns: predicted {self.word})"
            return [classes, (title, [["", *labels], *matrix])]
        found = self.confusions()
        if not found:
            return [classes]
        title = f"the {min(SHOWN, len(found))} commonest of {len(found):,} confusions"
        shown = [[one_line(true), one_line(predicted), str(count)] for true, predicted, count in found[:SHOWN]]
        return [classes, (title, [[f"true {self.word}", f"predicted {self.word}", self.has], *shown])]

    def _counts(self, classes: Array) -> Array:
        return np.bincount(classes, minlength=len(self.labels))

    @once
    def _unseen_classes(self) -> int:
        return len(np.unique(self.truth[~self.known]))


class Classification(Decisions):
    """How well predicted classes fit the true ones.

    A true class that is not among the labels is one that the model has never seen, so each row of it is wrong. Such
    rows and classes count in accuracy, balanced accuracy, the F1 scores and the calibration error; they are rows of the
    rest in ROC-AUC and average precision, and are left out of the log loss and the loss, as they have no probability.

    Args:
        labels: the classes that the model knows.
        truth: the true class of each row, shape (rows,): its place among the labels, or a number above them for one
            that is unseen, the same for the same label.
        probabilities: shape (rows, labels).
        loss: the mean loss, where it is not the log loss.

    Example:
        >>> probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3]])
        >>> evaluation = Classification(("no", "yes"), np.array([0, 0, 1, 1]), probabilities)
        >>> evaluation.accuracy, evaluation.confusion.tolist(), evaluation.roc_auc
        (0.5, [[1, 1], [1, 1]], 0.75)
        >>> Classification(("no", "yes"), np.array([0, 0, 1, 2]), probabilities).accuracy
        0.5
    """

    score: ClassVar[str] = "right"

    def __init__(self, labels: Sequence[str], truth: Array, probabilities: Array, loss: float | None = None) -> None:
        super().__init__(labels, truth, probabilities.argmax(axis=1))
        self.probabilities = probabilities
        self.log_loss = measures.log_loss(probabilities[self.known, truth[self.known]])
        self.loss = self.log_loss if loss is None else loss

    @property
    def examples(self) -> int:
        """The number of rows."""
        return len(self.truth)

    @property
    def unseen_rows(self) -> int:
        """The number of rows with a label that the model does not know."""
        return int((~self.known).sum())

    @property
    def scores(self) -> Array:
        """1 for each row with the right class, and 0 for the others; their mean is the accuracy."""
        return self.right.astype(np.float64)

    @property
    def confidence(self) -> Array:
        """The probability of the class that each row gets."""
        confidence: Array = self.probabilities.max(axis=1)
        return confidence

    @property
    def micro_f1(self) -> float:
        """F1 of all decisions together; where each row has one label, that is the accuracy."""
        return self.accuracy

    @property
    def roc_auc(self) -> float:
        """The area under the ROC curve: of the second of two labels, or the mean over each label against the rest."""
        return measures.mean_known([measures.roc_auc(self.truth == i, p) for i, p in self._against_the_rest()])

    @property
    def average_precision(self) -> float:
        """The average precision: of the second of two labels, or the mean over each label against the rest."""
        return measures.mean_known(
            [measures.average_precision(self.truth == i, p) for i, p in self._against_the_rest()]
        )

    def _against_the_rest(self) -> list[tuple[int, Array]]:
        """The classes that areas are computed of, each with its probability in every row."""
        columns = list(enumerate(self.probabilities.T))
        return columns[1:] if len(columns) == 2 else columns

    @property
    def calibration_error(self) -> float:
        """How far confidence is from accuracy, on average, between 0 and 1; see `measures.calibration_error`."""
        return measures.calibration_error(self.confidence, self.right)

    @property
    def measures(self) -> dict[str, float]:
        """All figures of the whole by name."""
        names = (
            "accuracy", "balanced_accuracy", "macro_f1", "micro_f1", "roc_auc", "average_precision", "log_loss",
            "calibration_error", "loss",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON can hold it: the confusion matrix of up to 30 labels, and the confusions of more."""
        return {"examples": self.examples, **measures.for_json(self.measures), **self.by_label()}


def class_table(
    labels: Sequence[str],
    precision: Array,
    recall: Array,
    f1: Array,
    support: Array,
    word: str = "class",
    has: str = "rows",
) -> tuple[str, Rows]:
    """A title, and a table of precision, recall, F1 and support by class: of many classes, those with the most rows."""
    chosen, title = np.arange(len(labels)), ""
    if len(labels) > SHOWN:
        chosen = np.sort(np.argsort(-support, kind="stable")[:SHOWN])
        plural = "classes" if word == "class" else f"{word}s"
        title = f"the {SHOWN} of {len(labels):,} {plural} with the most {has}"
    rows = [[word, "precision", "recall", "F1", "support"]]
    for i in chosen.tolist():
        figures = [f"{column[i]:.4f}" for column in (precision, recall, f1)]
        rows.append([one_line(labels[i]), *figures, str(support[i])])
    return title, rows
