"""Decay: of weights, apart from the gradient, and of momenta."""

from __future__ import annotations

import math

from chainrule.errors import ConfigurationError


def kept(rule: object, learning_rate: float, weight_decay: float) -> float:
    """What a step keeps of each weight: 1 - η λ.

    Raises:
        ConfigurationError: when nothing would be kept.
    """
    keep = 1 - learning_rate * weight_decay
    if keep <= 0:
        raise ConfigurationError(
            f"{type(rule).__name__}: expected learning_rate × weight_decay below 1, got {learning_rate} × "
            f"{weight_decay}, which leaves nothing of the weights"
        )
    return keep


def lasts(momentum: float) -> int:
    """After how many steps a momentum is nothing beside 1 in float64."""
    return math.ceil(math.log(1e-17) / math.log(momentum)) if momentum else 1
