"""Adagrad."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from chainrule.blocks import full, sqrt
from chainrule.dataclasses import dataclass
from chainrule.graph.tensor import Tensor
from chainrule.optim.optimizer import OPTIMIZERS, Optimizer
from chainrule.settings import setting


@OPTIMIZERS.register
@dataclass(frozen=True)
class Adagrad(Optimizer):
    """Steps divided by the root of all squared gradients so far, so that rare features take large steps.

        s ← s + g²
        θ ← θ - η g / (√s + ε)

    A row of a table without a gradient stays as it is, so only the rows of a batch are updated.

    Attributes:
        learning_rate: η.
        initial: s before the first step, at least 0.
        epsilon: ε, above 0.
        lazy: makes no difference.

    Raises:
        ConfigurationError: for hyper-parameters outside these ranges.

    Example (the second step along the same gradient is shorter):
        >>> import chainrule
        >>> weight = chainrule.Parameter.of([1.0, 2.0])
        >>> rule = Adagrad(0.5)
        >>> state = rule.start([weight])
        >>> for _ in range(2):
        ...     rule.step([weight], [chainrule.tensor([4.0, -0.1])], state)
        ...     print(weight.value.round(3))
        [0.5 2.5]
        [0.146 2.854]

    Source: Duchi, Hazan and Singer, Adaptive Subgradient Methods (2011), with a diagonal matrix. ε is PyTorch's.
    """

    name: ClassVar[str] = "adagrad"

    learning_rate: float = 1e-2
    initial: float = setting(0.0, "sum of squared gradients at the start", least=0)
    epsilon: float = setting(1e-10, "added to the divisor of a step", above=0)

    @property
    def row_updates(self) -> bool:
        """Whether a row-sparse gradient updates its rows only: other rows do not change."""
        return True

    def init(self, parameter: Tensor) -> dict[str, Tensor]:
        """s ("square"), all `initial`."""
        return {"square": full(parameter.shape, self.initial, dtype=parameter.dtype)}

    def update(
        self, parameter: Tensor, gradient: Tensor, state: Mapping[str, Tensor], scalars: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The equations above."""
        square = state["square"] + gradient * gradient
        change = scalars["learning_rate"] * gradient / (sqrt(square) + self.epsilon)
        return parameter - change, {"square": square}
