"""Sampling: which token comes next, from the outputs of a network."""

from __future__ import annotations

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, shortened
from chainrule.graph.spec import Array

#: How far sums of probabilities may be from each other by rounding.
ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the next token is drawn.

        p = softmax(z / T),    of which the `top_k` likeliest stay, and of these the fewest that have `top_p` together

    and what stays is divided by its sum. Of equally likely ones, the first stay.

    Attributes:
        temperature: T; 0 takes the likeliest token, below 1 likely ones are drawn more often, above 1 less often.
        top_k: how many tokens may be drawn; None for all.
        top_p: the probability that those which may be drawn have together, above 0 and up to 1; None for all.

    Raises:
        ConfigurationError: for a figure outside its range.

    Example:
        >>> Sampling(top_k=2).probabilities(np.log([0.5, 0.3, 0.2])).round(3)
        array([0.625, 0.375, 0.   ])

    Sources: Fan, Lewis and Dauphin, Hierarchical Neural Story Generation (2018), for top-k; Holtzman et al., The
    Curious Case of Neural Text Degeneration (2020), for top-p.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        t, k, p = self.temperature, self.top_k, self.top_p
        if not _number(t) or not 0 <= t < np.inf:
            raise ConfigurationError(f"temperature: expected a finite number of 0 or more, got {shortened(t)}")
        if k is not None and (isinstance(k, bool) or not isinstance(k, int) or k < 1):
            raise ConfigurationError(f"top_k: expected a whole number of 1 or more, got {shortened(k)}")
        if p is not None and (not _number(p) or not 0 < p <= 1):
            raise ConfigurationError(f"top_p: expected a number above 0 and up to 1, got {shortened(p)}")

    def probabilities(self, outputs: Array) -> Array:
        """The probability of each token, float64 of the shape (tokens,) of the outputs; some of these may be -∞."""
        weights = self._weights(outputs)
        return weights / weights.sum()  # type: ignore[no-any-return]

    def draw(self, outputs: Array, generator: np.random.Generator) -> int:
        """A token, by its probability."""
        if self.temperature == 0:
            return int(outputs.argmax())
        total = self._weights(outputs).cumsum()
        place = int(total.searchsorted(generator.random() * total[-1], side="right"))
        return place if place < len(total) else int(total.searchsorted(total[-1]))  # the last that has a probability

    def _weights(self, outputs: Array) -> Array:
        """Probabilities times a number."""
        weights = outputs.astype(np.float64)
        weights -= weights.max()
        if self.temperature == 0:
            likeliest = np.zeros(len(weights))
            likeliest[weights.argmax()] = 1
            return likeliest
        with np.errstate(over="ignore"):  # of a very low temperature, -∞ are left but for the likeliest
            weights /= self.temperature
        np.exp(weights, out=weights)
        if self.top_k is None and self.top_p is None:
            return weights
        order = np.argsort(-weights, kind="stable")[: self.top_k]
        if self.top_p is not None:
            held = weights[order].cumsum()
            # A sum that differs from the probability by rounding alone is that.
            order = order[: 1 + int(held.searchsorted(self.top_p * (1 - ROUNDING) * held[-1]))]
        kept = np.zeros(len(weights))
        kept[order] = weights[order]
        return kept


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
