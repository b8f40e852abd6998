"""Penalties on weights, and steps that keep weights small: what regularizers are made of."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence

import numpy as np

from chainrule.blocks import absolute, maximum, minimum, sign, sqrt
from chainrule.errors import ConfigurationError
from chainrule.graph.conversion import tensor
from chainrule.graph.tensor import Tensor


def penalty(parameters: Sequence[Tensor], *, l1: float = 0.0, l2: float = 0.0) -> Tensor:
    """λ₁ Σ |w| + λ₂ / 2 Σ w² over all elements of some parameters: L1, L2, or both together, the elastic net.

    Raises:
        ConfigurationError: for strengths below 0, or no parameters.

    Example:
        >>> import chainrule
        >>> penalty([chainrule.tensor([3.0, -4.0])], l1=0.1, l2=2.0).item()
        25.700000762939453

    Source: Tibshirani, Regression Shrinkage and Selection via the Lasso (1996); Zou and Hastie, Regularization and
    Variable Selection via the Elastic Net (2005).
    """
    if l1 < 0 or l2 < 0:
        raise ConfigurationError(f"penalty: expected strengths of 0 or more, got l1 {l1} and l2 {l2}")
    if not parameters:
        raise ConfigurationError("penalty: expected at least one parameter, got none")
    found: list[Tensor] = []
    if l2:
        found.append(l2 / 2 * functools.reduce(operator.add, [(x * x).sum() for x in parameters]))
    if l1:
        found.append(l1 * functools.reduce(operator.add, [absolute(x).sum() for x in parameters]))
    return functools.reduce(operator.add, found) if found else tensor(0.0, parameters[0].dtype)


def shrunk(weights: Tensor, threshold: Tensor | float) -> Tensor:
    """sign(w) max(|w| - threshold, 0): the proximal step of L1, after which small weights are exactly 0.

    With a threshold of η λ after a step of gradient descent it minimizes the loss + λ Σ |w| (ISTA).

    Example:
        >>> import chainrule
        >>> shrunk(chainrule.tensor([0.5, -0.25, 0.05]), 0.125).value
        array([ 0.375, -0.125,  0.   ], dtype=float32)

    Source: Daubechies, Defrise and De Mol, An Iterative Thresholding Algorithm for Linear Inverse Problems (2004).
    """
    return sign(weights) * maximum(absolute(weights) - threshold, 0)


def bounded(weights: Tensor, longest: float, *, axis: int = 0) -> Tensor:
    """w min(1, c / ‖w‖): vectors longer than c are scaled down to c.

    Args:
        weights: of any shape.
        longest: c, above 0.
        axis: along which norms are taken: 0 for the weights into each unit of a layer, -1 for rows of a table.

    Raises:
        ConfigurationError: for a length that is not above 0.

    Example:
        >>> import chainrule
        >>> bounded(chainrule.tensor([[3.0, 0.5], [4.0, 0.0]]), 1.0).value
        array([[0.6, 0.5],
               [0.8, 0. ]], dtype=float32)

    Source: Srivastava et al., Dropout: A Simple Way to Prevent Neural Networks from Overfitting (2014), section 5.1.
    """
    if not longest > 0:
        raise ConfigurationError(f"bounded: expected a length above 0, got {longest}")
    norm = sqrt((weights * weights).sum(axis=axis, keepdims=True))
    return weights * minimum(longest / maximum(norm, float(np.finfo(weights.dtype).tiny)), 1)
