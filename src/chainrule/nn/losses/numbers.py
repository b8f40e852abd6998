"""Losses of numbers: how far a prediction is from the true one."""

from __future__ import annotations

import math

from chainrule.blocks import (
    absolute,
    exp,
    expand,
    expm1,
    greater,
    less,
    log,
    log1p,
    maximum,
    minimum,
    stop_gradient,
    where,
)
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.graph.conversion import promote
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn.losses.common import pair, reduced, require, require_least


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
    x, z = pair("mean_squared_error", "predictions", predictions, targets)
    difference = x - z
    return reduced("mean_squared_error", difference * difference, reduction)


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
    x, z = pair("mean_absolute_error", "predictions", predictions, targets)
    return reduced("mean_absolute_error", absolute(x - z), reduction)


def huber(predictions: TensorLike, targets: TensorLike, *, delta: float = 1.0, reduction: str = "mean") -> Tensor:
    """L = d² / 2 where d = |x - z| is at most δ, else δ (d - δ / 2), elementwise: outliers count as in absolute errors.

    Args:
        predictions: x, any shape.
        targets: z, the same shape.
        delta: δ, above 0.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: when the shapes differ.
        ConfigurationError: for another reduction, or a δ not above 0.

    Example:
        >>> huber([0.5, 10.0], [0.0, 0.0], reduction="none").value
        array([0.125, 9.5  ], dtype=float32)

    Source: Huber, Robust Estimation of a Location Parameter (1964).
    """
    require_least("huber", "delta", delta, 0, above=True)
    x, z = pair("huber", "predictions", predictions, targets)
    d = absolute(x - z)
    near = minimum(d, delta)  # so that no large number is squared
    return reduced("huber", 0.5 * near * near + delta * (d - near), reduction)


def smooth_l1(predictions: TensorLike, targets: TensorLike, *, beta: float = 1.0, reduction: str = "mean") -> Tensor:
    """L = d² / 2β where d = |x - z| is at most β, else d - β / 2, elementwise: the Huber loss over its δ.

    Args:
        predictions: x, any shape.
        targets: z, the same shape.
        beta: β, 0 or more; 0 for absolute errors.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: when the shapes differ.
        ConfigurationError: for another reduction, or a β below 0.

    Example:
        >>> smooth_l1([0.5, 10.0], [0.0, 0.0], beta=0.5, reduction="none").value
        array([0.25, 9.75], dtype=float32)

    Source: Girshick, Fast R-CNN (2015), with β = 1.
    """
    require_least("smooth_l1", "beta", beta, 0)
    if not beta:
        return mean_absolute_error(predictions, targets, reduction=reduction)
    return huber(predictions, targets, delta=beta, reduction=reduction) / beta


def log_cosh(predictions: TensorLike, targets: TensorLike, *, reduction: str = "mean") -> Tensor:
    """L = ln cosh(x - z), elementwise: d² / 2 near 0, and d - ln 2 far away, with all derivatives smooth.

    Computed so that it never overflows, and keeps its digits near 0.

    Args:
        predictions: x, any shape.
        targets: z, the same shape.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: when the shapes differ.
        ConfigurationError: for another reduction.

    Example:
        >>> log_cosh([0.001, 1000.0], [0.0, 0.0], reduction="none").value
        array([4.9999994e-07, 9.9930682e+02], dtype=float32)
    """
    x, z = pair("log_cosh", "predictions", predictions, targets)
    d = absolute(x - z)
    close = less(d, 1)
    near, far = where(close, d, 0), where(close, 1, d)
    inner = log1p(-0.5 * expm1(near) * expm1(-near))  # cosh d - 1 = (eᵈ - 1) (1 - e⁻ᵈ) / 2
    return reduced("log_cosh", where(close, inner, far + log1p(exp(-2 * far)) - math.log(2)), reduction)


def quantile(predictions: TensorLike, targets: TensorLike, *, share: float = 0.5, reduction: str = "mean") -> Tensor:
    """L = q (z - x) where z > x, else (1 - q) (x - z), elementwise: its best answer is the quantile of a share q.

    Args:
        predictions: x, any shape.
        targets: z, the same shape.
        share: q, the share of the targets that is to lie below the prediction, between 0 and 1; 0.5 for the median.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: when the shapes differ.
        ConfigurationError: for another reduction, or a q that is not between 0 and 1.

    Example:
        >>> quantile([1.0, 1.0], [3.0, 0.0], share=0.75, reduction="none").value
        array([1.5 , 0.25], dtype=float32)

    Source: Koenker and Bassett, Regression Quantiles (1978).
    """
    if not 0 < share < 1:
        raise ConfigurationError(f"quantile: expected a share between 0 and 1, got {share}")
    x, z = pair("quantile", "predictions", predictions, targets)
    d = z - x
    return reduced("quantile", d * where(greater(d, 0), share, where(less(d, 0), share - 1, 0 * d)), reduction)


def poisson_nll(log_rates: TensorLike, counts: TensorLike, *, reduction: str = "mean") -> Tensor:
    """L = eˣ - z x, elementwise: the negative log-likelihood of counts z of a rate eˣ, but for ln z!.

    Args:
        log_rates: x, any shape.
        counts: z, the same shape, 0 or more.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: when the shapes differ.
        DataError: for counts below 0.
        ConfigurationError: for another reduction.

    Example:
        >>> poisson_nll([0.0, 0.0], [0.0, 3.0]).item()
        1.0
    """
    x, z = pair("poisson_nll", "log rates", log_rates, counts)
    require("poisson_nll", "counts", z, "of 0 or more", 0)
    return reduced("poisson_nll", exp(x) - z * x, reduction)


def gaussian_nll(
    predictions: TensorLike, targets: TensorLike, variances: TensorLike, *, least: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """L = (ln v + (x - z)² / v) / 2, elementwise: the negative log-likelihood of a normal number, but for ln(2π) / 2.

    Args:
        predictions: x, any shape.
        targets: z, the same shape.
        variances: v, the same shape, or one number for the last axis, of size 1 or left out; 0 or more.
        least: what smaller variances count as; gradients pass all the same.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: when the shapes do not fit.
        DataError: for a variance below 0.
        ConfigurationError: for another reduction, or a least variance not above 0.

    Example:
        >>> gaussian_nll([1.0, 0.0], [3.0, 0.0], [1.0, 1.0]).item()
        1.0

    Source: Nix and Weigend, Estimating the Mean and Variance of the Target Probability Distribution (1994).
    """
    require_least("gaussian_nll", "a least variance", least, 0, above=True)
    x, z = pair("gaussian_nll", "predictions", predictions, targets)
    x, z, v = promote("gaussian_nll", [x, z, variances])
    v = expand(v, -1) if v.shape == x.shape[:-1] and v.shape != x.shape else v
    if v.shape not in (x.shape, (*x.shape[:-1], 1)):
        raise ShapeError(f"gaussian_nll: expected variances of shape {x.shape} or {x.shape[:-1]}, got shape {v.shape}")
    require("gaussian_nll", "variances", v, "of 0 or more", 0)
    v = v + stop_gradient(maximum(v, least) - v)
    return reduced("gaussian_nll", 0.5 * (log(v) + (x - z) * (x - z) / v), reduction)
