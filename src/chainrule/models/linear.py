"""The linear learner over numbers and categories: linear, logistic and ridge regression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from chainrule.data.layout import ROWS, Layout, Sizes
from chainrule.graph.leaves import Parameter
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.models.learner import LEARNERS, Learner, Network
from chainrule.nn import Embedding, Linear, Zeros
from chainrule.random import Key


class LinearNetwork(Network):
    """y = x W + Σ_c T[c] + b over the categories c of a row: a linear map of the numbers and of one-hot categories.

    Attributes:
        numbers: W, shape (features, outputs), or None without numbers.
        categories: T, shape (entries, outputs), or None without categories.
        bias: b, shape (outputs,).

    All start at zero: the loss is convex, so no other start is better.
    """

    numbers: Linear | None
    categories: Embedding | None
    bias: Parameter

    def __init__(self, sizes: Sizes, generator: np.random.Generator) -> None:
        zeros = {"generator": generator, "initializer": Zeros()}
        self.numbers = Linear(sizes.features, sizes.outputs, with_bias=False, **zeros) if sizes.features else None  # type: ignore[arg-type]
        self.categories = Embedding(sizes.entries, sizes.outputs, **zeros) if sizes.entries else None  # type: ignore[arg-type]
        self.bias = Parameter.of(np.zeros(sizes.outputs), name="bias")

    def __call__(self, numbers: TensorLike, categories: TensorLike, *, key: Key | None = None) -> Tensor:  # type: ignore[override]  # noqa: ARG002
        """The outputs, shape (rows, outputs)."""
        parts = [self.numbers(numbers)] if self.numbers is not None else []
        parts += [self.categories(categories).sum(1)] if self.categories is not None else []
        total = parts[0] if len(parts) == 1 else parts[0] + parts[1]
        result: Tensor = total + self.bias
        return result


@LEARNERS.register
class LinearModel(Learner):
    """One linear map of numbers and categories: the baseline that any network over columns has to beat.

    With *classify* it is logistic regression, with *regress* linear regression; with a penalty (`Training.l2`) those of
    statistics, ridge regression for one.

    Example:
        >>> import chainrule, polars
        >>> frame = polars.DataFrame({"size": [1.0, 2.0, 3.0, 4.0] * 5, "price": [1.5, 2.5, 3.5, 4.5] * 5})
        >>> table = chainrule.Table.from_frame(frame, numbers="auto", label="price", target="number")
        >>> training = chainrule.Training(learning_rate=0.1)
        >>> run = chainrule.fit(LinearModel(), table, table, task=chainrule.Regress(), training=training)
        >>> [round(number, 1) for number in run.model.predict(frame[:2])]
        [1.5, 2.5]
    """

    name: ClassVar[str] = "linear"
    reads: ClassVar[Layout] = ROWS
    tuned: ClassVar[Mapping[str, Mapping[str, float]]] = {
        "adam": {"learning_rate": 0.01},
        "adamw": {"learning_rate": 0.01},
        "sgd": {"learning_rate": 0.01, "momentum": 0.9},
    }
    patience: ClassVar[int] = 10

    def network(self, sizes: Sizes, answers: str, generator: np.random.Generator) -> LinearNetwork:  # noqa: ARG002
        """A linear map that starts at zero."""
        return LinearNetwork(sizes, generator)
