"""AdamW."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from chainrule.blocks import minimum
from chainrule.dataclasses import dataclass
from chainrule.graph.tensor import Tensor
from chainrule.optim.optimizer import OPTIMIZERS
from chainrule.optim.pause import Pause
from chainrule.optim.rules.adam import Adam
from chainrule.optim.rules.decay import kept
from chainrule.settings import setting


@OPTIMIZERS.register
@dataclass(frozen=True)
class AdamW(Adam):
    """Adam whose weights decay by themselves, apart from the gradient.

        θ ← (1 - η λ) θ,    then Adam's step

    Attributes:
        learning_rate: η.
        beta1: β₁, at least 0 and below 1.
        beta2: β₂, at least 0 and below 1.
        epsilon: ε, above 0.
        weight_decay: λ, at least 0; η λ is below 1.
        lazy: for a row-sparse gradient, leave the other rows as they are: they do not decay either.

    Raises:
        ConfigurationError: for hyper-parameters outside these ranges.

    Example (without a gradient, a weight only decays):
        >>> import chainrule
        >>> weight = chainrule.Parameter.of([1.0, 2.0])
        >>> rule = AdamW(0.5, weight_decay=0.1)
        >>> rule.step([weight], [chainrule.tensor([0.0, 0.0])], rule.start([weight]))
        >>> weight.value
        array([0.95, 1.9 ], dtype=float32)

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization (2019), algorithm 2, in PyTorch's form: the
    decay is multiplied by the learning rate.
    """

    name: ClassVar[str] = "adamw"

    weight_decay: float = setting(1e-2, "share of a weight that decays in a step, times the learning rate", least=0)

    compounds: ClassVar[tuple[str, ...]] = ("keep",)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.coefficients(1, self.learning_rate)

    @property
    def sleeps(self) -> bool:
        """Every row decays."""
        return False

    def coefficients(self, step: int, learning_rate: float) -> dict[str, float]:
        """Adam's, and what is kept of each weight: 1 - η λ.

        Raises:
            ConfigurationError: when nothing would be kept.
        """
        keep = kept(self, learning_rate, self.weight_decay)
        return {**super().coefficients(step, learning_rate), "keep": keep}

    def update(
        self, parameter: Tensor, gradient: Tensor, state: Mapping[str, Tensor], scalars: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The equations above."""
        return super().update(parameter * scalars["keep"], gradient, state, scalars)

    def grow(self, pause: Pause) -> dict[str, Tensor]:
        """Adam's sums, of which a part is kept in each step."""
        keep = pause.coefficient("keep", pause.last)
        return {name: pause.sums[name] * keep + term for name, term in self.terms(pause).items()}

    def after_pause(
        self, parameter: Tensor, state: Mapping[str, Tensor], pause: Pause
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Adam's series, with the decay of the row and of how far it moved."""
        end = minimum(pause.first + self.horizon(), pause.last)  # the sums know of the decay until then
        sums = {name: total * pause.product("keep", end, pause.last) for name, total in pause.sums.items()}
        remains = pause.rows(pause.product("keep", pause.first, pause.last), parameter)
        return super().after_pause(parameter * remains, state, replace(pause, sums=sums))
