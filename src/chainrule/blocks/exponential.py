"""Exponentials, logarithms and roots."""

from __future__ import annotations

import math
from typing import Any

from chainrule.graph.block import Contributions, Elementwise
from chainrule.graph.tensor import Tensor, operation


class Exp(Elementwise):
    """y = eˣ.

    Gradient: y.
    PyTorch: torch.exp. NumPy: numpy.exp.

    Example:
        >>> import chainrule
        >>> chainrule.exp([0.0, 1.0]).value.round(3)
        array([1.   , 2.718], dtype=float32)
    """

    floating = True

    def forward(self, xp: Any, x: Any) -> Any:
        return xp.exp(x)

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (gradient * output,)


class Log(Elementwise):
    """y = ln x, for x > 0; -∞ at 0 and NaN below.

    Gradient: 1 / x.
    PyTorch: torch.log. NumPy: numpy.log.

    Example:
        >>> import chainrule
        >>> chainrule.log([1.0, 0.0]).value
        array([  0., -inf], dtype=float32)
    """

    floating = True
    domain = (0.2, 3.0)

    def forward(self, xp: Any, x: Any) -> Any:
        return xp.log(x)

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (gradient / x,)


class Log1p(Elementwise):
    """y = ln(1 + x), exact for small x.

    Gradient: 1 / (1 + x).
    PyTorch: torch.log1p. NumPy: numpy.log1p.

    Example:
        >>> import chainrule
        >>> chainrule.log1p([0.0, 1e-10]).value
        array([0.e+00, 1.e-10], dtype=float32)
    """

    floating = True
    domain = (-0.7, 3.0)

    def forward(self, xp: Any, x: Any) -> Any:
        return xp.log1p(x)

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (gradient / (x + 1),)


class Log2(Elementwise):
    """y = log₂ x, for x > 0; -∞ at 0 and NaN below. It is exact for powers of two.

    Gradient: 1 / (x ln 2).
    PyTorch: torch.log2. NumPy: numpy.log2.

    Example:
        >>> import chainrule
        >>> chainrule.log2([1.0, 8.0]).value
        array([0., 3.], dtype=float32)
    """

    floating = True
    domain = (0.2, 3.0)

    def forward(self, xp: Any, x: Any) -> Any:
        return xp.log2(x)

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (gradient / x * (1 / math.log(2)),)


class Log10(Elementwise):
    """y = log₁₀ x, for x > 0; -∞ at 0 and NaN below.

    Gradient: 1 / (x ln 10).
    PyTorch: torch.log10. NumPy: numpy.log10.

    Example:
        >>> import chainrule
        >>> chainrule.log10([1.0, 100.0]).value
        array([0., 2.], dtype=float32)
    """

    floating = True
    domain = (0.2, 3.0)

    def forward(self, xp: Any, x: Any) -> Any:
        return xp.log10(x)

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (gradient / x * (1 / math.log(10)),)


class Expm1(Elementwise):
    """y = eˣ - 1, exact for small x.

    Gradient: eˣ.
    PyTorch: torch.expm1. NumPy: numpy.expm1.

    Example:
        >>> import chainrule
        >>> chainrule.expm1([0.0, 1e-10]).value
        array([0.e+00, 1.e-10], dtype=float32)
    """

    floating = True

    def forward(self, xp: Any, x: Any) -> Any:
        return xp.expm1(x)

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (gradient * exp(x),)  # y + 1 would lose the digits of eˣ far below 0


class Sqrt(Elementwise):
    """y = √x, for x ≥ 0; NaN below.

    Gradient: 1 / 2y.
    PyTorch: torch.sqrt. NumPy: numpy.sqrt.

    Example:
        >>> import chainrule
        >>> chainrule.sqrt([4.0, 9.0]).value
        array([2., 3.], dtype=float32)
    """

    floating = True
    domain = (0.2, 3.0)

    def forward(self, xp: Any, x: Any) -> Any:
        return xp.sqrt(x)

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (gradient * 0.5 / output,)


exp = operation(Exp())
log = operation(Log())
expm1 = operation(Expm1())
log1p = operation(Log1p())
log2 = operation(Log2())
log10 = operation(Log10())
sqrt = operation(Sqrt())
