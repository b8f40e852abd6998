"""ONNX: models as files that other tools run, and files of other tools as layers."""

from chainrule.onnx.export import export_model, model_proto
from chainrule.onnx.layer import OnnxModel
from chainrule.onnx.load import load
from chainrule.onnx.reading import Step, reads
from chainrule.onnx.writing import Writer, writes

__all__ = ["OnnxModel", "Step", "Writer", "export_model", "load", "model_proto", "reads", "writes"]
