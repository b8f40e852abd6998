"""Labelled text → tokens → ids → ragged mini-batches."""

from chainrule.text.batches import Batch, Ragged, batches, encode_labels
from chainrule.text.table import ReadReport, Table, read_table
from chainrule.text.tokenize import Tokenizer, Tokens
from chainrule.text.vocabulary import UNKNOWN, Vocabulary

__all__ = [
    "UNKNOWN",
    "Batch",
    "Ragged",
    "ReadReport",
    "Table",
    "Tokenizer",
    "Tokens",
    "Vocabulary",
    "batches",
    "encode_labels",
    "read_table",
]
