"""Measures of predictions, by the definitions of scikit-learn, which the tests hold them to.

Where a definition divides by nothing, the measure is 0, or NaN where no value makes sense (such as the area under the
curve of a class that has no rows).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.graph.spec import Array

#: Bins of the calibration error.
BINS = 15
#: Probabilities below this count as this in a logarithm.
SMALLEST = float(np.finfo(np.float32).tiny)
#: Between two thresholds that are compared lies one part of so many.
STEPS = 1000


def confusion_matrix(truth: Array, predicted: Array, classes: int) -> Array:
    """Counts, int64 of shape (classes, classes): row the true class, column the predicted one."""
    return np.bincount(truth * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def ratio(part: Array, whole: Array) -> Array:
    """part / whole, and 0 where whole is 0."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.zeros(np.broadcast(part, whole).shape), where=whole > 0)


def f_scores(right: Array, predicted: Array, true: Array) -> tuple[Array, Array, Array]:
    """Precision, recall and F1 of each class, from counts: predicted rightly, predicted at all, and true."""
    return ratio(right, predicted), ratio(right, true), ratio(2 * right, predicted + true)


def means_of_rows(values: Array, offsets: Array, empty: float) -> Array:
    """The mean of the values of each ragged row, in float64; `empty` for a row that has none.

    Example:
        >>> means_of_rows(np.array([1, 0, 1]), np.array([0, 2, 2, 3]), 0.0).tolist()
        [0.5, 0.0, 1.0]
    """
    lengths = np.diff(offsets)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    sums = np.bincount(rows, np.asarray(values, np.float64), len(lengths))
    return np.where(lengths > 0, sums / np.maximum(lengths, 1), empty)


def log_loss(chosen: Array) -> float:
    """The mean of -ln p over probabilities of what is true, in nats."""
    if not len(chosen):
        return math.nan
    return 0 - float(np.log(np.maximum(chosen.astype(np.float64), SMALLEST)).mean())  # 0 and not -0 where all are sure


def cross_entropies(probabilities: Array, truth: Array, class_weights: Array | None, smoothing: float) -> Array:
    """-(1 - ε) w[yᵢ] ln pᵢ[yᵢ] - ε / C Σ_c w[c] ln pᵢ[c], in nats: see `Classify`.

    Args:
        probabilities: p, shape (n, C).
        truth: y, shape (n,).
        class_weights: w, shape (C,); None for 1.
        smoothing: ε.
    """
    logarithms = np.log(np.maximum(probabilities.astype(np.float64), SMALLEST))
    if class_weights is not None:
        logarithms *= class_weights
    chosen: Array = logarithms[np.arange(len(truth)), truth]
    losses: Array = -(1 - smoothing) * chosen - smoothing * logarithms.mean(axis=1)
    return losses


def weighted_mean(losses: Array, weights: Any, counts: Array | None = None) -> float:
    """Σ sᵢ Lᵢ / Σ sᵢ cᵢ with the weights s of rows and c of their classes, None for 1; the losses have c in them."""
    weights = np.ones(len(losses)) if weights is None else weights.astype(np.float64)
    return float((losses * weights).sum() / (weights if counts is None else weights * counts).sum())


def best_threshold(truth: Array, probabilities: Array, others: int = 0) -> float:
    """The probability above which labels are given so that micro-F1 is highest, in thousandths.

        F₁ = 2 n₁₁ / (n₁ + n),    n₁₁ labels given rightly, n₁ given, n there to give

    Where probabilities are right this is half of the F1 that is reached, so below 0.5. Of several that are the best
    it is 0.5, if that is one of them, or the middle one.

    Args:
        truth: which labels each row has, bool of shape (rows, labels).
        probabilities: of the same shape.
        others: labels of the rows that cannot be given, as the model does not know them.

    Example:
        >>> best_threshold(np.array([[True, False], [True, False]]), np.array([[0.9, 0.05], [0.3, 0.2]]))
        0.25

    Source: Lipton, Elkan and Naryanaswamy, Optimal Thresholding of Classifiers to Maximize F1 Measure (2014).
    """
    levels = np.ceil(np.nan_to_num(probabilities) * STEPS).astype(np.int64)
    given, right = (np.bincount(x, minlength=STEPS + 1)[::-1].cumsum()[::-1] for x in (levels.ravel(), levels[truth]))
    figures = ratio(2 * right[2:], truth.sum() + others + given[2:])  # of a threshold k, what lies in k + 1 or above
    best = np.flatnonzero(figures == figures.max()) + 1
    return 0.5 if STEPS // 2 in best else float(best[len(best) // 2] / STEPS)


def confidence_interval(right: int, rows: int, *, level: float = 0.95) -> tuple[float, float]:
    """Between which two shares that of all rows lies, where so many of some rows are right: the exact interval.

        [B(α/2; k, n - k + 1), B(1 - α/2; k + 1, n - k)],    α = 1 - level

    with the quantiles B of the beta distribution, for k right ones of n rows.

    Example:
        >>> [round(bound, 3) for bound in confidence_interval(9, 10)]
        [0.555, 0.997]

    Source: Clopper and Pearson, The Use of Confidence or Fiducial Limits (1934).
    """
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = float(betaincinv(right, rows - right + 1, tail)) if right else 0.0
    high = float(betaincinv(right + 1, rows - right, 1 - tail)) if right < rows else 1.0
    return low, high


def roc_auc(truth: Array, scores: Array) -> float:
    """The area under the receiver operating characteristic: how often a true row scores above a false one; ties half.

    Args:
        truth: shape (n,), whether each row is true.
        scores: shape (n,).

    Returns:
        between 0 and 1; NaN when all rows are true, or none is.
    """
    positive = int(truth.sum())
    negative = len(truth) - positive
    if not positive or not negative:
        return math.nan
    held, true = np.sort(scores), np.sort(scores[truth])
    below, up_to = (np.searchsorted(held, true, side) for side in ("left", "right"))
    ranks = (below + 1 + up_to) / 2  # from 1; equal scores share the mean of their places
    return float((ranks.sum() - positive * (positive + 1) / 2) / (positive * negative))


def average_precision(truth: Array, scores: Array) -> float:
    """Σ (Rₖ - Rₖ₋₁) Pₖ over the thresholds k from high to low, with the precision P and recall R at each.

    Returns:
        between 0 and 1; NaN when no row is true.
    """
    positive = int(truth.sum())
    if not positive:
        return math.nan
    held, true = np.sort(scores), np.sort(scores[truth])
    above = len(held) - np.searchsorted(held, true, "left")  # rows from the score of each true row on
    right = positive - np.searchsorted(true, true, "left")  # and the true ones of them
    return float((right / above).mean())  # a true row raises the recall by 1 / positive


def calibration_error(confidence: Array, right: Array) -> float:
    """The expected calibration error: Σ_b n_b / n |accuracy_b - confidence_b| over bins b of equal width.

    Args:
        confidence: shape (n,), the probability of what was predicted.
        right: shape (n,), whether it is true.

    Source: Naeini, Cooper and Hauskrecht, Obtaining Well Calibrated Probabilities Using Bayesian Binning (2015), with
    15 bins as in Guo et al., On Calibration of Modern Neural Networks (2017).
    """
    if not len(confidence):
        return math.nan
    bins = np.clip(np.ceil(confidence.astype(np.float64) * BINS).astype(np.int64) - 1, 0, BINS - 1)
    sums = [np.bincount(bins, weights=x, minlength=BINS) for x in (right.astype(np.float64), confidence)]
    return float(np.abs(sums[0] - sums[1]).sum() / len(confidence))


def r_squared(truth: Array, predicted: Array) -> float:
    """1 - Σ (y - ŷ)² / Σ (y - mean y)²: 1 is perfect, 0 no better than the mean; NaN for fewer than two rows."""
    if len(truth) < 2:
        return math.nan
    total = float(((truth - truth.mean()) ** 2).sum())
    left = float(((truth - predicted) ** 2).sum())
    if total == 0:
        return 1.0 if left == 0 else 0.0
    return 1 - left / total


def spearman(truth: Array, predicted: Array) -> float:
    """The rank correlation: Pearson's of the ranks, ties by their mean rank; NaN where either is constant."""
    ranks = [_ranks(x) for x in (truth, predicted)]
    centred = [x - x.mean() for x in ranks]
    norm = math.sqrt(float((centred[0] ** 2).sum()) * float((centred[1] ** 2).sum()))
    return float((centred[0] * centred[1]).sum()) / norm if norm else math.nan


def mean_known(values: list[float]) -> float:
    """The mean of the values that are numbers; NaN when none is."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _ranks(values: Array) -> Array:
    """The place of each value in the order, from 1; equal values share the mean of their places."""
    order = np.argsort(values, kind="stable")
    held = np.asarray(values)[order]
    starts = np.flatnonzero(np.append(True, held[1:] != held[:-1])[: len(held)])
    counts = np.diff(starts, append=len(held))
    ranks = np.empty(len(held), np.float64)
    ranks[order] = np.repeat(starts + (counts + 1) / 2, counts)
    return ranks


def for_json(measures: dict[str, float]) -> dict[str, float | None]:
    """Measures as JSON can hold them, which has no NaN: null."""
    return {name: None if math.isnan(value) else value for name, value in measures.items()}


#: What people call measures, and their unit, where that is not the name with blanks.
TITLES = {
    "loss": ("loss", ""),
    "log_loss": ("log loss", " nats"),
    "macro_f1": ("macro-F1", ""),
    "micro_f1": ("micro-F1", ""),
    "roc_auc": ("ROC-AUC", ""),
    "r2": ("R²", ""),
    "mae": ("mean absolute error", ""),
    "rmse": ("root mean squared error", ""),
    "spearman": ("Spearman's correlation", ""),
}
#: The measures of which lower is better.
LOWER_IS_BETTER = frozenset({
    "loss", "log_loss", "calibration_error", "hamming_loss", "mae", "rmse", "perplexity", "bits_per_byte",
    "token_error_rate",
})  # fmt: skip
