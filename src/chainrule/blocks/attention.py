"""Attention: each token of a text as a mean of other tokens of that text, weighted by how well query and key agree."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.blocks.attention_gradient import AttendGradient
from chainrule.blocks.attention_tiles import Attention, probabilities, sampled
from chainrule.blocks.chance import check_rate, random_words
from chainrule.blocks.movement import reshape
from chainrule.blocks.slicing import Slice
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.graph.block import Contributions, Samples, sample
from chainrule.graph.conversion import as_tensors, promote
from chainrule.graph.spec import Array, Spec
from chainrule.graph.tensor import Tensor, TensorLike, operation
from chainrule.random import Key


class Attend(Attention):
    """y = (softmax(scale q kᵀ) m) v for each text and head; rows of zeros where a query sees no key. m are `factors`.

    Args:
        q: shape (tokens, heads × dim).
        k, v: shapes (key tokens, groups × dim) and (key tokens, groups × value dim).
        offsets, key_offsets: shape (texts + 1,).
        drawn: see `Attention`, `rate`.

    Returns:
        shape (tokens, heads × value dim).
    """

    def infer(self, q: Spec, k: Spec, v: Spec, offsets: Spec, key_offsets: Spec, *drawn: Spec) -> Spec:
        self.check(q, k, v, offsets, key_offsets, *drawn)
        return self.result(q, v)

    def forward(self, xp: Any, q: Any, k: Any, v: Any, offsets: Any, key_offsets: Any, *drawn: Any) -> Any:
        y = xp.zeros(self.result(Spec(q.shape, q.dtype), Spec(v.shape, v.dtype)).shape, q.dtype)
        queries, keys, values = self.apart(q, self.heads), self.apart(k, self.groups), self.apart(v, self.groups)
        results = self.apart(y, self.heads)
        for rows, seen, mask in self.tiles(len(q), len(k), offsets, key_offsets):
            p = probabilities(xp, queries[:, :, rows], keys[:, :, seen], self.scale, mask)
            results[:, :, rows] = (p * self.factors(drawn, rows, seen)).astype(q.dtype) @ values[:, :, seen]
        return y

    def probabilities(self, q: Array, k: Array, offsets: Array, key_offsets: Array) -> Array:
        """softmax(scale q kᵀ), to look at: shape (heads, tokens, key tokens), with zeros between tokens of other texts.

        A row sums to 1, or to 0 where a query sees no key. Memory grows with the square of the tokens.
        """
        found = np.zeros((self.groups, self.heads // self.groups, len(q), len(k)), q.dtype)
        queries, keys = self.apart(q, self.heads), self.apart(k, self.groups)
        for rows, seen, mask in self.tiles(len(q), len(k), offsets, key_offsets):
            found[:, :, rows, seen] = probabilities(np, queries[:, :, rows], keys[:, :, seen], self.scale, mask)
        return found.reshape(self.heads, len(q), len(k))

    def backward(self, gradient: Tensor, output: Tensor, *inputs: Tensor) -> Contributions:
        (q, k, v), (offsets, key_offsets), drawn = self.apart_by_use(inputs)
        joint = offsets is key_offsets
        block = AttendGradient.of(self.heads, self.groups, self.scale, self.causal, self.rate, joint)
        packed = block(gradient, output, *inputs)
        parts, start = [], 0
        for x in (q, k, v):
            if joint:
                parts.append(Slice((0, start), (1, 1), x.shape)(packed))
                start += x.shape[1]
            else:
                parts.append(reshape(Slice((start,), (1,), (x.spec.size,))(packed), x.shape))
                start += x.spec.size
        return (*parts, None, None, *[None for _ in drawn])

    @classmethod
    def samples(cls) -> Samples:
        return tuple(sample(cls(*settings), *arrays) for settings, arrays in sampled())


@operation
def attend(
    q: TensorLike,
    k: TensorLike,
    v: TensorLike,
    offsets: TensorLike,
    key_offsets: TensorLike | None = None,
    *,
    causal: bool = False,
    scale: float | None = None,
    dropout: float = 0.0,
    key: Key | None = None,
) -> Tensor:
    """y = softmax(scale q kᵀ) v for each text and each head: what the tokens of a text find in its other tokens.

    Each row of the softmax goes over the keys of the query's own text; nothing is padded, so there is no mask. With
    fewer heads of keys and values than of queries, each serves as many of these, one after the other (grouped queries).
    The scores are made tile by tile and never kept, so that memory grows with the length of texts and not its square.
    So is what `dropout` drops: a probability becomes 0, or is divided by 1 - dropout, by a random word that is a
    function of the key, the query, the head and the place of what it looks at; forward and backward compute it anew.

    Gradient: with the probabilities p and s = p (g vᵀ - Σ g y): scale s k for q, scale sᵀ q for k, and pᵀ g for v. That
    of second order keeps all tokens × all tokens of the batch.
    PyTorch: torch.nn.functional.scaled_dot_product_attention. NumPy: none.

    Args:
        q: the queries of all texts, one text after the other: shape (tokens, heads, dim).
        k: the keys: shape (key tokens, heads or a divisor of it, dim).
        v: the values: shape (key tokens, as many heads as k, value dim).
        offsets: where the queries of each text begin, and the last ones end: shape (texts + 1,).
        key_offsets: the same of keys and values; None where they are those of the queries.
        causal: a query sees no key behind its own place. Where a text has more keys than queries, these are its last
            tokens; PyTorch takes them for its first.
        scale: what scores are multiplied by; None for 1 / √dim.
        dropout: the probability of dropping a probability, at least 0 and below 1.
        key: what the dropping comes from.

    Returns:
        shape (tokens, heads, value dim); zeros where a query has no key.

    Raises:
        ShapeError: when shapes do not fit, or offsets do not cover the tokens.
        ConfigurationError: for heads of queries that are no multiple of those of the keys, a rate outside [0, 1), or
            one without a key.

    Example (two texts, of two tokens and of one):
        >>> import chainrule
        >>> q, k = [[[0.0]], [[9.0]], [[1.0]]], [[[0.0]], [[9.0]], [[5.0]]]
        >>> v = [[[2.0]], [[4.0]], [[7.0]]]
        >>> chainrule.attend(q, k, v, [0, 2, 3]).value[:, 0, 0]
        array([3., 4., 7.], dtype=float32)

    Sources: Vaswani et al., Attention Is All You Need (2017); Milakov and Gimelshein, Online normalizer calculation for
    softmax (2018), and Dao et al., FlashAttention (2022), for the tiles; Ainslie et al., GQA (2023).
    """
    q, k, v = promote("attend", [q, k, v], floating=True)
    (offsets,) = as_tensors([offsets])
    (key_offsets,) = as_tensors([offsets if key_offsets is None else key_offsets])
    shapes = f"got q {q.shape}, k {k.shape} and v {v.shape}"
    if not q.spec.rank == k.spec.rank == v.spec.rank == 3:
        raise ShapeError(f"attend: expected q, k and v of shape (tokens, heads, dim), {shapes}")
    heads, groups, dim = q.shape[1], k.shape[1], q.shape[2]
    if k.shape[0] != v.shape[0] or k.shape[2] != dim or v.shape[1] != groups or not groups or not dim:
        raise ShapeError(
            f"attend: expected keys as wide as the queries, and a value for each key, with as many heads; {shapes}"
        )
    if heads == 0 or heads % groups:
        raise ConfigurationError(
            f"attend: expected heads of queries that are a multiple of those of the keys, {shapes}"
        )
    check_rate("attend", dropout)
    drawn: tuple[Tensor, ...] = ()
    if dropout:
        if key is None:
            raise ConfigurationError(f"attend: expected a key to drop at a rate of {dropout}; Key.of(seed=0) makes one")
        drawn = random_words(key, (q.shape[0], heads)), *as_tensors([key.words])
    block = Attend.of(heads, groups, float(dim**-0.5 if scale is None else scale), bool(causal), float(dropout))
    rows = [reshape(x, (x.shape[0], x.shape[1] * x.shape[2])) for x in (q, k, v)]
    return reshape(block(*rows, offsets, key_offsets, *drawn), (q.shape[0], heads, v.shape[2]))
