"""The bricks: each block with its shape rule, forward, backward and loop body side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.blocks.einsum import einsum
from chainrule.blocks.scan import cumsum, prod
from chainrule.blocks.stepwise import scan  # in this order: the module above has the name of this function
from chainrule.lazy import loader

if TYPE_CHECKING:
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
    from chainrule.blocks.error_function import erf
    from chainrule.blocks.exponential import exp, expm1, log, log1p, log2, log10, sqrt
    from chainrule.blocks.extrema import argmin, min
    from chainrule.blocks.gated import geglu, glu, maxout, reglu, sparsemax, swiglu
    from chainrule.blocks.indexing import gather, gather_or_zero, one_hot, scatter_add
    from chainrule.blocks.inspection import check_finite, debug
    from chainrule.blocks.logic import all, any, isfinite, isnan, logical_and, logical_not, logical_or, logical_xor
    from chainrule.blocks.movement import broadcast_to, expand, iota, reshape, squeeze, swapaxes, transpose
    from chainrule.blocks.piecewise import (
        celu,
        elu,
        hard_sigmoid,
        hard_swish,
        hard_tanh,
        leaky_relu,
        prelu,
        relu6,
        selu,
    )
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
    from chainrule.blocks.selection import index, update_at
    from chainrule.blocks.slicing import concatenate, stack
    from chainrule.blocks.slots import distinct, first_slots
    from chainrule.blocks.smooth import gelu, log_sigmoid, mish, silu, swish
    from chainrule.blocks.sorting import argsort, sort, topk
    from chainrule.blocks.statistics import std, var
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

__getattr__ = loader(
    __name__,
    {
        "activation": ("relu", "sigmoid", "softplus", "softsign", "tanh"),
        "additive_attention": ("attend_additively",),
        "along_axis": ("take_along_axis",),
        "arithmetic": (
            "absolute",
            "add",
            "divide",
            "identity",
            "maximum",
            "minimum",
            "multiply",
            "negative",
            "power",
            "sign",
            "subtract",
        ),
        "arranging": ("pad", "repeat", "roll", "split", "tile", "unstack"),
        "attention": ("attend",),
        "casting": ("cast", "renew", "stop_gradient"),
        "chance": ("dropout", "random_integers", "random_normal", "random_uniform", "shuffle", "threefry"),
        "choice": ("clamp", "tril", "triu"),
        "comparison": ("equal", "greater", "greater_equal", "less", "less_equal", "not_equal", "where"),
        "contraction": ("matmul",),
        "creation": ("arange", "full", "ones", "zeros"),
        "error_function": ("erf",),
        "exponential": ("exp", "expm1", "log", "log1p", "log2", "log10", "sqrt"),
        "extrema": ("argmin", "min"),
        "gated": ("geglu", "glu", "maxout", "reglu", "sparsemax", "swiglu"),
        "indexing": ("gather", "gather_or_zero", "one_hot", "scatter_add"),
        "inspection": ("check_finite", "debug"),
        "logic": ("all", "any", "isfinite", "isnan", "logical_and", "logical_not", "logical_or", "logical_xor"),
        "movement": ("broadcast_to", "expand", "iota", "reshape", "squeeze", "swapaxes", "transpose"),
        "pieces": ("put_together",),  # found by its name in `OPERATIONS` alone, as `renew` is
        "piecewise": ("celu", "elu", "hard_sigmoid", "hard_swish", "hard_tanh", "leaky_relu", "prelu", "relu6", "selu"),
        "places": ("segment_shift",),
        "powers": ("exp2", "reciprocal", "rsqrt", "square"),
        "ragged": ("segment_argmax", "segment_ids", "segment_max", "segment_mean", "segment_softmax", "segment_sum"),
        "reduction": ("argmax", "log_softmax", "logsumexp", "max", "mean", "softmax", "sum"),
        "rounding": ("ceil", "floor", "floor_divide", "remainder", "round"),
        "selection": ("index", "update_at"),
        "slicing": ("concatenate", "stack"),
        "slots": ("distinct", "first_slots"),
        "smooth": ("gelu", "log_sigmoid", "mish", "silu", "swish"),
        "sorting": ("argsort", "sort", "topk"),
        "statistics": ("std", "var"),
        "trigonometric": ("cos", "sin", "tan"),
    },
)
