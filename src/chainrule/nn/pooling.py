"""Pooling: one vector for a text, from those of its tokens."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from chainrule.blocks import (
    arange,
    concatenate,
    equal,
    gather,
    gather_or_zero,
    iota,
    matmul,
    reshape,
    segment_argmax,
    segment_ids,
    segment_max,
    segment_mean,
    segment_softmax,
    segment_sum,
    sort,
    stack,
    where,
    zeros,
)
from chainrule.errors import ConfigurationError
from chainrule.graph.conversion import as_tensors
from chainrule.graph.leaves import Parameter
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn.initializers import Normal
from chainrule.nn.layer import Layer, is_size
from chainrule.nn.steps import takes_padded_texts


class Pooling(Layer):
    """One vector for each text, from those of its tokens; zeros for an empty text.

    Args:
        size: the size of a token's vector.
        generator: where initial weights are drawn from, where there are any.
        dtype: float32 or float64.
    """

    name: ClassVar[str]

    def __init__(self, size: int, *, generator: np.random.Generator, dtype: DTypeLike = "float32") -> None:  # noqa: ARG002
        self.size = size

    @property
    def outputs(self) -> int:
        """The size of a text's vector."""
        return self.size

    @abstractmethod
    def __call__(self, x: TensorLike, offsets: TensorLike) -> Tensor:
        """The vectors of texts, shape (texts, size), from those of tokens, shape (tokens, size), and their offsets."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.size})"


def _of_texts(x: Tensor, offsets: Tensor, places: Tensor) -> Tensor:
    """x[p] with a place p for each text; zeros, as of a row behind the last one, for a text without tokens.

    That no number of tokens is in the equation keeps one compiled program for all of them; `gather_or_zero` has it.
    """
    behind = concatenate([x, zeros((1, *x.shape[1:]), x.dtype)], 0)
    return gather(behind, where(offsets[1:] > offsets[:-1], places, offsets[-1]))


class MaxPooling(Pooling):
    """y = the largest of each number over the tokens of a text.

    Example:
        >>> pooling = MaxPooling(1, generator=np.random.default_rng(0))
        >>> pooling([[1.0], [3.0], [2.0]], [0, 2, 2, 3]).value.tolist()
        [[3.0], [0.0], [2.0]]

    Source: Collobert et al., Natural Language Processing (Almost) from Scratch (2011), section 3.2.2.
    """

    name: ClassVar[str] = "max"

    @takes_padded_texts
    def __call__(self, x: TensorLike, offsets: TensorLike) -> Tensor:
        """The maxima."""
        return segment_max(x, offsets)


class MeanPooling(Pooling):
    """y = the mean over the tokens of a text.

    Example:
        >>> pooling = MeanPooling(1, generator=np.random.default_rng(0))
        >>> pooling([[1.0], [3.0], [2.0]], [0, 2, 2, 3]).value.tolist()
        [[2.0], [0.0], [2.0]]
    """

    name: ClassVar[str] = "mean"

    @takes_padded_texts
    def __call__(self, x: TensorLike, offsets: TensorLike) -> Tensor:
        """The means."""
        return segment_mean(x, offsets)


class LastPooling(Pooling):
    """y = the vector of the last token of a text.

    Example:
        >>> pooling = LastPooling(1, generator=np.random.default_rng(0))
        >>> pooling([[1.0], [3.0], [2.0]], [0, 2, 2, 3]).value.tolist()
        [[3.0], [0.0], [2.0]]
    """

    name: ClassVar[str] = "last"

    @takes_padded_texts
    def __call__(self, x: TensorLike, offsets: TensorLike) -> Tensor:
        """The last vectors."""
        x, offsets = as_tensors([x, offsets])
        return _of_texts(x, offsets, offsets[1:] - 1)


class FirstPooling(Pooling):
    """y = the vector of the first token of a text, which in pretrained encoders stands for the whole text.

    Example:
        >>> pooling = FirstPooling(1, generator=np.random.default_rng(0))
        >>> pooling([[1.0], [3.0], [2.0]], [0, 2, 2, 3]).value.tolist()
        [[1.0], [0.0], [2.0]]
    """

    name: ClassVar[str] = "first"

    @takes_padded_texts
    def __call__(self, x: TensorLike, offsets: TensorLike) -> Tensor:
        """The first vectors."""
        x, offsets = as_tensors([x, offsets])
        return _of_texts(x, offsets, offsets[:-1])


class AttentionPooling(Pooling):
    """y = Σ aᵢ xᵢ with the attention a = softmax(x v) over the tokens of a text.

    Attributes:
        vector: v, shape (size, 1), drawn normally with variance 1 / size.

    Example:
        >>> pooling = AttentionPooling(2, generator=np.random.default_rng(0))
        >>> pooling([[1.0, 2.0], [1.0, 2.0]], [0, 2]).value.round(4).tolist()
        [[1.0, 2.0]]

    Source: Yang et al., Hierarchical Attention Networks for Document Classification (2016). Deviation: no hidden layer
    before v.
    """

    name: ClassVar[str] = "attention"
    vector: Parameter

    def __init__(self, size: int, *, generator: np.random.Generator, dtype: DTypeLike = "float32") -> None:
        super().__init__(size, generator=generator, dtype=dtype)
        drawn = Normal(deviation=size**-0.5)((size, 1), generator, dtype)
        self.vector = Parameter.of(drawn, name="vector", dtype=dtype)

    def attention(self, x: TensorLike, offsets: TensorLike) -> Tensor:
        """How much each token counts: shape (tokens, 1), in each text with sum 1."""
        return segment_softmax(matmul(x, self.vector), offsets)

    @takes_padded_texts
    def __call__(self, x: TensorLike, offsets: TensorLike) -> Tensor:
        """The weighted sums."""
        x, offsets = as_tensors([x, offsets])
        return segment_sum(x * self.attention(x, offsets), offsets)


class KMaxPooling(Pooling):
    """y = the k largest of each number over the tokens of a text, in the order in which they stand there.

    A text of fewer tokens has zeros behind them.

    Args:
        size: the size of a token's vector.
        k: how many numbers of each kind are kept.

    Example:
        >>> pooling = KMaxPooling(1, k=2, generator=np.random.default_rng(0))
        >>> pooling([[2.0], [1.0], [3.0], [5.0]], [0, 3, 4]).value.tolist()
        [[2.0, 3.0], [5.0, 0.0]]

    Source: Kalchbrenner, Grefenstette and Blunsom, A Convolutional Neural Network for Modelling Sentences (2014),
    section 3.2.
    """

    name: ClassVar[str] = "k_max"

    def __init__(self, size: int, *, k: int = 3, generator: np.random.Generator, dtype: DTypeLike = "float32") -> None:
        super().__init__(size, generator=generator, dtype=dtype)
        if not is_size(k):
            raise ConfigurationError(f"KMaxPooling: expected k as a whole number of 1 or more, got {k!r}")
        self.k = k

    @property
    def outputs(self) -> int:
        """k times that of a token's."""
        return self.k * self.size

    @takes_padded_texts
    def __call__(self, x: TensorLike, offsets: TensorLike) -> Tensor:
        """The largest numbers, shape (texts, k · size): those that stand first in a text, then those second."""
        x, offsets = as_tensors([x, offsets])
        ids, rows = segment_ids(offsets, x), reshape(iota(x.shape[:1]).astype("int64"), (-1, 1))
        lengths, none = reshape(offsets[1:] - offsets[:-1], (-1, 1)), offsets[-1]  # `none` is the place of no token
        left, found = x, []
        for rank in range(self.k):
            places = segment_argmax(left, offsets)
            found.append(where(lengths > rank, places, none))
            left = where(equal(rows, gather(places, ids)), -np.inf, left)
        in_order = sort(stack(found, 1), axis=1)
        numbers = where(in_order < none, in_order * self.size + arange(self.size), -1)
        largest = gather_or_zero(reshape(x, (-1,)), numbers)
        return reshape(largest, (offsets.shape[0] - 1, self.k * self.size))

    def __repr__(self) -> str:
        return f"KMaxPooling({self.size}, k={self.k})"


#: By their names.
POOLINGS: dict[str, type[Pooling]] = {
    pooling.name: pooling for pooling in (MaxPooling, KMaxPooling, MeanPooling, LastPooling, AttentionPooling)
}
