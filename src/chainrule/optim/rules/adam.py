"""Adam."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from chainrule.blocks import sqrt
from chainrule.graph.tensor import Tensor
from chainrule.optim.optimizer import OPTIMIZERS
from chainrule.optim.pause import Pause
from chainrule.optim.rules.adaptive import Adaptive, exact_from


@OPTIMIZERS.register
class Adam(Adaptive):
    """Steps scaled by running means of the gradient and its square.

        m ← β₁ m + (1 - β₁) g,    m̂ = m / (1 - β₁ᵗ)
        v ← β₂ v + (1 - β₂) g²,   v̂ = v / (1 - β₂ᵗ)
        θ ← θ - η m̂ / (√v̂ + ε)

    Attributes:
        learning_rate: η.
        beta1: β₁, at least 0 and below 1.
        beta2: β₂, at least 0 and below 1.
        epsilon: ε, above 0.
        lazy: for a row-sparse gradient, leave m, v and θ of the other rows as they are; see `Rule`. t counts all steps.

    Raises:
        ConfigurationError: for hyper-parameters outside these ranges.

    Example (f(x, y) = x² + 25 y²: the scale of a direction does not matter):
        >>> import chainrule
        >>> point = chainrule.Parameter.of([1.0, 1.0])
        >>> adam = Adam(0.5)
        >>> state = adam.start([point])
        >>> for step in range(1, 5):
        ...     loss = (chainrule.tensor([1.0, 25.0]) * point * point).sum()
        ...     adam.step([point], chainrule.gradients(loss, [point]), state)
        ...     print(step, f"{loss.item():6.3f}", point.value.round(3))
        1 26.000 [0.5 0.5]
        2  6.500 [0.034 0.034]
        3  0.030 [-0.336 -0.336]
        4  2.934 [-0.542 -0.542]

    Source: Kingma and Ba, Adam: A Method for Stochastic Optimization (2015), algorithm 1. The lazy form is that of
    PyTorch's SparseAdam, except that ε is added to √v̂, as in the algorithm, and not to √v.
    """

    name: ClassVar[str] = "adam"

    def coefficients(self, step: int, learning_rate: float) -> dict[str, float]:
        """The learning rate, and what corrects the bias of both means towards their start: 1 / (1 - βᵗ)."""
        return {
            "learning_rate": learning_rate,
            "mean_correction": 1 / (1 - self.beta1**step),
            "square_correction": 1 / (1 - self.beta2**step),
        }

    def update(
        self, parameter: Tensor, gradient: Tensor, state: Mapping[str, Tensor], scalars: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The equations above."""
        mean = self.beta1 * state["mean"] + (1 - self.beta1) * gradient
        square = self.beta2 * state["square"] + (1 - self.beta2) * gradient * gradient
        deviation = sqrt(square * scalars["square_correction"])
        change = scalars["learning_rate"] * (mean * scalars["mean_correction"]) / (deviation + self.epsilon)
        return parameter - change, {"mean": mean, "square": square}

    # What a pause does to rows of a table, for compiled steps; the series is that of `Adaptive`, with

    def closed_form_from(self) -> int | None:
        """With the usual β after 64 steps: before, 1 - β₂ᵗ changes too fast."""
        return exact_from(self.beta1, math.sqrt(self.beta2), self.beta2)

    def weight(self, pause: Pause) -> Tensor:
        """c = η / (1 - β₁ᵗ)."""
        return pause.coefficient("learning_rate", pause.last) * pause.coefficient("mean_correction", pause.last)

    def faded(self, pause: Pause) -> Tensor:
        """ρ = √((1 - β₂ᵃ⁺¹) / (1 - β₂ᵗ) · β₂ᵗ⁻ᵃ)."""
        then = pause.coefficient("square_correction", pause.first + 1)
        now = pause.coefficient("square_correction", pause.last)
        return sqrt(now / then) * pause.power(math.sqrt(self.beta2))

    def root(self, state: Mapping[str, Tensor], pause: Pause) -> Tensor:
        """u = √(v / (1 - β₂ᵃ⁺¹))."""
        return sqrt(
            state["square"] * pause.rows(pause.coefficient("square_correction", pause.first + 1), state["square"])
        )
