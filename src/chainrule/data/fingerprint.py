"""Fingerprints: a digest that tells tables apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import chainrule.polars as pl


def feed(digest: hashlib._Hash, values: pl.Series | None) -> None:
    """Feed a column to a digest: the lengths of its strings in bytes, then the strings; numbers as they are.

    No two columns give the same bytes.
    """
    digest.update(b"absent" if values is None else b"column" + len(values).to_bytes(8, "little"))
    if values is None:
        return
    if values.dtype == pl.Float64:
        digest.update(values.is_null().to_numpy().tobytes() + values.fill_null(0).to_numpy().astype("<f8").tobytes())
        return
    if values.dtype.is_nested():
        digest.update(values.list.len().to_numpy().astype("<i8").tobytes())
        values = values.explode()
    if values.null_count():
        digest.update(values.is_null().to_numpy().tobytes())
        values = values.fill_null("")
    digest.update(values.str.len_bytes().to_numpy().astype("<i8").tobytes())
    for start in range(0, len(values), 4096):
        digest.update("".join(values.slice(start, 4096).to_list()).encode())


def named_as_text(frame: pl.DataFrame) -> Iterator[pl.Series]:
    """The columns of a frame as strings, whatever they hold, each after its name."""
    for column in frame.get_columns():
        yield pl.Series([column.name])
        yield pl.Series([None if x is None else str(x) for x in column.to_list()], dtype=pl.String)
