"""Blocks → ONNX nodes: a file a kind of block; `writer.RULES` has what writes each."""

from chainrule.onnx.writing import attention, elementwise, movement, ragged, recurrence, reduction
from chainrule.onnx.writing.writer import RULES, Writer, writes

__all__ = ["RULES", "Writer", "attention", "elementwise", "movement", "ragged", "recurrence", "reduction", "writes"]
