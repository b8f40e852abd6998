"""Adam."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from chainrule.blocks import sqrt
from chainrule.errors import ConfigurationError
from chainrule.graph.tensor import Tensor, tensor
from chainrule.optim.optimizer import Optimizer, require_within


@dataclass(frozen=True)
class Adam(Optimizer):
    """Steps scaled by running means of the gradient and its square.

        m ← β₁ m + (1 - β₁) g,    m̂ = m / (1 - β₁ᵗ)
        v ← β₂ v + (1 - β₂) g²,   v̂ = v / (1 - β₂ᵗ)
        θ ← θ - η m̂ / (√v̂ + ε)

    Attributes:
        learning_rate: η.
        beta1: β₁, at least 0 and below 1.
        beta2: β₂, at least 0 and below 1.
        epsilon: ε, above 0.
        lazy: for a row-sparse gradient, let m, v and θ of the other rows rest; see `Optimizer`. t counts all steps.

    Raises:
        ConfigurationError: for hyper-parameters outside these ranges.

    Example (the first step has length η in every direction):
        >>> import chainrule
        >>> weight = chainrule.Parameter.of([1.0, 2.0])
        >>> adam = Adam(0.5)
        >>> adam.step([weight], [chainrule.tensor([3.0, -4.0])], adam.start([weight]))
        >>> weight.value
        array([0.5, 2.5], dtype=float32)

    Source: Kingma and Ba, Adam: A Method for Stochastic Optimization (2015), algorithm 1. The lazy form is that of
    PyTorch's SparseAdam, except that ε is added to √v̂, as in the algorithm, and not to √v.
    """

    learning_rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        require_within("Adam", "beta1", self.beta1, 0, 1)
        require_within("Adam", "beta2", self.beta2, 0, 1)
        if not self.epsilon > 0:
            raise ConfigurationError(f"Adam: expected an epsilon above 0, got {self.epsilon}")

    def init(self, parameter: Tensor) -> dict[str, Tensor]:
        """m ("mean") and v ("square"), at 0."""
        names = ("mean", "square")
        return {name: tensor(np.zeros(parameter.shape), parameter.dtype, name=name) for name in names}

    def coefficients(self, step: int, learning_rate: float) -> dict[str, float]:
        """The learning rate, and what corrects the bias of both means towards their start: 1 / (1 - βᵗ)."""
        return {
            "learning_rate": learning_rate,
            "mean_correction": 1 / (1 - self.beta1**step),
            "square_correction": 1 / (1 - self.beta2**step),
        }

    def update(
        self, parameter: Tensor, gradient: Tensor, state: Mapping[str, Tensor], c: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The equations above."""
        mean = self.beta1 * state["mean"] + (1 - self.beta1) * gradient
        square = self.beta2 * state["square"] + (1 - self.beta2) * gradient * gradient
        deviation = sqrt(square * c["square_correction"])
        change = c["learning_rate"] * (mean * c["mean_correction"]) / (deviation + self.epsilon)
        return parameter - change, {"mean": mean, "square": square}
