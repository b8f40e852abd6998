"""Multi-head attention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import DTypeLike

from chainrule.blocks import attend, iota, matmul, reshape, stack, zeros
from chainrule.blocks.chance import check_rate
from chainrule.blocks.putting import PutAt
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.graph.conversion import as_tensors, promote
from chainrule.graph.leaves import Parameter
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn.initializers import XavierUniform
from chainrule.nn.layer import Layer, is_size
from chainrule.nn.linear import Linear
from chainrule.nn.positional import RotaryPositions
from chainrule.random import Key

if TYPE_CHECKING:
    from chainrule.nn.low_rank import LowRank


class MultiHeadAttention(Layer):
    """y = attend(x Q + a, m K + b, m V + c) W + d: tokens look at others of their text, in several heads.

    The maps Q, K and V stand side by side in one matrix. m is x itself (self attention), or the tokens of other texts,
    one for each (cross attention), such as those of a sentence that is translated.

    Args:
        size: of a token's vector, in and out.
        heads: how many there are, each of size ÷ heads numbers.
        groups: heads of keys and values, each of which serves heads ÷ groups heads of queries; None for as many.
        causal: a token sees no later one.
        rotary: whether queries and keys are turned by `RotaryPositions`.
        dropout: the probability of dropping a probability of the softmax, in training.
        generator: where weights are drawn from: uniformly (Xavier), each map by itself; biases are 0.
        dtype: float32 or float64.

    Attributes:
        input_weight: Q, K and V, shape (size, size + 2 × groups × size ÷ heads).
        input_bias: a, b and c, in one row.
        output: W and d.
        low_rank: what is added to x Q, x K and x V while these maps stay as they are; None for nothing
            (`add_low_rank`).

    Raises:
        ConfigurationError: for a size that is no multiple of the heads, heads that are none of the groups, or a rate
            of dropout outside [0, 1).

    Example (two texts, of three tokens and of one):
        >>> attention = MultiHeadAttention(8, 2, generator=np.random.default_rng(0))
        >>> attention, attention(np.ones((4, 8)), [0, 3, 4]).shape
        (MultiHeadAttention(8, 2 heads), (4, 8))
        >>> attention(np.ones((4, 8)), [0, 3, 4], np.ones((5, 8)), [0, 1, 5]).shape
        (4, 8)

    Sources: Vaswani et al., Attention Is All You Need (2017); Ainslie et al., GQA (2023), for groups.
    """

    random: ClassVar[bool] = True
    in_torch: ClassVar[Mapping[str, str]] = {
        "input_weight": "in_proj_weight.T",
        "input_bias": "in_proj_bias",
        "output": "out_proj",
    }

    input_weight: Parameter
    input_bias: Parameter
    output: Linear
    rotary: RotaryPositions | None
    low_rank: LowRank | None = None

    def __init__(
        self,
        size: int,
        heads: int,
        *,
        groups: int | None = None,
        causal: bool = False,
        rotary: bool = False,
        dropout: float = 0.0,
        generator: np.random.Generator,
        dtype: DTypeLike = "float32",
    ) -> None:
        check_rate("MultiHeadAttention", dropout)
        groups = heads if groups is None else groups
        if not all(map(is_size, (size, heads, groups))) or size % heads or heads % groups:
            raise ConfigurationError(
                f"MultiHeadAttention: expected a size that is a multiple of the heads, and heads that are one of the "
                f"groups, got size {size}, {heads} heads and {groups} groups"
            )
        self.size, self.heads, self.groups, self.causal = size, heads, groups, causal
        self.dim, self.dropout = size // heads, dropout
        self.rotary = RotaryPositions(self.dim) if rotary else None
        columns = [size, groups * self.dim, groups * self.dim]
        drawn = np.concatenate([XavierUniform()((size, x), generator, dtype) for x in columns], axis=1)
        self.input_weight = Parameter.of(drawn, name="input_weight", dtype=dtype)
        self.input_bias = Parameter.of(np.zeros(sum(columns)), name="input_bias", dtype=dtype)
        self.output = Linear(size, size, generator=generator, dtype=dtype)

    def __call__(
        self,
        x: TensorLike,
        offsets: TensorLike,
        others: TensorLike | None = None,
        other_offsets: TensorLike | None = None,
        *,
        key: Key | None = None,
    ) -> Tensor:
        """The equation.

        Args:
            x: the tokens of all texts, one text after the other: shape (tokens, size).
            offsets: where each text begins, and the last one ends: shape (texts + 1,).
            others: the tokens that are looked at, shape (other tokens, size); None for x.
            other_offsets: those of the others; a text that has none of them gets d.
            key: for training.

        Raises:
            ShapeError: for another size, or others without offsets.
        """
        x, _ = promote("multi_head_attention", [x, self.input_weight])
        (offsets,) = as_tensors([offsets])
        self._require(x)
        if others is None:
            q, k, v = self._cut(self._mapped(x), 0)
            key_offsets = offsets
        elif other_offsets is None:
            raise ShapeError("expected offsets of the others, too")
        else:
            (key_offsets,) = as_tensors([other_offsets])
            (q,), (k, v) = self._queries(x), self.keys_and_values(others)
        if self.rotary is not None:
            q, k = self.rotary(q, offsets), self.rotary(k, key_offsets)
        rate = 0.0 if key is None else self.dropout
        y = attend(q, k, v, offsets, key_offsets, causal=self.causal, dropout=rate, key=key)
        return self.output(reshape(y, (x.shape[0], self.size)))

    def keys_and_values(self, others: TensorLike) -> list[Tensor]:
        """Those of tokens that are looked at, before they are turned: each of shape (tokens, groups, dim)."""
        others, _ = promote("multi_head_attention", [others, self.input_weight])
        self._require(others)
        return self._cut(self._mapped(others, slice(self.size, None)), 1)

    def look(self, x: Tensor, offsets: Tensor, keys: Tensor, values: Tensor, key_offsets: Tensor) -> Tensor:
        """The equation, for tokens whose keys and values are known; without rotary positions."""
        (q,) = self._queries(x)
        y = attend(q, keys, values, offsets, key_offsets, causal=self.causal)
        return self.output(reshape(y, (x.shape[0], self.size)))

    def _queries(self, x: Tensor) -> list[Tensor]:
        return self._cut(self._mapped(x, slice(self.size)), 0)

    def _mapped(self, x: Tensor, columns: slice | None = None) -> Tensor:
        """x Q + a, x K + b and x V + c side by side, or those that stand in some of these columns."""
        weight, bias = self.input_weight, self.input_bias
        y = matmul(x, weight if columns is None else weight[:, columns])
        if self.low_rank is not None:
            y = y + self.low_rank(x, columns)
        return y + (bias if columns is None else bias[columns])

    def start(self, texts: int, room: int) -> list[Tensor]:
        """Keys and values of so many texts before their first token, with room for so many tokens of each.

        Each is of shape (texts, room, groups × dim).
        """
        return [zeros((texts, room, self.groups * self.dim), self.input_weight.dtype)] * 2

    def step(self, x: Tensor, places: Tensor, held: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """The equation for one more token of each text, which looks at itself and at those before it.

        Args:
            x: the tokens, shape (texts, size).
            places: of each in its text, counted from 0: the same number for all, shape (texts,).
            held: keys and values of those before, each of shape (texts, room, groups × dim).

        Returns:
            shape (texts, size), and keys and values with those of these tokens.

        Raises:
            IndexRangeError: where there is no more room.
        """
        q, k, v = self._cut(self._mapped(x), 0)
        if self.rotary is not None:
            q, k = self.rotary.at(q, places), self.rotary.at(k, places)
        (texts, room, columns), known = held[0].shape, places + 1
        after = [
            PutAt()(before, places, reshape(new, (texts, columns))) for before, new in zip(held, (k, v), strict=True)
        ]
        keys, values = (reshape(each, (texts * room, self.groups, self.dim)) for each in after)
        # What there is room for behind a text counts as another one, which nobody looks at.
        y = attend(q, keys, values, _offsets(0 * places + 1, 1), _offsets(known, room))
        return self.output(reshape(y, (x.shape[0], self.size))), after

    def _require(self, x: Tensor) -> None:
        if x.spec.rank != 2 or x.shape[1] != self.size:
            raise ShapeError(f"expected tokens of shape (tokens, {self.size}), got {x.shape}")

    def _cut(self, x: Tensor, first: int) -> list[Tensor]:
        """Queries, keys and values, from the first of these on, that stand side by side; with an axis of heads."""
        found, start = [], 0
        for heads in (self.heads, self.groups, self.groups)[first:]:
            end = start + heads * self.dim
            if end <= x.shape[1]:
                found.append(reshape(x[:, start:end], (x.shape[0], heads, self.dim)))
            start = end
        return found

    def __repr__(self) -> str:
        groups = "" if self.groups == self.heads else f", {self.groups} groups"
        return f"MultiHeadAttention({self.size}, {self.heads} heads{groups}{', causal' if self.causal else ''})"


def _offsets(lengths: Tensor, room: int) -> Tensor:
    """Offsets of segments that begin so far apart: each of its length, then one up to its room, and an empty one.

    They are three times as many as the lengths, a size that compiled code can tell from theirs.
    """
    starts = iota(lengths.shape[0]).astype(lengths.dtype) * room
    return reshape(stack([starts, starts + lengths, starts + room], 1), (3 * lengths.shape[0],))
