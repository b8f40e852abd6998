"""Activations: the functions between linear maps, by class and by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.lazy import loader
from chainrule.nn.activations.activation import ACTIVATIONS, Activation, Function, activation

if TYPE_CHECKING:
    from chainrule.nn.activations.pieces import (
        CELU,
        ELU,
        SELU,
        HardSigmoid,
        HardSwish,
        HardTanh,
        Identity,
        LeakyReLU,
        LearnedSlope,
        PReLU,
        ReLU,
        ReLU6,
    )
    from chainrule.nn.activations.several import GEGLU, GLU, LogSoftmax, Maxout, ReGLU, Softmax, Sparsemax, SwiGLU
    from chainrule.nn.activations.smooth import GELU, LogSigmoid, Mish, Sigmoid, SiLU, Softplus, Softsign, Swish, Tanh

__all__ = [
    "ACTIVATIONS",
    "CELU",
    "ELU",
    "GEGLU",
    "GELU",
    "GLU",
    "SELU",
    "Activation",
    "Function",
    "HardSigmoid",
    "HardSwish",
    "HardTanh",
    "Identity",
    "LeakyReLU",
    "LearnedSlope",
    "LogSigmoid",
    "LogSoftmax",
    "Maxout",
    "Mish",
    "PReLU",
    "ReGLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Softsign",
    "Sparsemax",
    "SwiGLU",
    "Swish",
    "Tanh",
    "activation",
]  # fmt: skip

__getattr__ = loader(
    __name__,
    {
        "pieces": (
            "CELU",
            "ELU",
            "SELU",
            "HardSigmoid",
            "HardSwish",
            "HardTanh",
            "Identity",
            "LeakyReLU",
            "LearnedSlope",
            "PReLU",
            "ReLU",
            "ReLU6",
        ),
        "several": ("GEGLU", "GLU", "LogSoftmax", "Maxout", "ReGLU", "Softmax", "Sparsemax", "SwiGLU"),
        "smooth": ("GELU", "LogSigmoid", "Mish", "Sigmoid", "SiLU", "Softplus", "Softsign", "Swish", "Tanh"),
    },
)
