"""Tables, examples and mini-batches; knows no text and no graph."""

from chainrule.data.examples import Examples, batches
from chainrule.data.ragged import Ragged
from chainrule.data.table import ReadReport, Table, read_table

__all__ = ["Examples", "Ragged", "ReadReport", "Table", "batches", "read_table"]
