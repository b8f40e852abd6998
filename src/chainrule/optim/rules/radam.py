"""RAdam."""

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
class RAdam(Adaptive):
    """Adam that waits with its divisor until the mean of squared gradients can be trusted.

        m ← β₁ m + (1 - β₁) g,    v ← β₂ v + (1 - β₂) g²,    m̂ = m / (1 - β₁ᵗ)
        ρ∞ = 2 / (1 - β₂) - 1,    ρ = ρ∞ - 2 t β₂ᵗ / (1 - β₂ᵗ)
        ρ > 5:   θ ← θ - η r m̂ / (√v + ε) · √(1 - β₂ᵗ),    r = √((ρ - 4) (ρ - 2) ρ∞ / ((ρ∞ - 4) (ρ∞ - 2) ρ))
        else:    θ ← θ - η m̂

    Attributes:
        learning_rate: η.
        beta1: β₁, at least 0 and below 1.
        beta2: β₂, at least 0 and below 1.
        epsilon: ε, above 0.
        lazy: for a row-sparse gradient, leave m, v and θ of the other rows as they are; see `Rule`.

    Raises:
        ConfigurationError: for hyper-parameters outside these ranges.

    Example (the first steps are those of momentum: their size is that of the gradient):
        >>> import chainrule
        >>> weight = chainrule.Parameter.of([1.0, 2.0])
        >>> rule = RAdam(0.5)
        >>> rule.step([weight], [chainrule.tensor([4.0, -0.1])], rule.start([weight]))
        >>> weight.value
        array([-1.  ,  2.05], dtype=float32)

    Source: Liu et al., On the Variance of the Adaptive Learning Rate and Beyond (2020), algorithm 2. As in PyTorch, the
    divisor comes in at ρ > 5, where the paper has 4, and ε is added to √v before its bias is corrected.
    """

    name: ClassVar[str] = "radam"

    sums: ClassVar[tuple[str, ...]] = (*Adaptive.sums, "plain")

    def coefficients(self, step: int, learning_rate: float) -> dict[str, float]:
        """The learning rate, and the factors of m / (√v + ε) ("adapted") and of m ("plain"), one of which is 0."""
        correction, fading = 1 / (1 - self.beta1**step), self.beta2**step
        longest = 2 / (1 - self.beta2) - 1
        length = longest - 2 * step * fading / (1 - fading)
        if length <= 5:
            return {"learning_rate": learning_rate, "adapted": 0.0, "plain": correction}
        ratio = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        return {"learning_rate": learning_rate, "adapted": correction * math.sqrt(ratio * (1 - fading)), "plain": 0.0}

    def update(
        self, parameter: Tensor, gradient: Tensor, state: Mapping[str, Tensor], scalars: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The equations above."""
        mean = self.beta1 * state["mean"] + (1 - self.beta1) * gradient
        square = self.beta2 * state["square"] + (1 - self.beta2) * gradient * gradient
        factor = scalars["adapted"] / (sqrt(square) + self.epsilon) + scalars["plain"]
        return parameter - scalars["learning_rate"] * factor * mean, {"mean": mean, "square": square}

    # What a pause does to rows of a table: the series of `Adaptive`, beside which steps without a divisor stand.

    def closed_form_from(self) -> int | None:
        """With the usual β from the start."""
        return exact_from(self.beta1, math.sqrt(self.beta2), 0.0)

    def weight(self, pause: Pause) -> Tensor:
        """c = η r √(1 - β₂ᵗ) / (1 - β₁ᵗ)."""
        return pause.coefficient("learning_rate", pause.last) * pause.coefficient("adapted", pause.last)

    def faded(self, pause: Pause) -> Tensor:
        """ρ = β₂^((t - a) / 2)."""
        return pause.power(math.sqrt(self.beta2))

    def root(self, state: Mapping[str, Tensor], pause: Pause) -> Tensor:  # noqa: ARG002
        """u = √v."""
        return sqrt(state["square"])

    def terms(self, pause: Pause) -> dict[str, Tensor]:
        """Those of the series, and η / (1 - β₁ᵗ) β₁ᵗ⁻ᵃ of the steps without a divisor."""
        plain = pause.coefficient("learning_rate", pause.last) * pause.coefficient("plain", pause.last)
        return {**super().terms(pause), "plain": plain * pause.power(self.beta1)}

    def after_pause(
        self, parameter: Tensor, state: Mapping[str, Tensor], pause: Pause
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The series, and how far m alone moved the row."""
        moved, after = super().after_pause(parameter, state, pause)
        return moved - state["mean"] * pause.rows(pause.sums["plain"], parameter), after
