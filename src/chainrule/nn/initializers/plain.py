"""Initializers that take no notice of a layer's sizes: constants, and draws of one distribution."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError
from chainrule.graph.spec import Array, Shape
from chainrule.nn.initializers.initializer import INITIALIZERS, Initializer, by_blocks
from chainrule.settings import setting


@INITIALIZERS.register
@dataclass(frozen=True)
class Constant(Initializer):
    """W = value: nothing is drawn.

    Good: biases and scales; units of a hidden layer that begin alike stay alike.
    Source: none.

    Example:
        >>> Constant(0.5)((2,), np.random.default_rng(0), "float32")
        array([0.5, 0.5], dtype=float32)
    """

    name: ClassVar[str] = "constant"

    value: float = setting(1.0, "of every weight")

    def draw(self, shape: Shape, generator: np.random.Generator, dtype: DTypeLike) -> Array:  # noqa: ARG002
        """The equation."""
        return np.full(shape, self.value, dtype)


@INITIALIZERS.register
class Zeros(Initializer):
    """W = 0.

    Good: biases, and the last layer of a branch that is to begin as nothing; hidden layers pass no gradient.
    Source: none.

    Example:
        >>> Zeros()((2,), np.random.default_rng(0), "float32")
        array([0., 0.], dtype=float32)
    """

    name: ClassVar[str] = "zeros"

    def draw(self, shape: Shape, generator: np.random.Generator, dtype: DTypeLike) -> Array:  # noqa: ARG002
        """The equation."""
        return np.zeros(shape, dtype)


@INITIALIZERS.register
@dataclass(frozen=True)
class Uniform(Initializer):
    """W ~ U(low, high): spread evenly over an interval.

    Good: embeddings, whose scale is a choice; in deep layers the interval must suit the fan-in.
    Source: none.

    Raises:
        ConfigurationError: when low is not below high.

    Example:
        >>> bool(abs(Uniform(-0.1, 0.1)((3, 4), np.random.default_rng(0), "float32")).max() <= 0.1)
        True
    """

    name: ClassVar[str] = "uniform"

    low: float = setting(-1.0, "the least weight")
    high: float = setting(1.0, "the end of the interval")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.low < self.high:
            raise ConfigurationError(f"uniform: expected low below high, got {self.low:g} and {self.high:g}")

    def draw(self, shape: Shape, generator: np.random.Generator, dtype: DTypeLike) -> Array:
        """The equation."""
        return by_blocks(shape, dtype, lambda count: generator.uniform(self.low, self.high, count))


@INITIALIZERS.register
@dataclass(frozen=True)
class Normal(Initializer):
    """W ~ N(mean, deviation²): normally distributed.

    Good: embeddings, whose scale is a choice; in deep layers the deviation must suit the fan-in.
    Source: none.

    Raises:
        SettingError: when the standard deviation is not above 0.

    Example:
        >>> Normal(deviation=0.01)((3, 4), np.random.default_rng(0), "float32").shape
        (3, 4)
    """

    name: ClassVar[str] = "normal"

    mean: float = setting(0.0, "of the weights")
    deviation: float = setting(1.0, "standard deviation", above=0)

    def draw(self, shape: Shape, generator: np.random.Generator, dtype: DTypeLike) -> Array:
        """The equation."""
        return by_blocks(shape, dtype, lambda count: generator.normal(self.mean, self.deviation, count))


@INITIALIZERS.register
@dataclass(frozen=True)
class TruncatedNormal(Initializer):
    """W ~ N(mean, deviation²), where |W - mean| ≤ cut × deviation: no weight is far out.

    The weights are mean + deviation √2 erf⁻¹(u erf(cut / √2)) with u ~ U(-1, 1). What is cut off makes their own
    standard deviation smaller than that of the whole distribution: 0.880 times, for a cut at 2.

    Good: large tables and transformers, where the few far weights of a normal draw would saturate units.
    Source: Devroye, Non-Uniform Random Variate Generation (1986), chapter II: inversion of the distribution.

    Raises:
        SettingError: when the standard deviation or the cut is not above 0.

    Example:
        >>> bool(abs(TruncatedNormal(deviation=0.01)((30, 40), np.random.default_rng(0), "float64")).max() <= 0.02)
        True
    """

    name: ClassVar[str] = "truncated_normal"

    mean: float = setting(0.0, "of the weights")
    deviation: float = setting(1.0, "standard deviation", above=0)
    cut: float = setting(2.0, "how many standard deviations from the mean the tails are cut off", above=0)

    def draw(self, shape: Shape, generator: np.random.Generator, dtype: DTypeLike) -> Array:
        """The equation."""
        from scipy.special import erfinv

        within = math.erf(self.cut / math.sqrt(2))  # the share of a normal distribution that is left

        def draw(count: int) -> Array:
            standard = math.sqrt(2) * erfinv(within * generator.uniform(-1, 1, count))  # infinite where that is ±1
            return np.asarray(self.mean + self.deviation * np.clip(standard, -self.cut, self.cut))

        return by_blocks(shape, dtype, draw)
