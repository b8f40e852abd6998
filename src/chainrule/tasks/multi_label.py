"""Multi-label: any number of labels for each row, none included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

import chainrule.polars as pl
from chainrule.blocks import equal, greater, sigmoid
from chainrule.data import Examples, Table
from chainrule.data.dialect import AUTO
from chainrule.data.helper import uses_polars
from chainrule.data.roles import as_label_lists
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, DataError
from chainrule.forks import once
from chainrule.graph.conversion import tensor
from chainrule.graph.spec import Array
from chainrule.graph.tensor import Tensor
from chainrule.nn import LOSSES, Loss
from chainrule.settings import SettingError, setting
from chainrule.tasks import measures
from chainrule.tasks.answers import LabelAnswer
from chainrule.tasks.classification import ScoresByLabel, class_table
from chainrule.tasks.codec import WEIGHTS, Codec, Fields
from chainrule.tasks.decision import LOG_ODDS, Decision
from chainrule.tasks.labels import Labels, encode_labels, labels_of, load_label_type, load_labels, unseen_labels
from chainrule.tasks.task import AS_FOUND, TASKS, Answer, Baseline, Rows, Task
from chainrule.tasks.weighting import mean_loss

FITTING = LOSSES.fitting["labels"]
BCE = "bce"
#: The threshold where none was given and none was found.
UNDECIDED = 0.5


@TASKS.register
@dataclass(frozen=True, kw_only=True)
class MultiLabel(Task):
    """Any number of labels for each row, each decided by itself.

        pₗ = 1 / (1 + e^(-zₗ)) for each label l;    L = Σₗ -yₗ ln pₗ - (1 - yₗ) ln(1 - pₗ)

    L = -ln p(y) is the surprise at all labels of a row, in nats. As a sum it changes with an output by as much as that
    of one label a row does, however many labels there are, and is trained alike.

    With label smoothing ε, (1 - ε) yₗ + ε / 2 stands in the place of yₗ; with weights s of rows (`Table.weights`), the
    loss of a mini-batch is Σᵢ sᵢ Lᵢ / Σᵢ sᵢ. That is the loss of validation too; other measures count each row once.

    Attributes:
        inputs: what is known of each row.
        label_separator: what stands between labels in a cell; JSON and Parquet may hold lists instead.
        threshold: the probability from which on a row gets a label; "auto" for that with which micro-F1 on the
            validation rows is highest (`measures.best_threshold`), in the epoch that is kept. The model has that number
            in its place. Until there is one, it is 0.5.
        label_smoothing: ε, the part of the probability that is spread over having a label and not, from 0 and below 1.
        criterion: the loss of each label: "bce", that above, as None is; "bce:positive_weight=3" for labels that are
            rare; or "focal".

    Example:
        >>> import chainrule
        >>> texts, labels = ["red apple", "red car", "green apple", "so"], [["red", "fruit"], ["red"], ["fruit"], []]
        >>> table = chainrule.Table.from_lists(texts * 5, labels * 5)
        >>> training = chainrule.Training(epochs=100, learning_rate=0.1)
        >>> run = chainrule.fit(chainrule.BagOfWords(), table, table, task=MultiLabel(), training=training)
        >>> run.model.predict(["a red apple", "green", "so so"])
        [['fruit', 'red'], ['fruit'], []]
    """

    name: ClassVar[str] = "multi-label"
    target: ClassVar[str] = "labels"
    watched: ClassVar[tuple[str, ...]] = ("loss", "exact_match", "micro_f1", "macro_f1")
    share: ClassVar[str | None] = "exact_match"

    label_separator: str = setting(",", "what stands between several labels in a cell", metavar="TEXT")
    threshold: float | str = setting(
        AUTO, "probability from which on a row gets a label, or auto: best in validation", above=0, below=1, word=AUTO
    )
    label_smoothing: float = setting(
        0.0, "part of the probability that is spread over all classes", least=0, below=1, metavar="PART"
    )

    criterion: str | Loss | None = setting(
        None, "what is minimised; none for what suits the task", spelled=FITTING, option="--loss"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.label_separator:
            raise SettingError(self.name, "label_separator", "must be one character or more, got none")

    @property
    def _cut(self) -> float:
        """The threshold as a number, also where none was found yet."""
        return self.threshold if isinstance(self.threshold, float) else UNDECIDED

    @property
    def _loss(self) -> Loss:
        return FITTING.make(self.criterion or BCE)

    @classmethod
    def unit_gradient(cls, criterion: str | Loss | None) -> bool:
        """With every loss of labels."""
        return FITTING.make(criterion or BCE).unit_gradient

    def reading(self) -> dict[str, Any]:
        """The separator of labels."""
        return {"label_separator": self.label_separator}

    @uses_polars
    def learn_targets(self, table: Table) -> tuple[LabelSets, Fields]:
        """The labels, in ascending order.

        Raises:
            DataError: for a table without any label.
        """
        names = self.lists(table).explode().drop_nulls().unique().sort().to_list()
        if not names:
            raise DataError(f"{table.name}: no row has a label; expected labels to learn")
        labels = LabelSets(names, self, table.label_type)
        return labels, labels.encode(table)

    def load_targets(self, description: Mapping[str, Any]) -> LabelSets:
        """The labels of a model.

        Raises:
            ModelError: when they are not distinct strings.
        """
        names = load_labels(description, 1)
        return LabelSets(names, self, load_label_type(description, names))

    def lists(self, table: Table) -> pl.Series:
        """The labels of each row of a table, as a list."""
        if table.labels is not None and table.labels.dtype == pl.String:
            return as_label_lists(table.labels, table.name, self.label_separator)
        return labels_of(table, pl.List(pl.String))

    def loss(self, outputs: Tensor, batch: Mapping[str, Tensor], codec: Codec) -> tuple[Tensor, dict[str, Tensor]]:  # noqa: ARG002
        """The equation above, and how many rows get just the labels they have."""
        targets, weights = batch["targets"], batch.get(WEIGHTS)
        truth = self._smoothed(targets.astype(outputs.dtype))
        sums: dict[str, Tensor] = {}
        criterion = self._loss.over("labels")
        losses = criterion(outputs, truth, reduction="none").sum(1)
        if weights is None:
            loss = losses.mean()
        else:
            loss, sums = mean_loss(losses, weights)
        cut = float(np.log(self._cut / (1 - self._cut)))  # the output whose probability is the threshold
        right = equal(greater(outputs, cut), targets).astype("float32").sum(1)
        return loss, {"exact_match": equal(right, float(outputs.shape[1])).astype("float32").sum(), **sums}

    def _smoothed(self, truth: Any) -> Any:
        """The targets 0 and 1 with label smoothing."""
        return truth * (1 - self.label_smoothing) + self.label_smoothing / 2 if self.label_smoothing else truth

    def response(self, outputs: Tensor, batch: Mapping[str, Tensor]) -> Tensor:  # noqa: ARG002
        """The probability of each label."""
        return sigmoid(outputs)

    def evaluate(self, responses: Array, examples: Examples, codec: Codec) -> MultiLabelEvaluation:
        """How well probabilities fit the labels of rows."""
        unseen, new = (examples.array(name) if name in examples.fields else None for name in ("unseen", "new"))
        classes = 0 if new is None else int(new.sum())
        truth, weights = examples.array("targets"), examples.fields.get(WEIGHTS)
        loss = None
        if weights is not None or self.label_smoothing or self._loss != FITTING[BCE]():
            targets = self._smoothed(truth.astype(np.float64))
            kept = np.log(np.maximum([responses, 1 - responses], measures.SMALLEST).astype(np.float64))
            if self._loss == FITTING[BCE]():
                losses = -(targets * kept[0] + (1 - targets) * kept[1]).sum(axis=1)
            else:
                outputs, held = tensor(kept[0] - kept[1], "float64"), tensor(targets, "float64")
                losses = self._loss.over("labels")(outputs, held, reduction="none").numpy().sum(axis=1)
            loss = measures.weighted_mean(losses, weights)
        return MultiLabelEvaluation(
            codec.targets.names, truth, responses, self._cut, unseen=unseen, unseen_labels=classes, loss=loss
        )

    def chosen(self, responses: Array, examples: Examples) -> dict[str, float]:
        """The threshold, if it is to be found."""
        if self.threshold != AUTO:
            return {}
        unseen = int(examples.array("unseen").sum()) if "unseen" in examples.fields else 0
        return {"threshold": measures.best_threshold(examples.array("targets"), responses, unseen)}

    def certainty(self, responses: Array) -> Array:
        """The probability of the surest decision about a label."""
        return np.asarray(np.maximum(responses, 1 - responses).max(axis=1))

    def decision(
        self, codec: Codec, response: Array | None, answer: object = None, against: object = None
    ) -> Decision:  # fmt: skip
        """A label against not having it: its output."""
        if against is not None:
            raise ConfigurationError(f"the task {self.name} decides each label by itself, against not having it")
        labels: Labels = codec.targets
        chosen = labels.place(answer) if answer is not None else 0 if response is None else int(response.argmax())
        weights = np.eye(len(labels.names))[chosen]
        name = labels.names[chosen]
        return Decision(name, f"no {name}", LOG_ODDS, weights)

    def baselines(self, examples: Examples, codec: Codec) -> tuple[Baseline, ...]:  # noqa: ARG002
        """The share of rows that have each label, as its probability for every row."""
        if self._loss != FITTING[BCE]():  # shares have not the least of other losses
            return ()
        return (Baseline(examples.array("targets").mean(axis=0), AS_FOUND),)

    def predict(self, responses: Array, examples: Examples, codec: Codec) -> list[Answer]:  # noqa: ARG002
        """The labels of each row, in the order of their names."""
        return [
            LabelAnswer(codec.targets, row, np.flatnonzero(given).tolist())
            for row, given in zip(responses, responses > self._cut, strict=True)
        ]


class LabelSets(Labels):
    """The labels there are, in the order of a network's outputs, of which each row has any number."""

    def __init__(self, names: Sequence[str], task: MultiLabel, label_type: str) -> None:
        super().__init__(names, len(names), label_type)
        self._task = task

    @uses_polars
    def encode(self, table: Table) -> Fields:
        """Which labels each row has, "targets" of shape (rows, labels); and those that are not among the names.

        Where there are such, "unseen" is how many of them each row has, and "new" how many of these no row above has.

        Raises:
            DataError: for a table without labels, or with labels of which none is among the names.
        """
        lists = self._task.lists(table)
        labels = lists.explode().drop_nulls()
        codes = encode_labels(labels, self.names, table.name)
        rows = np.repeat(np.arange(len(lists)), lists.list.len().to_numpy())
        known = codes < len(self.names)
        targets = np.zeros((len(lists), len(self.names)), bool)
        targets[rows[known], codes[known]] = True
        if known.all():
            return {"targets": targets}
        others = np.flatnonzero(~known)
        first = others[np.unique(codes[others], return_index=True)[1]]
        counts = {"unseen": rows[others], "new": rows[first]}
        return {"targets": targets, **{name: np.bincount(x, minlength=len(lists)) for name, x in counts.items()}}

    @uses_polars
    def unseen(self, table: Table) -> dict[str, int]:
        """The labels of a table that are not among the names, and how many rows have each, the commonest first."""
        return unseen_labels(replace(table, labels=self._task.lists(table)), self.names)


class MultiLabelEvaluation(ScoresByLabel):
    """How well predicted sets of labels fit the true ones.

    A label that the model has never seen is one that no row gets. It counts in the exact match, the F1 scores and the
    Hamming loss; the other measures are over the labels that the model knows.

    Args:
        labels: the labels that the model knows.
        truth: which of them each row has, bool of shape (rows, labels).
        probabilities: of the same shape.
        threshold: the probability from which on a row gets a label.
        unseen: how many labels each row has that the model does not know, shape (rows,); None for none.
        unseen_labels: how many different ones these are.
        loss: the mean loss of a row, where it is not the log loss.

    Example:
        >>> truth = np.array([[True, False], [True, True]])
        >>> evaluation = MultiLabelEvaluation(("a", "b"), truth, np.array([[0.9, 0.6], [0.8, 0.7]]), 0.5)
        >>> evaluation.exact_match, evaluation.hamming_loss, round(evaluation.micro_f1, 3)
        (0.5, 0.25, 0.857)
    """

    score: ClassVar[str] = "share of labels right"

    def __init__(
        self,
        labels: Sequence[str],
        truth: Array,
        probabilities: Array,
        threshold: float,
        *,
        unseen: Array | None = None,
        unseen_labels: int = 0,
        loss: float | None = None,
    ) -> None:
        self.labels = tuple(labels)
        self.truth = truth
        self.probabilities = probabilities
        self.predicted = probabilities > threshold
        self.unseen = np.zeros(len(truth), np.int64) if unseen is None else unseen
        self.unseen_labels = unseen_labels
        chosen = np.where(truth, probabilities, 1 - probabilities)
        self.loss = measures.log_loss(chosen.reshape(-1)) * len(self.labels) if loss is None else loss

    @property
    def examples(self) -> int:
        """The number of rows."""
        return len(self.truth)

    @property
    def unseen_rows(self) -> int:
        """The number of rows with a label that the model does not know."""
        return int((self.unseen > 0).sum())

    @property
    def exact_match(self) -> float:
        """The share of rows that get just the labels they have."""
        return float(((self.predicted == self.truth).all(axis=1) & (self.unseen == 0)).mean())

    @property
    def scores(self) -> Array:
        """Of each row, the share of decisions, one a label, that are right; their mean is 1 - the Hamming loss."""
        right: Array = (self.predicted == self.truth).sum(axis=1) + self.unseen_labels - self.unseen
        return right / (len(self.labels) + self.unseen_labels)

    @property
    def confidence(self) -> Array:
        """Of each row, the mean probability of its decisions about labels."""
        decided = np.where(self.predicted, self.probabilities, 1 - self.probabilities)
        return np.asarray(decided.mean(axis=1))

    @property
    def hamming_loss(self) -> float:
        """The share of all decisions, one a row and label, that are wrong."""
        wrong = (self.predicted != self.truth).sum() + self.unseen.sum()
        return float(wrong / (self.examples * (len(self.labels) + self.unseen_labels)))

    @property
    def support(self) -> Array:
        """The number of rows that have each label."""
        support: Array = self.truth.sum(axis=0)
        return support

    @once
    def _figures(self) -> tuple[Array, Array, Array]:
        return measures.f_scores((self.truth & self.predicted).sum(0), self.predicted.sum(0), self.support)

    @property
    def macro_f1(self) -> float:
        """The mean of F1 over all labels; it is 0 for an unseen one."""
        return float(self.f1.sum() / (len(self.labels) + self.unseen_labels))

    @property
    def micro_f1(self) -> float:
        """F1 of all decisions together; 0 when there is no label in either."""
        right = (self.truth & self.predicted).sum()
        return float(measures.ratio(2 * right, self.truth.sum() + self.unseen.sum() + self.predicted.sum()))

    @property
    def roc_auc(self) -> float:
        """The mean over the labels of the area under the ROC curve; labels that all or no rows have are left out."""
        return measures.mean_known([measures.roc_auc(x, p) for x, p in self._columns()])

    @property
    def average_precision(self) -> float:
        """The mean over the labels of the average precision; labels that no row has are left out."""
        return measures.mean_known([measures.average_precision(x, p) for x, p in self._columns()])

    @property
    def calibration_error(self) -> float:
        """How far confidence is from accuracy over all decisions; see `measures.calibration_error`."""
        confidence = np.maximum(self.probabilities, 1 - self.probabilities).reshape(-1)
        right = ((self.probabilities > 0.5) == self.truth).reshape(-1)
        return measures.calibration_error(confidence, right)

    def _columns(self) -> list[tuple[Array, Array]]:
        return [(self.truth[:, i], self.probabilities[:, i]) for i in range(len(self.labels))]

    @property
    def measures(self) -> dict[str, float]:
        """All figures of the whole by name."""
        names = (
            "exact_match", "micro_f1", "macro_f1", "hamming_loss", "roc_auc", "average_precision", "calibration_error",
            "loss",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        columns = (self.precision, self.recall, self.f1, self.support)
        return {
            "examples": self.examples,
            **measures.for_json(self.measures),
            "without_labels": int((~self.truth.any(axis=1) & (self.unseen == 0)).sum()),
            "labels": {
                label: {"precision": float(p), "recall": float(r), "f1": float(f), "support": int(n)}
                for label, p, r, f, n in zip(self.labels, *columns, strict=True)
            },
        }

    def tables(self) -> list[tuple[str, Rows]]:
        """The figures of each label."""
        return [class_table(self.labels, self.precision, self.recall, self.f1, self.support)]
