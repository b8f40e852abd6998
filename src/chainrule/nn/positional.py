"""Positions: what tells attention, which by itself knows no order, where in its text each token stands."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import DTypeLike

from chainrule.blocks import concatenate, cos, expand, gather, sin
from chainrule.blocks.segment_places import SegmentPlaces
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.graph.conversion import as_tensors, promote
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn.embedding import Embedding
from chainrule.nn.initializers import Normal
from chainrule.nn.layer import Layer, is_size

#: The longest wave of sinusoidal and rotary positions is 2π times so many tokens.
LONGEST_WAVE = 10_000.0


class Positions(Layer):
    """y = x + p, with a vector p for each place in a text.

    Args:
        size: of a token's vector.
    """

    def __init__(self, size: int) -> None:
        if not is_size(size):
            raise ConfigurationError(f"{type(self).__name__}: expected a size of at least 1, got {size}")
        self.size = size

    def __call__(self, x: TensorLike, offsets: TensorLike) -> Tensor:
        """The sum.

        Args:
            x: the tokens of all texts, one text after the other: shape (tokens, size).
            offsets: where each text begins, and the last one ends: shape (texts + 1,).

        Raises:
            ShapeError: for another size, or a text that is too long.
        """
        (x,) = promote(type(self).__name__, [x], floating=True)
        if x.spec.rank != 2 or x.shape[1] != self.size:
            raise ShapeError(f"expected tokens of shape (tokens, {self.size}), got {x.shape}")
        (offsets,) = as_tensors([offsets])
        return x + self.vectors(x, offsets)

    @abstractmethod
    def vectors(self, x: Tensor, offsets: Tensor) -> Tensor:
        """The vectors of all tokens' places, shape (tokens, size)."""

    @abstractmethod
    def at(self, places: Tensor) -> Tensor:
        """The vectors of places, counted from 0: shape (tokens,) in, (tokens, size) out."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.size})"


class SinusoidalPositions(Positions):
    """p[t, 2i] = sin(t / 10000^(2i / size)) and p[t, 2i + 1] = cos of the same: nothing to learn, and no end.

    Example (two texts, of two tokens and of one):
        >>> SinusoidalPositions(2)(np.zeros((3, 2)), [0, 2, 3]).value.round(3)
        array([[0.   , 1.   ],
               [0.841, 0.54 ],
               [0.   , 1.   ]], dtype=float32)

    Source: Vaswani et al., Attention Is All You Need (2017), section 3.5.
    """

    def vectors(self, x: Tensor, offsets: Tensor) -> Tensor:
        """The waves."""
        return self.at(SegmentPlaces.of(None)(offsets, x).astype(x.dtype))

    def at(self, places: Tensor) -> Tensor:
        """The waves, of the type of the places where these are floating."""
        (places,) = promote(type(self).__name__, [places], floating=True)
        columns, dtype = np.arange(self.size), places.dtype
        rates = LONGEST_WAVE ** (-(columns // 2 * 2) / self.size)
        quarters = columns % 2 * (np.pi / 2)  # cos(a) = sin(a + π / 2)
        return sin(expand(places, 1) * rates.astype(dtype) + quarters.astype(dtype))


class LearnedPositions(Positions):
    """p[t] = E[t + first]: a row of a table for each place.

    Args:
        count: how many places there are; a longer text is refused.
        size: of a token's vector.
        first: the row of the first place; RoBERTa's tables have rows before it that stand for no place.
        generator: where the table is drawn from, normally with deviation 0.02.
        dtype: float32 or float64.

    Attributes:
        embedding: E, shape (first + count, size).

    Example:
        >>> positions = LearnedPositions(2, 4, generator=np.random.default_rng(0))
        >>> positions(np.zeros((3, 4)), [0, 2, 3]).shape
        (3, 4)
        >>> positions(np.zeros((3, 4)), [0, 3])
        Traceback (most recent call last):
        chainrule.errors.ShapeError: LearnedPositions(2 × 4): text 0 of the batch, counted from 0, has 3 tokens, and \
there are 2 learned positions; cut such texts, make a network of more positions, or choose sinusoidal or rotary ones, \
which have no end

    Source: Gehring et al., Convolutional Sequence to Sequence Learning (2017); Devlin et al., BERT (2019).
    """

    embedding: Embedding

    def __init__(
        self, count: int, size: int, *, first: int = 0, generator: np.random.Generator, dtype: DTypeLike = "float32"
    ) -> None:
        super().__init__(size)
        if not is_size(count) or not is_size(first + 1):
            raise ConfigurationError(
                f"LearnedPositions: expected 1 place or more from row 0 or later on, got {count} from {first}"
            )
        self.count, self.first = count, first
        normal = Normal(deviation=0.02)
        self.embedding = Embedding(first + count, size, generator=generator, initializer=normal, dtype=dtype)

    def vectors(self, x: Tensor, offsets: Tensor) -> Tensor:
        """The rows."""
        return self.at(SegmentPlaces.of(self.count)(offsets, x))

    def at(self, places: Tensor) -> Tensor:
        """The rows."""
        return gather(self.embedding.table, places + self.first if self.first else places)

    def __repr__(self) -> str:
        return f"LearnedPositions({self.count} × {self.size})"


class RotaryPositions(Layer):
    """Turns queries and keys by angles that grow with the place, so that scores depend on distances alone.

    With the halves a and b of a head, and the angle θ[t, i] = t / 10000^(2i / dim) for their i-th numbers,

        y = [a cos θ - b sin θ, b cos θ + a sin θ].

    Args:
        dim: of a head; even.

    Raises:
        ConfigurationError: for a dim that is no even number of 2 or more.

    Example:
        >>> RotaryPositions(2)([[[1.0, 0.0]], [[1.0, 0.0]]], [0, 2]).value.round(3).tolist()
        [[[1.0, 0.0]], [[0.5400000214576721, 0.8410000205039978]]]

    Source: Su et al., RoFormer (2021), which turns neighbours; halves as in GPT-NeoX and Llama.
    """

    def __init__(self, dim: int) -> None:
        if not is_size(dim) or dim % 2:
            raise ConfigurationError(f"RotaryPositions: expected an even size of a head, got {dim}")
        self.dim = dim

    def __call__(self, x: TensorLike, offsets: TensorLike) -> Tensor:
        """The turned heads.

        Args:
            x: shape (tokens, heads, dim).
            offsets: shape (texts + 1,).

        Raises:
            ShapeError: for another shape.
        """
        (x,) = promote("rotary_positions", [x], floating=True)
        (offsets,) = as_tensors([offsets])
        if x.spec.rank != 3 or x.shape[2] != self.dim:
            raise ShapeError(f"expected heads of shape (tokens, heads, {self.dim}), got {x.shape}")
        return self.at(x, SegmentPlaces.of(None)(offsets, x))

    def at(self, x: Tensor, places: Tensor) -> Tensor:
        """The turned heads of tokens at these places, counted from 0; shapes (tokens, heads, dim) and (tokens,)."""
        half = self.dim // 2
        rates = LONGEST_WAVE ** (-np.arange(half) / half)
        angles = expand(expand(places.astype(x.dtype), 1) * rates.astype(x.dtype), 1)
        a, b, c, s = x[:, :, :half], x[:, :, half:], cos(angles), sin(angles)
        return concatenate([a * c - b * s, b * c + a * s], 2)

    def __repr__(self) -> str:
        return f"RotaryPositions({self.dim})"
