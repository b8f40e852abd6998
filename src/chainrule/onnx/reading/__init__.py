"""ONNX operators → blocks: a file a kind of operator; `step.RULES` has what computes each."""

from chainrule.onnx.reading import (
    control,
    elementwise,
    quantized,
    recurrent,
    reductions,
    resizing,
    selecting,
    shapes,
    windows,
)
from chainrule.onnx.reading.graphs import Runner
from chainrule.onnx.reading.step import RULES, Step, Value, reads

__all__ = [
    "RULES",
    "Runner",
    "Step",
    "Value",
    "control",
    "elementwise",
    "quantized",
    "reads",
    "recurrent",
    "reductions",
    "resizing",
    "selecting",
    "shapes",
    "windows",
]
