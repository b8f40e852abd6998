"""The bricks: each block with its shape rule, forward, backward and loop body side by side."""

from chainrule.blocks.activation import relu, sigmoid, softplus, softsign, tanh
from chainrule.blocks.additive_attention import attend_additively
from chainrule.blocks.along_axis import take_along_axis
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
from chainrule.blocks.arranging import pad, repeat, roll, split, tile, unstack
from chainrule.blocks.attention import attend
from chainrule.blocks.casting import cast, stop_gradient
from chainrule.blocks.chance import dropout, random_integers, random_normal, random_uniform, shuffle, threefry
from chainrule.blocks.choice import clamp, tril, triu
from chainrule.blocks.comparison import equal, greater, greater_equal, less, less_equal, not_equal, where
from chainrule.blocks.contraction import matmul
from chainrule.blocks.creation import arange, full, ones, zeros
from chainrule.blocks.einsum import einsum
from chainrule.blocks.error_function import erf
from chainrule.blocks.exponential import exp, expm1, log, log1p, log2, log10, sqrt
from chainrule.blocks.extrema import argmin, min
from chainrule.blocks.gated import geglu, glu, maxout, reglu, sparsemax, swiglu
from chainrule.blocks.indexing import gather, gather_or_zero, one_hot, scatter_add
from chainrule.blocks.inspection import check_finite, debug
from chainrule.blocks.logic import all, any, isfinite, isnan, logical_and, logical_not, logical_or, logical_xor
from chainrule.blocks.movement import broadcast_to, expand, iota, reshape, squeeze, swapaxes, transpose
from chainrule.blocks.pieces import put_together  # noqa: F401  (autodiff finds it by its name)
from chainrule.blocks.piecewise import celu, elu, hard_sigmoid, hard_swish, hard_tanh, leaky_relu, prelu, relu6, selu
from chainrule.blocks.places import segment_shift
from chainrule.blocks.powers import exp2, reciprocal, rsqrt, square
from chainrule.blocks.ragged import (
    segment_argmax,
    segment_ids,
    segment_max,
    segment_mean,
    segment_softmax,
    segment_sum,
)
from chainrule.blocks.reduction import argmax, log_softmax, logsumexp, max, mean, softmax, sum
from chainrule.blocks.rounding import ceil, floor, floor_divide, remainder, round
from chainrule.blocks.scan import cumsum, prod
from chainrule.blocks.selection import index, update_at
from chainrule.blocks.slicing import concatenate, stack
from chainrule.blocks.slots import distinct, first_slots
from chainrule.blocks.smooth import gelu, log_sigmoid, mish, silu, swish
from chainrule.blocks.sorting import argsort, sort, topk
from chainrule.blocks.statistics import std, var
from chainrule.blocks.stepwise import scan
from chainrule.blocks.trigonometric import cos, sin, tan

__all__ = [
    "absolute",
    "add",
    "all",
    "any",
    "arange",
    "argmax",
    "argmin",
    "argsort",
    "attend",
    "attend_additively",
    "broadcast_to",
    "cast",
    "ceil",
    "celu",
    "check_finite",
    "clamp",
    "concatenate",
    "cos",
    "cumsum",
    "debug",
    "distinct",
    "divide",
    "dropout",
    "einsum",
    "elu",
    "equal",
    "erf",
    "exp",
    "exp2",
    "expand",
    "expm1",
    "first_slots",
    "floor",
    "floor_divide",
    "full",
    "gather",
    "gather_or_zero",
    "geglu",
    "gelu",
    "glu",
    "greater",
    "greater_equal",
    "hard_sigmoid",
    "hard_swish",
    "hard_tanh",
    "identity",
    "index",
    "iota",
    "isfinite",
    "isnan",
    "leaky_relu",
    "less",
    "less_equal",
    "log",
    "log1p",
    "log2",
    "log10",
    "log_sigmoid",
    "log_softmax",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logsumexp",
    "matmul",
    "max",
    "maximum",
    "maxout",
    "mean",
    "min",
    "minimum",
    "mish",
    "multiply",
    "negative",
    "not_equal",
    "one_hot",
    "ones",
    "pad",
    "power",
    "prelu",
    "prod",
    "random_integers",
    "random_normal",
    "random_uniform",
    "reciprocal",
    "reglu",
    "relu",
    "relu6",
    "remainder",
    "repeat",
    "reshape",
    "roll",
    "round",
    "rsqrt",
    "scan",
    "scatter_add",
    "segment_argmax",
    "segment_ids",
    "segment_max",
    "segment_mean",
    "segment_shift",
    "segment_softmax",
    "segment_sum",
    "selu",
    "shuffle",
    "sigmoid",
    "sign",
    "silu",
    "sin",
    "softmax",
    "softplus",
    "softsign",
    "sort",
    "sparsemax",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "stop_gradient",
    "subtract",
    "sum",
    "swapaxes",
    "swiglu",
    "swish",
    "take_along_axis",
    "tan",
    "tanh",
    "threefry",
    "tile",
    "topk",
    "transpose",
    "tril",
    "triu",
    "unstack",
    "update_at",
    "var",
    "where",
    "zeros",
]  # fmt: skip
