"""Initializers: how the first weights are drawn.

Each is a small frozen dataclass that is called with a shape, a generator and a dtype. Numbers are drawn as float64 and
rounded to the dtype, so that a float32 and a float64 layer of the same seed start from the same weights. In the
convention y = x W, a weight of shape (in, out) has a fan-in of `in` and a fan-out of `out`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from chainrule.errors import ConfigurationError, ShapeError, shortened
from chainrule.graph.spec import Array, Shape

#: How many weights may still be made, and the file that theirs come from; None where they are drawn.
_WEIGHTS_LEFT: ContextVar[tuple[int, str] | None] = ContextVar("weights left", default=None)
#: More numbers than this no array can have.
MOST_NUMBERS = 2**59
#: Numbers that are drawn at once.
BLOCK = 2**16

#: `initializer(shape, generator, dtype)`: an array of first weights.
Initializer: TypeAlias = Callable[[Shape, np.random.Generator, DTypeLike], Array]


@contextmanager
def weights_to_come(most: int, source: str) -> Iterator[None]:
    """Within the block, draw no weights, as those of a file come in their place; refuse more than it holds.

    A model folder may come from anywhere: what its settings ask for is bounded by what its file of weights holds,
    before it takes memory. Weights are 0 until they are read.

    Example:
        >>> with weights_to_come(10, "model.safetensors"):
        ...     Zeros()((3, 4), np.random.default_rng(0), "float32")
        Traceback (most recent call last):
        chainrule.errors.ConfigurationError: weights of shape (3, 4) are more than model.safetensors holds: 10 are left
    """
    before = _WEIGHTS_LEFT.set((most, source))
    try:
        yield
    finally:
        _WEIGHTS_LEFT.reset(before)


def require_generator(generator: object) -> None:
    """Refuse what draws no numbers.

    Raises:
        ConfigurationError: saying what to write.
    """
    if not isinstance(generator, np.random.Generator):
        raise ConfigurationError(
            f"generator: expected a numpy.random.Generator, such as numpy.random.default_rng(0), got "
            f"{shortened(generator)}"
        )


def require_room(shape: Shape) -> None:
    """Refuse weights that no array can hold, or that are more than `weights_to_come` allows.

    Raises:
        ConfigurationError: before any memory is taken.
    """
    count, left = math.prod(shape), _WEIGHTS_LEFT.get()
    if count > MOST_NUMBERS:
        raise ConfigurationError(f"weights of shape {shape} are more than any memory holds; choose smaller sizes")
    if left is not None:
        most, source = left
        if count > most:
            raise ConfigurationError(f"weights of shape {shape} are more than {source} holds: {most:,} are left")
        _WEIGHTS_LEFT.set((most - count, source))


@dataclass(frozen=True)
class Constant:
    """Every weight is `value`; nothing is drawn.

    Example:
        >>> Constant(0.5)((2,), np.random.default_rng(0), "float32")
        array([0.5, 0.5], dtype=float32)
    """

    value: float

    def __call__(self, shape: Shape, generator: np.random.Generator, dtype: DTypeLike = "float32") -> Array:  # noqa: ARG002
        """The weights."""
        require_room(shape)
        return np.full(shape, self.value, dtype)


@dataclass(frozen=True)
class Zeros(Constant):
    """Every weight is 0.

    Example:
        >>> Zeros()((2,), np.random.default_rng(0), "float32")
        array([0., 0.], dtype=float32)
    """

    value: float = 0.0


@dataclass(frozen=True)
class Uniform:
    """W ~ U(low, high): spread evenly over an interval.

    Raises:
        ConfigurationError: when low is not below high.

    Example:
        >>> bool(abs(Uniform(-0.1, 0.1)((3, 4), np.random.default_rng(0), "float32")).max() <= 0.1)
        True
    """

    low: float = -1.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ConfigurationError(f"Uniform: expected low below high, got {self.low} and {self.high}")

    def __call__(self, shape: Shape, generator: np.random.Generator, dtype: DTypeLike = "float32") -> Array:
        """The weights."""
        require_room(shape)
        require_generator(generator)
        return _by_blocks(shape, dtype, lambda count: generator.uniform(self.low, self.high, count))


@dataclass(frozen=True)
class Normal:
    """W ~ N(mean, deviation²): normally distributed.

    Raises:
        ConfigurationError: when the standard deviation is not above 0.

    Example:
        >>> Normal(deviation=0.01)((3, 4), np.random.default_rng(0), "float32").shape
        (3, 4)
    """

    mean: float = 0.0
    deviation: float = 1.0

    def __post_init__(self) -> None:
        _require_positive("Normal", "a deviation", self.deviation)

    def __call__(self, shape: Shape, generator: np.random.Generator, dtype: DTypeLike = "float32") -> Array:
        """The weights."""
        require_room(shape)
        require_generator(generator)
        return _by_blocks(shape, dtype, lambda count: generator.normal(self.mean, self.deviation, count))


@dataclass(frozen=True)
class _Scaled:
    """The base of initializers with a gain and the scale of fans."""

    gain: float = 1.0

    def __post_init__(self) -> None:
        _require_positive(type(self).__name__, "a gain", self.gain)

    def fans(self, shape: Shape) -> tuple[int, int]:
        """Fan-in and fan-out: the sizes of the first axis and the second; further axes are one window both see.

        Raises:
            ShapeError: for fewer than two axes.
        """
        if len(shape) < 2:
            raise ShapeError(f"{type(self).__name__}: expected a shape of at least two axes (in, out), got {shape}")
        window = math.prod(shape[2:])
        return max(shape[0] * window, 1), max(shape[1] * window, 1)


@dataclass(frozen=True)
class XavierUniform(_Scaled):
    """W ~ U(-a, a), a = gain √(6 / (fan_in + fan_out)): variance 2 gain² / (fan_in + fan_out).

    Raises:
        ConfigurationError: for a gain not above 0.
        ShapeError: when called with fewer than two axes.

    Example:
        >>> bool(abs(XavierUniform()((4, 2), np.random.default_rng(0), "float32")).max() <= 1.0)
        True

    Source: Glorot and Bengio, Understanding the Difficulty of Training Deep Feedforward Neural Networks (2010),
    equation 16; the gain is an addition.
    """

    def __call__(self, shape: Shape, generator: np.random.Generator, dtype: DTypeLike = "float32") -> Array:
        """The weights."""
        bound = self.gain * math.sqrt(6 / sum(self.fans(shape)))
        return Uniform(-bound, bound)(shape, generator, dtype)


@dataclass(frozen=True)
class XavierNormal(_Scaled):
    """W ~ N(0, σ²), σ = gain √(2 / (fan_in + fan_out)).

    Raises:
        ConfigurationError: for a gain not above 0.
        ShapeError: when called with fewer than two axes.

    Example:
        >>> XavierNormal()((4, 2), np.random.default_rng(0), "float32").shape
        (4, 2)

    Source: Glorot and Bengio (2010), equation 12, with normal draws.
    """

    def __call__(self, shape: Shape, generator: np.random.Generator, dtype: DTypeLike = "float32") -> Array:
        """The weights."""
        return Normal(0.0, self.gain * math.sqrt(2 / sum(self.fans(shape))))(shape, generator, dtype)


@dataclass(frozen=True)
class HeUniform(_Scaled):
    """W ~ U(-a, a), a = gain √(3 / fan_in); the default gain √2 keeps the variance through rectifiers.

    Raises:
        ConfigurationError: for a gain not above 0.
        ShapeError: when called with fewer than two axes.

    Example:
        >>> bool(abs(HeUniform()((6, 2), np.random.default_rng(0), "float32")).max() <= 1.0)
        True

    Source: He et al., Delving Deep into Rectifiers (2015), equation 10, with uniform draws of that variance.
    """

    gain: float = math.sqrt(2)

    def __call__(self, shape: Shape, generator: np.random.Generator, dtype: DTypeLike = "float32") -> Array:
        """The weights."""
        bound = self.gain * math.sqrt(3 / self.fans(shape)[0])
        return Uniform(-bound, bound)(shape, generator, dtype)


@dataclass(frozen=True)
class HeNormal(_Scaled):
    """W ~ N(0, σ²), σ = gain / √fan_in; the default gain √2 keeps the variance through rectifiers.

    Raises:
        ConfigurationError: for a gain not above 0.
        ShapeError: when called with fewer than two axes.

    Example:
        >>> HeNormal()((4, 2), np.random.default_rng(0), "float32").shape
        (4, 2)

    Source: He et al. (2015), equation 10.
    """

    gain: float = math.sqrt(2)

    def __call__(self, shape: Shape, generator: np.random.Generator, dtype: DTypeLike = "float32") -> Array:
        """The weights."""
        return Normal(0.0, self.gain / math.sqrt(self.fans(shape)[0]))(shape, generator, dtype)


@dataclass(frozen=True)
class Orthogonal(_Scaled):
    """W = gain Q: Q has orthonormal columns, or rows when it is wider than high, spread evenly over such matrices.

    Q comes from the QR decomposition of a normal matrix, with the signs of R's diagonal moved into Q, without which
    the draw would not be even. Axes after the first count as one.

    Raises:
        ConfigurationError: for a gain not above 0.
        ShapeError: when called with fewer than two axes.

    Example:
        >>> w = Orthogonal()((4, 2), np.random.default_rng(0), "float64")
        >>> bool(np.allclose(w.T @ w, np.eye(2)))
        True

    Source: Saxe, McClelland and Ganguli, Exact Solutions to the Nonlinear Dynamics of Learning in Deep Linear Neural
    Networks (2014); the signs: Mezzadri, How to Generate Random Matrices from the Classical Compact Groups
    (2007).
    """

    def __call__(self, shape: Shape, generator: np.random.Generator, dtype: DTypeLike = "float32") -> Array:
        """The weights."""
        self.fans(shape)
        require_room(shape)
        rows, columns = shape[0], math.prod(shape[1:])
        require_generator(generator)
        q, r = np.linalg.qr(generator.standard_normal((max(rows, columns), min(rows, columns))))
        q = q * np.where(np.diag(r) < 0, -1.0, 1.0)
        return np.reshape(self.gain * (q if rows >= columns else q.T), shape).astype(dtype)


def _by_blocks(shape: Shape, dtype: DTypeLike, draw: Callable[[int], Array]) -> Array:
    """Numbers that are drawn as float64 and rounded to a dtype, without the memory for all of them as float64."""
    if _WEIGHTS_LEFT.get() is not None:
        return np.zeros(shape, dtype)
    drawn = np.empty(math.prod(shape), dtype)
    for start in range(0, drawn.size, BLOCK):
        part = drawn[start : start + BLOCK]
        part[...] = draw(part.size)
    return drawn.reshape(shape)


def _require_positive(name: str, what: str, value: float) -> None:
    if not value > 0:
        raise ConfigurationError(f"{name}: expected {what} above 0, got {value}")
