"""Adam and AdamW."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from chainrule.blocks import minimum, sqrt, zeros
from chainrule.errors import ConfigurationError
from chainrule.graph.tensor import Tensor
from chainrule.optim.optimizer import OPTIMIZERS, Optimizer
from chainrule.optim.pause import Pause
from chainrule.settings import setting

#: Terms of the series that stands for steps without a gradient, and how far off it may be.
TERMS, TOLERANCE = 8, 1e-6
#: A weight βᵏ below this adds nothing to the series.
NEGLIGIBLE = 1e-10


@OPTIMIZERS.register
@dataclass(frozen=True)
class Adam(Optimizer):
    """Steps scaled by running means of the gradient and its square.

        m ← β₁ m + (1 - β₁) g,    m̂ = m / (1 - β₁ᵗ)
        v ← β₂ v + (1 - β₂) g²,   v̂ = v / (1 - β₂ᵗ)
        θ ← θ - η m̂ / (√v̂ + ε)

    Attributes:
        learning_rate: η.
        beta1: β₁, at least 0 and below 1.
        beta2: β₂, at least 0 and below 1.
        epsilon: ε, above 0.
        lazy: for a row-sparse gradient, leave m, v and θ of the other rows as they are; see `Rule`. t counts all steps.

    Raises:
        ConfigurationError: for hyper-parameters outside these ranges.

    Example (f(x, y) = x² + 25 y²: the scale of a direction does not matter):
        >>> import chainrule
        >>> point = chainrule.Parameter.of([1.0, 1.0])
        >>> adam = Adam(0.5)
        >>> state = adam.start([point])
        >>> for step in range(1, 5):
        ...     loss = (chainrule.tensor([1.0, 25.0]) * point * point).sum()
        ...     adam.step([point], chainrule.gradients(loss, [point]), state)
        ...     print(step, f"{loss.item():6.3f}", point.value.round(3))
        1 26.000 [0.5 0.5]
        2  6.500 [0.034 0.034]
        3  0.030 [-0.336 -0.336]
        4  2.934 [-0.542 -0.542]

    Source: Kingma and Ba, Adam: A Method for Stochastic Optimization (2015), algorithm 1. The lazy form is that of
    PyTorch's SparseAdam, except that ε is added to √v̂, as in the algorithm, and not to √v.
    """

    name: ClassVar[str] = "adam"

    learning_rate: float = 1e-3
    beta1: float = setting(0.9, "decay of the mean of gradients, a step", least=0, below=1)
    beta2: float = setting(0.999, "decay of the mean of squared gradients, a step", least=0, below=1)
    epsilon: float = setting(1e-8, "added to the divisor of a step", above=0)

    sleeps: ClassVar[bool] = True
    sums: ClassVar[tuple[str, ...]] = tuple(f"term {n}" for n in range(TERMS))

    def init(self, parameter: Tensor) -> dict[str, Tensor]:
        """m ("mean") and v ("square"), at 0."""
        names = ("mean", "square")
        return {name: zeros(parameter.shape, dtype=parameter.dtype) for name in names}

    def coefficients(self, step: int, learning_rate: float) -> dict[str, float]:
        """The learning rate, and what corrects the bias of both means towards their start: 1 / (1 - βᵗ)."""
        return {
            "learning_rate": learning_rate,
            "mean_correction": 1 / (1 - self.beta1**step),
            "square_correction": 1 / (1 - self.beta2**step),
        }

    def update(
        self, parameter: Tensor, gradient: Tensor, state: Mapping[str, Tensor], scalars: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The equations above."""
        mean = self.beta1 * state["mean"] + (1 - self.beta1) * gradient
        square = self.beta2 * state["square"] + (1 - self.beta2) * gradient * gradient
        deviation = sqrt(square * scalars["square_correction"])
        change = scalars["learning_rate"] * (mean * scalars["mean_correction"]) / (deviation + self.epsilon)
        return parameter - change, {"mean": mean, "square": square}

    # What a pause does to rows of a table, for compiled steps.

    def closed_form_from(self) -> int | None:
        """The first step from which the series is off by at most a millionth; None where it never is."""
        return _exact_from(self.beta1, self.beta2)

    def horizon(self) -> int:
        """Until β₁ᵏ is negligible."""
        return math.ceil(math.log(NEGLIGIBLE) / math.log(self.beta1)) if self.beta1 else 1

    def grow(self, pause: Pause) -> dict[str, Tensor]:
        """The sums Mₙ."""
        return {name: pause.sums[name] + term for name, term in self._terms(pause).items()}

    def _terms(self, pause: Pause) -> dict[str, Tensor]:
        """What a step adds to the sums."""
        then = pause.coefficient("square_correction", pause.first + 1)
        now = pause.coefficient("square_correction", pause.last)
        off = 1 - sqrt(now / then) * pause.power(math.sqrt(self.beta2))
        rate = pause.coefficient("learning_rate", pause.last) * pause.coefficient("mean_correction", pause.last)
        term = rate * pause.power(self.beta1)
        found = {}
        for name in self.sums:
            found[name] = term
            term = term * off
        return found

    def after_pause(
        self, parameter: Tensor, state: Mapping[str, Tensor], pause: Pause
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """A series of eight terms.

        A row that has no gradient for k steps after step a moves, with u = √(v / (1 - β₂ᵃ⁺¹)) and z = u / (u + ε), by

            Δθ = -m / (u + ε) · Σₙ Mₙ zⁿ,    Mₙ = Σ_{t=a+1..a+k} η_t β₁ᵗ⁻ᵃ / (1 - β₁ᵗ) · (1 - ρ_t)ⁿ,
            ρ_t = √((1 - β₂ᵃ⁺¹) / (1 - β₂ᵗ) · β₂ᵗ⁻ᵃ)

        as 1 / (u ρ + ε) = 1 / (u + ε) · Σₙ zⁿ (1 - ρ)ⁿ. The Mₙ (`sums`) are the same for all numbers of all rows whose
        pause began after a. Eight terms are as exact as float32 once 1 - β₂ᵗ no longer changes fast, with the usual β
        after some hundred steps (`closed_form_from`).
        """
        mean, square = state["mean"], state["square"]
        correction = pause.rows(pause.coefficient("square_correction", pause.first + 1), square)
        share = 1 / (sqrt(square * correction) + self.epsilon)
        z = 1 - self.epsilon * share
        *others, total = (pause.rows(pause.sums[name], parameter) for name in self.sums)
        for term in reversed(others):
            total = total * z + term
        decays = {"mean": self.beta1, "square": self.beta2}
        decayed = {name: state[name] * pause.rows(pause.power(beta), parameter) for name, beta in decays.items()}
        return parameter - mean * share * total, decayed


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

    sleeps: ClassVar[bool] = False
    compounds: ClassVar[tuple[str, ...]] = ("keep",)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.coefficients(1, self.learning_rate)

    def coefficients(self, step: int, learning_rate: float) -> dict[str, float]:
        """Adam's, and what is kept of each weight: 1 - η λ.

        Raises:
            ConfigurationError: when nothing would be kept.
        """
        keep = 1 - learning_rate * self.weight_decay
        if keep <= 0:
            raise ConfigurationError(
                f"AdamW: expected learning_rate × weight_decay below 1, got {learning_rate} × {self.weight_decay}, "
                f"which leaves nothing of the weights"
            )
        return {**super().coefficients(step, learning_rate), "keep": keep}

    def update(
        self, parameter: Tensor, gradient: Tensor, state: Mapping[str, Tensor], scalars: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The equations above."""
        return super().update(parameter * scalars["keep"], gradient, state, scalars)

    def grow(self, pause: Pause) -> dict[str, Tensor]:
        """Adam's sums, of which a part is kept in each step."""
        keep = pause.coefficient("keep", pause.last)
        return {name: pause.sums[name] * keep + term for name, term in self._terms(pause).items()}

    def after_pause(
        self, parameter: Tensor, state: Mapping[str, Tensor], pause: Pause
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Adam's series, with the decay of the row and of how far it moved."""
        end = minimum(pause.first + self.horizon(), pause.last)  # the sums know of the decay until then
        sums = {name: total * pause.product("keep", end, pause.last) for name, total in pause.sums.items()}
        kept = pause.rows(pause.product("keep", pause.first, pause.last), parameter)
        return super().after_pause(parameter * kept, state, replace(pause, sums=sums))


@functools.cache
def _exact_from(beta1: float, beta2: float) -> int | None:
    """The first step after which a pause may begin for the series to be within the tolerance.

    What the series leaves out is largest for z = 1; it falls with the step.
    """
    if not beta1:
        return 0
    gap = np.arange(1, math.ceil(math.log(NEGLIGIBLE) / math.log(beta1)) + 1)
    for first in (0, *(2**n for n in range(4, 20))):
        with np.errstate(all="ignore"):
            corrections = (1 - beta2 ** (first + 1)) / (1 - beta2 ** (first + gap))
            ratio = np.sqrt(corrections * beta2**gap)
            moves = beta1**gap / (1 - beta1 ** (first + gap)) / ratio
            left_out = np.sum(moves * (1 - ratio) ** TERMS) / np.sum(moves)
        if float(left_out) <= TOLERANCE:
            return int(first)
    return None
