"""NAdam."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from chainrule.blocks import sqrt
from chainrule.dataclasses import dataclass
from chainrule.graph.tensor import Tensor
from chainrule.optim.optimizer import OPTIMIZERS
from chainrule.optim.rules.adam import Adam
from chainrule.optim.rules.decay import lasts
from chainrule.settings import setting


@OPTIMIZERS.register
@dataclass(frozen=True)
class NAdam(Adam):
    """Adam with Nesterov's momentum: a step looks ahead along the mean of gradients.

        μₜ = β₁ (1 - ½ 0.96^(t ψ)),    πₜ = μ₁ μ₂ ... μₜ
        m ← β₁ m + (1 - β₁) g,    v ← β₂ v + (1 - β₂) g²,    v̂ = v / (1 - β₂ᵗ)
        θ ← θ - η ((1 - μₜ) / (1 - πₜ) g + μₜ₊₁ / (1 - πₜ₊₁) m) / (√v̂ + ε)

    Attributes:
        learning_rate: η.
        beta1: β₁, at least 0 and below 1.
        beta2: β₂, at least 0 and below 1.
        epsilon: ε, above 0.
        momentum_decay: ψ, at least 0: how slowly μ rises from β₁ / 2 to β₁.
        lazy: for a row-sparse gradient, leave m, v and θ of the other rows as they are; see `Rule`.

    Raises:
        ConfigurationError: for hyper-parameters outside these ranges.

    Example:
        >>> import chainrule
        >>> weight = chainrule.Parameter.of([1.0, 2.0])
        >>> rule = NAdam(0.5)
        >>> rule.step([weight], [chainrule.tensor([4.0, -0.1])], rule.start([weight]))
        >>> weight.value.round(3)
        array([0.472, 2.528], dtype=float32)

    Source: Dozat, Incorporating Nesterov Momentum into Adam (2016), with PyTorch's schedule of μ.
    """

    name: ClassVar[str] = "nadam"

    learning_rate: float = 2e-3
    momentum_decay: float = setting(4e-3, "how slowly the momentum rises from half of beta1 to beta1", least=0)

    def coefficients(self, step: int, learning_rate: float) -> dict[str, float]:
        """The learning rate, what m and g are multiplied by, and what corrects the bias of v."""
        least = min(step, lasts(self.beta1))  # πₜ of more steps is nothing beside 1
        shares = 1 - 0.5 * 0.96 ** (np.arange(1, least + 1) * self.momentum_decay)
        product = float(np.prod(self.beta1 * shares))
        now, following = (self.beta1 * (1 - 0.5 * 0.96 ** (t * self.momentum_decay)) for t in (step, step + 1))
        return {
            "learning_rate": learning_rate,
            "mean_correction": following / (1 - product * following),
            "gradient_correction": (1 - now) / (1 - product),
            "square_correction": 1 / (1 - self.beta2**step),
        }

    def update(
        self, parameter: Tensor, gradient: Tensor, state: Mapping[str, Tensor], scalars: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The equations above."""
        mean = self.beta1 * state["mean"] + (1 - self.beta1) * gradient
        square = self.beta2 * state["square"] + (1 - self.beta2) * gradient * gradient
        ahead = scalars["gradient_correction"] * gradient + scalars["mean_correction"] * mean
        change = scalars["learning_rate"] * ahead / (sqrt(square * scalars["square_correction"]) + self.epsilon)
        return parameter - change, {"mean": mean, "square": square}

    # What a pause does to rows of a table: Adam's series, with another correction of m.
