"""Regress: a number for each row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

import chainrule.polars as pl
from chainrule.blocks import squeeze
from chainrule.data import Examples, Table
from chainrule.data.layout import Sizes
from chainrule.data.roles import as_numbers
from chainrule.errors import DataError, ModelError, shortened
from chainrule.graph.spec import FLOAT32, Array
from chainrule.graph.tensor import Tensor
from chainrule.nn import mean_absolute_error, mean_squared_error
from chainrule.settings import setting
from chainrule.tasks import measures
from chainrule.tasks.codec import WEIGHTS, Codec, Fields, is_finite_number
from chainrule.tasks.labels import labels_of
from chainrule.tasks.task import TASKS, Answer, Baseline, Rows, Task
from chainrule.tasks.weighting import mean_loss

SQUARED, ABSOLUTE = LOSSES = ("squared", "absolute")


@TASKS.register
@dataclass(frozen=True, kw_only=True)
class Regress(Task):
    """A number for each row.

        ŷ = m + s z for the output z of the network;    L = (z - (y - m) / s)²,  or  |z - (y - m) / s|

    with the mean m and the standard deviation s of the training rows' numbers, so that the scale of the target does not
    matter to learning rates. With weights v of rows (`Table.weights`), the loss of a mini-batch is Σᵢ vᵢ Lᵢ / Σᵢ vᵢ.
    That is the loss of validation too; all other measures count each row once.

    Attributes:
        inputs: what is known of each row.
        criterion: "squared", whose best answer is the mean, or "absolute", whose best answer is the median.

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

    criterion: str = setting(SQUARED, "what the loss makes of a difference", choices=LOSSES, option="--loss")

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
        scale = Scale(float(numbers.mean()), deviation)
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
        criterion = mean_squared_error if self.criterion == SQUARED else mean_absolute_error
        return mean_loss(criterion(z, batch["targets"], reduction="none"), batch.get(WEIGHTS))

    def response(self, outputs: Tensor) -> Tensor:
        """The outputs themselves, in deviations from the mean."""
        return outputs

    def evaluate(self, responses: Array, examples: Examples, codec: Codec) -> RegressionEvaluation:
        """How well numbers fit the true ones."""
        difference = responses[:, 0].astype(np.float64) - examples.array("targets")
        losses = difference**2 if self.criterion == SQUARED else np.abs(difference)
        weights = examples.fields.get(WEIGHTS)
        loss = float(losses.mean()) if weights is None else measures.weighted_mean(losses, weights)
        truth = codec.targets.restored(examples.array("targets"))
        return RegressionEvaluation(truth, codec.targets.restored(responses[:, 0]), loss)

    def baselines(self, examples: Examples, codec: Codec) -> tuple[Baseline, ...]:
        """Always the mean of the numbers; for absolute differences, their median."""
        middle, name = (np.mean, "mean") if self.criterion == SQUARED else (np.median, "median")
        answer, scale = np.array([middle(examples.array("targets"))]), codec.targets
        shown = round(scale.restored(answer)[0] / scale.deviation, 5) * scale.deviation  # 0, and not 2e-8
        return (Baseline(answer, f"always answering the {name}, {shown:.4g}"),)

    def predict(self, responses: Array, codec: Codec) -> list[Answer]:
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

    def __init__(self, truth: Array, predicted: Array, loss: float) -> None:
        self.truth = truth
        self.predicted = predicted
        self.loss = loss

    @property
    def examples(self) -> int:
        """The number of rows."""
        return len(self.truth)

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
