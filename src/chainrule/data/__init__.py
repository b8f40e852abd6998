"""Tables, examples and mini-batches; knows no text and no graph."""

from chainrule.data.batching import batches
from chainrule.data.datasets import read_dataset
from chainrule.data.examples import Examples
from chainrule.data.ragged import Ragged
from chainrule.data.read import read_table
from chainrule.data.table import ReadReport, Table

__all__ = ["Examples", "Ragged", "ReadReport", "Table", "batches", "read_dataset", "read_table"]
