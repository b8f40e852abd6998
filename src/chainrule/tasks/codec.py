"""Codec: what a task learned from the training rows alone, such as a vocabulary, labels and means."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from chainrule.data import Examples, Ragged, Table
from chainrule.data.layout import Sizes

Fields = Mapping[str, np.ndarray | Ragged]

#: The field of how much each row counts.
WEIGHTS = "weights"


def is_finite_number(value: Any) -> bool:
    """Whether what a file holds is a number that a float can be."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


class Part(Protocol):
    """What is known of the inputs, or of the targets."""

    @property
    def sizes(self) -> Sizes:
        """The sizes it determines; the others are 0."""

    def encode(self, table: Table) -> Fields:
        """Arrays for the rows of a table."""

    def files(self) -> dict[str, bytes]:
        """What a model folder keeps of it in files of their own, by name."""

    def describe(self) -> dict[str, Any]:
        """The rest of it, as JSON can hold it."""


class InputPart(Part, Protocol):
    """What is known of the inputs."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was chosen for the table that it was learned from, in sentences; of a loaded model, nothing."""


class TextPart(ABC):
    """What is known of texts: an `InputPart` that encodes a few of them without a table."""

    @abstractmethod
    def encode_few(self, texts: Sequence[str]) -> Fields:
        """What `encode` gives for a table of these texts, without Polars."""


class Codec:
    """From the rows of a table to the arrays that networks and losses read.

    Attributes:
        inputs: what is known of the columns.
        targets: what is known of the labels; the task that learned it knows its type.
    """

    def __init__(self, inputs: InputPart, targets: Part) -> None:
        self.inputs = inputs
        self.targets: Any = targets

    @property
    def sizes(self) -> Sizes:
        """How large the arrays are."""
        return replace(self.inputs.sizes, outputs=self.targets.sizes.outputs)

    def encode(self, table: Table, *, targets: bool) -> Examples:
        """The rows of a table as arrays.

        Args:
            table: the rows.
            targets: whether to encode the labels as well, which must be there then, and weights if there are some.

        Raises:
            DataError: for columns or labels that cannot be encoded; the message names the row.
        """
        known = {**self.targets.encode(table), **row_weights(table)} if targets else {}
        return self.examples({**self.inputs.encode(table), **known}, targets=targets)

    def encode_few(self, texts: Sequence[str]) -> Examples:
        """What `encode` gives for a table of these texts without targets; for inputs that are texts."""
        return self.examples(self.inputs.encode_few(texts), targets=False)  # type: ignore[attr-defined]

    def examples(self, fields: Fields, *, targets: bool) -> Examples:  # noqa: ARG002
        """Encoded rows as networks and losses read them; `targets` as of `encode`."""
        return Examples(fields)

    def files(self) -> dict[str, bytes]:
        """What a model folder keeps of it in files of their own, by name."""
        return {**self.inputs.files(), **self.targets.files()}

    def describe(self) -> dict[str, Any]:
        """The rest of it, as JSON can hold it."""
        return {**self.inputs.describe(), **self.targets.describe()}


def row_weights(table: Table) -> Fields:
    """How much each row counts, float32 of shape (rows,), 1 on average; nothing where all count the same."""
    if table.weights is None:
        return {}
    weights = table.weights.to_numpy()
    scaled = weights / weights.max()  # first, so that no sum is infinite
    return {WEIGHTS: np.maximum(scaled / scaled.mean(), np.finfo(np.float32).tiny).astype(np.float32)}
