"""Losses: how far predictions are from the truth. Each gives a scalar, unless `reduction` is "none".

Values are checked where they are known (eagerly); shapes and dtypes always.
"""

from chainrule.nn.losses.binary import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    binary_focal,
    hinge,
    multi_label_soft_margin,
    squared_hinge,
)
from chainrule.nn.losses.classes import cross_entropy, focal, multi_margin, nll
from chainrule.nn.losses.loss import LOSSES, Loss
from chainrule.nn.losses.numbers import (
    gaussian_nll,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_squared_error,
    poisson_nll,
    quantile,
    smooth_l1,
)
from chainrule.nn.losses.pairs import cosine_embedding, kl_divergence, margin_ranking, triplet_margin

__all__ = [
    "LOSSES", "Loss",
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "binary_focal", "cosine_embedding", "cross_entropy",
    "focal", "gaussian_nll", "hinge", "huber", "kl_divergence", "log_cosh", "margin_ranking", "mean_absolute_error",
    "mean_squared_error", "multi_label_soft_margin", "multi_margin", "nll", "poisson_nll", "quantile", "smooth_l1",
    "squared_hinge", "triplet_margin",
]  # fmt: skip
