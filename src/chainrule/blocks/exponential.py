"""Exponentials, logarithms and roots."""

from __future__ import annotations

from typing import Any

from chainrule.graph.block import Contributions, Elementwise
from chainrule.graph.tensor import Tensor, operation


class Exp(Elementwise):
    """y = eˣ.

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


class Sqrt(Elementwise):
    """y = √x, for x ≥ 0; NaN below.

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
log1p = operation(Log1p())
sqrt = operation(Sqrt())
