"""The smallest element along axes, and where it stands; `reduction` has the largest."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.blocks.reduction import Argmax, Axis, Max, axes_of
from chainrule.graph.conversion import as_tensors
from chainrule.graph.spec import normalize_axis
from chainrule.graph.tensor import Tensor, TensorLike, operation


class Min(Max):
    """y = min x over some axes; elements that are equally the smallest share the gradient."""

    extreme = "minimum"

    def forward(self, xp: Any, x: Any) -> Any:
        return xp.minimum.reduce(x, self.axis, None, None, self.keepdims)

    def start(self, dtype: np.dtype[Any]) -> Any:
        return dtype.type(np.inf if dtype.kind == "f" else True if dtype.kind == "b" else np.iinfo(dtype).max)

    def combine(self, xp: Any, accumulated: Any, element: Any) -> Any:
        return xp.minimum(accumulated, element)


class Argmin(Argmax):
    """y = the position of the smallest element along an axis, the first of several; it has no gradient."""

    extreme = "minimum"

    def forward(self, xp: Any, x: Any) -> Any:
        return xp.argmin(x, axis=self.axis)

    def better(self, a: Any, b: Any) -> Any:
        return a < b


@operation
def min(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """y = the smallest element over the given axes, or all; ties share the gradient equally.

    Gradient: 1 for the smallest element, shared by equal ones.
    PyTorch: torch.amin. NumPy: numpy.min.

    Args:
        x: any shape; the reduced axes are not empty.
        axis: one axis or several; None for all.
        keepdims: keep the reduced axes with size 1.

    Raises:
        ShapeError: for an axis that is not there or is empty.

    Example:
        >>> import chainrule
        >>> chainrule.min([[1.0, 2.0], [3.0, 0.0]], axis=1).value
        array([1., 0.], dtype=float32)
    """
    (x,) = as_tensors([x])
    return Min(axes_of("min", axis, x.spec.rank), keepdims)(x)


@operation
def argmin(x: TensorLike, axis: int = -1) -> Tensor:
    """The position (int64) of the smallest element along an axis; the first of several.

    Gradient: none.
    PyTorch: torch.argmin. NumPy: numpy.argmin.

    Raises:
        ShapeError: for an axis that is not there or is empty.

    Example:
        >>> import chainrule
        >>> chainrule.argmin([[1.0, 2.0], [3.0, 0.0]]).value
        array([0, 1])
    """
    (x,) = as_tensors([x])
    return Argmin(normalize_axis("argmin", axis, x.spec.rank))(x)
