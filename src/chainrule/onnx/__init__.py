"""ONNX: models as files that other tools run, and files of other tools as layers."""

from chainrule.onnx.export import export_model, model_proto
from chainrule.onnx.writing import writes

__all__ = ["export_model", "model_proto", "writes"]
