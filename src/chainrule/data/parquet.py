"""Parquet files, through Polars."""

from __future__ import annotations

import io
from collections.abc import Sequence

import chainrule.polars as pl
from chainrule.data.dialect import Dialect
from chainrule.data.sources import Source
from chainrule.data.wanted import Wanted, check_columns
from chainrule.errors import DataError


def _faults() -> tuple[type[BaseException], ...]:
    """What Polars raises for damaged files: its errors, and panics of its native code, which are no `Exception`."""
    return pl.exceptions.PolarsError, pl.exceptions.PanicException


def read_parquet(source: Source, wanted: Sequence[Wanted], dialect: Dialect, *, everything: bool) -> pl.DataFrame:  # noqa: ARG001
    """The columns of a Parquet file, of any type.

    Raises:
        DataError: for a damaged file, with the column where the damage is, or a column that is missing.
    """
    stored = source.stored
    try:
        lazy = pl.scan_parquet(io.BytesIO(stored) if isinstance(stored, bytes) else stored, glob=False)
        schema = lazy.collect_schema()
    except _faults() as error:
        raise DataError(f"{source.name}: {_damaged(error)}") from error
    check_columns(source.name, schema, wanted, everything=everything)
    names = list(schema) if everything else list(dict.fromkeys(name for _, name in wanted))
    try:
        return lazy.select(names).collect()
    except _faults() as error:
        raise DataError(f"{source.name}{_faulty(lazy, names)}: {_damaged(error)}") from error


def _damaged(error: BaseException) -> str:
    reason = str(error).partition("\n")[0]
    return f"not a whole Parquet file: {reason[:200]}. Write or copy it again"


def _faulty(lazy: pl.LazyFrame, names: Sequence[str]) -> str:
    """The first column that cannot be read, for a message."""
    for name in names:
        try:
            lazy.select(name).collect()
        except _faults():
            return f", column {name!r}"
    return ""
