"""LAMB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from chainrule.blocks import greater, sqrt, where
from chainrule.dataclasses import dataclass
from chainrule.graph.tensor import Tensor
from chainrule.optim.optimizer import OPTIMIZERS
from chainrule.optim.rules.adam import Adam
from chainrule.settings import SettingError, setting


@OPTIMIZERS.register
@dataclass(frozen=True)
class LAMB(Adam):
    """Adam whose step in each parameter is as long as that parameter: for large mini-batches.

        m ← β₁ m + (1 - β₁) g,    v ← β₂ v + (1 - β₂) g²
        r = m̂ / (√v̂ + ε) + λ θ,    m̂ = m / (1 - β₁ᵗ),    v̂ = v / (1 - β₂ᵗ)
        θ ← θ - η ‖θ‖ / ‖r‖ · r        (where a norm is 0, the ratio is 1)

    The norms are over all elements of a parameter, so each step changes every row of a table: none is left behind.

    Attributes:
        learning_rate: η.
        beta1: β₁, at least 0 and below 1.
        beta2: β₂, at least 0 and below 1.
        epsilon: ε, above 0.
        weight_decay: λ, at least 0.
        lazy: must be False.

    Raises:
        ConfigurationError: for hyper-parameters outside these ranges.

    Example (the step has a tenth of the length of the weight):
        >>> import chainrule
        >>> weight = chainrule.Parameter.of([3.0, 4.0])
        >>> rule = LAMB(0.1, weight_decay=0)
        >>> rule.step([weight], [chainrule.tensor([4.0, -0.1])], rule.start([weight]))
        >>> (weight.value - [3, 4]).round(4)
        array([-0.3536,  0.3536])

    Source: You et al., Large Batch Optimization for Deep Learning: Training BERT in 76 Minutes (2020), algorithm 2,
    with φ the identity.
    """

    name: ClassVar[str] = "lamb"

    epsilon: float = setting(1e-6, "added to the divisor of a step", above=0)
    weight_decay: float = setting(1e-2, "share of a weight that decays in a step, times the learning rate", least=0)

    rowwise: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lazy:
            raise SettingError(self.name, "lazy", "must be False: the length of a step depends on all rows")

    def update(
        self, parameter: Tensor, gradient: Tensor, state: Mapping[str, Tensor], scalars: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The equations above."""
        mean = self.beta1 * state["mean"] + (1 - self.beta1) * gradient
        square = self.beta2 * state["square"] + (1 - self.beta2) * gradient * gradient
        deviation = sqrt(square * scalars["square_correction"])
        direction = mean * scalars["mean_correction"] / (deviation + self.epsilon) + self.weight_decay * parameter
        length, longest = (sqrt((x * x).sum()) for x in (parameter, direction))
        ratio = where(greater(length, 0) & greater(longest, 0), length / longest, 1)
        return parameter - scalars["learning_rate"] * ratio * direction, {"mean": mean, "square": square}
