"""RMSprop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from chainrule.blocks import maximum, sqrt, zeros
from chainrule.dataclasses import dataclass
from chainrule.graph.tensor import Tensor
from chainrule.optim.optimizer import OPTIMIZERS, Optimizer
from chainrule.optim.pause import Pause
from chainrule.optim.rules.decay import lasts
from chainrule.settings import setting


@OPTIMIZERS.register
@dataclass(frozen=True)
class RMSprop(Optimizer):
    """Steps divided by a running size of the gradient, with a momentum μ or without.

        v ← α v + (1 - α) g²,    centered: also a ← α a + (1 - α) g
        d = g / (√v + ε),        centered: d = g / (√(v - a²) + ε)
        θ ← θ - η d,             with momentum: b ← μ b + d,    θ ← θ - η b

    In k steps without a gradient v and a are multiplied by αᵏ, b by μᵏ, and θ moves by what SGD's momentum does.

    Attributes:
        learning_rate: η.
        decay: α, at least 0 and below 1.
        momentum: μ, at least 0 and below 1.
        centered: divide by the deviation of the gradient from its mean, and not from 0.
        epsilon: ε, above 0.
        lazy: for a row-sparse gradient, leave v, a, b and θ of the other rows as they are; see `Rule`.

    Raises:
        ConfigurationError: for hyper-parameters outside these ranges.

    Example (the size of the gradient does not matter):
        >>> import chainrule
        >>> weight = chainrule.Parameter.of([1.0, 2.0])
        >>> rule = RMSprop(0.05)
        >>> state = rule.start([weight])
        >>> for _ in range(2):
        ...     rule.step([weight], [chainrule.tensor([4.0, -0.1])], state)
        ...     print(weight.value.round(3))
        [0.5 2.5]
        [0.146 2.854]

    Source: Tieleman and Hinton, Lecture 6.5, Neural Networks for Machine Learning (2012); centered: Graves, Generating
    Sequences with Recurrent Neural Networks (2013). ε stands outside the root, as in PyTorch. Rounding may take v - a²
    below 0, which counts as 0 here and gives NaN in PyTorch.
    """

    name: ClassVar[str] = "rmsprop"

    learning_rate: float = 1e-2
    decay: float = setting(0.99, "decay of means of squares, a step", least=0, below=1)
    momentum: float = setting(0.0, "share of the last step that is taken again", least=0, below=1)
    centered: bool = setting(False, "divide by the deviation of the gradient from its mean")
    epsilon: float = setting(1e-8, "added to the divisor of a step", above=0)

    sums: ClassVar[tuple[str, ...]] = ("drift",)

    def init(self, parameter: Tensor) -> dict[str, Tensor]:
        """v ("square"), a ("mean") where it is centered and b ("velocity") with momentum, at 0."""
        names = ["square", *["mean"] * self.centered, *["velocity"] * bool(self.momentum)]
        return {name: zeros(parameter.shape, dtype=parameter.dtype) for name in names}

    def update(
        self, parameter: Tensor, gradient: Tensor, state: Mapping[str, Tensor], scalars: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The equations above."""
        square = self.decay * state["square"] + (1 - self.decay) * gradient * gradient
        after, variance = {"square": square}, square
        if self.centered:
            mean = self.decay * state["mean"] + (1 - self.decay) * gradient
            after["mean"], variance = mean, maximum(square - mean * mean, 0)
        direction = gradient / (sqrt(variance) + self.epsilon)
        if self.momentum:
            after["velocity"] = direction = self.momentum * state["velocity"] + direction
        return parameter - scalars["learning_rate"] * direction, after

    # What a pause does to rows of a table, for compiled steps.

    @property
    def sleeps(self) -> bool:
        """A row without velocity does not move."""
        return True

    def closed_form_from(self) -> int:
        """From the start: the closed form is exact."""
        return 0

    def horizon(self) -> int:
        """Until μᵏ is nothing beside 1 in float64."""
        return lasts(self.momentum)

    def grow(self, pause: Pause) -> dict[str, Tensor]:
        """The drift D = Σ η_{a+i} μⁱ."""
        step = pause.coefficient("learning_rate", pause.last) * pause.power(self.momentum)
        return {"drift": pause.sums["drift"] + step}

    def after_pause(
        self, parameter: Tensor, state: Mapping[str, Tensor], pause: Pause
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """v ← αᵏ v,  a ← αᵏ a,  b ← μᵏ b,  θ ← θ - D b after k steps."""
        bases = {"square": self.decay, "mean": self.decay, "velocity": self.momentum}
        after = {name: pause.rows(pause.power(bases[name]), parameter) * held for name, held in state.items()}
        if self.momentum:
            parameter = parameter - pause.rows(pause.sums["drift"], parameter) * state["velocity"]
        return parameter, after
