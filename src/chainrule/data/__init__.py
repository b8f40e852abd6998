"""Tables, examples and mini-batches; knows no text and no graph."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from chainrule.data.batching import batches
from chainrule.data.examples import Examples
from chainrule.data.ragged import Ragged
from chainrule.data.table import ReadReport, Table
from chainrule.forks import LOADING

if TYPE_CHECKING:
    from chainrule.data.datasets import read_dataset
    from chainrule.data.read import read_table

__all__ = ["Examples", "Ragged", "ReadReport", "Table", "batches", "read_dataset", "read_table"]

#: What reads files, of all formats there are, loads when it is first used: a few texts are answered without any.
_READERS = {"read_dataset": "chainrule.data.datasets", "read_table": "chainrule.data.read"}


def __getattr__(name: str) -> Any:
    if name not in _READERS:
        raise AttributeError(f"module 'chainrule.data' has no attribute {name!r}")
    with LOADING:
        globals()[name] = found = getattr(importlib.import_module(_READERS[name]), name)
    return found
