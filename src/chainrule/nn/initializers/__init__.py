"""Initializers: how the first weights are drawn, by class and by name.

Each is called with a shape, a generator and a dtype. Numbers are drawn as float64 and rounded to the dtype, so that a
float32 and a float64 layer of the same seed start from the same weights. In the convention y = x W, a weight of shape
(in, out) has a fan-in of `in` and a fan-out of `out`.
"""

from chainrule.nn.initializers.initializer import INITIALIZERS, Initializer, weights_to_come
from chainrule.nn.initializers.plain import Constant, Normal, TruncatedNormal, Uniform, Zeros
from chainrule.nn.initializers.scaled import HeNormal, HeUniform, LeCunNormal, LeCunUniform, XavierNormal, XavierUniform
from chainrule.nn.initializers.structured import IdentityMatrix, Orthogonal, Sparse

__all__ = [
    "INITIALIZERS",
    "Constant",
    "HeNormal",
    "HeUniform",
    "IdentityMatrix",
    "Initializer",
    "LeCunNormal",
    "LeCunUniform",
    "Normal",
    "Orthogonal",
    "Sparse",
    "TruncatedNormal",
    "Uniform",
    "XavierNormal",
    "XavierUniform",
    "Zeros",
    "weights_to_come",
]  # fmt: skip
