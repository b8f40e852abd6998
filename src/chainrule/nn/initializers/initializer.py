"""What an initializer is, and how much it may make."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import DTypeLike

from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, ShapeError, shortened
from chainrule.graph.spec import Array, Shape
from chainrule.settings import Registry, Settings, setting

#: How many weights may still be made, and the file that theirs come from; None where they are drawn.
_WEIGHTS_LEFT: ContextVar[tuple[int, str] | None] = ContextVar("weights left", default=None)
#: More numbers than this no array can have.
MOST_NUMBERS = 2**59
#: Numbers that are drawn at once.
BLOCK = 2**16


@dataclass(frozen=True)
class Initializer(Settings, ABC):
    """How the first weights are drawn, with its settings; it is called with a shape, a generator and a dtype.

    A subclass says how it draws. Its docstring begins with the equation, and says what it is good for and where it
    comes from; `docs/initialisation.md` is made from that.

    Example (an own initializer; once registered, `--initializer` finds it too):
        >>> from chainrule.nn import Initializer
        >>> from chainrule.nn.initializers import INITIALIZERS
        >>> @dataclass(frozen=True)
        ... class Signs(Initializer):
        ...     name: ClassVar[str] = "signs"
        ...     size: float = setting(0.1, "of each weight", above=0)
        ...     def draw(self, shape, generator, dtype):
        ...         return generator.choice([-self.size, self.size], shape).astype(dtype)
        >>> Signs(2)((1, 3), np.random.default_rng(1), "float64")
        array([[-2.,  2.,  2.]])
    """

    def __call__(self, shape: Shape, generator: np.random.Generator, dtype: DTypeLike = "float32") -> Array:
        """The weights.

        Raises:
            ShapeError: for a shape that it has no weights for.
            ConfigurationError: for what draws no numbers, or more weights than there is room for.
        """
        self.require(shape)
        _require_room(shape)
        if not isinstance(generator, np.random.Generator):
            raise ConfigurationError(
                f"generator: expected a numpy.random.Generator, such as numpy.random.default_rng(0), got "
                f"{shortened(generator)}"
            )
        if _WEIGHTS_LEFT.get() is not None:
            return np.zeros(shape, dtype)
        return self.draw(shape, generator, dtype)

    def require(self, shape: Shape) -> None:
        """Refuse a shape that it has no weights for; none, unless an initializer says otherwise."""

    @abstractmethod
    def draw(self, shape: Shape, generator: np.random.Generator, dtype: DTypeLike) -> Array:
        """The weights, of a shape that it has some for; drawn as float64 and rounded."""

    def with_gain(self, gain: float) -> Initializer:  # noqa: ARG002
        """Itself, or where it takes a gain and was given none, with this one."""
        return self


INITIALIZERS: Registry[Initializer] = Registry("initializer", Initializer)


class Fanned(Initializer):
    """The base of initializers whose scale comes from the fans of a layer."""

    def require(self, shape: Shape) -> None:
        """Refuse a shape without fans."""
        self.fans(shape)

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
class Scaled(Fanned):
    """The base of those with a gain, too.

    Attributes:
        gain: what weights are multiplied by; None for `usual_gain`, or in a learner, for that of the activation.
    """

    #: The gain, unless it is given.
    usual_gain: ClassVar[float] = 1.0

    gain: float | None = setting(None, "what weights are multiplied by; none for what suits the activation", above=0)

    @property
    def factor(self) -> float:
        """The gain that is given, or else the usual one."""
        return self.usual_gain if self.gain is None else self.gain

    def with_gain(self, gain: float) -> Self:
        """Itself where it was given a gain, or else with this one."""
        return replace(self, gain=gain) if self.gain is None else self


def by_blocks(shape: Shape, dtype: DTypeLike, draw: Callable[[int], Array]) -> Array:
    """Numbers that are drawn as float64 and rounded to a dtype, without the memory for all of them as float64."""
    drawn = np.empty(math.prod(shape), dtype)
    for start in range(0, drawn.size, BLOCK):
        part = drawn[start : start + BLOCK]
        part[...] = draw(part.size)
    return drawn.reshape(shape)


@contextmanager
def weights_to_come(most: int = MOST_NUMBERS, source: str = "memory") -> Iterator[None]:
    """Within the block, draw no weights, as those of a file come in their place; refuse more than it holds.

    A model folder may come from anywhere: what its settings ask for is bounded by what its file of weights holds,
    before it takes memory. Weights are 0 until they are read. A block inside another one is bounded by both.

    Example:
        >>> from chainrule.nn import Normal
        >>> with weights_to_come(10, "model.safetensors"):
        ...     Normal()((3, 4), np.random.default_rng(0), "float32")
        Traceback (most recent call last):
        chainrule.errors.ConfigurationError: weights of shape (3, 4) are more than model.safetensors holds: 10 are left
    """
    around = _WEIGHTS_LEFT.get()
    start = (most, source) if around is None or most < around[0] else around
    before = _WEIGHTS_LEFT.set(start)
    try:
        yield
    finally:
        left = _WEIGHTS_LEFT.get()
        _WEIGHTS_LEFT.reset(before)
        if around is not None and left is not None:
            _WEIGHTS_LEFT.set((around[0] - (start[0] - left[0]), around[1]))


def _require_room(shape: Shape) -> None:
    """Refuse weights that no array can hold, or that are more than `weights_to_come` allows: before memory is taken."""
    count, left = math.prod(shape), _WEIGHTS_LEFT.get()
    if count > MOST_NUMBERS:
        raise ConfigurationError(f"weights of shape {shape} are more than any memory holds; choose smaller sizes")
    if left is not None:
        most, source = left
        if count > most:
            raise ConfigurationError(f"weights of shape {shape} are more than {source} holds: {most:,} are left")
        _WEIGHTS_LEFT.set((most - count, source))
