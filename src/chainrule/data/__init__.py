"""Tables, examples and mini-batches; knows no text and no graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.data.batching import batches
from chainrule.data.examples import Examples
from chainrule.data.ragged import Ragged
from chainrule.data.table import ReadReport, Table
from chainrule.lazy import loader

if TYPE_CHECKING:
    from chainrule.data.datasets import read_dataset
    from chainrule.data.read import read_table

__all__ = ["Examples", "Ragged", "ReadReport", "Table", "batches", "read_dataset", "read_table"]

#: What reads files, of all formats there are, loads when it is first used: a few texts are answered without any.
__getattr__ = loader(__name__, {"datasets": ("read_dataset",), "read": ("read_table",)})
