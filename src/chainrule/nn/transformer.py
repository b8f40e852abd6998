"""Layers of transformers: attention and a small network for each token, each added to what it read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from chainrule.graph.conversion import as_tensors
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn.activations import ACTIVATIONS, Activation
from chainrule.nn.attention import MultiHeadAttention
from chainrule.nn.dropout import Dropout
from chainrule.nn.layer import Layer
from chainrule.nn.linear import Linear
from chainrule.nn.normalization import LayerNorm
from chainrule.random import Key


class TransformerLayer(Layer):
    """What layers of an encoder and of a decoder have in common: parts that are added to what they read.

        norm first: x ← x + dropout(part(norm(x))),    last: x ← norm(x + dropout(part(x)))

    One part is a small network for each token, f(x U + a) V + b, with dropout after f; the others are attention.

    Args:
        size: of a token's vector, in and out.
        heads: of the attention.
        inner: numbers between f and V; U gives as many, or twice as many where f is gated.
        dropout: the probability of dropping a number of what a part gives, and after f.
        attention_dropout: that of dropping a probability of the attention; PyTorch takes one number for all.
        inner_dropout: the probability after f, where it is another one; None for the same.
        norm_first: see above. Deeper networks train more easily so; the paper, and PyTorch unless told otherwise, have
            the norm last.
        causal: a token sees no later one.
        groups, rotary: see `MultiHeadAttention`.
        activation: f.
        epsilon: of the norms.
        generator: where weights are drawn from.
        dtype: float32 or float64.

    Attributes:
        attention: between the tokens of each text.
        inward, outward: U with a, and V with b.
        attention_norm, inner_norm: of attention and of the small network.
    """

    random: ClassVar[bool] = True

    attention: MultiHeadAttention
    inward: Linear
    outward: Linear
    attention_norm: LayerNorm
    inner_norm: LayerNorm

    def __init__(
        self,
        size: int,
        heads: int,
        inner: int,
        *,
        dropout: float = 0.1,
        attention_dropout: float = 0.0,
        inner_dropout: float | None = None,
        norm_first: bool = True,
        causal: bool = False,
        groups: int | None = None,
        rotary: bool = False,
        activation: str | Activation = "relu",
        epsilon: float = 1e-5,
        generator: np.random.Generator,
        dtype: DTypeLike = "float32",
    ) -> None:
        self.attention = MultiHeadAttention(
            size, heads, groups=groups, causal=causal, rotary=rotary, dropout=attention_dropout, generator=generator,
            dtype=dtype,
        )  # fmt: skip
        made = ACTIVATIONS.make(activation)
        self.inward = Linear(size, inner * made.reads, generator=generator, dtype=dtype)
        self.outward = Linear(inner, size, generator=generator, dtype=dtype)
        self.attention_norm, self.inner_norm = (LayerNorm(size, epsilon=epsilon, dtype=dtype) for _ in range(2))
        self.activation = made.layer(inner)
        self.dropout, self.norm_first = Dropout(dropout), norm_first
        self.inner_dropout = self.dropout if inner_dropout is None else Dropout(inner_dropout)

    def looked(self, x: Tensor, offsets: TensorLike, key: Key | None) -> Tensor:
        """Attention to the own text, as a part that is added."""
        inner = key and key.at(0)
        return self.added(x, lambda x: self.attention(x, offsets, key=inner), self.attention_norm, key)

    def added(self, x: Tensor, part: Callable[[Tensor], Tensor], norm: LayerNorm, key: Key | None) -> Tensor:
        """x with what a part of the layer gives."""
        if self.norm_first:
            return x + self.dropout(part(norm(x)), key)
        return norm(x + self.dropout(part(x), key))

    def own(self, x: Tensor, places: Tensor, held: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Attention to the own text for one more token of it; see `MultiHeadAttention.step`."""
        after: list[Tensor] = []

        def attention(x: Tensor) -> Tensor:
            y, found = self.attention.step(x, places, held)
            after.extend(found)
            return y

        return self.added(x, attention, self.attention_norm, None), after

    def network(self, x: Tensor, key: Key | None) -> Tensor:
        """The small network."""
        return self.outward(self.inner_dropout(self.activation(self.inward(x)), key))

    def __repr__(self) -> str:
        inner, size = self.outward.weight.shape
        return f"{type(self).__name__}({size}, {self.attention.heads} heads, {inner} inside)"


class TransformerEncoderLayer(TransformerLayer):
    """Attention between the tokens of a text, and a small network for each; see `TransformerLayer`.

    Example (two texts, of three tokens and of one):
        >>> layer = TransformerEncoderLayer(8, 2, 16, generator=np.random.default_rng(0))
        >>> layer, layer(np.ones((4, 8)), [0, 3, 4]).shape
        (TransformerEncoderLayer(8, 2 heads, 16 inside), (4, 8))

    Sources: Vaswani et al., Attention Is All You Need (2017); Xiong et al., On Layer Normalization in the Transformer
    Architecture (2020), for the norm that goes first.
    """

    in_torch: ClassVar[Mapping[str, str]] = {
        "attention": "self_attn",
        "inward": "linear1",
        "outward": "linear2",
        "attention_norm": "norm1",
        "inner_norm": "norm2",
    }

    def __call__(self, x: TensorLike, offsets: TensorLike, key: Key | None = None) -> Tensor:
        """Both parts.

        Args:
            x: the tokens of all texts, one text after the other: shape (tokens, size).
            offsets: where each text begins, and the last one ends: shape (texts + 1,).
            key: for training.

        Raises:
            ShapeError: for another size.
        """
        (x,) = as_tensors([x])
        keys = [key and key.at(site) for site in range(3)]
        x = self.looked(x, offsets, keys[0])
        return self.added(x, lambda x: self.network(x, keys[1]), self.inner_norm, keys[2])

    def step(self, x: Tensor, places: Tensor, held: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Both parts for one more token of each text; see `MultiHeadAttention.step`."""
        x, after = self.own(x, places, held)
        return self.added(x, lambda x: self.network(x, None), self.inner_norm, None), after


class TransformerDecoderLayer(TransformerLayer):
    """As an encoder's layer, with a part in between: attention to the tokens of another text, such as a translated one.

    Attributes:
        cross_attention: to the other text.
        cross_norm: of it.

    Example (of two texts three tokens and one, which look at two others each):
        >>> layer = TransformerDecoderLayer(8, 2, 16, causal=True, generator=np.random.default_rng(0))
        >>> layer(np.ones((4, 8)), [0, 3, 4], np.ones((4, 8)), [0, 2, 4]).shape
        (4, 8)

    Source: see `TransformerEncoderLayer`.
    """

    in_torch: ClassVar[Mapping[str, str]] = {
        **TransformerEncoderLayer.in_torch,
        "cross_attention": "multihead_attn",
        "cross_norm": "norm2",
        "inner_norm": "norm3",
    }

    cross_attention: MultiHeadAttention
    cross_norm: LayerNorm

    def __init__(
        self,
        size: int,
        heads: int,
        inner: int,
        *,
        dropout: float = 0.1,
        attention_dropout: float = 0.0,
        inner_dropout: float | None = None,
        norm_first: bool = True,
        causal: bool = True,
        groups: int | None = None,
        rotary: bool = False,
        activation: str | Activation = "relu",
        epsilon: float = 1e-5,
        generator: np.random.Generator,
        dtype: DTypeLike = "float32",
    ) -> None:
        super().__init__(
            size, heads, inner, dropout=dropout, attention_dropout=attention_dropout, inner_dropout=inner_dropout,
            norm_first=norm_first, causal=causal, groups=groups, rotary=rotary, activation=activation,
            epsilon=epsilon, generator=generator, dtype=dtype,
        )  # fmt: skip
        self.cross_attention = MultiHeadAttention(
            size, heads, groups=groups, dropout=attention_dropout, generator=generator, dtype=dtype
        )
        self.cross_norm = LayerNorm(size, epsilon=epsilon, dtype=dtype)

    def __call__(
        self,
        x: TensorLike,
        offsets: TensorLike,
        others: TensorLike,
        other_offsets: TensorLike,
        key: Key | None = None,
    ) -> Tensor:
        """All three parts.

        Args:
            x: the tokens of all texts, one text after the other: shape (tokens, size).
            offsets: where each text begins, and the last one ends: shape (texts + 1,).
            others: the tokens of the other texts, shape (other tokens, size).
            other_offsets: where each of them begins, and the last one ends: shape (texts + 1,).
            key: for training.

        Raises:
            ShapeError: for another size.
        """
        (x,) = as_tensors([x])
        keys = [key and key.at(site) for site in range(4)]
        x = self.looked(x, offsets, keys[0])
        inner = keys[1] and keys[1].at(0)
        x = self.added(
            x, lambda x: self.cross_attention(x, offsets, others, other_offsets, key=inner), self.cross_norm, keys[1]
        )
        return self.added(x, lambda x: self.network(x, keys[2]), self.inner_norm, keys[3])

    def step(
        self,
        x: Tensor,
        places: Tensor,
        held: Sequence[Tensor],
        row_offsets: Tensor,
        known: Sequence[Tensor],
        known_offsets: Tensor,
    ) -> tuple[Tensor, list[Tensor]]:
        """All three parts for one more token of each row.

        Args:
            x: the tokens, shape (rows, size).
            places: see `MultiHeadAttention.step`, as of held.
            held: keys and values of those before.
            row_offsets: where the rows that look at each of the other texts begin, and the last ones end.
            known: keys and values of the other texts' tokens; see `MultiHeadAttention.keys_and_values`.
            known_offsets: where each of these texts begins, and the last one ends.
        """
        keys, values = known
        x, after = self.own(x, places, held)
        x = self.added(
            x, lambda x: self.cross_attention.look(x, row_offsets, keys, values, known_offsets), self.cross_norm, None
        )
        return self.added(x, lambda x: self.network(x, None), self.inner_norm, None), after
