"""Blocks that combine elements along axes, and matrix products, as nodes."""

from __future__ import annotations

import math

import numpy as np

from chainrule.blocks.contraction import MatMul
from chainrule.blocks.extrema import Argmin, Min
from chainrule.blocks.reduction import Argmax, Max, Size, Sum
from chainrule.blocks.scan import CumulativeSum, Prod
from chainrule.blocks.sorting import Argsort
from chainrule.graph.spec import INT64
from chainrule.graph.tensor import Tensor
from chainrule.onnx.writing.writer import Writer, writes

REDUCTIONS = {Sum: "ReduceSum", Max: "ReduceMax", Min: "ReduceMin", Prod: "ReduceProd"}


@writes(*REDUCTIONS)
def _reduction(writer: Writer, node: Tensor) -> str:
    settings = writer.graph.settings(node)
    x = writer.name(node.inputs[0])
    if node.inputs[0].dtype != node.dtype:
        x = writer.cast(x, node.dtype)
    if not settings["axis"]:
        return x
    axes = writer.constant(list(settings["axis"]), INT64)
    return writer.add(REDUCTIONS[type(node.block)], x, axes, keepdims=int(settings["keepdims"]))  # type: ignore[index]


@writes(Argmax, Argmin)
def _place(writer: Writer, node: Tensor) -> str:
    operator = "ArgMin" if isinstance(node.block, Argmin) else "ArgMax"
    return writer.add(operator, writer.name(node.inputs[0]), axis=writer.graph.settings(node)["axis"], keepdims=0)


@writes(Size)
def _size(writer: Writer, node: Tensor) -> str:
    shape = writer.graph.shape(node.inputs[0])
    sizes = [shape[axis] for axis in writer.graph.settings(node)["axis"]]
    known = math.prod(size for size in sizes if isinstance(size, int))
    product = writer.constant(known, node.dtype)
    for size in sizes:
        if not isinstance(size, int):
            product = writer.add("Mul", product, writer.cast(writer.scalar(size), node.dtype))
    return product


@writes(CumulativeSum)
def _cumulative_sum(writer: Writer, node: Tensor) -> str:
    settings = writer.graph.settings(node)
    x = writer.name(node.inputs[0])
    if node.inputs[0].dtype != node.dtype:
        x = writer.cast(x, node.dtype)
    return writer.add("CumSum", x, writer.whole(settings["axis"]), reverse=int(settings["from_end"]))


@writes(Argsort)
def _argsort(writer: Writer, node: Tensor) -> str:
    """By TopK over all, which takes the first of equal ones first."""
    settings = writer.graph.settings(node)
    count = writer.size(writer.graph.shape(node)[settings["axis"]])
    x, held = writer.name(node.inputs[0]), node.inputs[0].dtype
    x = x if held.kind == "f" or held == np.int64 else writer.cast(x, INT64)
    descending = int(settings["descending"])
    return writer.add_several("TopK", [x, count], 2, axis=settings["axis"], largest=descending, sorted=1)[1]


@writes(MatMul)
def _product(writer: Writer, node: Tensor) -> str:
    return writer.add("MatMul", *writer.inputs(node))
