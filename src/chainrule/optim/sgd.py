"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from chainrule.errors import ConfigurationError
from chainrule.graph.tensor import Tensor, tensor
from chainrule.optim.optimizer import Optimizer, require_within


@dataclass(frozen=True)
class SGD(Optimizer):
    """Steps against the gradient, with a momentum μ or without.

        plain:     θ ← θ - η g
        momentum:  v ← μ v + g,    θ ← θ - η v
        Nesterov:  v ← μ v + g,    θ ← θ - η (g + μ v)

    Without momentum a row without a gradient does not change, so that tables are updated by rows, lazy or not.

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
