"""The table of labelled text that everything starts from: read, checked, counted, split, fingerprinted."""

import hashlib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from chainrule.data.formats import read_columns
from chainrule.errors import ConfigurationError, DataError


@dataclass(frozen=True)
class ReadReport:
    """What reading found: rows read, rows left out for want of a label, texts kept although blank."""

    rows: int
    unlabelled: int
    empty: int


@dataclass(frozen=True, eq=False)
class Table:
    """Texts and, when they have them, their labels: `labels[i]` belongs to `texts[i]`.

    Args:
        texts: Strings without nulls; a text may be empty.
        labels: Strings without nulls, as many as texts, or None.
        name: Where the table came from, for messages.
        report: What reading found.
        rows: The number of each row in what was read, from 0; None where it is the place in this table.

    Raises:
        DataError: Columns of the wrong type or length, or with nulls.

    Example:
        >>> table = Table.from_lists(["good", "bad", "fine", "awful"], ["pos", "neg", "pos", "neg"])
        >>> len(table), table.label_names()
        (4, ('neg', 'pos'))
    """

    texts: pl.Series
    labels: pl.Series | None
    name: str
    report: ReadReport
    rows: np.ndarray | None = None

    def __post_init__(self) -> None:
        for column, values in (("texts", self.texts), ("labels", self.labels)):
            if values is None:
                continue
            if values.dtype != pl.String or values.null_count():
                nulls = f"with {values.null_count()} nulls"
                raise DataError(f"{self.name}: expected {column} of String without nulls, got {values.dtype} {nulls}")
            if len(values) != len(self.texts):
                raise DataError(f"{self.name}: {len(self.texts)} texts but {len(values)} {column}; expected as many")

    def __len__(self) -> int:
        return len(self.texts)

    @classmethod
    def from_lists(
        cls, texts: Sequence[str | None], labels: Sequence[object] | None = None, *, name: str = "list"
    ) -> "Table":
        """Make a table from Python lists, by the same rules as `read_table`.

        Raises:
            DataError: Lists of different lengths, no row with a label, texts that are not strings, or one string
                instead of a list.
        """
        if isinstance(texts, str) or isinstance(labels, str):
            raise DataError(f"{name}: expected lists of texts and labels, got one string; put it in a list")
        if labels is not None and len(labels) != len(texts):
            raise DataError(f"{name}: {len(texts)} texts but {len(labels)} labels; expected as many")
        for row, text in enumerate(texts):
            if text is not None and not isinstance(text, str):
                raise DataError(f"{name}: texts[{row}] is of type {type(text).__name__}; expected a string")
        strings = None if labels is None else [_label_string(label) for label in labels]
        try:
            return _table(
                pl.Series(texts, dtype=pl.String),
                None if strings is None else pl.Series(strings, dtype=pl.String),
                name,
            )
        except UnicodeEncodeError as error:
            raise DataError(f"{name}: half of a surrogate pair, which is no character: {error}") from None

    def label_names(self) -> tuple[str, ...]:
        """The distinct labels in ascending order; none when the table has no labels."""
        return () if self.labels is None else tuple(self.labels.unique().sort().to_list())

    def take(self, rows: np.ndarray) -> "Table":
        """The rows with these numbers, in this order."""
        texts = self.texts.gather(rows)
        labels = None if self.labels is None else self.labels.gather(rows)
        report = ReadReport(len(texts), 0, _count_blank(texts))
        return Table(texts, labels, self.name, report, rows if self.rows is None else self.rows[rows])

    def split(self, *parts: float, seed: int) -> "tuple[Table, ...]":
        """Split at random into parts of the given proportions, each label in proportion in each part.

        Each label's rows are dealt out by largest remainder (Hamilton's method): a part gets the whole
        number below its share, and the rows left over go to the largest remainders, at a tie to the part
        that is furthest behind over all labels so far. Every part gets at least one row of every label. Rows
        keep their order within a part.

        Args:
            *parts: Positive weights, such as `80, 10, 10` or `0.9, 0.1`.
            seed: The same seed gives the same split.

        Returns:
            One table for each weight; every row is in exactly one.

        Raises:
            ConfigurationError: Weights that are not positive and finite, or a seed that is not a whole number of 0 or
                more.
            DataError: A label with fewer rows than there are parts.

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
        classes = self._rows_by_class(np.random.default_rng(seed))
        self._check_classes(classes, len(parts))
        dealt: list[list[np.ndarray]] = [[] for _ in parts]
        shares = np.asarray(parts, np.float64) / math.fsum(parts)
        behind = np.zeros(len(parts))
        for rows in classes.values():
            counts = _largest_remainder(len(rows), shares, behind)
            behind += len(rows) * shares - counts
            for part, piece in zip(dealt, np.split(rows, np.cumsum(counts)[:-1]), strict=True):
                part.append(piece)
        return tuple(self.take(np.sort(np.concatenate(pieces))) for pieces in dealt)

    def _rows_by_class(self, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """The row numbers of each label, shuffled; all rows under one empty name without labels."""
        shuffled = generator.permutation(len(self))
        if self.labels is None:
            return {"": shuffled}
        names = self.label_names()
        codes = self.labels.cast(pl.Enum(names)).to_physical().to_numpy()[shuffled]
        grouped = shuffled[np.argsort(codes, kind="stable")]
        ends = np.cumsum(np.bincount(codes, minlength=len(names)))
        return dict(zip(names, np.split(grouped, ends[:-1]), strict=True))

    def _check_classes(self, classes: dict[str, np.ndarray], parts: int) -> None:
        short = [name for name, rows in classes.items() if len(rows) < parts]
        if not short:
            return
        count = len(classes[short[0]])
        rows = f"{count} row" if count == 1 else f"{count} rows"
        if self.labels is None:
            raise DataError(f"{self.name}: {rows} cannot be split into {parts} parts; add texts")
        others = f" ({len(short) - 1} more labels are as rare)" if len(short) > 1 else ""
        raise DataError(
            f"{self.name}: label {short[0]!r} has {rows}, too few to split into {parts} parts{others}. "
            "Add examples of it, remove it, or give the validation data in a file of its own"
        )

    def fingerprint(self) -> str:
        """SHA-256 of all texts and labels, in hexadecimal: equal for equal tables and for no others.

        Each column goes in as the lengths of its strings in bytes, then the strings, so that no two tables
        give the same bytes. The name and the report are left out.
        """
        digest = hashlib.sha256()
        for values in (self.texts, self.labels):
            digest.update(b"absent" if values is None else b"column" + len(values).to_bytes(8, "little"))
            if values is None:
                continue
            digest.update(values.str.len_bytes().to_numpy().astype("<i8").tobytes())
            for start in range(0, len(values), 4096):
                digest.update("".join(values.slice(start, 4096).to_list()).encode())
        return digest.hexdigest()


def read_table(
    path: str | os.PathLike[str], *, text: str = "text", label: str | None = "label", encoding: str = "utf-8"
) -> Table:
    r"""Read texts and labels from a CSV, TSV, JSON-lines or Parquet file.

    Labels of every type become strings (`0`, `true`), stripped of blanks at both ends. Rows without a label
    are left out; a text that is blank is kept, and a missing one is the empty text; `report` counts both.
    CSV and TSV cells are never interpreted: `NA` is a text. Blank lines are not rows.

    Args:
        path: The file; its suffix (`.csv`, `.tsv`, `.jsonl`, `.ndjson`, `.parquet`) tells the format.
        text: The column of the texts.
        label: The column of the labels; None reads the texts alone.
        encoding: How a text file is encoded, by Python's name for it; a byte order mark is skipped.

    Raises:
        DataError: A file that cannot be read, is not what it says or lacks a column; the message says where.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "reviews.csv")
        ...     _ = path.write_text('text,label\n"Good, really",pos\nNA,neg\nNo label,\n', encoding="utf-8")
        ...     table = read_table(path)
        >>> table.texts.to_list(), table.labels.to_list()
        (['Good, really', 'NA'], ['pos', 'neg'])
        >>> table.report
        ReadReport(rows=3, unlabelled=1, empty=0)
    """
    columns = {"text": text} if label is None else {"text": text, "label": label}
    frame = read_columns(Path(path), columns, encoding)
    return _table(frame[text], None if label is None else frame[label], str(path), label)


def _table(texts: pl.Series, labels: pl.Series | None, name: str, column: str | None = None) -> Table:
    rows = len(texts)
    kept = None
    if labels is not None:
        labels = labels.str.strip_chars()
        labelled = labels.is_not_null() & (labels != "")
        if not labelled.all():
            kept = np.flatnonzero(labelled.to_numpy())
            texts, labels = texts.filter(labelled), labels.filter(labelled)
        if rows and not len(texts):
            where = "" if column is None else f" in column {column!r}; name another with --label NAME"
            raise DataError(f"{name}: none of the {rows} rows has a label{where}")
    texts = texts.fill_null("").alias("text")
    report = ReadReport(rows, rows - len(texts), _count_blank(texts))
    return Table(texts, None if labels is None else labels.alias("label"), name, report, kept)


def _count_blank(texts: pl.Series) -> int:
    return len(texts) - int(texts.str.contains(r"\S").sum())


def _label_string(label: object) -> str | None:
    if label is None or isinstance(label, str):
        return label
    if isinstance(label, float | np.floating) and math.isnan(label):
        return None
    return str(label).lower() if isinstance(label, bool | np.bool_) else str(label)


def _largest_remainder(count: int, shares: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """Whole numbers, each 1 or more, that sum to `count` and are nearest `count * shares`."""
    exact: np.ndarray = count * shares
    counts: np.ndarray = np.floor(exact).astype(np.int64)
    remainder = np.round(exact - counts, 9)  # rounding makes equal shares tie in floating point too
    left = count - int(counts.sum())
    counts[np.lexsort((np.arange(len(shares)), -np.round(behind, 9), -remainder))[:left]] += 1
    while (counts == 0).any():
        counts[np.argmin(counts)] += 1
        counts[np.argmax(counts)] -= 1
    return counts
