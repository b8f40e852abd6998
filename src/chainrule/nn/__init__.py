"""Layers, losses and initializers: what networks are made of."""

from chainrule.nn.activation import Function, activation
from chainrule.nn.dropout import Dropout, WordDropout
from chainrule.nn.embedding import Embedding, EmbeddingBag, EmbeddingWindow
from chainrule.nn.initializers import (
    Constant,
    HeNormal,
    HeUniform,
    Initializer,
    Normal,
    Orthogonal,
    Uniform,
    XavierNormal,
    XavierUniform,
    Zeros,
)
from chainrule.nn.layer import Layer
from chainrule.nn.linear import Linear
from chainrule.nn.losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    hinge,
    mean_absolute_error,
    mean_squared_error,
    multi_margin,
    nll,
)
from chainrule.nn.noise import EmbeddingDropout, GaussianNoise, mixup
from chainrule.nn.sequential import Sequential
from chainrule.nn.summary import summary
from chainrule.nn.weights import from_torch, to_torch

__all__ = [
    "Constant", "Dropout", "Embedding", "EmbeddingBag", "EmbeddingDropout", "EmbeddingWindow", "Function",
    "GaussianNoise", "HeNormal", "HeUniform", "Initializer", "Layer", "Linear", "Normal", "Orthogonal", "Sequential",
    "Uniform", "WordDropout", "XavierNormal", "XavierUniform", "Zeros", "activation", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "cross_entropy", "from_torch", "hinge", "mean_absolute_error",
    "mean_squared_error", "mixup", "multi_margin", "nll", "summary", "to_torch",
]  # fmt: skip
