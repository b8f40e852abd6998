"""Lion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from chainrule.blocks import sign, zeros
from chainrule.dataclasses import dataclass
from chainrule.graph.tensor import Tensor
from chainrule.optim.optimizer import OPTIMIZERS, Optimizer
from chainrule.optim.pause import LONGEST_PAUSE, Pause
from chainrule.optim.rules.decay import kept
from chainrule.settings import setting


@OPTIMIZERS.register
@dataclass(frozen=True)
class Lion(Optimizer):
    """Steps of one size along the sign of a mean of gradients; it remembers one number a weight, Adam two.

        c = β₁ m + (1 - β₁) g
        θ ← (1 - η λ) θ - η sign(c)
        m ← β₂ m + (1 - β₂) g

    A row without a gradient goes on along the sign of m, by the sum of the learning rates.

    Attributes:
        learning_rate: η; a third to a tenth of what suits Adam.
        beta1: β₁, at least 0 and below 1.
        beta2: β₂, at least 0 and below 1.
        weight_decay: λ, at least 0; η λ is below 1. Three to ten times of what suits AdamW.
        lazy: for a row-sparse gradient, leave m and θ of the other rows as they are; see `Rule`.

    Raises:
        ConfigurationError: for hyper-parameters outside these ranges.

    Example:
        >>> import chainrule
        >>> weight = chainrule.Parameter.of([1.0, 2.0])
        >>> rule = Lion(0.5)
        >>> rule.step([weight], [chainrule.tensor([4.0, -0.1])], rule.start([weight]))
        >>> weight.value
        array([0.5, 2.5], dtype=float32)

    Source: Chen et al., Symbolic Discovery of Optimization Algorithms (2023), algorithm 2.
    """

    name: ClassVar[str] = "lion"

    learning_rate: float = 1e-4
    beta1: float = setting(0.9, "decay of the mean of gradients, a step", least=0, below=1)
    beta2: float = setting(
        0.99, "second β: decay of the mean of squared gradients (lion: of gradients), a step", least=0, below=1
    )
    weight_decay: float = setting(0.0, "share of a weight that decays in a step, times the learning rate", least=0)

    sums: ClassVar[tuple[str, ...]] = ("path",)
    compounds: ClassVar[tuple[str, ...]] = ("keep",)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.coefficients(1, self.learning_rate)

    def init(self, parameter: Tensor) -> dict[str, Tensor]:
        """m ("mean"), at 0."""
        return {"mean": zeros(parameter.shape, dtype=parameter.dtype)}

    def coefficients(self, step: int, learning_rate: float) -> dict[str, float]:  # noqa: ARG002
        """The learning rate, and what is kept of each weight: 1 - η λ.

        Raises:
            ConfigurationError: when nothing would be kept.
        """
        return {"learning_rate": learning_rate, "keep": kept(self, learning_rate, self.weight_decay)}

    def update(
        self, parameter: Tensor, gradient: Tensor, state: Mapping[str, Tensor], scalars: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The equations above."""
        direction = sign(self.beta1 * state["mean"] + (1 - self.beta1) * gradient)
        mean = self.beta2 * state["mean"] + (1 - self.beta2) * gradient
        return parameter * scalars["keep"] - scalars["learning_rate"] * direction, {"mean": mean}

    # What a pause does to rows of a table, for compiled steps.

    @property
    def sleeps(self) -> bool:
        """A row without a mean does not move, unless it decays."""
        return not self.weight_decay

    def closed_form_from(self) -> int:
        """From the start: the closed form is exact, as long as no mean fades below the smallest number."""
        return 0

    def horizon(self) -> int:
        """A sign does not fade."""
        return LONGEST_PAUSE

    def grow(self, pause: Pause) -> dict[str, Tensor]:
        """The path S = Σ η_t Π (1 - η λ) of the steps that follow t."""
        rate, keep = (pause.coefficient(name, pause.last) for name in ("learning_rate", "keep"))
        return {"path": pause.sums["path"] * keep + rate}

    def after_pause(
        self, parameter: Tensor, state: Mapping[str, Tensor], pause: Pause
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """m ← β₂ᵏ m,  θ ← θ Π (1 - η λ) - S sign(β₁ m) after k steps."""
        mean = state["mean"]
        remains = pause.rows(pause.product("keep", pause.first, pause.last), parameter)
        moved = parameter * remains - pause.rows(pause.sums["path"], parameter) * sign(self.beta1 * mean)
        return moved, {"mean": pause.rows(pause.power(self.beta2), parameter) * mean}
