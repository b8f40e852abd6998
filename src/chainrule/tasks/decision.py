"""Decision: what the answer for a row depends on, as a sum over the outputs of a network."""

from __future__ import annotations

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.graph.spec import Array

#: What a score is that is a difference of two logits.
LOG_ODDS = "ln of how many times as likely"


@dataclass(frozen=True, eq=False)
class Decision:
    """The score of an answer: Σ wⱼ zⱼ + c over the outputs z of the network for a row.

    Attributes:
        answer: what the score is of, such as a label.
        against: what it is compared with, as in "negative"; "" for nothing.
        meaning: what the score is, in words.
        weights: w, shape (outputs,).
        constant: c.
    """

    answer: str
    against: str
    meaning: str
    weights: Array
    constant: float = 0.0

    @classmethod
    def between(cls, names: tuple[str, ...], chosen: int, other: int | None, meaning: str) -> Decision:
        """One output against another, or against the mean of all others.

        Example:
            >>> Decision.between(("a", "b", "c"), 0, None, "").weights
            array([ 1. , -0.5, -0.5])
        """
        weights = np.full(len(names), -1 / (len(names) - 1) if other is None else 0.0)
        if other is not None:
            weights[other] = -1.0
        weights[chosen] = 1.0
        return cls(names[chosen], "the others" if other is None else names[other], meaning, weights)
