"""Labels: those that a model knows, and those that it meets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import chainrule.polars as pl
from chainrule.data import Table
from chainrule.data.helper import uses_polars
from chainrule.data.layout import Sizes
from chainrule.data.roles import BOOLEAN, FLOAT, INTEGER, TEXT
from chainrule.errors import ConfigurationError, DataError, ModelError, shortened
from chainrule.graph.spec import Array
from chainrule.settings import suggestion
from chainrule.shown import listing
from chainrule.tasks.codec import Fields

#: A label as it was given, from its name.
RESTORED: dict[str, Callable[[str], Any]] = {
    TEXT: str, INTEGER: int, FLOAT: float, BOOLEAN: {"true": True, "false": False}.__getitem__
}  # fmt: skip


class Labels:
    """The labels there are, in the order of a network's outputs; each row has one.

    Attributes:
        names: of the labels.
        outputs: numbers that the network gives for a row.
        class_weights: how much each counts in the loss, float32 of shape (labels,); None where all count the same.
        label_type: what labels were before they became names; see `Table.label_type`.
        values: the labels as they were given.
    """

    def __init__(
        self, names: Sequence[str], outputs: int, label_type: str = TEXT, class_weights: Array | None = None
    ) -> None:
        self.names = tuple(names)
        self.outputs = outputs
        self.class_weights = class_weights
        self.label_type = label_type
        self.values = tuple(map(RESTORED[label_type], self.names))

    @property
    def sizes(self) -> Sizes:
        """The number of outputs."""
        return Sizes(outputs=self.outputs)

    def encode(self, table: Table) -> Fields:
        """The class of each row, int64; see `encode_labels`.

        Raises:
            DataError: for a table without labels, or without one that is among the names.
        """
        return {"classes": encode_labels(labels_of(table, pl.String), self.names, table.name)}

    def unseen(self, table: Table) -> dict[str, int]:
        """The labels of a table that are not among the names, and how many rows have each, the commonest first."""
        return unseen_labels(table, self.names)

    def place(self, label: object) -> int:
        """Where a label is among them, by its name or as it was given.

        Raises:
            ConfigurationError: when it is not.
        """
        for known in (self.names, self.values):
            if label in known:
                return known.index(label)
        advice = suggestion(label, self.names) or f"; there are {listing(self.names)}"
        raise ConfigurationError(f"the model knows no label {shortened(label)}{advice}")

    def compared(self, response: Array | None, answer: object, against: object) -> tuple[int, int | None]:
        """The places of the label that is asked about, and of the one it is compared with; see `Task.decision`.

        Raises:
            ConfigurationError: for a label that there is not, or twice the same.
        """
        order = [] if response is None else np.argsort(-response, kind="stable").tolist()
        chosen = self.place(answer) if answer is not None else order[0] if order else 0
        other = self.place(against) if against is not None else next((x for x in order if x != chosen), None)
        if other == chosen:
            raise ConfigurationError(f"a label is compared with another one, got {self.names[chosen]!r} twice")
        return chosen, other

    def files(self) -> dict[str, bytes]:
        """None."""
        return {}

    def describe(self) -> dict[str, Any]:
        """The names, what they were where they were no texts, and the weights of classes where there are some."""
        kind = {} if self.label_type == TEXT else {"label_type": self.label_type}
        weights = {} if self.class_weights is None else {"class_weights": self.class_weights.tolist()}
        return {"labels": list(self.names), **kind, **weights}


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


@uses_polars
def encode_labels(labels: pl.Series, names: Sequence[str], table: str) -> Array:
    """The position of each label among the names, int64 of shape (rows,).

    Labels that are not among them get the numbers from `len(names)` on, in ascending order.

    Args:
        labels: strings without nulls.
        names: the labels there are.
        table: the name of the table, for messages.

    Raises:
        ConfigurationError: for a name that comes twice.
        DataError: when no label is among the names.

    Example:
        >>> encode_labels(pl.Series(["pos", "neg", "odd", "pos"]), ["neg", "pos"], "reviews.csv")
        array([1, 0, 2, 1])
    """
    if len(set(names)) != len(names):
        twice = next(name for position, name in enumerate(names) if name in names[:position])
        raise ConfigurationError(f"label name {shortened(twice)} comes twice; expected distinct names")
    found = labels.cast(pl.Enum(names), strict=False).to_physical()
    unseen = found.is_null()
    if unseen.any() and unseen.all():
        raise DataError(
            f"{table}: none of the labels is known: they are {listing(labels.unique(maintain_order=True))}, and the "
            f"model knows {listing(names)}. Name the column that holds such labels with --label NAME"
        )
    codes = found.fill_null(0).to_numpy().astype(np.int64)
    codes[unseen.to_numpy()] = len(names) - 1 + labels.filter(unseen).rank("dense").to_numpy().astype(np.int64)
    return codes


@uses_polars
def unseen_labels(table: Table, names: Sequence[str]) -> dict[str, int]:
    """How many rows have each label that is not among the names, the commonest first, at a tie in ascending order.

    Example:
        >>> unseen_labels(Table.from_lists(list("abcd"), ["pos", "odd", "even", "odd"]), ["neg", "pos"])
        {'odd': 2, 'even': 1}
    """
    if table.labels is None or table.labels.dtype == pl.Float64:
        return {}
    labels = table.labels.explode().drop_nulls() if table.labels.dtype.is_nested() else table.labels
    found = labels.filter(labels.cast(pl.Enum(names), strict=False).is_null())
    counts = found.alias("label").value_counts().sort("count", "label", descending=[True, False])
    return dict(counts.iter_rows())


def load_labels(description: Mapping[str, Any], least: int) -> tuple[str, ...]:
    """The names of labels in what `Labels.describe` gave.

    Raises:
        ModelError: when they are not so many distinct strings.
    """
    labels = description.get("labels")
    if not isinstance(labels, list) or len(labels) < least or not all(isinstance(label, str) for label in labels):
        count = "two" if least == 2 else "one"
        raise ModelError(f"expected labels as a list of {count} or more strings, got {shortened(labels)}")
    if len(set(labels)) < len(labels):
        raise ModelError(f"expected labels that differ, got {shortened(labels)}")
    return tuple(labels)


def load_label_type(description: Mapping[str, Any], names: Sequence[str]) -> str:
    """What labels were before they became names, in what `Labels.describe` gave; texts, where it does not say.

    Raises:
        ModelError: for another type, or names that are not of it.
    """
    found = description.get("label_type", TEXT)
    try:
        for name in names:
            RESTORED[found](name)
    except (KeyError, TypeError, ValueError) as error:
        known = " or ".join(RESTORED)
        raise ModelError(f"expected label_type as {known}, and labels of it, got {shortened(found)}") from error
    return str(found)
