"""Rows as they are given to a model: texts in any sequence, or lists of their tokens."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

import chainrule.polars as pl
from chainrule.data.token_lists import require_text
from chainrule.errors import DataError, shortened

#: As many characters of texts are encoded sooner without Polars, where it is loaded, and where it would have to be.
FEWEST_COLUMNAR, FEWEST_WORTH_LOADING = 1 << 14, 1 << 15


def listed_texts(rows: Any) -> list[Any]:
    """A sequence or an iterator of texts as a list.

    Raises:
        DataError: for something else, above all for what has columns or no order.
    """
    if isinstance(rows, str):
        found = f"one string: {shortened(rows)}; put it in a list"
    elif isinstance(rows, Mapping) or hasattr(rows, "columns"):
        found = f"{type(rows).__name__}; the model reads texts alone: give the column that holds them"
    elif not isinstance(rows, Iterable) or isinstance(rows, bytes | bytearray) or getattr(rows, "ndim", 1) != 1:
        found = type(rows).__name__
    elif isinstance(rows, set | frozenset):
        found = f"{type(rows).__name__}, which has no order; put its texts in a list"
    else:
        return list(rows)
    raise DataError(f"predict: expected a sequence of texts, got {found}")


def few_texts(rows: Any, *, lists: bool) -> list[Any] | None:
    """Rows as texts to encode without Polars: a list of few, or whatever it is in a forked process; None for others.

    Args:
        rows: as they were given.
        lists: whether a text may be a list of its tokens.

    Raises:
        DataError: for what are no texts.
    """
    if pl.threads_lost() and (isinstance(rows, pl.Series) or (isinstance(rows, np.ndarray) and rows.ndim == 1)):
        rows = list(rows)
    if not isinstance(rows, (list, tuple)):
        return None
    texts = ["" if text is None else text for text in rows]
    split = lists and any(isinstance(text, list | tuple) for text in texts)
    size = 0
    for row, text in enumerate(texts):
        if split or type(text) is not str:
            require_text(text, f"texts: texts[{row}]", tokens=split)
        size += len(text)
    fewest = FEWEST_COLUMNAR if pl.loaded() else FEWEST_WORTH_LOADING
    if size > fewest and not pl.threads_lost():
        return None
    for text in itertools.chain.from_iterable(texts) if split else texts:
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise DataError(f"texts: half of a surrogate pair, which is no character: {error}") from None
    return texts
