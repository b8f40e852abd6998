"""Adadelta."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from chainrule.blocks import sqrt, zeros
from chainrule.dataclasses import dataclass
from chainrule.graph.tensor import Tensor
from chainrule.optim.optimizer import OPTIMIZERS, Optimizer
from chainrule.optim.pause import Pause
from chainrule.settings import setting


@OPTIMIZERS.register
@dataclass(frozen=True)
class Adadelta(Optimizer):
    """Steps in the unit of the parameter: the gradient times the ratio of past changes to past gradients.

        v ← ρ v + (1 - ρ) g²
        Δ = √(d + ε) / √(v + ε) · g,    θ ← θ - η Δ
        d ← ρ d + (1 - ρ) Δ²

    A row without a gradient stays where it is, and v and d are multiplied by ρᵏ in k steps.

    Attributes:
        learning_rate: η.
        decay: ρ, at least 0 and below 1.
        epsilon: ε, above 0; the first changes are about √ε in size.
        lazy: for a row-sparse gradient, leave v and d of the other rows as they are; see `Rule`.

    Raises:
        ConfigurationError: for hyper-parameters outside these ranges.

    Example (the size of the gradient hardly matters):
        >>> import chainrule
        >>> weight = chainrule.Parameter.of([1.0, 2.0])
        >>> rule = Adadelta()
        >>> state = rule.start([weight])
        >>> for _ in range(2):
        ...     rule.step([weight], [chainrule.tensor([4.0, -0.1])], state)
        ...     print(weight.value.round(4))
        [0.9968 2.0032]
        [0.9936 2.0064]

    Source: Zeiler, ADADELTA: An Adaptive Learning Rate Method (2012), algorithm 1, with PyTorch's learning rate.
    """

    name: ClassVar[str] = "adadelta"

    learning_rate: float = 1.0
    decay: float = setting(0.9, "decay of means of squares, a step", least=0, below=1)
    epsilon: float = setting(1e-6, "added to the divisor of a step", above=0)

    def init(self, parameter: Tensor) -> dict[str, Tensor]:
        """v ("square") and d ("change"), at 0."""
        return {name: zeros(parameter.shape, dtype=parameter.dtype) for name in ("square", "change")}

    def update(
        self, parameter: Tensor, gradient: Tensor, state: Mapping[str, Tensor], scalars: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The equations above."""
        square = self.decay * state["square"] + (1 - self.decay) * gradient * gradient
        change = sqrt(state["change"] + self.epsilon) / sqrt(square + self.epsilon) * gradient
        changes = self.decay * state["change"] + (1 - self.decay) * change * change
        return parameter - scalars["learning_rate"] * change, {"square": square, "change": changes}

    # What a pause does to rows of a table, for compiled steps.

    @property
    def sleeps(self) -> bool:
        """A row without a gradient does not move."""
        return True

    def closed_form_from(self) -> int:
        """From the start: the closed form is exact."""
        return 0

    def after_pause(
        self, parameter: Tensor, state: Mapping[str, Tensor], pause: Pause
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """v ← ρᵏ v,  d ← ρᵏ d."""
        share = pause.rows(pause.power(self.decay), parameter)
        return parameter, {name: share * held for name, held in state.items()}
