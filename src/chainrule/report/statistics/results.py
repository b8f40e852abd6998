"""Results as statistics take them: finite numbers in arrays, or a message that says what came instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import ConfigurationError, DataError, shortened

Array = npt.NDArray[Any]
#: Of one learner: a result a seed, or a score for each seed and row.
Results = Sequence[float] | Sequence[Sequence[float]] | Array

#: Of how many intervals out of a hundred hold the truth, where nothing else is asked for.
LEVEL = 0.95


def vector(values: Results, what: str, least: int = 1) -> Array:
    """Results as float64 of shape (n,).

    Raises:
        DataError: for fewer than `least`, for another shape, and for what is no finite number.
    """
    return _checked(values, what, (least,))


def matrix(values: Results, what: str, seeds: int = 1, rows: int = 1) -> Array:
    """Scores as float64 of shape (seeds, rows), with at least so many.

    Raises:
        DataError: for fewer, for another shape, and for what is no finite number.
    """
    return _checked(values, what, (seeds, rows))


def require_level(level: float) -> None:
    """Refuse a level that is no share between 0 and 1.

    Raises:
        ConfigurationError: for such a one.
    """
    if not 0 < level < 1:
        raise ConfigurationError(f"level: expected a number between 0 and 1, such as 0.95, got {shortened(level)}")


def _checked(values: Results, what: str, least: tuple[int, ...]) -> Array:
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{what}: expected numbers, got {shortened(values)}") from None
    if array.ndim != len(least) or any(n < limit for n, limit in zip(array.shape, least, strict=False)):
        names = ("results",) if len(least) == 1 else ("seeds", "rows")
        wanted = " of ".join(f"{limit} or more {name}" for limit, name in zip(least, names, strict=True))
        raise DataError(f"{what}: expected {wanted}, got an array of shape {array.shape}")
    wrong = ~np.isfinite(array)
    if wrong.any():
        raise DataError(f"{what}: expected finite numbers, got {array[wrong][0]}; leave out runs that failed")
    return array
