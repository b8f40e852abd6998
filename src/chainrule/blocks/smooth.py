"""Smooth activations: a number times how much of it passes."""

from __future__ import annotations

import math

from chainrule.blocks.activation import sigmoid, softplus, tanh
from chainrule.blocks.error_function import erf
from chainrule.errors import ConfigurationError, shortened
from chainrule.graph.conversion import promote
from chainrule.graph.tensor import Tensor, TensorLike, operation

NONE, TANH = APPROXIMATIONS = ("none", "tanh")


@operation
def log_sigmoid(x: TensorLike) -> Tensor:
    """y = -ln(1 + e⁻ˣ), the logarithm of the logistic function, which never overflows.

    Gradient: 1 / (1 + eˣ).
    PyTorch: torch.nn.functional.logsigmoid. NumPy: none.

    Example:
        >>> import chainrule
        >>> chainrule.log_sigmoid([0.0, -1e4]).value
        array([-6.931472e-01, -1.000000e+04], dtype=float32)
    """
    (x,) = promote("log_sigmoid", [x], floating=True)
    return -softplus(-x)


@operation
def silu(x: TensorLike) -> Tensor:
    """y = x σ(x) with the logistic function σ; NaN at -∞, as 0 · ∞ is.

    Gradient: σ(x) + x σ(x) (1 - σ(x)).
    PyTorch: torch.nn.functional.silu. NumPy: none.

    Example:
        >>> import chainrule
        >>> chainrule.silu([0.0, 1e4, -1e4]).value
        array([    0., 10000.,    -0.], dtype=float32)

    Source: Elfwing, Uchibe and Doya, Sigmoid-Weighted Linear Units for Neural Network Function Approximation (2018).
    """
    (x,) = promote("silu", [x], floating=True)
    return x * sigmoid(x)


@operation
def swish(x: TensorLike, beta: float = 1.0) -> Tensor:
    """y = x σ(β x) with the logistic function σ: `silu` for β = 1, nearer to the rectifier the larger β is.

    Gradient: σ(β x) + β x σ(β x) (1 - σ(β x)).
    PyTorch: none. NumPy: none.

    Example:
        >>> import chainrule
        >>> chainrule.swish([-1.0, 1.0], beta=0).value
        array([-0.5,  0.5], dtype=float32)

    Source: Ramachandran, Zoph and Le, Searching for Activation Functions (2017).
    """
    (x,) = promote("swish", [x], floating=True)
    return x * sigmoid(beta * x)


@operation
def gelu(x: TensorLike, approximate: str = NONE) -> Tensor:
    """y = x Φ(x) = x/2 (1 + erf(x / √2)) with the normal distribution's Φ; NaN at -∞, as 0 · ∞ is.

    With approximate="tanh", y = x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))), at most 0.0005 away.
    Loses digits: far below 0 the 1 and the -1 of erf cancel; of -5 in float32 a twentieth is wrong, of -6 all.

    Gradient: Φ(x) + x φ(x) with the normal density φ.
    PyTorch: torch.nn.functional.gelu. NumPy: none.

    Args:
        x: any shape.
        approximate: "none", or "tanh" for the equation of the first transformers.

    Raises:
        ConfigurationError: for another approximation.

    Example:
        >>> import chainrule
        >>> chainrule.gelu([1.0, -1.0]).value.round(4)
        array([ 0.8413, -0.1587], dtype=float32)

    Source: Hendrycks and Gimpel, Gaussian Error Linear Units (2016).
    """
    if approximate not in APPROXIMATIONS:
        expected = " or ".join(APPROXIMATIONS)
        raise ConfigurationError(f"gelu: expected approximate to be {expected}, got {shortened(approximate)}")
    (x,) = promote("gelu", [x], floating=True)
    if approximate == TANH:
        return x * 0.5 * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    return x * 0.5 * (1 + erf(x * math.sqrt(0.5)))


@operation
def mish(x: TensorLike) -> Tensor:
    """y = x tanh(ln(1 + eˣ)); NaN at -∞, as 0 · ∞ is.

    Gradient: t + x σ(x) (1 - t²) with t = tanh(ln(1 + eˣ)) and the logistic function σ.
    PyTorch: torch.nn.functional.mish. NumPy: none.

    Example:
        >>> import chainrule
        >>> chainrule.mish([1.0, -1.0]).value.round(4)
        array([ 0.8651, -0.3034], dtype=float32)

    Source: Misra, Mish: A Self Regularized Non-Monotonic Activation Function (2020).
    """
    (x,) = promote("mish", [x], floating=True)
    return x * tanh(softplus(x))
