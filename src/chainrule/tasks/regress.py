"""Regress: a number for each row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

import chainrule.polars as pl
from chainrule.blocks import exp, squeeze
from chainrule.data import Examples, Table
from chainrule.data.layout import Sizes
from chainrule.data.roles import as_numbers
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, DataError, ModelError, shortened
from chainrule.graph.conversion import tensor
from chainrule.graph.spec import FLOAT32, Array
from chainrule.graph.tensor import Tensor
from chainrule.nn import LOSSES, Loss
from chainrule.nn.losses.loss import Quantile
from chainrule.settings import setting
from chainrule.tasks import measures
from chainrule.tasks.codec import WEIGHTS, Codec, Fields, is_finite_number
from chainrule.tasks.decision import Decision
from chainrule.tasks.labels import labels_of
from chainrule.tasks.task import TASKS, Answer, Baseline, Rows, Task
from chainrule.tasks.weighting import mean_loss

FITTING = LOSSES.fitting["numbers"]
POISSON = "poisson"


@TASKS.register
@dataclass(frozen=True, kw_only=True)
class Regress(Task):
    """A number for each row.

        ŷ = m + s z for the output z of the network;    L = loss(z, (y - m) / s), such as (z - (y - m) / s)²

    with the mean m and the standard deviation s of the training rows' numbers, so that the scale of the target does not
    matter to learning rates. With the loss poisson, ŷ = m eᶻ and L = eᶻ - z y / m. With weights v of rows
    (`Table.weights`), the loss of a mini-batch is Σᵢ vᵢ Lᵢ / Σᵢ vᵢ.
    That is the loss of validation too; all other measures count each row once.

    Attributes:
        inputs: what is known of each row.
        criterion: the loss: "mse", as None is, whose best answer is the mean; "mae", whose best answer is the median;
            or another of numbers, with settings as in "quantile:share=0.9".

    Example:
        >>> import chainrule
        >>> texts, stars = ["good", "so good", "bad", "so bad"] * 5, [4.0, 5.0, 2.0, 1.0] * 5
        >>> table = chainrule.Table.from_lists(texts, stars, target="number")
        >>> training = chainrule.Training(epochs=60, learning_rate=0.02)
        >>> run = chainrule.fit(chainrule.BagOfWords(), table, table, task=Regress(), training=training)
        >>> [round(number) for number in run.model.predict(["so good", "so bad"])]
        [5, 1]
    """

    name: ClassVar[str] = "regress"
    target: ClassVar[str] = "number"
    watched: ClassVar[tuple[str, ...]] = ("loss", "r2", "mae")

    criterion: str | Loss | None = setting(
        None, "what is minimised; none for what suits the task", spelled=FITTING, option="--loss"
    )

    def learn_targets(self, table: Table) -> tuple[Scale, Fields]:
        """Mean and deviation of the numbers.

        Raises:
            DataError: for a table without numbers, or with the same number in all rows.
        """
        numbers = numbers_of(table)
        deviation = float(numbers.std()) if len(numbers) else 0.0
        if not deviation:
            found = f"all {len(numbers)} rows have the number {numbers[0]:g}" if len(numbers) else "no row has a number"
            raise DataError(f"{table.name}: {found}; expected numbers that differ, to learn what they depend on")
        mean = float(numbers.mean())
        if self._loss.name == POISSON and numbers.min() < 0:
            raise DataError(f"{table.name}: a row has the number {numbers.min():g}; the loss poisson is of 0 or more")
        scale = Scale(0.0, mean) if self._loss.name == POISSON else Scale(mean, deviation)
        return scale, scale.encode(table)

    def load_targets(self, description: Mapping[str, Any]) -> Scale:
        """Mean and deviation of a model.

        Raises:
            ModelError: when they are not numbers.
        """
        mean, deviation = description.get("mean"), description.get("deviation")
        for value in (mean, deviation):
            if not is_finite_number(value):
                raise ModelError(f"expected mean and deviation of the target as numbers, got {shortened(value)}")
        return Scale(float(mean), float(deviation))  # type: ignore[arg-type]

    def loss(self, outputs: Tensor, batch: Mapping[str, Tensor], codec: Codec) -> tuple[Tensor, dict[str, Tensor]]:  # noqa: ARG002
        """The equation above."""
        z = squeeze(outputs, 1)
        return mean_loss(self._loss.over("numbers")(z, batch["targets"], reduction="none"), batch.get(WEIGHTS))

    @property
    def _loss(self) -> Loss:
        return FITTING.make(self.criterion or "mse")

    def response(self, outputs: Tensor, batch: Mapping[str, Tensor]) -> Tensor:  # noqa: ARG002
        """The outputs themselves, in deviations from the mean; a rate, in means."""
        return exp(outputs) if self._loss.name == POISSON else outputs

    def evaluate(self, responses: Array, examples: Examples, codec: Codec) -> RegressionEvaluation:
        """How well numbers fit the true ones."""
        losses = self._losses(responses[:, 0], examples.array("targets"))
        weights = examples.fields.get(WEIGHTS)
        loss = float(losses.mean()) if weights is None else measures.weighted_mean(losses, weights)
        truth = codec.targets.restored(examples.array("targets"))
        return RegressionEvaluation(truth, codec.targets.restored(responses[:, 0]), loss)

    def decision(
        self, codec: Codec, response: Array | None, answer: object = None, against: object = None  # noqa: ARG002
    ) -> Decision:  # fmt: skip
        """The number, or with the loss poisson its logarithm."""
        if answer is not None or against is not None:
            raise ConfigurationError(f"the task {self.name} answers by a number, and has no labels to choose from")
        scale: Scale = codec.targets
        if self._loss.name == POISSON:
            return Decision("number", "", "ln of the number", np.ones(1), float(np.log(scale.deviation)))
        return Decision("number", "", "the number", np.array([scale.deviation]), scale.mean)

    def baselines(self, examples: Examples, codec: Codec) -> tuple[Baseline, ...]:
        """Always the same number, the one whose loss is least: of squared differences, the mean."""
        (middle, name), scale = self._best(examples.array("targets")), codec.targets
        answer = np.array([middle])
        shown = round(scale.restored(answer)[0] / scale.deviation, 5) * scale.deviation  # 0, and not 2e-8
        return (Baseline(answer, f"always answering the {name}, {shown:.4g}"),)

    def _losses(self, responses: Array, targets: Array) -> Array:
        """The loss of each row, in float64."""
        held = responses.astype(np.float64)
        held = np.log(np.maximum(held, measures.SMALLEST)) if self._loss.name == POISSON else held
        outputs, truth = tensor(held, "float64"), tensor(targets, "float64")
        return self._loss.over("numbers")(outputs, truth, reduction="none").numpy()

    def _best(self, targets: Array) -> tuple[float, str]:
        """The response whose mean loss is least, and what it is."""
        loss = self._loss
        if isinstance(loss, Quantile):
            return float(np.quantile(targets, loss.share)), f"quantile of {loss.share:g}"
        if loss.name in ("mse", POISSON):
            return float(targets.mean()), "mean"
        if loss.name == "mae":
            return float(np.median(targets)), "median"
        low, high = float(targets.min()), float(targets.max())
        for _ in range(60):  # the losses are convex: of two thirds, the better one is nearer
            left, right = (2 * low + high) / 3, (low + 2 * high) / 3
            worse = [self._losses(np.full(len(targets), x), targets).mean() for x in (left, right)]
            low, high = (low, right) if worse[0] <= worse[1] else (left, high)
        return (low + high) / 2, "best single number"

    def predict(self, responses: Array, examples: Examples, codec: Codec) -> list[Answer]:  # noqa: ARG002
        """The number for each row."""
        return [NumberAnswer(float(number)) for number in codec.targets.restored(responses[:, 0])]


def numbers_of(table: Table) -> Array:
    """The numbers that a table has as labels; labels that are numbers written out count as such.

    Raises:
        DataError: when it has none.
    """
    if table.labels is not None and table.labels.dtype == pl.String:
        return as_numbers(
            table.labels, table.name, "; the task regress needs numbers: for labels, train with --task classify"
        ).to_numpy()
    return labels_of(table, pl.Float64).to_numpy()


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of the numbers of the training rows."""

    mean: float
    deviation: float

    @property
    def sizes(self) -> Sizes:
        """One output."""
        return Sizes(outputs=1)

    def encode(self, table: Table) -> Fields:
        """The numbers in deviations from the mean, float32 of shape (rows,).

        Raises:
            DataError: for a table without numbers.
        """
        return {"targets": ((numbers_of(table) - self.mean) / self.deviation).astype(FLOAT32)}

    def restored(self, targets: Array) -> Array:
        """Numbers from deviations from the mean."""
        return self.mean + self.deviation * targets.astype(np.float64)

    def files(self) -> dict[str, bytes]:
        """None."""
        return {}

    def describe(self) -> dict[str, Any]:
        """Mean and deviation."""
        return {"mean": self.mean, "deviation": self.deviation}


@dataclass(frozen=True)
class NumberAnswer:
    """The number for a row."""

    value: float

    def json(self, top: int | None = None) -> dict[str, Any]:  # noqa: ARG002  (there is one number)
        """The key is "prediction"."""
        return {"prediction": self.value}

    def line(self, top: int | None = None) -> str:  # noqa: ARG002
        """The number."""
        return f"{self.value:.6g}"

    cells = json


class RegressionEvaluation:
    """How well predicted numbers fit the true ones.

    Args:
        truth: the true numbers, shape (rows,).
        predicted: of the same shape.
        loss: the mean loss.

    Example:
        >>> evaluation = RegressionEvaluation(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0]), 0.1)
        >>> evaluation.r2, round(evaluation.mae, 3), round(evaluation.rmse, 3), evaluation.spearman
        (0.5, 0.333, 0.577, 1.0)
    """

    score: ClassVar[str] = "squared error, negative"
    confidence: ClassVar[None] = None  # a number has no probability

    def __init__(self, truth: Array, predicted: Array, loss: float) -> None:
        self.truth = truth
        self.predicted = predicted
        self.loss = loss

    @property
    def examples(self) -> int:
        """The number of rows."""
        return len(self.truth)

    @property
    def scores(self) -> Array:
        """Of each row, -(y - ŷ)²; their mean is -rmse²."""
        return 0 - (self.truth - self.predicted) ** 2  # 0 and not -0

    @property
    def r2(self) -> float:
        """The share of the target's variance that is explained; see `measures.r_squared`."""
        return measures.r_squared(self.truth, self.predicted)

    @property
    def mae(self) -> float:
        """The mean absolute error, in the unit of the target."""
        return float(np.abs(self.truth - self.predicted).mean())

    @property
    def rmse(self) -> float:
        """The root of the mean squared error, in the unit of the target."""
        return float(np.sqrt(((self.truth - self.predicted) ** 2).mean()))

    @property
    def spearman(self) -> float:
        """The correlation of ranks; see `measures.spearman`."""
        return measures.spearman(self.truth, self.predicted)

    @property
    def measures(self) -> dict[str, float]:
        """All figures by name."""
        return {name: getattr(self, name) for name in ("r2", "mae", "rmse", "spearman", "loss")}

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        return {"examples": self.examples, **measures.for_json(self.measures)}

    def tables(self) -> list[tuple[str, Rows]]:
        """None: the figures are all there is."""
        return []
