"""Labels: what is known of them, and how answers that are labels are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from chainrule.data import Table
from chainrule.data.layout import Sizes
from chainrule.errors import ConfigurationError, DataError, ModelError
from chainrule.graph.spec import Array
from chainrule.shown import one_line
from chainrule.tasks.codec import Fields


class Labels:
    """The labels there are, in the order of a network's outputs; each row has one.

    Attributes:
        names: of the labels.
        outputs: numbers that the network gives for a row.
    """

    def __init__(self, names: Sequence[str], outputs: int) -> None:
        self.names = tuple(names)
        self.outputs = outputs

    @property
    def sizes(self) -> Sizes:
        """The number of outputs."""
        return Sizes(outputs=self.outputs)

    def encode(self, table: Table) -> Fields:
        """The class of each row, int64.

        Raises:
            DataError: for a table without labels, or a label that is not among the names.
        """
        return {"classes": encode_labels(labels_of(table, pl.String), self.names, table.rows, table.name)}

    def files(self) -> dict[str, bytes]:
        """None."""
        return {}

    def describe(self) -> dict[str, Any]:
        """The names."""
        return {"labels": list(self.names)}


def labels_of(table: Table, dtype: Any) -> pl.Series:
    """The labels of a table.

    Raises:
        DataError: when it has none, or labels of another type.
    """
    if table.labels is None:
        raise DataError(f"{table.name}: has no labels; expected a label in each row")
    if table.labels.dtype != dtype:
        held, wanted = _target(table.labels.dtype), _target(dtype)
        raise DataError(f"{table.name}: was read with target={held!r}; read it with target={wanted!r} for this task")
    return table.labels


def _target(dtype: Any) -> str:
    """What `read_table` calls labels of this type."""
    return "labels" if dtype == pl.List(pl.String) else "number" if dtype == pl.Float64 else "label"


def encode_labels(labels: pl.Series, names: Sequence[str], rows: Array, table: str) -> Array:
    """The position of each label among the names, int64 of shape (rows,).

    Args:
        labels: strings.
        names: the labels there are.
        rows: the number of each row, for messages.
        table: the name of the table, for messages.

    Raises:
        ConfigurationError: for a name that comes twice.
        DataError: for a label that is not among the names.

    Example:
        >>> encode_labels(pl.Series(["pos", "neg", "pos"]), ["neg", "pos"], np.arange(3), "reviews.csv")
        array([1, 0, 1])
    """
    if len(set(names)) != len(names):
        twice = next(name for position, name in enumerate(names) if name in names[:position])
        raise ConfigurationError(f"label name {twice!r} comes twice; expected distinct names")
    codes = labels.cast(pl.String).cast(pl.Enum(names), strict=False).to_physical()
    if codes.null_count():
        row = int(codes.is_null().arg_max() or 0)
        known = ", ".join(map(repr, names)) or "none"
        place = f"label {labels[row]!r} of row {int(rows[row])} (the first is 0)"
        raise DataError(f"{table}: {place} is not known; the labels are {known}")
    return codes.to_numpy().astype(np.int64)


def load_labels(description: Mapping[str, Any], least: int) -> tuple[str, ...]:
    """The names of labels in what `Labels.describe` gave.

    Raises:
        ModelError: when they are not so many distinct strings.
    """
    labels = description.get("labels")
    if not isinstance(labels, list) or len(labels) < least or not all(isinstance(label, str) for label in labels):
        count = "two" if least == 2 else "one"
        raise ModelError(f"expected labels as a list of {count} or more strings, got {labels!r}")
    if len(set(labels)) < len(labels):
        raise ModelError(f"expected labels that differ, got {labels!r}")
    return tuple(labels)


@dataclass(frozen=True)
class LabelAnswer:
    """The label of a row, or its labels, and the probability of each label there is."""

    value: str | list[str]
    probabilities: Mapping[str, float]

    def json(self) -> dict[str, Any]:
        """The key is "label" or "labels", beside "probabilities"."""
        key = "label" if isinstance(self.value, str) else "labels"
        return {key: self.value, "probabilities": {name: round(p, 6) for name, p in self.probabilities.items()}}

    def line(self) -> str:
        """The label or labels, a tab, and the probabilities."""
        shown = self.value if isinstance(self.value, str) else ", ".join(self.value)
        return f"{one_line(shown)}\t" + " ".join(f"{one_line(k)}={p:.4f}" for k, p in self.probabilities.items())
