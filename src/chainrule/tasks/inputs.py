"""Inputs: what is known of each row, texts or columns of numbers and categories, and how it becomes arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from chainrule.data import Table
from chainrule.data.layout import Layout
from chainrule.errors import ConfigurationError
from chainrule.settings import Registry, Settings
from chainrule.tasks.codec import Fields, InputPart


class Inputs(Settings, ABC):
    """How rows become arrays: settings alone, no data."""

    #: The layouts it can give.
    layouts: ClassVar[tuple[Layout, ...]]
    #: Whether a task takes it where nothing else is said.
    usual: ClassVar[bool] = True
    #: The files of a model folder that hold what was learned of it.
    files: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def columns(self) -> dict[str, Any]:
        """What `read_table` is told of columns, beside their names."""

    @abstractmethod
    def learn(self, table: Table, reads: Layout) -> tuple[InputPart, Fields]:
        """What is to be known of training rows, and their arrays.

        Raises:
            DataError: for rows from which nothing can be learned.
        """

    def found(self, part: InputPart) -> Inputs:  # noqa: ARG002
        """The inputs with the columns that were found in the training rows, so that others are read in the same way."""
        return self

    @abstractmethod
    def load(self, folder: Path, description: Mapping[str, Any], reads: Layout) -> InputPart:
        """What a model folder holds of it.

        Raises:
            ModelError: when it does not hold what it should.
        """


INPUTS: Registry[Inputs] = Registry(
    "kind of inputs",
    Inputs,
    {
        "text": "chainrule.tasks.text_inputs",
        "columns": "chainrule.tasks.column_inputs",
        "units": "chainrule.tasks.unit_inputs",
        "pieces": "chainrule.tasks.piece_inputs",
        "source": "chainrule.tasks.source_inputs",
    },
)


def inputs_for(reads: Layout) -> Inputs:
    """The usual inputs, with their defaults, that give a layout."""
    return next(kind() for kind in INPUTS.values() if kind.usual and reads in kind.layouts)


def require_layout(inputs: Inputs, reads: Layout, learner: str) -> None:
    """Refuse a learner that reads what the inputs do not give.

    Raises:
        ConfigurationError: naming both, and what to do.
    """
    if reads not in inputs.layouts:
        given = " or ".join(layout.name for layout in inputs.layouts)
        raise ConfigurationError(f"{learner} reads {reads.name}, and {inputs.name} inputs give {given}")
