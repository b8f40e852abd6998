"""Losses of two sides: targets of 0 and 1, probabilities between them, or -1 and 1."""

from __future__ import annotations

from chainrule.blocks import expm1, greater, log, maximum, relu, softplus, where
from chainrule.graph.conversion import promote
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn.losses.common import pair, reduced, require, require_least, require_sides, require_unit


def binary_cross_entropy(probabilities: TensorLike, targets: TensorLike, *, reduction: str = "mean") -> Tensor:
    """L = -z ln p - (1 - z) ln(1 - p), elementwise, with logarithms of at least -100.

    Where a logarithm is cut off no gradient passes, so that a probability of exactly 0 or 1 does not learn;
    `binary_cross_entropy_with_logits` has no such limit.

    Args:
        probabilities: p, any shape, from 0 to 1.
        targets: z, the same shape, from 0 to 1.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: when the shapes differ.
        DataError: for probabilities or targets outside 0 ... 1.
        ConfigurationError: for another reduction.

    Example:
        >>> round(binary_cross_entropy([0.75, 0.25], [1.0, 0.0]).item(), 4)
        0.2877
    """
    name = "binary_cross_entropy"
    p, z = pair(name, "probabilities", probabilities, targets)
    require_unit(name, "probabilities", p, "; for logits there is binary_cross_entropy_with_logits")
    require_unit(name, "targets", z)
    return reduced(name, -(z * _cut_log(p) + (1 - z) * _cut_log(1 - p)), reduction)


def binary_cross_entropy_with_logits(
    logits: TensorLike,
    targets: TensorLike,
    *,
    positive_weight: TensorLike | None = None,
    reduction: str = "mean",
) -> Tensor:
    """L = -w z ln σ(x) - (1 - z) ln(1 - σ(x)), elementwise; it never overflows.

    Computed as max(x, 0) - x z + ln(1 + e^(-|x|)) where w is 1.

    Args:
        logits: x, any shape.
        targets: z, the same shape, from 0 to 1.
        positive_weight: w, how much what is there counts, such as one number a label; broadcast; None for 1.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: when the shapes differ.
        DataError: for targets outside 0 ... 1, or a weight below 0.
        ConfigurationError: for another reduction.

    Example:
        >>> binary_cross_entropy_with_logits([1e4, -1e4], [0.0, 0.0], reduction="none").value
        array([10000.,     0.], dtype=float32)
    """
    name = "binary_cross_entropy_with_logits"
    x, z = pair(name, "logits", logits, targets)
    require_unit(name, "targets", z)
    if positive_weight is None:
        return reduced(name, softplus(x) - x * z, reduction)
    x, z, w = promote(name, [x, z, positive_weight], floating=True)
    require(name, "a positive_weight", w, "of 0 or more", 0)
    return reduced(name, w * z * softplus(-x) + (1 - z) * softplus(x), reduction)


def hinge(scores: TensorLike, targets: TensorLike, *, reduction: str = "mean") -> Tensor:
    """L = max(0, 1 - z s), elementwise, the binary hinge loss; for more classes see `multi_margin`.

    Args:
        scores: s, any shape.
        targets: z, the same shape, each -1 or 1.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: when the shapes differ.
        DataError: for targets other than -1 and 1.
        ConfigurationError: for another reduction.

    Example:
        >>> hinge([0.5, 3.0], [-1, 1]).item()
        0.75

    Source: Cortes and Vapnik, Support-Vector Networks (1995).
    """
    s, z = pair("hinge", "scores", scores, targets)
    require_sides("hinge", z)
    return reduced("hinge", relu(1 - z * s), reduction)


def squared_hinge(scores: TensorLike, targets: TensorLike, *, reduction: str = "mean") -> Tensor:
    """L = max(0, 1 - z s)², elementwise, without a kink; for more classes, `multi_margin` with power 2.

    Args:
        scores: s, any shape.
        targets: z, the same shape, each -1 or 1.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: when the shapes differ.
        DataError: for targets other than -1 and 1.
        ConfigurationError: for another reduction.

    Example:
        >>> squared_hinge([0.5, 3.0], [-1, 1]).item()
        1.125

    Source: Chang, Hsieh and Lin, Coordinate Descent Method for Large-Scale L2-Loss Linear SVM (2008).
    """
    s, z = pair("squared_hinge", "scores", scores, targets)
    require_sides("squared_hinge", z)
    excess = relu(1 - z * s)
    return reduced("squared_hinge", excess * excess, reduction)


def binary_focal(
    logits: TensorLike,
    targets: TensorLike,
    *,
    gamma: float = 2.0,
    alpha: float | None = None,
    reduction: str = "mean",
) -> Tensor:
    """L = -(1 - q)^γ ln q, elementwise, with the probability q of what is true: easy numbers count less.

    For targets z between 0 and 1, the cross-entropy is times (1 - p z - (1 - p) (1 - z))^γ, p = σ(x).

    Args:
        logits: x, any shape.
        targets: z, the same shape, from 0 to 1.
        gamma: γ, 0 or more; 0 for the cross-entropy.
        alpha: where z is 1, the loss is times α, and where it is 0, times 1 - α; None for neither.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: when the shapes differ.
        DataError: for targets outside 0 ... 1.
        ConfigurationError: for another reduction, or a γ below 0.

    Example:
        >>> round(binary_focal([2.0, -2.0], [1, 1]).item(), 4)
        0.8259

    Source: Lin et al., Focal Loss for Dense Object Detection (2017), equation 5.
    """
    require_least("binary_focal", "gamma", gamma, 0)
    x, z = pair("binary_focal", "logits", logits, targets)
    require_unit("binary_focal", "targets", z)
    losses = softplus(x) - x * z
    if gamma:  # 1 - σ(x) is e^(-softplus(x)): neither of the two probabilities is 1 minus the other, and rounded
        p, other = (-expm1(-softplus(side)) for side in (x, -x))
        losses = easy(other * z + p * (1 - z), gamma) * losses
    if alpha is not None:
        losses = (alpha * z + (1 - alpha) * (1 - z)) * losses
    return reduced("binary_focal", losses, reduction)


def easy(wrong: Tensor, gamma: float) -> Tensor:
    """wrong^γ; where it is 0, no gradient passes, which would be 0 · ∞ for γ below 1."""
    some = greater(wrong, 0)
    return where(some, where(some, wrong, 1) ** gamma, 0)


def multi_label_soft_margin(
    scores: TensorLike, targets: TensorLike, *, class_weights: TensorLike | None = None, reduction: str = "mean"
) -> Tensor:
    """Lᵢ = -1 / C Σ_c w[c] (z[c] ln σ(s[c]) + (1 - z[c]) ln(1 - σ(s[c]))): the mean cross-entropy over C labels.

    Args:
        scores: s, shape (..., labels).
        targets: z, the same shape, from 0 to 1.
        class_weights: w, shape (labels,); None for 1 everywhere.
        reduction: "mean", "sum", or "none" for one loss an example.

    Raises:
        ShapeError: when the shapes do not fit.
        DataError: for targets outside 0 ... 1.
        ConfigurationError: for another reduction.

    Example:
        >>> round(multi_label_soft_margin([[1.0, -1.0]], [[1, 0]]).item(), 4)
        0.3133
    """
    name = "multi_label_soft_margin"
    losses = binary_cross_entropy_with_logits(scores, targets, reduction="none")
    if class_weights is not None:
        losses, held = promote(name, [losses, class_weights])
        losses = losses * held
    return reduced(name, losses.mean(-1), reduction)


def _cut_log(p: Tensor) -> Tensor:
    """The larger of ln p and -100; the logarithm of 0 is never taken, whose gradient would be 0 / 0."""
    positive = greater(p, 0)
    return where(positive, maximum(log(where(positive, p, 1)), -100), -100)
