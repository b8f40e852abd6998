"""The bricks: each block with its shape rule, forward, backward and loop body side by side."""

from chainrule.blocks.activation import relu, sigmoid, softplus, tanh
from chainrule.blocks.arithmetic import (
    absolute,
    add,
    divide,
    identity,
    maximum,
    minimum,
    multiply,
    negative,
    power,
    sign,
    subtract,
)
from chainrule.blocks.casting import cast, stop_gradient
from chainrule.blocks.chance import dropout, random_uniform, threefry
from chainrule.blocks.comparison import equal, greater, greater_equal, less, less_equal, not_equal, where
from chainrule.blocks.contraction import matmul
from chainrule.blocks.exponential import exp, log, log1p, sqrt
from chainrule.blocks.indexing import gather, gather_or_zero, one_hot, scatter_add, take_along_axis
from chainrule.blocks.inspection import check_finite, debug
from chainrule.blocks.movement import broadcast_to, expand, iota, reshape, squeeze, transpose
from chainrule.blocks.ragged import segment_ids, segment_mean, segment_sum
from chainrule.blocks.reduction import argmax, log_softmax, logsumexp, max, mean, softmax, sum
from chainrule.blocks.slicing import concatenate, index, stack
from chainrule.blocks.slots import distinct, first_slots

__all__ = [
    "absolute", "add", "argmax", "broadcast_to", "cast", "check_finite", "concatenate", "debug", "distinct", "divide",
    "dropout", "equal", "exp", "expand", "first_slots", "gather", "gather_or_zero", "greater", "greater_equal",
    "identity", "index", "iota", "less", "less_equal", "log", "log1p", "log_softmax", "logsumexp", "matmul", "max",
    "maximum", "mean", "minimum", "multiply", "negative", "not_equal", "one_hot", "power", "random_uniform", "relu",
    "reshape", "scatter_add", "segment_ids", "segment_mean", "segment_sum", "sigmoid", "sign", "softmax", "softplus",
    "sqrt", "squeeze", "stack", "stop_gradient", "subtract", "sum", "take_along_axis", "tanh", "threefry", "transpose",
    "where",
]  # fmt: skip
