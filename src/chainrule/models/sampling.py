"""Sampling: which token comes next, from the outputs of a network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.errors import ConfigurationError, shortened
from chainrule.graph.spec import Array


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
        z = outputs.astype(np.float64)
        z -= z.max()
        if self.temperature == 0:
            p = np.zeros(len(z))
            p[z.argmax()] = 1
            return p
        with np.errstate(over="ignore"):  # very low temperatures leave -∞ of all but the likeliest
            p = np.exp(z / self.temperature)
        p /= p.sum()
        if self.top_k is None and self.top_p is None:
            return p
        order = np.argsort(-p, kind="stable")[: self.top_k]
        if self.top_p is not None:
            held = p[order] / p[order].sum()
            order = order[: 1 + int(np.searchsorted(np.cumsum(held), self.top_p * (1 - 1e-12)))]
        kept = np.zeros(len(p))
        kept[order] = p[order]
        return kept / kept.sum()  # type: ignore[no-any-return]

    def draw(self, outputs: Array, generator: np.random.Generator) -> int:
        """A token, by its probability."""
        if self.temperature == 0:
            return int(outputs.argmax())
        total = np.cumsum(self.probabilities(outputs))
        place = int(np.searchsorted(total, generator.random() * total[-1], side="right"))
        return min(place, int(np.searchsorted(total, total[-1])))  # never one after the last that has a probability


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
