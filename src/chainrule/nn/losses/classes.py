"""Losses over classes, which are axis 1: targets are class ids, one-hot, or probabilities."""

from __future__ import annotations

import numpy as np

from chainrule.blocks import expand, expm1, gather, iota, log_softmax, not_equal, relu, reshape, squeeze, where
from chainrule.blocks.along_axis import TakeAlongAxis
from chainrule.blocks.reduction import log_softmax_parts
from chainrule.errors import ConfigurationError, IndexRangeError, ShapeError
from chainrule.graph.conversion import as_tensors, promote
from chainrule.graph.spec import require_integer
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn.losses.binary import easy
from chainrule.nn.losses.common import reduced, require, require_least


def cross_entropy(
    logits: TensorLike,
    labels: TensorLike,
    *,
    class_weights: TensorLike | None = None,
    label_smoothing: float = 0.0,
    ignore: int | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The cross-entropy of softmax(logits) against the labels.

        Lᵢ = -(1 - ε) w[yᵢ] ln pᵢ[yᵢ] - ε / C Σ_c w[c] ln pᵢ[c],    p = softmax(logits)

    over C classes with label smoothing ε. The mean divides by Σ w[yᵢ], which is the batch size without class weights.
    For probabilities t in the place of labels, Lᵢ = -Σ_c ((1 - ε) t[c] + ε / C) w[c] ln pᵢ[c], and the mean divides by
    the batch size.

    Args:
        logits: shape (batch, classes, ...).
        labels: shape (batch, ...), integers in 0 ... classes - 1; or of the shape of the logits, one-hot or
            probabilities, which sum to 1 over the classes.
        class_weights: w, shape (classes,); None for 1 everywhere.
        label_smoothing: ε, the part of the probability that is spread over all classes, from 0 to 1.
        ignore: a label that has no loss and does not count in the mean, such as -100; None for no such label.
        reduction: "mean", "sum", or "none" for one loss a label.

    Raises:
        ShapeError: when the shapes do not fit.
        DTypeError: when the labels are not integers.
        IndexRangeError: for a label that is not a class.
        DataError: for a probability below 0.
        ConfigurationError: for another reduction, an ε outside 0 ... 1, or a label to ignore among probabilities.

    Example:
        >>> round(cross_entropy([[2.0, 0.0], [0.0, 0.0]], [0, 1]).item(), 4)
        0.41
        >>> round(cross_entropy([[2.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]).item(), 4)
        0.41

    Source: label smoothing: Szegedy et al., Rethinking the Inception Architecture (2016), section 7; the weighting of
    both terms and the mean as in PyTorch.
    """
    name = "cross_entropy"
    if not 0 <= label_smoothing <= 1:
        raise ConfigurationError(f"{name}: expected label_smoothing from 0 to 1, got {label_smoothing}")
    if len(np.shape(labels)) == len(np.shape(logits)) > 1 and np.shape(labels) == np.shape(logits):
        if ignore is not None:
            raise ConfigurationError(f"{name}: expected labels where one is to be ignored, got probabilities")
        return _against_probabilities(logits, labels, class_weights, label_smoothing, reduction)
    logits, labels = _classes(name, "logits", logits, labels)
    shifted, total = log_softmax_parts(logits, 1)
    return _classification(name, shifted, total, labels, class_weights, label_smoothing, ignore, reduction)


def nll(
    log_probabilities: TensorLike,
    labels: TensorLike,
    *,
    class_weights: TensorLike | None = None,
    ignore: int | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The negative log-likelihood of the labels: Lᵢ = -w[yᵢ] ln pᵢ[yᵢ]; the mean divides by Σ w[yᵢ].

    Args:
        log_probabilities: ln p, shape (batch, classes, ...).
        labels: shape (batch, ...), integers in 0 ... classes - 1.
        class_weights: w, shape (classes,); None for 1 everywhere.
        ignore: a label that has no loss and does not count in the mean; None for no such label.
        reduction: "mean", "sum", or "none" for one loss a label.

    Raises:
        ShapeError: when the shapes do not fit.
        DTypeError: when the labels are not integers.
        IndexRangeError: for a label that is not a class.
        ConfigurationError: for another reduction.

    Example:
        >>> import chainrule
        >>> round(nll(chainrule.log([[0.75, 0.25]]), [1]).item(), 4)
        1.3863
    """
    log_probabilities, labels = _classes("nll", "log probabilities", log_probabilities, labels)
    return _classification("nll", log_probabilities, None, labels, class_weights, 0.0, ignore, reduction)


def focal(
    logits: TensorLike,
    labels: TensorLike,
    *,
    gamma: float = 2.0,
    class_weights: TensorLike | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Lᵢ = -w[yᵢ] (1 - pᵢ[yᵢ])^γ ln pᵢ[yᵢ], p = softmax(logits): easy examples count less than in the cross-entropy.

    The mean divides by Σ w[yᵢ], as that of `cross_entropy`.

    Args:
        logits: shape (batch, classes, ...).
        labels: shape (batch, ...), integers in 0 ... classes - 1.
        gamma: γ, 0 or more; 0 for the cross-entropy.
        class_weights: w, shape (classes,); None for 1 everywhere.
        reduction: "mean", "sum", or "none" for one loss a label.

    Raises:
        ShapeError: when the shapes do not fit.
        DTypeError: when the labels are not integers.
        IndexRangeError: for a label that is not a class.
        ConfigurationError: for another reduction, or a γ below 0.

    Example:
        >>> round(focal([[2.0, 0.0]], [0]).item(), 4)
        0.0018

    Source: Lin et al., Focal Loss for Dense Object Detection (2017), equation 5, over more classes than two.
    """
    require_least("focal", "gamma", gamma, 0)
    logits, labels = _classes("focal", "logits", logits, labels)
    chosen = squeeze(_at_labels("focal", log_softmax(logits, 1), labels), 1)
    losses = -chosen * easy(-expm1(chosen), gamma) if gamma else -chosen
    if class_weights is None:
        return reduced("focal", losses, reduction)
    weights = gather(_weights("focal", logits, class_weights), labels)
    return reduced("focal", losses * weights, reduction, weights.sum())


def multi_margin(
    scores: TensorLike,
    labels: TensorLike,
    *,
    margin: float = 1.0,
    power: int = 1,
    class_weights: TensorLike | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Lᵢ = w[yᵢ] / C Σ_{c ≠ yᵢ} max(0, margin - sᵢ[yᵢ] + sᵢ[c])^power, the hinge loss over C classes.

    Every class that comes too close to the right one counts, as in Weston and Watkins, and not only the closest, as in
    Crammer and Singer.

    Args:
        scores: s, shape (batch, classes, ...).
        labels: y, shape (batch, ...), integers in 0 ... classes - 1.
        margin: how far the right class should be ahead.
        power: 1, or 2 for the squared hinge loss.
        class_weights: w, shape (classes,); None for 1 everywhere. The mean divides by the number of labels.
        reduction: "mean", "sum", or "none" for one loss a label.

    Raises:
        ShapeError: when the shapes do not fit.
        DTypeError: when the labels are not integers.
        IndexRangeError: for a label that is not a class.
        ConfigurationError: for another reduction or power.

    Example:
        >>> round(multi_margin([[1.0, 0.5, -2.0]], [0]).item(), 4)
        0.1667

    Source: Weston and Watkins, Support Vector Machines for Multi-Class Pattern Recognition (1999), divided by the
    number of classes as in PyTorch.
    """
    if power not in (1, 2):
        raise ConfigurationError(f"multi_margin: expected a power of 1 or 2, got {power}")
    scores, labels = _classes("multi_margin", "scores", scores, labels)
    right, classes = expand(labels, 1), scores.shape[1]
    others = not_equal(_over_classes(iota(classes).astype(labels.dtype), scores), right)
    excess = relu(margin - _at_labels("multi_margin", scores, labels) + scores)
    excess = where(others, excess if power == 1 else excess * excess, 0)
    losses = excess.sum(1) / classes
    if class_weights is not None:
        losses = losses * gather(_weights("multi_margin", scores, class_weights), labels)
    return reduced("multi_margin", losses, reduction)


def _classification(
    name: str,
    scores: Tensor,
    total: Tensor | None,
    labels: Tensor,
    class_weights: TensorLike | None,
    smoothing: float,
    ignore: int | None,
    reduction: str,
) -> Tensor:
    """The losses of both functions: ln p of a class is its score, less the total of its row where there is one."""
    kept = None if ignore is None else not_equal(labels, ignore)
    labels = labels if kept is None else where(kept, labels, 0)
    chosen = _at_labels(name, scores, labels)
    losses = squeeze(-chosen if total is None else total - chosen, 1)
    weights: Tensor | None = None
    if class_weights is not None:
        held = _weights(name, scores, class_weights)
        weights = gather(held, labels)
        losses = losses * weights
    if smoothing:
        all_classes = scores if total is None else scores - total
        if class_weights is not None:
            all_classes = all_classes * _over_classes(held, all_classes)
        losses = losses * (1 - smoothing) - all_classes.sum(1) * (smoothing / scores.shape[1])
    if kept is not None:
        losses = where(kept, losses, 0)
        weights = kept.astype(losses.dtype) if weights is None else where(kept, weights, 0)
    return reduced(name, losses, reduction, None if weights is None else weights.sum())


def _against_probabilities(
    logits: TensorLike, targets: TensorLike, class_weights: TensorLike | None, smoothing: float, reduction: str
) -> Tensor:
    logits, t = promote("cross_entropy", [logits, targets], floating=True)
    require("cross_entropy", "probabilities", t, "of 0 or more", 0)
    t = t * (1 - smoothing) + smoothing / logits.shape[1] if smoothing else t
    if class_weights is not None:
        t = t * _over_classes(_weights("cross_entropy", logits, class_weights), logits)
    return reduced("cross_entropy", -(t * log_softmax(logits, 1)).sum(1), reduction)


def _weights(name: str, scores: Tensor, class_weights: TensorLike) -> Tensor:
    """Weights of classes that fit the scores."""
    _, held = promote(name, [scores, class_weights])
    if held.shape != scores.shape[1:2]:
        raise ShapeError(f"{name}: expected class_weights of shape ({scores.shape[1]},), got shape {held.shape}")
    return held


def _over_classes(x: Tensor, scores: Tensor) -> Tensor:
    """One number a class, so that it is broadcast along the other axes."""
    return reshape(x, (-1, *[1] * (scores.spec.rank - 2)))


def _at_labels(name: str, scores: Tensor, labels: Tensor) -> Tensor:
    """The score of the right class of each example, shape (batch, 1, ...).

    Raises:
        IndexRangeError: for a label that is not a class.
    """
    try:
        return TakeAlongAxis.of(1)(scores, expand(labels, 1))
    except IndexRangeError:
        classes, held = scores.shape[1], labels.numpy()
        wrong = (held < 0) | (held >= classes)
        place = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
        raise IndexRangeError(
            f"{name}: label {held[place]} of example {place[0]} is out of range; expected 0 to {classes - 1} "
            f"({classes} classes)"
        ) from None


def _classes(name: str, what: str, scores: TensorLike, labels: TensorLike) -> tuple[Tensor, Tensor]:
    """Scores and labels that fit together."""
    (scores,) = promote(name, [scores], floating=True)
    (labels,) = as_tensors([labels])
    if scores.spec.rank < 2:
        raise ShapeError(f"{name}: expected {what} of shape (batch, classes), got shape {scores.shape}")
    require_integer(name, "labels", labels.spec)
    expected = (scores.shape[0], *scores.shape[2:])
    if labels.shape != expected:
        raise ShapeError(
            f"{name}: expected labels of shape {expected}, one an example of the {what} {scores.shape}, "
            f"got shape {labels.shape}"
        )
    return scores, labels
