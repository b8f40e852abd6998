"""What all losses share: reductions, and inputs that fit together."""

from __future__ import annotations

import numpy as np

from chainrule.errors import ConfigurationError, DataError, ShapeError, shortened
from chainrule.graph.conversion import promote
from chainrule.graph.tensor import Tensor, TensorLike

REDUCTIONS = ("mean", "sum", "none")


def reduced(name: str, losses: Tensor, reduction: str, weight: Tensor | None = None) -> Tensor:
    """The mean, the sum, or the losses themselves; a mean divides by the weight, or by how many there are.

    Raises:
        ConfigurationError: for another reduction.
    """
    if reduction not in REDUCTIONS:
        raise ConfigurationError(f"{name}: expected a reduction of {', '.join(REDUCTIONS)}, got {shortened(reduction)}")
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    return losses.mean() if weight is None else losses.sum() / weight


def pair(name: str, what: str, predictions: TensorLike, targets: TensorLike) -> tuple[Tensor, Tensor]:
    """Predictions and targets of one shape and dtype; nothing is broadcast, which would hide a wrong shape.

    Raises:
        ShapeError: when the shapes differ.
    """
    predictions, targets = promote(name, [predictions, targets], floating=True)
    if predictions.shape != targets.shape:
        raise ShapeError(
            f"{name}: expected targets of the shape of the {what}, {predictions.shape}, got shape {targets.shape}"
        )
    return predictions, targets


def require(name: str, what: str, x: Tensor, right: str, low: float, high: float = np.inf, advice: str = "") -> None:
    """Refuse numbers outside low ... high, where they are known.

    Raises:
        DataError: with the first of them.
    """
    if x.value is not None and (wrong := (x.value < low) | (x.value > high)).any():
        raise DataError(f"{name}: expected {what} {right}, got {x.value[wrong].flat[0]:g}{advice}")


def require_unit(name: str, what: str, x: Tensor, advice: str = "") -> None:
    """Refuse numbers outside 0 ... 1, where they are known.

    Raises:
        DataError: with the first of them.
    """
    require(name, what, x, "from 0 to 1", 0, 1, advice)


def require_sides(name: str, x: Tensor) -> None:
    """Refuse targets other than -1 and 1, where they are known.

    Raises:
        DataError: with the first of them.
    """
    if x.value is not None and (wrong := np.abs(x.value) != 1).any():
        raise DataError(f"{name}: expected targets of -1 or 1, got {x.value[wrong].flat[0]:g}")


def require_least(name: str, what: str, value: float, least: float, *, above: bool = False) -> None:
    """Refuse a setting below its least value, or at it.

    Raises:
        ConfigurationError: with the value.
    """
    if not (value > least if above else value >= least):
        limit = f"above {least:g}" if above else f"of {least:g} or more"
        raise ConfigurationError(f"{name}: expected {what} {limit}, got {value}")
