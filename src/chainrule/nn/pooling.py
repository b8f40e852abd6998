"""Pooling: one vector for a text, from those of its tokens."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from chainrule.blocks import gather_or_zero, matmul, segment_max, segment_mean, segment_softmax, segment_sum, where
from chainrule.graph.conversion import as_tensors
from chainrule.graph.leaves import Parameter
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn.initializers import Normal
from chainrule.nn.layer import Layer


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

    @abstractmethod
    def __call__(self, x: TensorLike, offsets: TensorLike) -> Tensor:
        """The vectors of texts, shape (texts, size), from those of tokens, shape (tokens, size), and their offsets."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.size})"


class MaxPooling(Pooling):
    """y = the largest of each number over the tokens of a text.

    Example:
        >>> pooling = MaxPooling(1, generator=np.random.default_rng(0))
        >>> pooling([[1.0], [3.0], [2.0]], [0, 2, 2, 3]).value.tolist()
        [[3.0], [0.0], [2.0]]

    Source: Collobert et al., Natural Language Processing (Almost) from Scratch (2011), section 3.2.2.
    """

    name: ClassVar[str] = "max"

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

    def __call__(self, x: TensorLike, offsets: TensorLike) -> Tensor:
        """The last vectors."""
        x, offsets = as_tensors([x, offsets])
        return gather_or_zero(x, where(offsets[1:] > offsets[:-1], offsets[1:] - 1, -1))


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

    def __call__(self, x: TensorLike, offsets: TensorLike) -> Tensor:
        """The weighted sums."""
        x, offsets = as_tensors([x, offsets])
        return segment_sum(x * self.attention(x, offsets), offsets)


#: By their names.
POOLINGS: dict[str, type[Pooling]] = {
    pooling.name: pooling for pooling in (MaxPooling, MeanPooling, LastPooling, AttentionPooling)
}
