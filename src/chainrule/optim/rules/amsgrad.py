"""AMSGrad."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from chainrule.blocks import maximum, sqrt
from chainrule.graph.tensor import Tensor
from chainrule.optim.optimizer import OPTIMIZERS
from chainrule.optim.pause import Pause
from chainrule.optim.rules.adam import Adam
from chainrule.optim.rules.adaptive import exact_from


@OPTIMIZERS.register
class AMSGrad(Adam):
    """Adam whose divisor never falls: it takes the largest mean of squared gradients so far.

        m ← β₁ m + (1 - β₁) g,    v ← β₂ v + (1 - β₂) g²,    w ← max(w, v)
        θ ← θ - η m̂ / (√(w / (1 - β₂ᵗ)) + ε),    m̂ = m / (1 - β₁ᵗ)

    Attributes:
        learning_rate: η.
        beta1: β₁, at least 0 and below 1.
        beta2: β₂, at least 0 and below 1.
        epsilon: ε, above 0.
        lazy: for a row-sparse gradient, leave m, v, w and θ of the other rows as they are; see `Rule`.

    Raises:
        ConfigurationError: for hyper-parameters outside these ranges.

    Example (the divisor remembers the large gradient for good):
        >>> import chainrule
        >>> weight = chainrule.Parameter.of([1.0, 2.0])
        >>> rule = AMSGrad(0.5, beta1=0, beta2=0.5)
        >>> state = rule.start([weight])
        >>> for gradient in (4.0, 0.1, 0.1):
        ...     rule.step([weight], [chainrule.tensor([gradient, 0.1])], state)
        ...     print(weight.value.round(3))
        [0.5 1.5]
        [0.485 1.   ]
        [0.468 0.5  ]

    Source: Reddi, Kale and Kumar, On the Convergence of Adam and Beyond (2018), algorithm 2, with Adam's corrections of
    the bias, as PyTorch has them: the largest v is taken before it is corrected.
    """

    name: ClassVar[str] = "amsgrad"

    remembers: ClassVar[tuple[str, ...]] = ("mean", "square", "largest")

    def update(
        self, parameter: Tensor, gradient: Tensor, state: Mapping[str, Tensor], scalars: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The equations above."""
        mean = self.beta1 * state["mean"] + (1 - self.beta1) * gradient
        square = self.beta2 * state["square"] + (1 - self.beta2) * gradient * gradient
        largest = maximum(state["largest"], square)
        deviation = sqrt(largest * scalars["square_correction"])
        change = scalars["learning_rate"] * (mean * scalars["mean_correction"]) / (deviation + self.epsilon)
        return parameter - change, {"mean": mean, "square": square, "largest": largest}

    # What a pause does to rows of a table: Adam's series, in which w does not decay.

    def closed_form_from(self) -> int | None:
        """With the usual β after 64 steps."""
        return exact_from(self.beta1, 1.0, self.beta2)

    def faded(self, pause: Pause) -> Tensor:
        """ρ = √((1 - β₂ᵃ⁺¹) / (1 - β₂ᵗ))."""
        then = pause.coefficient("square_correction", pause.first + 1)
        return sqrt(pause.coefficient("square_correction", pause.last) / then)

    def root(self, state: Mapping[str, Tensor], pause: Pause) -> Tensor:
        """u = √(w / (1 - β₂ᵃ⁺¹))."""
        return super().root({"square": state["largest"]}, pause)
