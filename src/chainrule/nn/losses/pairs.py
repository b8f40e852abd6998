"""Losses of vectors and scores beside others: which of two is nearer, or higher."""

from __future__ import annotations

from chainrule.blocks import exp, greater, log, minimum, relu, sqrt, where
from chainrule.errors import ShapeError
from chainrule.graph.conversion import promote
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn.losses.common import pair, reduced, require, require_sides

#: What is added to squared lengths, and to differences, as in PyTorch, so that no gradient is infinite.
TINY_SQUARE, TINY_DIFFERENCE = 1e-12, 1e-6


def kl_divergence(
    log_probabilities: TensorLike, targets: TensorLike, *, log_targets: bool = False, reduction: str = "mean"
) -> Tensor:
    """Lᵢ = Σ_c t[c] (ln t[c] - ln p[c]), how far probabilities p are from those that are true, t, over the last axis.

    Args:
        log_probabilities: ln p, shape (..., classes).
        targets: t, the same shape, 0 or more; or their logarithms.
        log_targets: whether they are logarithms.
        reduction: "mean" over the examples (in PyTorch "batchmean"), "sum", or "none" for one loss an example.

    Raises:
        ShapeError: when the shapes differ.
        DataError: for probabilities below 0.
        ConfigurationError: for another reduction.

    Example:
        >>> import chainrule
        >>> round(kl_divergence(chainrule.log([[0.5, 0.5]]), [[1.0, 0.0]]).item(), 4)
        0.6931

    Source: Kullback and Leibler, On Information and Sufficiency (1951).
    """
    x, t = pair("kl_divergence", "log probabilities", log_probabilities, targets)
    if log_targets:
        return reduced("kl_divergence", (exp(t) * (t - x)).sum(-1), reduction)
    require("kl_divergence", "targets", t, "of 0 or more", 0)
    some = greater(t, 0)
    return reduced("kl_divergence", where(some, t * (log(where(some, t, 1)) - x), 0).sum(-1), reduction)


def cosine_embedding(
    a: TensorLike, b: TensorLike, targets: TensorLike, *, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """Lᵢ = 1 - cos(a, b) for pairs that belong together (z = 1), max(0, cos(a, b) - margin) for others (z = -1).

    Args:
        a: shape (..., size).
        b: the same shape.
        targets: z, shape (...), each -1 or 1.
        margin: the cosine up to which others count as apart.
        reduction: "mean", "sum", or "none" for one loss a pair.

    Raises:
        ShapeError: when the shapes do not fit.
        DataError: for targets other than -1 and 1.
        ConfigurationError: for another reduction.

    Example:
        >>> cosine_embedding([[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [2.0, 0.0]], [1, -1], reduction="none").value
        array([1., 1.], dtype=float32)
    """
    a, b, z = promote("cosine_embedding", [a, b, targets], floating=True)
    if a.shape != b.shape or z.shape != a.shape[:-1]:
        raise ShapeError(
            f"cosine_embedding: expected vectors of one shape (..., size) and targets of shape (...), got {a.shape}, "
            f"{b.shape} and {z.shape}"
        )
    require_sides("cosine_embedding", z)
    lengths = sqrt(((a * a).sum(-1) + TINY_SQUARE) * ((b * b).sum(-1) + TINY_SQUARE))
    cosine = (a * b).sum(-1) / lengths
    return reduced("cosine_embedding", where(greater(z, 0), 1 - cosine, relu(cosine - margin)), reduction)


def margin_ranking(
    a: TensorLike, b: TensorLike, targets: TensorLike, *, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """L = max(0, margin - z (a - b)), elementwise: a is to be above b where z is 1, below where it is -1.

    Args:
        a: scores, any shape.
        b: the same shape.
        targets: z, the same shape, each -1 or 1.
        margin: how far.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: when the shapes differ.
        DataError: for targets other than -1 and 1.
        ConfigurationError: for another reduction.

    Example:
        >>> margin_ranking([2.0, 0.0], [1.0, 1.0], [1, 1], margin=0.5, reduction="none").value
        array([0. , 1.5], dtype=float32)

    Source: Herbrich, Graepel and Obermayer, Large Margin Rank Boundaries for Ordinal Regression (2000).
    """
    a, b = pair("margin_ranking", "first scores", a, b)
    difference, z = pair("margin_ranking", "scores", a - b, targets)
    require_sides("margin_ranking", z)
    return reduced("margin_ranking", relu(margin - z * difference), reduction)


def triplet_margin(
    anchors: TensorLike,
    positives: TensorLike,
    negatives: TensorLike,
    *,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """Lᵢ = max(0, |a - p| - |a - n| + margin): what belongs to the anchor is to be nearer than what does not.

    Lengths are Euclidean, of differences to which 10⁻⁶ is added.

    Args:
        anchors: a, shape (..., size).
        positives: p, the same shape.
        negatives: n, the same shape.
        margin: how much nearer.
        swap: whether |p - n| counts where it is less than |a - n|.
        reduction: "mean", "sum", or "none" for one loss a triplet.

    Raises:
        ShapeError: when the shapes differ.
        ConfigurationError: for another reduction.

    Example:
        >>> round(triplet_margin([[0.0, 0.0]], [[1.0, 0.0]], [[0.0, 1.5]]).item(), 3)
        0.5

    Source: Weinberger and Saul, Distance Metric Learning for Large Margin Nearest Neighbor Classification (2009); the
    swap: Balntas et al., Learning Local Feature Descriptors with Triplets (2016).
    """
    a, p = pair("triplet_margin", "anchors", anchors, positives)
    a, n = pair("triplet_margin", "anchors", a, negatives)
    away = _distance(a, n)
    away = minimum(away, _distance(p, n)) if swap else away
    return reduced("triplet_margin", relu(_distance(a, p) - away + margin), reduction)


def _distance(a: Tensor, b: Tensor) -> Tensor:
    difference = a - b + TINY_DIFFERENCE
    return sqrt((difference * difference).sum(-1))
