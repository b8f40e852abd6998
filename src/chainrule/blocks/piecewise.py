"""Activations in pieces: straight lines, and exponentials below 0."""

from __future__ import annotations

from chainrule.blocks.comparison import greater, greater_equal, less_equal, where
from chainrule.blocks.exponential import expm1
from chainrule.errors import ConfigurationError
from chainrule.graph.conversion import promote
from chainrule.graph.tensor import Tensor, TensorLike, operation

#: For which the mean 0 and the variance 1 of a layer's inputs are those of its outputs, too.
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


@operation
def relu6(x: TensorLike) -> Tensor:
    """y = min(max(x, 0), 6), the rectifier with a ceiling.

    Gradient: 1 for 0 < x < 6, else 0.
    PyTorch: torch.nn.functional.relu6. NumPy: none.

    Example:
        >>> import chainrule
        >>> chainrule.relu6([-1.0, 2.0, 9.0]).value
        array([0., 2., 6.], dtype=float32)

    Source: Krizhevsky, Convolutional Deep Belief Networks on CIFAR-10 (2010).
    """
    (x,) = promote("relu6", [x], floating=True)
    return _between(x, x, 0, 6)


@operation
def leaky_relu(x: TensorLike, slope: float = 0.01) -> Tensor:
    """y = x where x > 0, else slope · x.

    Gradient: 1 for x > 0, else the slope.
    PyTorch: torch.nn.functional.leaky_relu. NumPy: none.

    Example:
        >>> import chainrule
        >>> chainrule.leaky_relu([2.0, -2.0], 0.25).value
        array([ 2. , -0.5], dtype=float32)

    Source: Maas, Hannun and Ng, Rectifier Nonlinearities Improve Neural Network Acoustic Models (2013).
    """
    return prelu(x, slope)


@operation
def prelu(x: TensorLike, slope: TensorLike) -> Tensor:
    """y = x where x > 0, else slope · x, with slopes that are broadcast and learned.

    Gradient: 1 for x > 0, else the slope; for the slope x where x ≤ 0, else 0.
    PyTorch: torch.nn.functional.prelu. NumPy: none.

    Example:
        >>> import chainrule
        >>> chainrule.prelu([[2.0, -2.0], [-1.0, -1.0]], [0.5, 0.25]).value.tolist()
        [[2.0, -0.5], [-0.5, -0.25]]

    Source: He et al., Delving Deep into Rectifiers (2015).
    """
    x, held = promote("prelu", [x, slope], floating=True)
    positive = greater(x, 0)
    return where(positive, x, where(positive, 0, x) * held)


@operation
def hard_tanh(x: TensorLike, low: float = -1.0, high: float = 1.0) -> Tensor:
    """y = min(max(x, low), high); unlike in `clamp`, no gradient passes at the limits themselves.

    Gradient: 1 for low < x < high, else 0.
    PyTorch: torch.nn.functional.hardtanh. NumPy: none.

    Raises:
        ConfigurationError: when low is above high.

    Example:
        >>> import chainrule
        >>> chainrule.hard_tanh([-3.0, 0.5, 3.0]).value
        array([-1. ,  0.5,  1. ], dtype=float32)

    Source: Collobert, Large Scale Machine Learning (2004).
    """
    if not low <= high:
        raise ConfigurationError(f"hard_tanh: expected low of at most high, got {low} and {high}")
    (x,) = promote("hard_tanh", [x], floating=True)
    return _between(x, x, low, high)


@operation
def hard_sigmoid(x: TensorLike) -> Tensor:
    """y = min(max(x / 6 + 1 / 2, 0), 1), straight lines in the place of the logistic function.

    Gradient: 1 / 6 for -3 < x < 3, else 0.
    PyTorch: torch.nn.functional.hardsigmoid. NumPy: none.

    Example:
        >>> import chainrule
        >>> chainrule.hard_sigmoid([-4.0, 0.0, 4.0]).value
        array([0. , 0.5, 1. ], dtype=float32)

    Source: Courbariaux, Bengio and David, BinaryConnect (2015), with the slope 1 / 6 of Howard et al. (2019).
    """
    (x,) = promote("hard_sigmoid", [x], floating=True)
    return where(less_equal(x, -3), 0, where(greater_equal(x, 3), 1, x / 6 + 0.5))


@operation
def hard_swish(x: TensorLike) -> Tensor:
    """y = x · hard_sigmoid(x): 0 up to -3, x from 3 on, and x² / 6 + x / 2 between.

    Gradient: 0 up to -3, 1 from 3 on, and x / 3 + 1 / 2 between.
    PyTorch: torch.nn.functional.hardswish. NumPy: none.

    Example:
        >>> import chainrule
        >>> chainrule.hard_swish([-4.0, 1.5, 4.0]).value
        array([0.   , 1.125, 4.   ], dtype=float32)

    Source: Howard et al., Searching for MobileNetV3 (2019), section 5.2.
    """
    (x,) = promote("hard_swish", [x], floating=True)
    below, beyond = less_equal(x, -3), greater_equal(x, 3)
    inner = where(below, 0, where(beyond, 0, x))  # what is squared is small, so that nothing overflows
    return where(beyond, x, inner * (inner / 6 + 0.5))


@operation
def elu(x: TensorLike, alpha: float = 1.0) -> Tensor:
    """y = x where x > 0, else α (eˣ - 1), the exponential linear unit.

    Gradient: 1 for x > 0, else α eˣ.
    PyTorch: torch.nn.functional.elu. NumPy: none.

    Example:
        >>> import chainrule
        >>> chainrule.elu([2.0, -1e4]).value
        array([ 2., -1.], dtype=float32)

    Source: Clevert, Unterthiner and Hochreiter, Fast and Accurate Deep Network Learning by Exponential Linear Units
    (2016).
    """
    return _exponential("elu", x, alpha, 1.0)


@operation
def celu(x: TensorLike, alpha: float = 1.0) -> Tensor:
    """y = x where x > 0, else α (e^(x/α) - 1): the exponential linear unit whose slope is 1 at 0 for every α.

    Gradient: 1 for x > 0, else e^(x/α).
    PyTorch: torch.nn.functional.celu. NumPy: none.

    Example:
        >>> import chainrule
        >>> chainrule.celu([2.0, -1e4], alpha=3.0).value
        array([ 2., -3.], dtype=float32)

    Source: Barron, Continuously Differentiable Exponential Linear Units (2017).
    """
    if not alpha > 0:
        raise ConfigurationError(f"celu: expected an alpha above 0, got {alpha}")
    return _exponential("celu", x, alpha, alpha)


@operation
def selu(x: TensorLike) -> Tensor:
    """y = λ x where x > 0, else λ α (eˣ - 1), with λ = 1.0507... and α = 1.6733...

    Gradient: λ for x > 0, else λ α eˣ.
    PyTorch: torch.nn.functional.selu. NumPy: none.

    Example:
        >>> import chainrule
        >>> chainrule.selu([1.0, -1e4]).value.round(4)
        array([ 1.0507, -1.7581], dtype=float32)

    Source: Klambauer et al., Self-Normalizing Neural Networks (2017).
    """
    return SELU_SCALE * _exponential("selu", x, SELU_ALPHA, 1.0)


def _between(x: Tensor, y: Tensor, low: float, high: float) -> Tensor:
    """y, with the limits in its place where x is not between them; NaN stays."""
    return where(less_equal(x, low), low, where(greater_equal(x, high), high, y))


def _exponential(name: str, x: TensorLike, alpha: float, width: float) -> Tensor:
    """x above 0, and α (e^(x / width) - 1) from there on; the exponential is of no number above 0, as it overflows."""
    (x,) = promote(name, [x], floating=True)
    positive = greater(x, 0)
    return where(positive, x, alpha * expm1(where(positive, 0, x) / width))
