"""Elementwise blocks as nodes: most are one operator."""

from __future__ import annotations

import math

import numpy as np

from chainrule.blocks.activation import Relu, Sigmoid, Softplus, Softsign, Tanh
from chainrule.blocks.arithmetic import (
    Absolute,
    Add,
    Divide,
    Identity,
    Maximum,
    Minimum,
    Multiply,
    Negative,
    Power,
    Sign,
    Subtract,
)
from chainrule.blocks.casting import Cast, StopGradient
from chainrule.blocks.comparison import Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual, Where
from chainrule.blocks.error_function import Erf
from chainrule.blocks.exponential import Exp, Expm1, Log, Log1p, Log2, Log10, Sqrt
from chainrule.blocks.logic import LogicalAnd, LogicalNot, LogicalOr
from chainrule.blocks.rounding import Ceil, Floor, Round
from chainrule.blocks.trigonometric import Cos, Sin, Tan
from chainrule.graph.tensor import Tensor
from chainrule.onnx.writing.writer import Writer, writes

#: Blocks that are one operator.
OPERATORS = {
    Absolute: "Abs", Add: "Add", Ceil: "Ceil", Cos: "Cos", Divide: "Div", Equal: "Equal", Erf: "Erf", Exp: "Exp",
    Floor: "Floor", Greater: "Greater", GreaterEqual: "GreaterOrEqual", Less: "Less", LessEqual: "LessOrEqual",
    Log: "Log", LogicalNot: "Not", Maximum: "Max", Minimum: "Min", Multiply: "Mul", Negative: "Neg", Power: "Pow",
    Relu: "Relu", Round: "Round", Sigmoid: "Sigmoid", Sign: "Sign", Sin: "Sin", Softplus: "Softplus",
    Softsign: "Softsign", Sqrt: "Sqrt", Subtract: "Sub", Tan: "Tan", Tanh: "Tanh", Where: "Where",
}  # fmt: skip


@writes(*OPERATORS)
def _operator(writer: Writer, node: Tensor) -> str:
    return writer.add(OPERATORS[type(node.block)], *writer.inputs(node))  # type: ignore[index]


@writes(Identity, StopGradient)
def _same(writer: Writer, node: Tensor) -> str:
    return writer.name(node.inputs[0])


@writes(Cast)
def _cast(writer: Writer, node: Tensor) -> str:
    return writer.cast(writer.name(node.inputs[0]), node.dtype)


@writes(NotEqual)
def _not_equal(writer: Writer, node: Tensor) -> str:
    return writer.add("Not", writer.add("Equal", *writer.inputs(node)))


@writes(LogicalAnd, LogicalOr)
def _connective(writer: Writer, node: Tensor) -> str:
    held = [x if y.dtype == np.bool_ else writer.cast(x, np.bool_) for x, y in _pairs(writer, node)]
    return writer.add("And" if type(node.block) is LogicalAnd else "Or", *held)


@writes(Expm1)
def _expm1(writer: Writer, node: Tensor) -> str:
    """eˣ - 1 = 2 eˣᐟ² sinh(x / 2), in which no digits are lost near 0."""
    half = writer.add("Mul", writer.name(node.inputs[0]), writer.constant(0.5, node.dtype))
    twice = writer.add("Mul", writer.add("Exp", half), writer.constant(2, node.dtype))
    return writer.add("Mul", twice, writer.add("Sinh", half))


@writes(Log1p)
def _log1p(writer: Writer, node: Tensor) -> str:
    return writer.add("Log", writer.add("Add", writer.name(node.inputs[0]), writer.constant(1, node.dtype)))


@writes(Log2, Log10)
def _log_to_base(writer: Writer, node: Tensor) -> str:
    factor = 1 / math.log(2 if type(node.block) is Log2 else 10)
    return writer.add("Mul", writer.add("Log", writer.name(node.inputs[0])), writer.constant(factor, node.dtype))


def _pairs(writer: Writer, node: Tensor) -> list[tuple[str, Tensor]]:
    return list(zip(writer.inputs(node), node.inputs, strict=True))
