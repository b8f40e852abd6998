"""The table that everything starts from: read, checked, counted, split, fingerprinted."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

import numpy as np

import chainrule.polars as pl
from chainrule.data.fingerprint import feed, named_as_text
from chainrule.data.helper import by_helper, uses_polars
from chainrule.data.json_cells import with_strings
from chainrule.data.roles import (
    ALL,
    TEXT,
    Roles,
    as_categories,
    as_label_lists,
    as_labels,
    as_numbers,
    as_texts,
    as_weights,
    column_type,
    divided,
    label_column,
    list_type,
    names_of,
    roles_of,
)
from chainrule.data.split import dealt, rows_by_label, rows_of_each_label, with_every_label
from chainrule.data.token_lists import as_tags, as_tokens, require_lengths, require_text
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, DataError


@dataclass(frozen=True)
class ReadReport:
    """What reading found.

    Attributes:
        rows: rows read.
        unlabelled: rows left out for want of a label.
        empty: texts kept although blank.
        without_labels: rows kept that have no label, where a row may have several or none.
        weightless: rows left out because their weight is 0.
    """

    rows: int
    unlabelled: int
    empty: int
    without_labels: int = 0
    weightless: int = 0


@dataclass(frozen=True, eq=False)
class Table:
    """Rows to learn from or to predict for, and, when they are known, what is to be predicted.

    Args:
        columns: what is known of each row: a column "text" of strings without nulls (a text may be empty), or of lists
            of tokens; or columns of numbers (Float64) and categories (String), where null stands for a missing one.
        labels: as many labels as rows, without nulls: strings, numbers (Float64) or lists of strings; or None.
        name: where the table came from, for messages.
        report: what reading found.
        rows: the number of each row in what was read, from 0.
        source: how it was read: the files, the columns of texts and labels, and how the files are written.
        textual: whether its rows are texts; None where the one column "text" says so.
        weights: how much each row counts in the loss, Float64 above 0; None where all count the same.
        kept: columns that were asked for as they are, whatever they hold; None where none were.
        written: whether labels are texts to be written, and no names of classes that rows share.
        label_type: what labels were before they became strings: "text", "integer", "float" or "boolean".

    Raises:
        DataError: columns of the wrong type or length, labels with nulls, or weights that are not above 0.

    Example:
        >>> table = Table.from_lists(["good", "bad", "fine", "awful"], ["pos", "neg", "pos", "neg"])
        >>> len(table), table.label_names()
        (4, ('neg', 'pos'))
    """

    columns: pl.DataFrame
    labels: pl.Series | None
    name: str
    report: ReadReport
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    source: Mapping[str, Any] = field(default_factory=dict)
    textual: bool | None = None
    weights: pl.Series | None = None
    label_type: str = TEXT
    kept: pl.DataFrame | None = None
    written: bool = False

    def __post_init__(self) -> None:
        if self.textual is None:
            object.__setattr__(self, "textual", self.columns.columns == ["text"])
        for column in self.columns.get_columns():
            what, expected = f"column {column.name!r}", "Float64 or String"
            right = column.dtype in (pl.Float64, pl.String)
            if self.textual:
                what, expected = "texts", "String or lists of String without nulls"
                right = column.dtype in (pl.String, pl.List(pl.String))
                right &= not column.null_count()
            if not right:
                nulls = f"with {column.null_count()} nulls"
                raise DataError(f"{self.name}: expected {what} of {expected}, got {column.dtype} {nulls}")
        if not len(self.rows) and len(self):
            object.__setattr__(self, "rows", np.arange(len(self)))
        if self.weights is not None and len(as_weights(self.weights, self.name)) != len(self):
            raise DataError(f"{self.name}: {len(self)} rows but {len(self.weights)} weights; expected as many")
        labels = self.labels
        if labels is None:
            return
        if labels.dtype not in (pl.String, pl.Float64, pl.List(pl.String)) or labels.null_count():
            nulls = f"with {labels.null_count()} nulls"
            raise DataError(f"{self.name}: expected labels of String without nulls, got {labels.dtype} {nulls}")
        if len(labels) != len(self):
            what = "texts" if self.textual else "rows"
            raise DataError(f"{self.name}: {len(self)} {what} but {len(labels)} labels; expected as many")

    def __len__(self) -> int:
        return self.columns.height

    @property
    def texts(self) -> pl.Series:
        """The text of each row.

        Raises:
            DataError: when rows are numbers and categories.
        """
        if not self.textual:
            listed = ", ".join(map(repr, self.columns.columns))
            raise DataError(f"{self.name}: has no texts but the columns {listed}; read it with text=..., --text NAME")
        return self.columns["text"]

    @classmethod
    def from_lists(
        cls,
        texts: Iterable[str | Sequence[str] | None],
        labels: Iterable[object] | None = None,
        *,
        weights: Sequence[float] | None = None,
        target: str | None = None,
        name: str = "list",
    ) -> Table:
        """Make a table from Python lists, by the same rules as `read_table`.

        Args:
            texts: one a row; None is the empty text. Or a list of tokens a row, which are not split further.
            labels: one a row: a label of any type, which becomes a string; or a list of labels, for rows with several
                or none, and for lists of tokens of as many tags. None where there are none.
            weights: how much each row counts in the loss, finite numbers of 0 or more; rows with 0 are left out.
            target: "label", "labels", "number", "tags" or "text", as of `read_table`; None for what it looks like:
                "tags" for lists of tokens, "labels" for lists of labels, "label" for all else.
            name: for messages.

        Raises:
            DataError: Lists of different lengths, no row with a label, texts that are not strings, one string
                instead of a list, or a weight that is no finite number of 0 or more.
        """
        if isinstance(texts, str) or isinstance(labels, str):
            raise DataError(f"{name}: expected lists of texts and labels, got one string; put it in a list")
        texts, labels = list(texts), None if labels is None else list(labels)
        if labels is not None and len(labels) != len(texts):
            raise DataError(f"{name}: {len(texts)} texts but {len(labels)} labels; expected as many")
        if weights is not None and len(weights) != len(texts):
            raise DataError(f"{name}: {len(texts)} texts but {len(weights)} weights; expected as many")
        tokens = any(isinstance(text, list | tuple) for text in texts)
        for row, text in enumerate(texts):
            require_text(text, f"{name}: texts[{row}]", tokens=tokens)
        try:
            frame = pl.DataFrame({"text": pl.Series(texts, dtype=pl.List(pl.String) if tokens else pl.String)})
            column = None if labels is None else label_column(labels, name)
            listed = column is not None and column.dtype.is_nested()
            roles = Roles(target=target or ("tags" if tokens else "labels" if listed else "label"))
            held = None if weights is None else pl.Series("weights", list(weights), strict=False)
            table = cls.of(frame, column, roles, name, held)
            return table if labels is None else replace(table, label_type=list_type(labels))
        except UnicodeEncodeError as error:
            raise DataError(f"{name}: half of a surrogate pair, which is no character: {error}") from None

    @classmethod
    def from_frame(
        cls,
        frame: pl.DataFrame,
        *,
        text: str | None = "text",
        numbers: str | Sequence[str] = (),
        categories: str | Sequence[str] = (),
        label: str | None = "label",
        target: str = "label",
        label_separator: str = ",",
        weight: str | None = None,
        name: str = "frame",
        keep: str | Sequence[str] = (),
    ) -> Table:
        """Make a table from a Polars frame; arguments as of `read_table`.

        Raises:
            DataError: a column that is not there, or does not hold what its role needs.

        Example:
            >>> frame = pl.DataFrame({"size": [1.5, 2.0, 0.5], "kind": ["a", "b", "a"], "price": [3, 4, 1]})
            >>> table = Table.from_frame(frame, numbers="auto", categories="auto", label="price", target="number")
            >>> table.columns.columns, table.labels.to_list()
            (['size', 'kind'], [3.0, 4.0, 1.0])
        """
        named = roles_of(text, numbers, categories, label, target, label_separator, weight)
        roles = replace(named, keep=names_of(keep))
        for option, wanted in roles.wanted():
            if wanted not in frame.columns:
                listed = ", ".join(map(repr, frame.columns)) or "none"
                raise DataError(f"{name}: no column {wanted!r} for {option}; the columns are {listed}")
        return cls.of(frame, roles.column(frame, roles.label), roles, name, roles.column(frame, roles.weight))

    @classmethod
    def of(
        cls, frame: pl.DataFrame, labels: pl.Series | None, roles: Roles, name: str, weights: pl.Series | None = None
    ) -> Table:
        """The table of a frame whose columns have these roles; labels and weights may stand outside of it."""
        if pl.threads_lost():
            return by_helper(cls.of, frame, labels, roles, name, weights)
        if roles.text is not None:
            as_read = as_tokens if roles.target == "tags" else as_texts
            columns = pl.DataFrame({"text": as_read(frame[roles.text], name)})
        else:
            found = with_strings(frame)
            numbers, categories = divided(found, roles, name)
            advice = "; a column of categories is named in --categories when training"
            columns = pl.DataFrame(
                {x: as_numbers(found[x], name, advice) for x in numbers}
                | {x: as_categories(found[x], name) for x in categories}
            )
        held, rows, without = np.arange(len(columns)), len(columns), 0
        label_type = TEXT if labels is None else column_type(labels)
        if labels is not None:
            labels = _target(labels, roles, name)
            labelled = labels.is_not_null()
            if not labelled.all():
                held = np.flatnonzero(labelled.to_numpy())
                columns, labels = columns.filter(labelled), labels.filter(labelled)
            if rows and not len(columns):
                what = roles.target if roles.target in ("number", "text") else "label"
                where = f" in column {roles.label!r}; name another with --label NAME" if name != "list" else ""
                raise DataError(f"{name}: none of the {rows} rows has a {what}{where}")
            without = int((labels.list.len() == 0).sum()) if roles.target == "labels" else 0
            if roles.target == "tags":
                require_lengths(columns["text"], labels, held, name)
        report = ReadReport(rows, rows - len(columns), _count_blank(columns), without)
        table = cls(
            columns,
            None if labels is None else labels.alias("label"),
            name,
            report,
            held,
            textual=roles.text is not None,
            label_type=label_type,
            written=roles.target == "text",
            kept=(frame if roles.keep == ALL else frame.select(roles.keep))[held] if roles.keep else None,
        )
        return table if weights is None else table._weighted(as_weights(weights, name).gather(held))

    def _weighted(self, weights: pl.Series) -> Table:
        """The rows whose weight is above 0, with their weights."""
        counting = np.flatnonzero((weights > 0).to_numpy())
        if len(self) and not len(counting):
            raise DataError(f"{self.name}: none of the {len(self)} rows has a weight above 0")
        kept = self if len(counting) == len(self) else self.take(counting)
        report = replace(
            kept.report,
            rows=self.report.rows,
            unlabelled=self.report.unlabelled,
            weightless=len(self) - len(counting),
        )
        return replace(kept, weights=weights.gather(counting), report=report)

    @uses_polars
    def label_names(self) -> tuple[str, ...]:
        """The distinct labels in ascending order; none when the table has no labels, or numbers."""
        if self.labels is None or self.written or self.labels.dtype == pl.Float64:
            return ()
        labels = self.labels.explode() if self.labels.dtype.is_nested() else self.labels
        return tuple(labels.drop_nulls().unique().sort().to_list())

    @property
    def _shared_labels(self) -> pl.Series | None:
        """The labels, where several rows may have the same."""
        return None if self.written else self.labels

    @uses_polars
    def take(self, rows: np.ndarray) -> Table:
        """The rows with these numbers, in this order."""
        columns = self.columns[rows]
        labels = None if self.labels is None else self.labels.gather(rows)
        without = 0 if labels is None or not labels.dtype.is_nested() else int((labels.list.len() == 0).sum())
        report = ReadReport(columns.height, 0, _count_blank(columns), without)
        kept = None if self.kept is None else self.kept[rows]
        weights = None if self.weights is None else self.weights.gather(rows)
        return replace(
            self, columns=columns, labels=labels, report=report, rows=self.rows[rows], kept=kept, weights=weights
        )

    @uses_polars
    def rare_labels(self, parts: int) -> tuple[str, ...]:
        """The labels with fewer rows than there are parts, in ascending order: `split` leaves them in the first.

        Example:
            >>> Table.from_lists(["good", "fine", "bad"], ["pos", "pos", "neg"]).rare_labels(2)
            ('neg',)
        """
        return tuple(label for label, rows in rows_of_each_label(self._shared_labels).items() if rows < parts)

    @uses_polars
    def split(self, *parts: float, seed: int) -> tuple[Table, ...]:
        """Split at random into parts of the given proportions, each label in proportion in each part.

        Each label's rows are dealt out by largest remainder (Hamilton's method): a part gets the whole
        number below its share, and the rows left over go to the largest remainders, at a tie to the part
        that is furthest behind over all labels so far. Every part gets at least one row of every label that has as
        many rows as there are parts; the rows of a rarer label (`rare_labels`) stay in the first part, the one to learn
        from, so that others may be empty where all labels are rare. Rows keep their order within a part. Rows with
        numbers, texts to be written or several labels are dealt out as if all had the same label; of several labels,
        each is in the first part at least once.

        Args:
            *parts: Positive weights, such as `80, 10, 10` or `0.9, 0.1`.
            seed: The same seed gives the same split.

        Returns:
            One table for each weight; every row is in exactly one.

        Raises:
            ConfigurationError: Weights that are not positive and finite, or a seed that is not a whole number of 0 or
                more.
            DataError: Rows with numbers, several labels or none, and fewer of them than there are parts.

        Example:
            >>> table = Table.from_lists([f"text {i}" for i in range(10)], list("aaaaabbbbb"))
            >>> [len(part) for part in table.split(80, 20, seed=1)]
            [8, 2]
        """
        if not parts or not all(math.isfinite(part) and part > 0 for part in parts):
            raise ConfigurationError(
                f"split parts must be one or more positive numbers, such as 80, 10, 10; got {parts}"
            )
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
            raise ConfigurationError(f"split seed must be a whole number of 0 or more, got {seed!r}")
        classes = rows_by_label(self._shared_labels, len(self), np.random.default_rng(seed))
        if "" in classes and len(self) < len(parts):
            rows = "1 row" if len(self) == 1 else f"{len(self)} rows"
            raise DataError(f"{self.name}: {rows} cannot be split into {len(parts)} parts; add texts")
        pieces = dealt(classes, parts)
        if self.labels is not None and self.labels.dtype.is_nested():
            pieces = with_every_label(pieces, self.labels)
        return tuple(self.take(rows) for rows in pieces)

    @uses_polars
    def fingerprint(self) -> str:
        """SHA-256 of all columns and labels, in hexadecimal: equal for equal tables and for no others.

        Weights and kept columns go in where there are some. The name and the report are left out.
        """
        digest = hashlib.sha256()
        for column in self.columns.get_columns():
            if not self.textual:
                feed(digest, pl.Series([column.name, str(column.dtype)]))
            feed(digest, column)
        feed(digest, self.labels)
        for values in (self.weights, *([] if self.kept is None else named_as_text(self.kept))):
            if values is not None:
                feed(digest, values)
        return digest.hexdigest()


def _target(labels: pl.Series, roles: Roles, name: str) -> pl.Series:
    if roles.target == "labels":
        return as_label_lists(labels, name, roles.label_separator)
    if roles.target == "tags":
        return as_tags(labels, name)
    if roles.target == "number":
        return as_numbers(labels, name, "; the task regress needs numbers: for labels, train with --task classify")
    if roles.target == "text":
        texts = as_texts(labels, name, "label")
        return texts.set(texts.str.contains(r"\S").not_(), None)
    return as_labels(labels, name)


def _count_blank(columns: pl.DataFrame) -> int:
    if columns.columns != ["text"]:
        return 0
    if columns["text"].dtype.is_nested():
        return int((columns["text"].list.len() == 0).sum())
    return columns.height - int(columns["text"].str.contains(r"\S").sum())
