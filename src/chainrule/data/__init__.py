"""Tables, and the mini-batches made of them; knows no text and no graph."""

from chainrule.data.batches import Batch, Ragged, batches, encode_labels
from chainrule.data.table import ReadReport, Table, read_table

__all__ = ["Batch", "Ragged", "ReadReport", "Table", "batches", "encode_labels", "read_table"]
