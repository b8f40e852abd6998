"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from chainrule.blocks import zeros
from chainrule.dataclasses import dataclass
from chainrule.graph.tensor import Tensor
from chainrule.optim.optimizer import OPTIMIZERS, Optimizer
from chainrule.optim.pause import Pause
from chainrule.optim.rules.decay import lasts
from chainrule.settings import SettingError, setting


@OPTIMIZERS.register
@dataclass(frozen=True)
class SGD(Optimizer):
    """Steps against the gradient, with a momentum μ or without.

        plain:     θ ← θ - η g
        momentum:  v ← μ v + g,    θ ← θ - η v
        Nesterov:  v ← μ v + g,    θ ← θ - η (g + μ v)

    Attributes:
        learning_rate: η.
        momentum: μ, at least 0 and below 1.
        nesterov: the last form; it needs a momentum.
        lazy: leave the velocity v of a row as it is while the row has no gradient; see `Rule`.

    Raises:
        ConfigurationError: for hyper-parameters outside these ranges.

    Example (down a valley of f(x, y) = x² + 25 y²):
        >>> import chainrule
        >>> point = chainrule.Parameter.of([1.0, 1.0])
        >>> sgd = SGD(0.03, momentum=0.5)
        >>> state = sgd.start([point])
        >>> for step in range(1, 5):
        ...     loss = (chainrule.tensor([1.0, 25.0]) * point * point).sum()
        ...     sgd.step([point], chainrule.gradients(loss, [point]), state)
        ...     print(step, f"{loss.item():6.3f}", point.value.round(3))
        1 26.000 [ 0.94 -0.5 ]
        2  7.134 [ 0.854 -0.5  ]
        3  6.979 [0.759 0.25 ]
        4  2.139 [0.666 0.25 ]

    Source: Sutskever et al., On the Importance of Initialization and Momentum in Deep Learning (2013), in PyTorch's
    form: η multiplies the velocity where it is used and not the gradients in it, so that a new learning rate takes
    effect at once, and θ stands for the point at which the gradient is taken.
    """

    name: ClassVar[str] = "sgd"

    learning_rate: float = 1e-2
    momentum: float = setting(0.0, "share of the last step that is taken again", least=0, below=1)
    nesterov: bool = setting(False, "look ahead along the momentum")

    sums: ClassVar[tuple[str, ...]] = ("drift",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov and not self.momentum:
            raise SettingError(self.name, "nesterov", "needs a momentum above 0, such as 0.9")

    @property
    def row_updates(self) -> bool:
        """Whether a row-sparse gradient updates its rows only: without momentum, other rows do not move."""
        return self.lazy or not self.momentum

    def init(self, parameter: Tensor) -> dict[str, Tensor]:
        """The velocity v, at 0; nothing without momentum."""
        if not self.momentum:
            return {}
        return {"velocity": zeros(parameter.shape, dtype=parameter.dtype)}

    def update(
        self, parameter: Tensor, gradient: Tensor, state: Mapping[str, Tensor], scalars: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The equations above."""
        if not self.momentum:
            return parameter - scalars["learning_rate"] * gradient, {}
        velocity = self.momentum * state["velocity"] + gradient
        direction = gradient + self.momentum * velocity if self.nesterov else velocity
        return parameter - scalars["learning_rate"] * direction, {"velocity": velocity}

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
        """The drift D."""
        weight = pause.power(self.momentum) * (self.momentum if self.nesterov else 1.0)
        return {"drift": pause.sums["drift"] + pause.coefficient("learning_rate", pause.last) * weight}

    def after_pause(
        self, parameter: Tensor, state: Mapping[str, Tensor], pause: Pause
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """v ← μᵏ v,  θ ← θ - D v,  D = Σ_{i=1..k} η_{a+i} μⁱ (Nesterov: μⁱ⁺¹) after k steps that follow step a."""
        if not self.momentum:
            return parameter, {}
        velocity = state["velocity"]
        moved = parameter - pause.rows(pause.sums["drift"], parameter) * velocity
        return moved, {"velocity": pause.rows(pause.power(self.momentum), parameter) * velocity}
