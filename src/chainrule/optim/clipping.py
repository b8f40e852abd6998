"""Gradient clipping."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.blocks import clamp, greater, sqrt, where
from chainrule.errors import ConfigurationError
from chainrule.graph.sparse import RowSparse
from chainrule.graph.tensor import Tensor

Gradients = Sequence[Tensor | RowSparse]


def clip_by_norm(gradients: Gradients, maximum: float) -> tuple[list[Tensor | RowSparse], Tensor]:
    """The gradients, scaled down together when their norm is above a maximum, and the norm before that.

        norm = √(Σ g²) over all elements of all gradients,    g ← g · maximum / norm  if norm > maximum

    Row-sparse gradients stay so; their repeated rows are added up first. It is a graph like any other, so it needs no
    values.

    Args:
        gradients: dense or row-sparse, at least one.
        maximum: the largest norm to leave as it is, above 0.

    Returns:
        the gradients, and the norm as a scalar tensor.

    Raises:
        ConfigurationError: for a maximum that is not above 0, or no gradients.

    Example:
        >>> import chainrule
        >>> (clipped,), norm = clip_by_norm([chainrule.tensor([3.0, 4.0])], 1.0)
        >>> clipped.value, norm.item()
        (array([0.6, 0.8], dtype=float32), 5.0)

    Source: Pascanu, Mikolov and Bengio, On the Difficulty of Training Recurrent Neural Networks (2013), algorithm 1.
    """
    if not maximum > 0:
        raise ConfigurationError(f"clip_by_norm: expected a maximum above 0, got {maximum}")
    if not gradients:
        raise ConfigurationError("clip_by_norm: expected at least one gradient, got none")
    held = [x.coalesce() if isinstance(x, RowSparse) else x for x in gradients]
    dtype = np.result_type(*[x.spec.dtype for x in held])
    elements = [x.rows if isinstance(x, RowSparse) else x for x in held]
    squares = [_as((x * x).sum(), dtype) for x in elements]
    norm = sqrt(functools.reduce(operator.add, squares))
    scale = where(greater(norm, maximum), maximum / norm, 1)
    return [x * _as(scale, x.spec.dtype) for x in held], norm


def clip_by_value(gradients: Gradients, maximum: float) -> list[Tensor | RowSparse]:
    """The gradients, with each number between -maximum and maximum: g ← min(max(g, -maximum), maximum).

    Row-sparse gradients stay so; their repeated rows are added up first.

    Args:
        gradients: dense or row-sparse.
        maximum: the largest number to leave as it is, above 0.

    Raises:
        ConfigurationError: for a maximum that is not above 0.

    Example:
        >>> import chainrule
        >>> (clipped,) = clip_by_value([chainrule.tensor([3.0, -0.5, -4.0])], 1.0)
        >>> clipped.value
        array([ 1. , -0.5, -1. ], dtype=float32)
    """
    if not maximum > 0:
        raise ConfigurationError(f"clip_by_value: expected a maximum above 0, got {maximum}")
    found: list[Tensor | RowSparse] = []
    for gradient in gradients:
        if isinstance(gradient, RowSparse):
            held = gradient.coalesce()
            found.append(RowSparse(held.indices, clamp(held.rows, -maximum, maximum), held.spec))
        else:
            found.append(clamp(gradient, -maximum, maximum))
    return found


def _as(x: Tensor, dtype: np.dtype[Any]) -> Tensor:
    return x if x.dtype == dtype else x.astype(dtype)
