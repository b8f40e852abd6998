"""Adamax."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from chainrule.blocks import absolute, maximum
from chainrule.dataclasses import dataclass
from chainrule.graph.tensor import Tensor
from chainrule.optim.optimizer import OPTIMIZERS
from chainrule.optim.pause import Pause
from chainrule.optim.rules.adaptive import Adaptive, exact_from


@OPTIMIZERS.register
@dataclass(frozen=True)
class Adamax(Adaptive):
    """Adam whose divisor is the largest gradient of late: its mean with an infinite power.

        m ← β₁ m + (1 - β₁) g,    m̂ = m / (1 - β₁ᵗ)
        u ← max(β₂ u, |g|)
        θ ← θ - η m̂ / (u + ε)

    Attributes:
        learning_rate: η.
        beta1: β₁, at least 0 and below 1.
        beta2: β₂, at least 0 and below 1.
        epsilon: ε, above 0.
        lazy: for a row-sparse gradient, leave m, u and θ of the other rows as they are; see `Rule`.

    Raises:
        ConfigurationError: for hyper-parameters outside these ranges.

    Example:
        >>> import chainrule
        >>> weight = chainrule.Parameter.of([1.0, 2.0])
        >>> rule = Adamax(0.5)
        >>> rule.step([weight], [chainrule.tensor([4.0, -0.1])], rule.start([weight]))
        >>> weight.value
        array([0.5, 2.5], dtype=float32)

    Source: Kingma and Ba, Adam: A Method for Stochastic Optimization (2015), algorithm 2. The paper has no ε, and
    divides 0 by 0 where no gradient came yet. PyTorch adds ε to |g| in the maximum; the steps differ by at most a share
    of ε / u.
    """

    name: ClassVar[str] = "adamax"

    learning_rate: float = 2e-3

    remembers: ClassVar[tuple[str, ...]] = ("mean", "norm")

    def coefficients(self, step: int, learning_rate: float) -> dict[str, float]:
        """The learning rate, and what corrects the bias of m: 1 / (1 - β₁ᵗ)."""
        return {"learning_rate": learning_rate, "mean_correction": 1 / (1 - self.beta1**step)}

    def update(
        self, parameter: Tensor, gradient: Tensor, state: Mapping[str, Tensor], scalars: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The equations above."""
        mean = self.beta1 * state["mean"] + (1 - self.beta1) * gradient
        norm = maximum(self.beta2 * state["norm"], absolute(gradient))
        change = scalars["learning_rate"] * (mean * scalars["mean_correction"]) / (norm + self.epsilon)
        return parameter - change, {"mean": mean, "norm": norm}

    # What a pause does to rows of a table; the series is that of `Adaptive`, with

    def closed_form_from(self) -> int | None:
        """With the usual β from the start."""
        return exact_from(self.beta1, self.beta2, 0.0)

    def weight(self, pause: Pause) -> Tensor:
        """c = η / (1 - β₁ᵗ)."""
        return pause.coefficient("learning_rate", pause.last) * pause.coefficient("mean_correction", pause.last)

    def faded(self, pause: Pause) -> Tensor:
        """ρ = β₂ᵗ⁻ᵃ."""
        return pause.power(self.beta2)

    def root(self, state: Mapping[str, Tensor], pause: Pause) -> Tensor:  # noqa: ARG002
        """The u that is remembered."""
        return state["norm"]
