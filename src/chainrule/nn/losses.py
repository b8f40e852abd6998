"""Losses: how far predictions are from the truth. Each gives a scalar, unless `reduction` is "none".

Values are checked where they are known (eagerly); shapes and dtypes always.
"""

from __future__ import annotations

import numpy as np

from chainrule.blocks import (
    absolute,
    expand,
    gather,
    greater,
    iota,
    log,
    log_softmax,
    maximum,
    not_equal,
    relu,
    softplus,
    squeeze,
    where,
)
from chainrule.blocks.along_axis import TakeAlongAxis
from chainrule.errors import ConfigurationError, DataError, IndexRangeError, ShapeError, shortened
from chainrule.graph.conversion import as_tensors, promote
from chainrule.graph.spec import require_integer
from chainrule.graph.tensor import Tensor, TensorLike

REDUCTIONS = ("mean", "sum", "none")


def cross_entropy(
    logits: TensorLike,
    labels: TensorLike,
    *,
    class_weights: TensorLike | None = None,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """The cross-entropy of softmax(logits) against the labels.

        Lᵢ = -(1 - ε) w[yᵢ] ln pᵢ[yᵢ] - ε / C Σ_c w[c] ln pᵢ[c],    p = softmax(logits)

    over C classes with label smoothing ε. The mean divides by Σ w[yᵢ], which is the batch size without class weights.

    Args:
        logits: shape (batch, classes).
        labels: shape (batch,), integers in 0 ... classes - 1.
        class_weights: w, shape (classes,); None for 1 everywhere.
        label_smoothing: ε, the part of the probability that is spread over all classes, from 0 to 1.
        reduction: "mean", "sum", or "none" for one loss an example.

    Raises:
        ShapeError: when the shapes do not fit.
        DTypeError: when the labels are not integers.
        IndexRangeError: for a label that is not a class.
        ConfigurationError: for another reduction, or an ε outside 0 ... 1.

    Example:
        >>> round(cross_entropy([[2.0, 0.0], [0.0, 0.0]], [0, 1]).item(), 4)
        0.41

    Source: label smoothing: Szegedy et al., Rethinking the Inception Architecture (2016), section 7; the weighting of
    both terms and the mean as in PyTorch.
    """
    if not 0 <= label_smoothing <= 1:
        raise ConfigurationError(f"cross_entropy: expected label_smoothing from 0 to 1, got {label_smoothing}")
    logits, labels = _classes("cross_entropy", "logits", logits, labels)
    return _classification("cross_entropy", log_softmax(logits), labels, class_weights, label_smoothing, reduction)


def nll(
    log_probabilities: TensorLike,
    labels: TensorLike,
    *,
    class_weights: TensorLike | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The negative log-likelihood of the labels: Lᵢ = -w[yᵢ] ln pᵢ[yᵢ]; the mean divides by Σ w[yᵢ].

    Args:
        log_probabilities: ln p, shape (batch, classes).
        labels: shape (batch,), integers in 0 ... classes - 1.
        class_weights: w, shape (classes,); None for 1 everywhere.
        reduction: "mean", "sum", or "none" for one loss an example.

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
    return _classification("nll", log_probabilities, labels, class_weights, 0.0, reduction)


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
    p, z = _pair(name, "probabilities", probabilities, targets)
    _require_unit(name, "probabilities", p, "; for logits there is binary_cross_entropy_with_logits")
    _require_unit(name, "targets", z)
    return _reduce(name, -(z * _cut_log(p) + (1 - z) * _cut_log(1 - p)), reduction)


def binary_cross_entropy_with_logits(logits: TensorLike, targets: TensorLike, *, reduction: str = "mean") -> Tensor:
    """L = -z ln σ(x) - (1 - z) ln(1 - σ(x)) = max(x, 0) - x z + ln(1 + e^(-|x|)), elementwise; it never overflows.

    Args:
        logits: x, any shape.
        targets: z, the same shape, from 0 to 1.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: when the shapes differ.
        DataError: for targets outside 0 ... 1.
        ConfigurationError: for another reduction.

    Example:
        >>> binary_cross_entropy_with_logits([1e4, -1e4], [0.0, 0.0], reduction="none").value
        array([10000.,     0.], dtype=float32)
    """
    name = "binary_cross_entropy_with_logits"
    x, z = _pair(name, "logits", logits, targets)
    _require_unit(name, "targets", z)
    return _reduce(name, softplus(x) - x * z, reduction)


def mean_squared_error(predictions: TensorLike, targets: TensorLike, *, reduction: str = "mean") -> Tensor:
    """L = (x - z)², elementwise.

    Args:
        predictions: x, any shape.
        targets: z, the same shape.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: when the shapes differ.
        ConfigurationError: for another reduction.

    Example:
        >>> mean_squared_error([1.0, 2.0], [0.0, 4.0]).item()
        2.5
    """
    x, z = _pair("mean_squared_error", "predictions", predictions, targets)
    difference = x - z
    return _reduce("mean_squared_error", difference * difference, reduction)


def mean_absolute_error(predictions: TensorLike, targets: TensorLike, *, reduction: str = "mean") -> Tensor:
    """L = |x - z|, elementwise; the gradient where they are equal is 0.

    Args:
        predictions: x, any shape.
        targets: z, the same shape.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: when the shapes differ.
        ConfigurationError: for another reduction.

    Example:
        >>> mean_absolute_error([1.0, 2.0], [0.0, 4.0]).item()
        1.5
    """
    x, z = _pair("mean_absolute_error", "predictions", predictions, targets)
    return _reduce("mean_absolute_error", absolute(x - z), reduction)


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
    s, z = _pair("hinge", "scores", scores, targets)
    if z.value is not None and (wrong := np.abs(z.value) != 1).any():
        raise DataError(f"hinge: expected targets of -1 or 1, got {z.value[wrong].flat[0]:g}")
    return _reduce("hinge", relu(1 - z * s), reduction)


def multi_margin(scores: TensorLike, labels: TensorLike, *, margin: float = 1.0, reduction: str = "mean") -> Tensor:
    """Lᵢ = 1 / C Σ_{c ≠ yᵢ} max(0, margin - sᵢ[yᵢ] + sᵢ[c]), the hinge loss over C classes.

    Every class that comes too close to the right one counts, as in Weston and Watkins, and not only the closest, as in
    Crammer and Singer.

    Args:
        scores: s, shape (batch, classes).
        labels: y, shape (batch,), integers in 0 ... classes - 1.
        margin: how far the right class should be ahead.
        reduction: "mean", "sum", or "none" for one loss an example.

    Raises:
        ShapeError: when the shapes do not fit.
        DTypeError: when the labels are not integers.
        IndexRangeError: for a label that is not a class.
        ConfigurationError: for another reduction.

    Example:
        >>> round(multi_margin([[1.0, 0.5, -2.0]], [0]).item(), 4)
        0.1667

    Source: Weston and Watkins, Support Vector Machines for Multi-Class Pattern Recognition (1999), divided by the
    number of classes as in PyTorch.
    """
    scores, labels = _classes("multi_margin", "scores", scores, labels)
    right = expand(labels, 1)
    classes = scores.shape[1]
    others = not_equal(iota(classes).astype(labels.dtype), right)
    excess = relu(margin - TakeAlongAxis.of(1)(scores, right) + scores)
    return _reduce("multi_margin", where(others, excess, 0).sum(1) / classes, reduction)


def _classification(
    name: str,
    log_probabilities: Tensor,
    labels: Tensor,
    class_weights: TensorLike | None,
    smoothing: float,
    reduction: str,
) -> Tensor:
    """The losses of both functions over log probabilities."""
    classes = log_probabilities.shape[1]
    losses = -squeeze(TakeAlongAxis.of(1)(log_probabilities, expand(labels, 1)), 1)
    all_classes = log_probabilities
    weights: Tensor | None = None
    if class_weights is not None:
        log_probabilities, held = promote(name, [log_probabilities, class_weights])
        if held.shape != (classes,):
            raise ShapeError(f"{name}: expected class_weights of shape ({classes},), got shape {held.shape}")
        weights = gather(held, labels)
        losses = losses * weights
        all_classes = all_classes * held
    if smoothing:
        losses = losses * (1 - smoothing) - all_classes.sum(1) * (smoothing / classes)
    return _reduce(name, losses, reduction, weights)


def _reduce(name: str, losses: Tensor, reduction: str, weights: Tensor | None = None) -> Tensor:
    if reduction not in REDUCTIONS:
        raise ConfigurationError(f"{name}: expected a reduction of {', '.join(REDUCTIONS)}, got {shortened(reduction)}")
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    return losses.mean() if weights is None else losses.sum() / weights.sum()


def _classes(name: str, what: str, scores: TensorLike, labels: TensorLike) -> tuple[Tensor, Tensor]:
    """Scores and labels that fit together."""
    (scores,) = promote(name, [scores], floating=True)
    (labels,) = as_tensors([labels])
    if scores.spec.rank != 2:
        raise ShapeError(f"{name}: expected {what} of shape (batch, classes), got shape {scores.shape}")
    require_integer(name, "labels", labels.spec)
    batch, classes = scores.shape
    if labels.shape != (batch,):
        raise ShapeError(
            f"{name}: expected labels of shape ({batch},), one an example of the {what} {scores.shape}, "
            f"got shape {labels.shape}"
        )
    if labels.value is not None and (wrong := (labels.value < 0) | (labels.value >= classes)).any():
        example = int(np.argmax(wrong))
        raise IndexRangeError(
            f"{name}: label {labels.value[example]} of example {example} is out of range; expected 0 to {classes - 1} "
            f"({classes} classes)"
        )
    return scores, labels


def _pair(name: str, what: str, predictions: TensorLike, targets: TensorLike) -> tuple[Tensor, Tensor]:
    """Predictions and targets of one shape and dtype; nothing is broadcast, which would hide a wrong shape."""
    predictions, targets = promote(name, [predictions, targets], floating=True)
    if predictions.shape != targets.shape:
        raise ShapeError(
            f"{name}: expected targets of the shape of the {what}, {predictions.shape}, got shape {targets.shape}"
        )
    return predictions, targets


def _require_unit(name: str, what: str, x: Tensor, advice: str = "") -> None:
    if x.value is not None and (wrong := (x.value < 0) | (x.value > 1)).any():
        raise DataError(f"{name}: expected {what} from 0 to 1, got {x.value[wrong].flat[0]:g}{advice}")


def _cut_log(p: Tensor) -> Tensor:
    """The larger of ln p and -100; the logarithm of 0 is never taken, whose gradient would be 0 / 0."""
    positive = greater(p, 0)
    return where(positive, maximum(log(where(positive, p, 1)), -100), -100)
