"""Classify: one label for each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

import chainrule.polars as pl
from chainrule.blocks import argmax, concatenate, equal, gather, greater, sigmoid, softmax, squeeze, tanh
from chainrule.data import Examples, Table
from chainrule.dataclasses import dataclass
from chainrule.errors import DataError, shortened
from chainrule.graph.conversion import tensor
from chainrule.graph.spec import Array
from chainrule.graph.tensor import Tensor
from chainrule.nn import LOSSES, Loss, binary_cross_entropy_with_logits
from chainrule.settings import SettingError, setting
from chainrule.shown import one_line
from chainrule.tasks import measures
from chainrule.tasks.answers import LabelAnswer
from chainrule.tasks.classification import Classification
from chainrule.tasks.codec import WEIGHTS, Codec, Fields
from chainrule.tasks.decision import LOG_ODDS, Decision
from chainrule.tasks.labels import Labels, labels_of, load_label_type, load_labels
from chainrule.tasks.task import AS_FOUND, LOSS_WEIGHT, TASKS, Answer, Baseline, Task
from chainrule.tasks.weighting import class_weights, class_weights_given, load_class_weights, weighted_mean

FITTING = LOSSES.fitting["classes"]
ENTROPY, HINGE = "cross_entropy", "hinge"
SOFTMAX, SIGMOID, TANH = OUTPUTS = ("softmax", "sigmoid", "tanh")


@TASKS.register
@dataclass(frozen=True, kw_only=True)
class Classify(Task):
    """One label for each row, of those that the training rows have.

        softmax:  p = softmax(z), one output z a label;    L = -ln p[y]
        sigmoid:  p = 1 / (1 + e⁻ᶻ) for the second of two labels, one output;    L = -y ln p - (1 - y) ln(1 - p)
        tanh:     s = tanh z for -1 (the first label) or +1 (the second), one output;    L = max(0, 1 - y s)

    With tanh, (1 + s) / 2 stands for the probability of the second label; the hinge loss does not make it one.

    With label smoothing ε, weights w of the C classes and s of rows (`Table.weights`), the loss of a mini-batch is

        Lᵢ = -(1 - ε) w[yᵢ] ln pᵢ[yᵢ] - ε / C Σ_c w[c] ln pᵢ[c],    L = Σᵢ sᵢ Lᵢ / Σᵢ sᵢ w[yᵢ]

    (and w[yᵢ] times the hinge loss with tanh, which has no smoothing). That is the loss of validation too, as training
    stops by it; all other measures count each row once and know no smoothing, as scikit-learn's do.

    Attributes:
        inputs: what is known of each row.
        output: "softmax", "sigmoid" or "tanh".
        class_weights: w: "balanced" for n / (C n[c]), under which all classes count the same together; a mapping from
            labels to weights, 1 for those that it does not name; or None for 1.
        label_smoothing: ε, the part of the probability that is spread over all classes, from 0 and below 1.
        criterion: the loss in the place of those above: "cross_entropy", "focal", "hinge" or "squared_hinge"; None for
            what suits the output, the hinge loss with tanh and else the cross-entropy. The hinge losses are of the
            outputs themselves (with tanh of tanh z), so that softmax and sigmoid of these are no more than a scale.

    Example:
        >>> import chainrule
        >>> table = chainrule.Table.from_lists(["good", "fun", "bad", "dull"] * 5, list("1100") * 5)
        >>> run = chainrule.fit(chainrule.BagOfWords(), table, table, task=Classify(output="sigmoid"))
        >>> run.model.codec.sizes.outputs, run.model.predict(["good fun"])
        (1, ['1'])
        >>> Classify(class_weights={"spam": 5}).settings()["class_weights"]
        ['spam=5.0']

    Source: label smoothing: Szegedy et al., Rethinking the Inception Architecture (2016), section 7; the weights of
    classes in both terms and in the mean as in PyTorch's `cross_entropy`; "balanced": King and Zeng, Logistic
    Regression in Rare Events Data (2001), and scikit-learn.
    """

    name: ClassVar[str] = "classify"
    watched: ClassVar[tuple[str, ...]] = ("loss", "accuracy", "macro_f1")
    share: ClassVar[str | None] = "accuracy"

    output: str = setting(SOFTMAX, "what the network gives: a number a label, or one for two labels", choices=OUTPUTS)
    class_weights: tuple[str, ...] | Mapping[str, float] | str | None = setting(
        None, "how much each class counts in the loss: balanced, or such as pos=2,neg=1", metavar="WEIGHT"
    )
    label_smoothing: float = setting(
        0.0, "part of the probability that is spread over all classes", least=0, below=1, metavar="PART"
    )

    criterion: str | Loss | None = setting(
        None, "what is minimised; none for what suits the task", spelled=FITTING, option="--loss"
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "class_weights", class_weights_given(self.name, self.class_weights))
        super().__post_init__()
        if self.output == TANH and self._loss.sides is None:
            listed = " or ".join(LOSSES.fitting["sides"])
            raise SettingError(
                self.name, "criterion", f"must be {listed} with the output {TANH}, got {self._loss.name}"
            )
        if self.label_smoothing and self._loss.name != ENTROPY:
            what = f"the output {TANH}" if self.output == TANH else f"the loss {self._loss.name}"
            raise SettingError(
                self.name,
                "label_smoothing",
                f"spreads probability, and {what} has none; leave it out, or take the output {SIGMOID} with the loss "
                f"{ENTROPY}",
            )

    @classmethod
    def unit_gradient(cls, criterion: str | Loss | None) -> bool:
        """With every loss but the squared hinge, whose slope grows with the error."""
        return FITTING.make(criterion or ENTROPY).unit_gradient

    @property
    def _loss(self) -> Loss:
        return FITTING.make(self.criterion or (HINGE if self.output == TANH else ENTROPY))

    @property
    def _sided(self) -> bool:
        """Whether the loss is of one output and -1 or +1."""
        return self.output != SOFTMAX and self._loss.sides is not None

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
        fields = labels.encode(table)
        counts = np.bincount(fields["classes"], None if table.weights is None else table.weights.to_numpy(), len(names))  # type: ignore[arg-type]
        labels.class_weights = class_weights(self.name, self._given, names, counts)
        return labels, fields

    def load_targets(self, description: Mapping[str, Any]) -> Labels:
        """The labels of a model.

        Raises:
            ModelError: when they are not two or more distinct strings, or have no weights that fit.
        """
        names = load_labels(description, 2)
        labels = self._labels(names, load_label_type(description, names))
        labels.class_weights = load_class_weights(description, len(labels.names))
        return labels

    @property
    def _given(self) -> tuple[str, ...] | None:
        return self.class_weights  # type: ignore[return-value]  # in the form of a setting, once it is checked

    def _labels(self, names: Sequence[str], label_type: str) -> Labels:
        return Labels(names, len(names) if self.output == SOFTMAX else 1, label_type)

    def loss(self, outputs: Tensor, batch: Mapping[str, Tensor], codec: Codec) -> tuple[Tensor, dict[str, Tensor]]:
        """The equations above, and how many rows get the right label."""
        classes, weights = batch["classes"], batch.get(WEIGHTS)
        held: Array | None = codec.targets.class_weights
        predicted = argmax(outputs, 1) if self.output == SOFTMAX else greater(squeeze(outputs, 1), 0)
        sums = {"accuracy": equal(predicted.astype(classes.dtype), classes).astype("float32").sum()}
        if weights is None and held is None:
            return self._losses(outputs, classes, None, "mean"), sums
        losses = self._losses(outputs, classes, held, "none")
        counts = None if held is None else gather(held, classes).astype(outputs.dtype)
        loss, total = weighted_mean(losses, weights, counts)
        return loss, {**sums, LOSS_WEIGHT: total}

    def _losses(self, outputs: Tensor, classes: Tensor, weights: Array | None, reduction: str) -> Tensor:
        """The loss of each row with the weight of its class, or the mean of all."""
        loss = self._loss
        if self._sided:
            z = squeeze(outputs, 1)
            s, sides = (tanh(z) if self.output == TANH else z), 2 * classes.astype(z.dtype) - 1
            losses = loss.over("sides")(s, sides, reduction=reduction)
            return losses if weights is None else losses * gather(weights, classes).astype(z.dtype)
        smoothing = {"label_smoothing": self.label_smoothing} if loss.name == ENTROPY else {}
        if self.output == SIGMOID:
            if weights is None and smoothing == {"label_smoothing": 0}:
                z = squeeze(outputs, 1)
                return binary_cross_entropy_with_logits(z, classes.astype(z.dtype), reduction=reduction)
            outputs = concatenate([0 * outputs, outputs], 1)  # softmax of 0 and z is the sigmoid of z
        return loss.over("classes")(outputs, classes, class_weights=weights, **smoothing, reduction=reduction)

    def response(self, outputs: Tensor, batch: Mapping[str, Tensor]) -> Tensor:  # noqa: ARG002
        """The probability of each label."""
        if self.output == SOFTMAX:
            return softmax(outputs)
        if self.output == SIGMOID and self._sided:  # so that neither of the two is 1 minus the other, and rounded
            return softmax(concatenate([0 * outputs, outputs], 1))
        p = sigmoid(outputs) if self.output == SIGMOID else (1 + tanh(outputs)) / 2
        return concatenate([1 - p, p], 1)

    def evaluate(self, responses: Array, examples: Examples, codec: Codec) -> Classification:
        """How well probabilities fit the true labels."""
        names, held = codec.targets.names, codec.targets.class_weights
        classes, loss = examples.array("classes"), None
        known = classes < len(names)  # the loss is of these: others have no probability
        truth, predicted, weights = classes[known], responses[known], _weights(examples, known)
        if self._loss.name != ENTROPY:
            losses = self._losses_of(predicted, truth, held)
            loss = measures.weighted_mean(losses, weights, None if held is None else held[truth])
        elif weights is not None or held is not None or self.label_smoothing:
            losses = measures.cross_entropies(predicted, truth, held, self.label_smoothing)
            loss = measures.weighted_mean(losses, weights, None if held is None else held[truth])
        return Classification(names, classes, responses, loss)

    def _losses_of(self, probabilities: Array, truth: Array, held: Array | None) -> Array:
        """The loss of each row by responses, from which the outputs, or their differences, are told."""
        logarithms = np.log(np.maximum(probabilities.astype(np.float64), measures.SMALLEST))
        if self._sided:
            z = logarithms[:, 1] - logarithms[:, 0]
            s = 2 * probabilities[:, 1].astype(np.float64) - 1 if self.output == TANH else z
            losses: Array = self._loss.over("sides")(tensor(s, "float64"), 2 * truth - 1, reduction="none").numpy()
            return losses if held is None else losses * held[truth]
        outputs = tensor(logarithms, "float64")
        return self._loss.over("classes")(outputs, truth, class_weights=held, reduction="none").numpy()

    def certainty(self, responses: Array) -> Array:
        """The probability of the likeliest label."""
        return np.asarray(responses.max(axis=1))

    def decision(
        self, codec: Codec, response: Array | None, answer: object = None, against: object = None
    ) -> Decision:  # fmt: skip
        """One label against another: the difference of their outputs, or the one output there is, with its sign."""
        labels: Labels = codec.targets
        chosen, other = labels.compared(response, answer, against)
        odds = not self._sided and self._loss.name == ENTROPY and (other is not None or len(labels.names) == 2)
        meaning = LOG_ODDS if odds else "difference of outputs"
        decision = Decision.between(labels.names, chosen, other, meaning)
        if self.output == SOFTMAX:
            return decision
        return replace(decision, weights=np.array([1.0 if chosen else -1.0]))

    def labelled(self, examples: Examples) -> Array:
        """The classes."""
        return examples.array("classes")

    def baselines(self, examples: Examples, codec: Codec) -> tuple[Baseline, ...]:
        """Always the commonest label; and the share of each label as its probability, by the loss.

        With weights of classes, which may cost accuracy, the first is by macro-F1; the shares are weighted ones.
        """
        names, held, classes = codec.targets.names, codec.targets.class_weights, examples.array("classes")
        known = classes < len(names)  # the others have labels that no training row has
        counts = np.bincount(classes[known], minlength=len(names))
        answer = f"always answering {one_line(names[counts.argmax()])!r}, the commonest label"
        first = Baseline(counts / counts.sum(), answer, "accuracy" if held is None else "macro_f1", higher=True)
        if self._loss.name != ENTROPY:  # shares have not the least of other losses
            return (first,)
        shares = np.bincount(classes[known], _weights(examples, known), len(names)) * (1 if held is None else held)
        return first, Baseline(shares / shares.sum(), AS_FOUND)

    def predict(self, responses: Array, examples: Examples, codec: Codec) -> list[Answer]:  # noqa: ARG002
        """The most probable label of each row."""
        chosen = responses.argmax(axis=1).tolist()
        return [LabelAnswer(codec.targets, row, best) for row, best in zip(responses, chosen, strict=True)]


def _weights(examples: Examples, rows: Array) -> Array | None:
    """How much these rows count; None where all count the same."""
    return examples.array(WEIGHTS)[rows] if WEIGHTS in examples.fields else None
