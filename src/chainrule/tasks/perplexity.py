"""How well texts are predicted token by token."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.graph.spec import Array
from chainrule.tasks.measures import for_json, means_of_rows
from chainrule.tasks.task import Rows


@dataclass(frozen=True, eq=False)
class Perplexity:
    """How well the next tokens of texts were predicted.

    Attributes:
        log_probabilities: of the tokens that came, in nats, shape (tokens,).
        right: for each of them 1 where it was the likeliest, and 0 where it was not.
        sizes: bytes of UTF-8 that each stands for.
        unseen: which of them were not learned, and stand for more than one thing.
        offsets: where the tokens of each context begin, and those of the last one end; None for one context.

    Example (two tokens, one of 2 bytes and one of 1):
        >>> found = Perplexity(np.log([0.5, 0.125]), np.array([1, 0]), np.array([2, 1]), np.zeros(2, bool))
        >>> round(found.perplexity, 6), round(found.bits_per_byte, 6), found.accuracy
        (4.0, 1.333333, 0.5)
    """

    score: ClassVar[str] = "log-likelihood a token"
    confidence: ClassVar[None] = None  # the likeliest token is no answer: what counts is how likely the true one was

    log_probabilities: Array
    right: Array
    sizes: Array
    unseen: Array
    offsets: Array | None = None

    @property
    def tokens(self) -> int:
        """The number of tokens that were predicted, the ends of texts among them."""
        return len(self.log_probabilities)

    @property
    def scores(self) -> Array:
        """Of each context, the mean of ln p over its tokens; 0 for an empty one."""
        offsets = np.array([0, self.tokens]) if self.offsets is None else self.offsets
        return means_of_rows(self.log_probabilities, offsets, 0.0)

    @property
    def loss(self) -> float:
        """The mean of -ln p, in nats a token."""
        return float(-np.mean(self.log_probabilities, dtype=np.float64))

    @property
    def perplexity(self) -> float:
        """e to the power of the loss: among how many tokens one would choose as uncertainly."""
        return math.exp(min(self.loss, 700.0))

    @property
    def bits_per_byte(self) -> float:
        """Σ -log₂ p / bytes of the text, which does not depend on what tokens are; unseen ones are left out of both."""
        bits = -np.sum(self.log_probabilities[~self.unseen], dtype=np.float64) / math.log(2)
        size = int(self.sizes[~self.unseen].sum())
        return float(bits / size) if size else math.nan

    @property
    def accuracy(self) -> float:
        """The share of tokens that were the likeliest."""
        return float(np.mean(self.right, dtype=np.float64))

    @property
    def measures(self) -> dict[str, float]:
        """All figures by name."""
        return {name: getattr(self, name) for name in ("perplexity", "bits_per_byte", "accuracy", "loss")}

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        return {"tokens": self.tokens, "unseen_tokens": int(self.unseen.sum()), **for_json(self.measures)}

    def tables(self) -> list[tuple[str, Rows]]:
        """How many tokens there are."""
        rows = [["tokens", f"{self.tokens:,}"], ["that were not learned", f"{int(self.unseen.sum()):,}"]]
        return [("", rows)]


@dataclass(frozen=True)
class Likelihood:
    """How likely a text is to a model.

    Attributes:
        perplexity: of its tokens.
        bits_per_byte: NaN for the empty text.
        log_probability: of the whole text, in nats.
        tokens: that were predicted, its end among them.
    """

    perplexity: float
    bits_per_byte: float
    log_probability: float
    tokens: int

    @property
    def value(self) -> float:
        """The log-probability."""
        return self.log_probability

    def json(self, top: int | None = None) -> dict[str, Any]:  # noqa: ARG002  (there are no labels)
        """The keys are the attributes."""
        return for_json({name: value for name, value in vars(self).items() if name != "tokens"}) | {
            "tokens": self.tokens
        }

    def line(self, top: int | None = None) -> str:  # noqa: ARG002
        """The figures."""
        return (
            f"perplexity={self.perplexity:.6g} bits_per_byte={self.bits_per_byte:.4f}\t"
            f"log_probability={self.log_probability:.6g}"
        )

    cells = json
