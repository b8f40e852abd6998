"""Classify: one label for each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl

from chainrule.blocks import argmax, concatenate, equal, greater, sigmoid, softmax, squeeze, tanh
from chainrule.data import Examples, Table
from chainrule.errors import DataError, shortened
from chainrule.graph.spec import Array
from chainrule.graph.tensor import Tensor
from chainrule.nn import binary_cross_entropy_with_logits, cross_entropy, hinge
from chainrule.settings import setting
from chainrule.tasks.answers import LabelAnswer
from chainrule.tasks.classification import Classification
from chainrule.tasks.codec import Codec, Fields
from chainrule.tasks.labels import Labels, labels_of, load_label_type, load_labels
from chainrule.tasks.task import TASKS, Answer, Task

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
            found = f"only the label {shortened(names[0])}" if names else "no labels"
            raise DataError(f"{table.name}: {found}; a classifier needs examples of at least two labels")
        if self.output != SOFTMAX and len(names) > 2:
            raise DataError(
                f"{table.name}: {len(names)} labels, and one output ({self.output}) tells two apart; use softmax"
            )
        labels = self._labels(names, table.label_type)
        return labels, labels.encode(table)

    def load_targets(self, description: Mapping[str, Any]) -> Labels:
        """The labels of a model.

        Raises:
            ModelError: when they are not two or more distinct strings.
        """
        names = load_labels(description, 2)
        return self._labels(names, load_label_type(description, names))

    def _labels(self, names: Sequence[str], label_type: str) -> Labels:
        return Labels(names, len(names) if self.output == SOFTMAX else 1, label_type)

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
            known = truth < len(codec.targets.names)
            side = 2 * truth[known] - 1
            loss = float(np.maximum(0, 1 - side * (2 * responses[known, 1].astype(np.float64) - 1)).mean())
        return Classification(codec.targets.names, truth, responses, loss)

    def predict(self, responses: Array, codec: Codec) -> list[Answer]:
        """The most probable label of each row."""
        chosen = responses.argmax(axis=1).tolist()
        return [LabelAnswer(codec.targets, row, best) for row, best in zip(responses, chosen, strict=True)]
