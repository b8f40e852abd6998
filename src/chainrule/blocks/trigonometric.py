"""Sine, cosine and tangent, of angles of any size."""

from __future__ import annotations

from typing import Any

from chainrule.graph.accuracy import EXTREMES
from chainrule.graph.block import Contributions, Elementwise
from chainrule.graph.tensor import Tensor, operation


class Sin(Elementwise):
    """y = sin x, of an angle x in radians; NaN for an infinite one. Large angles are as exact as small ones.

    Gradient: cos x.
    PyTorch: torch.sin. NumPy: numpy.sin.

    Example:
        >>> import chainrule
        >>> chainrule.sin([0.0, 1e7]).value
        array([0.        , 0.42054778], dtype=float32)
    """

    floating = True
    extremes = (*EXTREMES, 1e7, -1e7, 1e22)

    def forward(self, xp: Any, x: Any) -> Any:
        return xp.sin(x)

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (gradient * cos(x),)


class Cos(Elementwise):
    """y = cos x, of an angle x in radians; NaN for an infinite one. Large angles are as exact as small ones.

    Gradient: -sin x.
    PyTorch: torch.cos. NumPy: numpy.cos.

    Example:
        >>> import chainrule
        >>> chainrule.cos([0.0, 1e7]).value
        array([ 1.       , -0.9072704], dtype=float32)
    """

    floating = True
    extremes = (*EXTREMES, 1e7, -1e7, 1e22)

    def forward(self, xp: Any, x: Any) -> Any:
        return xp.cos(x)

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (-gradient * sin(x),)


class Tan(Elementwise):
    """y = tan x = sin x / cos x, of an angle x in radians; NaN for an infinite one.

    Gradient: 1 + y².
    PyTorch: torch.tan. NumPy: numpy.tan.

    Example:
        >>> import chainrule
        >>> chainrule.tan([0.0, 1.0]).value.round(3)
        array([0.   , 1.557], dtype=float32)
    """

    floating = True
    domain = (-1.2, 1.2)
    extremes = (*EXTREMES, 1e7, -1e7, 1e22)

    def forward(self, xp: Any, x: Any) -> Any:
        return xp.sin(x) / xp.cos(x)

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (gradient * (output * output + 1),)


sin = operation(Sin())
cos = operation(Cos())
tan = operation(Tan())
