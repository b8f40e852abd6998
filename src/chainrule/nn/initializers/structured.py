"""Initializers whose weights depend on each other: orthogonal, sparse, and the identity."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from chainrule.dataclasses import dataclass
from chainrule.errors import ShapeError
from chainrule.graph.spec import Array, Shape
from chainrule.nn.initializers.initializer import INITIALIZERS, Initializer, Scaled
from chainrule.settings import setting


@INITIALIZERS.register
class Orthogonal(Scaled):
    """W = gain Q: Q has orthonormal columns, or rows where it is wider than high, drawn evenly.

    Q comes from the QR decomposition of a normal matrix, with the signs of R's diagonal moved into Q, without which
    the draw would not be even. Axes after the first count as one.

    Good: very deep and recurrent networks: a product of such matrices neither grows nor shrinks in any direction.
    Source: Saxe, McClelland and Ganguli, Exact Solutions to the Nonlinear Dynamics of Learning in Deep Linear Neural
    Networks (2014); the signs: Mezzadri, How to Generate Random Matrices from the Classical Compact Groups (2007).

    Raises:
        SettingError: for a gain not above 0.
        ShapeError: when called with fewer than two axes.

    Example:
        >>> w = Orthogonal()((4, 2), np.random.default_rng(0), "float64")
        >>> bool(np.allclose(w.T @ w, np.eye(2)))
        True
    """

    name: ClassVar[str] = "orthogonal"

    def draw(self, shape: Shape, generator: np.random.Generator, dtype: DTypeLike) -> Array:
        """The equation."""
        rows, columns = shape[0], math.prod(shape[1:])
        q, r = np.linalg.qr(generator.standard_normal((max(rows, columns), min(rows, columns))))
        q = q * np.where(np.diag(r) < 0, -1.0, 1.0)
        return np.reshape(self.factor * (q if rows >= columns else q.T), shape).astype(dtype)


class _Matrix(Initializer):
    """The base of initializers of matrices alone."""

    def require(self, shape: Shape) -> None:
        """Refuse what is no matrix."""
        if len(shape) != 2:
            raise ShapeError(f"{type(self).__name__}: expected a shape of two axes (in, out), got {shape}")


@INITIALIZERS.register
@dataclass(frozen=True)
class Sparse(_Matrix):
    """W[i, j] ~ N(0, deviation²) for so many inputs i of each unit j, drawn evenly, and else 0.

    A unit's inputs are so few that it does not saturate, however many the layer has, and units differ more than those
    that see all. A layer with fewer inputs has all of them. To keep the size of numbers, the deviation is to be
    gain / √inputs, as 0.26 for tanh and 15 inputs.

    Good: sigmoid and tanh in wide layers, and second-order optimizers.
    Source: Martens, Deep Learning via Hessian-Free Optimization (2010), section 5: 15 inputs; the deviation 1 is in
    Sutskever et al., On the Importance of Initialization and Momentum in Deep Learning (2013), section 3.

    Raises:
        SettingError: for fewer inputs than 1, or a deviation not above 0.
        ShapeError: when called with another number of axes than two.

    Example:
        >>> w = Sparse(inputs=2)((5, 3), np.random.default_rng(0), "float32")
        >>> (w != 0).sum(0)
        array([2, 2, 2])
    """

    name: ClassVar[str] = "sparse"

    inputs: int = setting(15, "of each unit, whose weights are not 0", least=1)
    deviation: float = setting(1.0, "standard deviation", above=0)

    def draw(self, shape: Shape, generator: np.random.Generator, dtype: DTypeLike) -> Array:
        """The equation."""
        rows, columns = shape
        inputs = min(self.inputs, rows)
        weights = np.zeros(shape, dtype)
        for column in range(columns):
            chosen = generator.choice(rows, inputs, replace=False)
            weights[chosen, column] = generator.normal(0.0, self.deviation, inputs)
        return weights


@INITIALIZERS.register
class IdentityMatrix(_Matrix):
    """W[i, i] = 1, and else 0: a layer that passes on its inputs, as many as it has outputs.

    Good: recurrent cells with ReLU, and layers that are added to a trained network; units without an input are 0.
    Source: Le, Jaitly and Hinton, A Simple Way to Initialize Recurrent Networks of Rectified Linear Units (2015).

    Raises:
        ShapeError: when called with another number of axes than two.

    Example:
        >>> IdentityMatrix()((2, 3), np.random.default_rng(0), "float32")
        array([[1., 0., 0.],
               [0., 1., 0.]], dtype=float32)
    """

    name: ClassVar[str] = "identity"

    def draw(self, shape: Shape, generator: np.random.Generator, dtype: DTypeLike) -> Array:  # noqa: ARG002
        """The equation."""
        return np.eye(*shape, dtype=np.dtype(dtype))
