"""Stochastic gradient descent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from chainrule.errors import ConfigurationError
from chainrule.graph.tensor import Tensor, tensor
from chainrule.optim.deferred import Rest
from chainrule.optim.optimizer import Optimizer, require_within


@dataclass(frozen=True)
class SGD(Optimizer):
    """Steps against the gradient, with a momentum μ or without.

        plain:     θ ← θ - η g
        momentum:  v ← μ v + g,    θ ← θ - η v
        Nesterov:  v ← μ v + g,    θ ← θ - η (g + μ v)

    Without momentum a row without a gradient does not change, so that tables are updated by rows, lazy or not. With it,
    k steps without a gradient after step a come to

        v ← μᵏ v,    θ ← θ - D v,    D = Σ_{i=1..k} η_{a+i} μⁱ    (Nesterov: μⁱ⁺¹)

    which is how tables are updated in compiled steps; see `chainrule.optim.deferred`.

    Attributes:
        learning_rate: η.
        momentum: μ, at least 0 and below 1.
        nesterov: the last form; it needs a momentum.
        lazy: let the velocity v of a row rest while it has no gradient; see `Optimizer`.

    Raises:
        ConfigurationError: for hyper-parameters outside these ranges.

    Example:
        >>> import chainrule
        >>> weight = chainrule.Parameter.of([1.0, 2.0])
        >>> sgd = SGD(0.5)
        >>> sgd.step([weight], [chainrule.tensor([1.0, 0.0])], sgd.start([weight]))
        >>> weight.value
        array([0.5, 2. ], dtype=float32)

    Source: Sutskever et al., On the Importance of Initialization and Momentum in Deep Learning (2013), in PyTorch's
    form: η multiplies the velocity where it is used and not the gradients in it, so that a new learning rate takes
    effect at once, and θ stands for the point at which the gradient is taken.
    """

    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_within("SGD", "a momentum", self.momentum, 0, 1)
        if self.nesterov and not self.momentum:
            raise ConfigurationError("SGD: nesterov needs a momentum above 0, such as 0.9")

    @property
    def row_updates(self) -> bool:
        """Whether a row-sparse gradient updates its rows only."""
        return self.lazy or not self.momentum

    sleeps: ClassVar[bool] = True
    sums: ClassVar[tuple[str, ...]] = ("drift",)

    def rests_from(self) -> int:
        """From the start: the closed form is exact."""
        return 0

    def horizon(self) -> int:
        """Until μᵏ is nothing beside 1 in float64."""
        return math.ceil(math.log(1e-17) / math.log(self.momentum)) if self.momentum else 1

    def grow(self, rest: Rest) -> dict[str, Tensor]:
        """The drift D."""
        weight = rest.power(self.momentum) * (self.momentum if self.nesterov else 1.0)
        return {"drift": rest.sums["drift"] + rest.coefficient("learning_rate", rest.last) * weight}

    def rest(self, parameter: Tensor, state: Mapping[str, Tensor], rest: Rest) -> tuple[Tensor, dict[str, Tensor]]:
        """The equations above."""
        if not self.momentum:
            return parameter, {}
        velocity = state["velocity"]
        moved = parameter - rest.rows(rest.sums["drift"], parameter) * velocity
        return moved, {"velocity": rest.rows(rest.power(self.momentum), parameter) * velocity}

    def init(self, parameter: Tensor) -> dict[str, Tensor]:
        """The velocity v, at 0; nothing without momentum."""
        if not self.momentum:
            return {}
        return {"velocity": tensor(np.zeros(parameter.shape), parameter.dtype, name="velocity")}

    def update(
        self, parameter: Tensor, gradient: Tensor, state: Mapping[str, Tensor], c: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The equations above."""
        if not self.momentum:
            return parameter - c["learning_rate"] * gradient, {}
        velocity = self.momentum * state["velocity"] + gradient
        direction = gradient + self.momentum * velocity if self.nesterov else velocity
        return parameter - c["learning_rate"] * direction, {"velocity": velocity}
