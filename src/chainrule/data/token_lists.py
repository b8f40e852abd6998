"""Token lists: texts that are split into tokens already, and a tag for each token."""

from __future__ import annotations

import numpy as np

import chainrule.polars as pl
from chainrule.data.roles import as_texts
from chainrule.errors import DataError


def as_tokens(column: pl.Series, where: str) -> pl.Series:
    """A column of texts, or of lists of their tokens; a missing one is empty.

    Raises:
        DataError: when its cells are something else, or a token is missing, empty or no text.
    """
    if not isinstance(column.dtype, pl.List):
        return as_texts(column, where)
    if not isinstance(column.dtype.inner, pl.String | pl.Categorical | pl.Enum | pl.Null):
        raise DataError(
            f"{where}: column {column.name!r} holds {column.dtype}; expected lists of tokens, which are texts. Name "
            "another with --text NAME"
        )
    lists = column.cast(pl.List(pl.String)).fill_null([])
    _require_each(lists, where, "a token")
    return lists


def as_tags(column: pl.Series, where: str) -> pl.Series:
    """A column of lists of tags, one a token, stripped of blanks; null where a row has none.

    Raises:
        DataError: when its cells are no lists, or a tag is missing or empty.
    """
    kind = column.dtype
    if not isinstance(kind, pl.List) or kind.inner.is_nested() or kind.inner in (pl.Binary, pl.Object):
        raise DataError(
            f"{where}: column {column.name!r} holds {kind}; expected lists of tags, one for each token. Name another "
            "with --label NAME; one label a row is for the task classify"
        )
    lists = column.cast(pl.List(pl.String)).list.eval(pl.element().str.strip_chars())
    _require_each(lists, where, "a tag")
    return lists


def require_lengths(texts: pl.Series, tags: pl.Series, rows: np.ndarray, where: str) -> None:
    """Refuse texts that are not split into tokens, and those with more or fewer tags than tokens.

    Raises:
        DataError: naming the row.
    """
    if not texts.dtype.is_nested():
        raise DataError(
            f"{where}: its texts are not split into tokens, each of which has a tag: expected lists of tokens (JSON, "
            "Parquet), or a file with a token a line (.conll, .conllu). Name another column with --text NAME"
        )
    counts, others = texts.list.len().to_numpy(), tags.list.len().to_numpy()
    if (counts != others).any():
        place = int((counts != others).argmax())
        raise DataError(
            f"{where}: row {rows[place]} (the first is 0) has {counts[place]} tokens and {others[place]} tags; "
            "expected a tag for each token"
        )


def require_text(text: object, where: str, *, tokens: bool) -> None:
    """Refuse what is no text in a Python list, or, where others are lists of tokens, no list of texts.

    Raises:
        DataError: saying what it is.
    """
    held = text if tokens and isinstance(text, list | tuple) else [text]
    wrong = next((x for x in held if not isinstance(x, str) and (held is text or x is not None)), None)
    if wrong is not None or (tokens and isinstance(text, str)) or (held is text and None in held):
        expected = "a list of tokens, as others are" if tokens else "a string"
        found = f"has a token of type {type(wrong).__name__}" if held is text else f"is of type {type(text).__name__}"
        raise DataError(f"{where} {found}; expected {expected}")


def _require_each(lists: pl.Series, where: str, what: str) -> None:
    """Refuse lists of texts in which one is missing or empty."""
    wrong = lists.list.eval(pl.element().is_null() | (pl.element() == "")).list.any().fill_null(value=False)
    if wrong.any():
        raise DataError(
            f"{where}: row {wrong.arg_max()} (the first is 0) of column {lists.name!r} has {what} that is missing or "
            "empty"
        )
