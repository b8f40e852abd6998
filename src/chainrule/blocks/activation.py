"""Activations: the scalar functions between linear maps."""

from __future__ import annotations

from typing import Any

from chainrule.blocks.arithmetic import absolute, multiply
from chainrule.blocks.comparison import greater, where
from chainrule.errors import ConfigurationError
from chainrule.graph.accuracy import EXTREMES, Accuracy
from chainrule.graph.block import Contributions, Elementwise
from chainrule.graph.tensor import Tensor, TensorLike, operation


class Sigmoid(Elementwise):
    """y = 1 / (1 + e⁻ˣ), the logistic function; its gradient is y (1 - y).

    Computed from e^(-|x|), which never overflows and keeps full relative precision far below 0.
    Loses digits: for x > 0 the gradient is off by up to a unit in the last place of 1. In float32 that is 17 % at
    x = 15 and all of it from x = 17 on, where the gradient is 0 and 4e-8 is right.

    Gradient: y (1 - y).
    PyTorch: torch.sigmoid. NumPy: none.

    Example:
        >>> import chainrule
        >>> chainrule.sigmoid([0.0, -1e4]).value
        array([0.5, 0. ], dtype=float32)
    """

    floating = True
    extremes = (*EXTREMES, 15.0, 17.0)
    gradient_accuracy = Accuracy(ulps=1, least=1)

    def forward(self, xp: Any, x: Any) -> Any:
        e = xp.exp(-xp.absolute(x))
        return xp.where(x >= 0, 1, e) / (1 + e)

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (gradient * output * (1 - output),)


class Tanh(Elementwise):
    """y = tanh x, the hyperbolic tangent; its gradient is 1 - y².

    Loses digits: the gradient is off by up to two units in the last place of 1. In float32 that is 6 % at |x| = 8 and
    all of it from |x| = 10 on, where the gradient is 0 and 8e-9 is right.

    Gradient: 1 - y².
    PyTorch: torch.tanh. NumPy: numpy.tanh.

    Example:
        >>> import chainrule
        >>> chainrule.tanh([0.0, 1e4]).value
        array([0., 1.], dtype=float32)
    """

    floating = True
    extremes = (*EXTREMES, 9.0, 10.0)
    gradient_accuracy = Accuracy(ulps=2, least=1)

    def forward(self, xp: Any, x: Any) -> Any:
        return xp.tanh(x)

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (gradient * (1 - output * output),)


class Relu(Elementwise):
    """y = max(x, 0), the rectifier; its gradient at 0 is 0.

    Gradient: 1 for x > 0, else 0.
    PyTorch: torch.relu. NumPy: none.

    Raises:
        DTypeError: for booleans.

    Example:
        >>> import chainrule
        >>> chainrule.relu([1.0, -2.0]).value
        array([1., 0.], dtype=float32)

    Source: Nair and Hinton, Rectified Linear Units Improve Restricted Boltzmann Machines (2010).
    """

    numeric = True

    def forward(self, xp: Any, x: Any) -> Any:
        return xp.maximum(x, 0)

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (where(greater(x, 0), gradient, 0),)


class Softplus(Elementwise):
    """y = ln(1 + eˣ), computed as max(x, 0) + ln(1 + e^(-|x|)), which never overflows.

    Example:
        >>> Softplus()([0.0, 1e4]).value
        array([6.931472e-01, 1.000000e+04], dtype=float32)
    """

    floating = True

    def forward(self, xp: Any, x: Any) -> Any:
        return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.absolute(x)))

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (gradient * sigmoid(x),)


class Softsign(Elementwise):
    """y = x / (1 + |x|); NaN at ±∞, as ∞ / ∞ is.

    Gradient: 1 / (1 + |x|)².
    PyTorch: torch.nn.functional.softsign. NumPy: none.

    Example:
        >>> import chainrule
        >>> chainrule.softsign([1.0, -3.0]).value
        array([ 0.5 , -0.75], dtype=float32)

    Source: Bergstra et al., Quadratic Polynomials Learn Better Image Features (2009).
    """

    floating = True

    def forward(self, xp: Any, x: Any) -> Any:
        return x / (1 + xp.absolute(x))

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        width = 1 + absolute(x)
        return (gradient / (width * width),)


SOFTPLUS = Softplus()

sigmoid = operation(Sigmoid())
tanh = operation(Tanh())
relu = operation(Relu())
softsign = operation(Softsign())


@operation
def softplus(x: TensorLike, beta: float = 1.0, threshold: float | None = None) -> Tensor:
    """y = ln(1 + e^(βx)) / β, computed as max(x, 0) + ln(1 + e^(-|βx|)) / β, which never overflows.

    Gradient: 1 / (1 + e^(-βx)).
    PyTorch: torch.nn.functional.softplus. NumPy: none.

    Args:
        x: any shape.
        beta: β, above 0; the larger, the nearer to the rectifier.
        threshold: y is x itself where βx is above it, as in PyTorch, which has 20; None for the equation everywhere.

    Raises:
        ConfigurationError: for a β not above 0.

    Example:
        >>> import chainrule
        >>> chainrule.softplus([0.0, 1e4]).value
        array([6.931472e-01, 1.000000e+04], dtype=float32)

    Source: Dugas et al., Incorporating Second-Order Functional Knowledge for Better Option Pricing (2000).
    """
    if not beta > 0:
        raise ConfigurationError(f"softplus: expected a beta above 0, got {beta}")
    y = SOFTPLUS(x) if beta == 1 else SOFTPLUS(multiply(x, beta)) / beta
    return y if threshold is None else where(greater(multiply(x, beta), threshold), x, y)
