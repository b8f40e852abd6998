"""Rows as scikit-learn gives them: X as texts or columns, and weights."""

from __future__ import annotations

from typing import Any

import numpy as np

import chainrule.polars as pl
from chainrule.graph.spec import Array


def as_weights(given: Any, rows: int) -> Array | None:
    """The weights of rows.

    Raises:
        ValueError: for others than a finite number of 0 or more for each row.
    """
    if given is None:
        return None
    weights = np.asarray(given, dtype=np.float64)
    if weights.shape != (rows,):
        raise ValueError(f"sample_weight: expected one for each of {rows} rows, got shape {weights.shape}")
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"sample_weight: row {row} has {weights[row]}; expected finite numbers of 0 or more")
    if not weights.any():
        raise ValueError("sample_weight: all weights are zero; expected some above 0")
    return weights


def as_texts(X: Any) -> list[str] | None:  # noqa: N803
    """X as a list of texts, where it is a sequence of them."""
    if isinstance(X, str):
        raise ValueError("X is one text; put it in a list")  # noqa: TRY004  (as scikit-learn has it)
    if isinstance(X, list | tuple):
        return list(X) if X and all(isinstance(x, str) for x in X) else None
    if not isinstance(X, pl.Series) and getattr(X, "ndim", 0) != 1:
        return None
    held = list(X)
    return [str(x) for x in held] if held and all(isinstance(x, str) for x in held) else None


def as_frame(X: Any) -> pl.DataFrame:  # noqa: N803
    """A frame of Polars or pandas as one of Polars."""
    if isinstance(X, pl.DataFrame):
        return X
    return pl.DataFrame({str(name): X[name].to_list() for name in X.columns}, strict=False)


def all_numbers(X: Any) -> bool:  # noqa: N803
    """Whether all columns of a frame are numbers or booleans."""
    return all(dtype.is_numeric() or dtype == pl.Boolean for dtype in as_frame(X).dtypes)
