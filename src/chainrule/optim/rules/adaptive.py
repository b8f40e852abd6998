"""Adaptive: what rules have in common that divide a mean of gradients by a running size of them."""

from __future__ import annotations

import functools
import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from chainrule.blocks import zeros
from chainrule.dataclasses import dataclass
from chainrule.graph.tensor import Tensor
from chainrule.optim.optimizer import Optimizer
from chainrule.optim.pause import Pause
from chainrule.settings import setting

#: Terms of the series that stands for steps without a gradient, and how far off it may be.
TERMS, TOLERANCE = 8, 1e-6
#: A weight βᵏ below this adds nothing to the series.
NEGLIGIBLE = 1e-10


@dataclass(frozen=True)
class Adaptive(Optimizer):
    """A rule that moves by c m / (u + ε): m a decaying mean of gradients, u their size, and c numbers of the step.

    Without a gradient m is multiplied by β₁ in each step, and u fades to ρ u, with ρ the same for all numbers of a row.
    A row that has no gradient for k steps after step a then moves, with z = u / (u + ε) for the u of step a + 1 before
    it fades, by

        Δθ = -m / (u + ε) · Σₙ Mₙ zⁿ,    Mₙ = Σ_{t=a+1..a+k} c_t β₁ᵗ⁻ᵃ (1 - ρ_t)ⁿ

    as 1 / (u ρ + ε) = 1 / (u + ε) · Σₙ zⁿ (1 - ρ)ⁿ. The Mₙ (`sums`) are the same for all numbers of all rows whose
    pause began after a. Eight terms are as exact as float32 once ρ changes slowly (`closed_form_from`).

    A rule defines `weight` (c), `faded` (ρ), `root` (u) and `decays` besides its equations.
    """

    learning_rate: float = 1e-3
    beta1: float = setting(0.9, "decay of the mean of gradients, a step", least=0, below=1)
    beta2: float = setting(
        0.999, "second β: decay of the mean of squared gradients (lion: of gradients), a step", least=0, below=1
    )
    epsilon: float = setting(1e-8, "added to the divisor of a step", above=0)

    sums: ClassVar[tuple[str, ...]] = tuple(f"term {n}" for n in range(TERMS))
    #: The names of what is remembered.
    remembers: ClassVar[tuple[str, ...]] = ("mean", "square")

    @property
    def sleeps(self) -> bool:
        """A row that never had a gradient does not move."""
        return True

    def init(self, parameter: Tensor) -> dict[str, Tensor]:
        """m ("mean"), and what u comes from, at 0."""
        return {name: zeros(parameter.shape, dtype=parameter.dtype) for name in self.remembers}

    def horizon(self) -> int:
        """Until β₁ᵏ is negligible."""
        return math.ceil(math.log(NEGLIGIBLE) / math.log(self.beta1)) if self.beta1 else 1

    def grow(self, pause: Pause) -> dict[str, Tensor]:
        """The sums Mₙ."""
        return {name: pause.sums[name] + term for name, term in self.terms(pause).items()}

    def terms(self, pause: Pause) -> dict[str, Tensor]:
        """What a step adds to the sums Mₙ."""
        off = 1 - self.faded(pause)
        term = self.weight(pause) * pause.power(self.beta1)
        found = {}
        for n in range(TERMS):
            found[f"term {n}"] = term
            term = term * off
        return found

    def after_pause(
        self, parameter: Tensor, state: Mapping[str, Tensor], pause: Pause
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The series above."""
        share = 1 / (self.root(state, pause) + self.epsilon)
        z = 1 - self.epsilon * share
        *others, total = (pause.rows(pause.sums[f"term {n}"], parameter) for n in range(TERMS))
        for term in reversed(others):
            total = total * z + term
        decayed = {name: state[name] * pause.rows(pause.power(b), parameter) for name, b in self.decays.items()}
        return parameter - state["mean"] * share * total, {**state, **decayed}

    @abstractmethod
    def weight(self, pause: Pause) -> Tensor:
        """c of the step `pause.last`."""

    @abstractmethod
    def faded(self, pause: Pause) -> Tensor:
        """ρ after the step `pause.last`, for each pause."""

    @abstractmethod
    def root(self, state: Mapping[str, Tensor], pause: Pause) -> Tensor:
        """u of each number of each row, of the first step of its pause before it fades."""

    @property
    def decays(self) -> dict[str, float]:
        """What each number that is remembered is multiplied by in a step without a gradient; others stay."""
        return dict(zip(self.remembers, (self.beta1, self.beta2), strict=False))


@functools.cache
def exact_from(beta1: float, fade: float, corrected: float) -> int | None:
    """The first step after which a pause may begin for the series to be within the tolerance; None where it never is.

    What the series leaves out is largest for z = 1; it falls with the step.

    Args:
        beta1: β₁.
        fade: what u is multiplied by in each step without a gradient.
        corrected: the β of the correction of u by 1 / √(1 - βᵗ); 0 for none.
    """
    if not beta1:
        return 0
    gap = np.arange(1, math.ceil(math.log(NEGLIGIBLE) / math.log(beta1)) + 1)
    for first in (0, *(2**n for n in range(4, 20))):
        with np.errstate(all="ignore"):
            corrections = (1 - corrected ** (first + 1)) / (1 - corrected ** (first + gap))
            ratio = np.sqrt(corrections * fade ** (2 * gap))
            moves = beta1**gap / (1 - beta1 ** (first + gap)) / ratio
            left_out = np.sum(moves * (1 - ratio) ** TERMS) / np.sum(moves)
        if float(left_out) <= TOLERANCE:
            return int(first)
    return None
