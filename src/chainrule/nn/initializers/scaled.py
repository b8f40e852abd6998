"""Initializers whose scale comes from a layer's fans, so that layers keep the size of numbers."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from chainrule.graph.spec import Array, Shape
from chainrule.nn.initializers.initializer import INITIALIZERS, Fanned, Scaled
from chainrule.nn.initializers.plain import Normal, Uniform


@INITIALIZERS.register
class XavierUniform(Scaled):
    """W ~ U(-a, a), a = gain √(6 / (fan_in + fan_out)): variance 2 gain² / (fan_in + fan_out).

    Good: tanh, sigmoid and linear layers: a compromise between activations and gradients.
    Source: Glorot and Bengio, Understanding the Difficulty of Training Deep Feedforward Neural Networks (2010),
    equation 16; the gain is an addition.

    Raises:
        SettingError: for a gain not above 0.
        ShapeError: when called with fewer than two axes.

    Example:
        >>> bool(abs(XavierUniform()((4, 2), np.random.default_rng(0), "float32")).max() <= 1.0)
        True
    """

    name: ClassVar[str] = "xavier_uniform"

    def draw(self, shape: Shape, generator: np.random.Generator, dtype: DTypeLike) -> Array:
        """The equation."""
        bound = self.factor * math.sqrt(6 / sum(self.fans(shape)))
        return Uniform(-bound, bound).draw(shape, generator, dtype)


@INITIALIZERS.register
class XavierNormal(Scaled):
    """W ~ N(0, σ²), σ = gain √(2 / (fan_in + fan_out)).

    Good: as `xavier_uniform`.
    Source: Glorot and Bengio (2010), equation 12, with normal draws.

    Raises:
        SettingError: for a gain not above 0.
        ShapeError: when called with fewer than two axes.

    Example:
        >>> XavierNormal()((4, 2), np.random.default_rng(0), "float32").shape
        (4, 2)
    """

    name: ClassVar[str] = "xavier_normal"

    def draw(self, shape: Shape, generator: np.random.Generator, dtype: DTypeLike) -> Array:
        """The equation."""
        return Normal(0.0, self.factor * math.sqrt(2 / sum(self.fans(shape)))).draw(shape, generator, dtype)


@INITIALIZERS.register
class HeUniform(Scaled):
    """W ~ U(-a, a), a = gain √(3 / fan_in): variance gain² / fan_in; a gain of √2 suits rectifiers.

    Good: ReLU and its kin, in deep networks: activations keep their size.
    Source: He et al., Delving Deep into Rectifiers (2015), equation 10, with uniform draws of that variance.

    Raises:
        SettingError: for a gain not above 0.
        ShapeError: when called with fewer than two axes.

    Example:
        >>> bool(abs(HeUniform()((6, 2), np.random.default_rng(0), "float32")).max() <= 1.0)
        True
    """

    name: ClassVar[str] = "he_uniform"
    usual_gain: ClassVar[float] = math.sqrt(2)

    def draw(self, shape: Shape, generator: np.random.Generator, dtype: DTypeLike) -> Array:
        """The equation."""
        bound = self.factor * math.sqrt(3 / self.fans(shape)[0])
        return Uniform(-bound, bound).draw(shape, generator, dtype)


@INITIALIZERS.register
class HeNormal(Scaled):
    """W ~ N(0, σ²), σ = gain / √fan_in; a gain of √2 suits rectifiers.

    Good: as `he_uniform`.
    Source: He et al. (2015), equation 10.

    Raises:
        SettingError: for a gain not above 0.
        ShapeError: when called with fewer than two axes.

    Example:
        >>> HeNormal()((4, 2), np.random.default_rng(0), "float32").shape
        (4, 2)
    """

    name: ClassVar[str] = "he_normal"
    usual_gain: ClassVar[float] = math.sqrt(2)

    def draw(self, shape: Shape, generator: np.random.Generator, dtype: DTypeLike) -> Array:
        """The equation."""
        return Normal(0.0, self.factor / math.sqrt(self.fans(shape)[0])).draw(shape, generator, dtype)


@INITIALIZERS.register
class LeCunUniform(Fanned):
    """W ~ U(-a, a), a = √(3 / fan_in): variance 1 / fan_in, whatever the activation.

    Good: SELU, whose promise of mean 0 and variance 1 asks for it, and linear layers.
    Source: LeCun et al., Efficient BackProp (1998), equation 16, with uniform draws of that variance.

    Raises:
        ShapeError: when called with fewer than two axes.

    Example:
        >>> bool(abs(LeCunUniform()((3, 2), np.random.default_rng(0), "float32")).max() <= 1.0)
        True
    """

    name: ClassVar[str] = "lecun_uniform"

    def draw(self, shape: Shape, generator: np.random.Generator, dtype: DTypeLike) -> Array:
        """The equation."""
        return HeUniform(1.0).draw(shape, generator, dtype)


@INITIALIZERS.register
class LeCunNormal(Fanned):
    """W ~ N(0, σ²), σ = 1 / √fan_in, whatever the activation.

    Good: as `lecun_uniform`.
    Source: LeCun et al. (1998), equation 16, with normal draws.

    Raises:
        ShapeError: when called with fewer than two axes.

    Example:
        >>> LeCunNormal()((4, 2), np.random.default_rng(0), "float32").shape
        (4, 2)
    """

    name: ClassVar[str] = "lecun_normal"

    def draw(self, shape: Shape, generator: np.random.Generator, dtype: DTypeLike) -> Array:
        """The equation."""
        return HeNormal(1.0).draw(shape, generator, dtype)
