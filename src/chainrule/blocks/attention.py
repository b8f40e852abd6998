"""Attention: each token of a text as a mean of other tokens of that text, weighted by how well query and key agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from chainrule.blocks.casting import stop_gradient
from chainrule.blocks.comparison import equal, where
from chainrule.blocks.creation import full
from chainrule.blocks.exponential import exp
from chainrule.blocks.indexing import gather
from chainrule.blocks.movement import iota, reshape, transpose
from chainrule.blocks.ragged import segment_ids
from chainrule.blocks.reduction import max as largest
from chainrule.blocks.slicing import Slice, concatenate
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.graph.autodiff import adjoints_of, dense
from chainrule.graph.block import Block, Contributions, Samples, real, sample
from chainrule.graph.conversion import as_tensors, promote
from chainrule.graph.spec import INT64, Array, Spec, require_integer
from chainrule.graph.tensor import Tensor, TensorLike, operation
from chainrule.graph.trace import replayed

#: So many queries of a text are compared with its keys at once: memory grows with the length and not its square.
QUERIES = 64


@dataclass(frozen=True, repr=False)
class Attention(Block, abstract=True):
    """What `Attend` and its gradient have in common. Heads lie side by side in the rows of matrices.

    Fields:
        heads: of the queries.
        groups: heads of the keys and values, each of which serves heads ÷ groups of the queries.
        scale: what scores are multiplied by.
        causal: whether a query sees no key after its own place; the last query of a text stands at its last key.
    """

    heads: int
    groups: int
    scale: float
    causal: bool = False

    def promote_inputs(self, inputs: Sequence[TensorLike]) -> tuple[Tensor, ...]:
        *floats, offsets, key_offsets = as_tensors(inputs)
        for x in (offsets, key_offsets):
            require_integer(self.name, "offsets", x.spec)
        return (*floats, offsets.astype(INT64), key_offsets.astype(INT64))

    def check(self, q: Spec, k: Spec, v: Spec, offsets: Spec, key_offsets: Spec) -> None:
        """Refuse what does not fit."""
        shapes = f"got q {q.shape}, k {k.shape}, v {v.shape}, offsets {offsets.shape} and {key_offsets.shape}"
        if not q.rank == k.rank == v.rank == 2 or not offsets.rank == key_offsets.rank == 1:
            raise ShapeError(f"{self.name}: expected three matrices and offsets along one axis, {shapes}")
        wrong = (
            q.shape[1] % self.heads
            or k.shape[1] != q.shape[1] // self.heads * self.groups
            or v.shape[1] % self.groups
            or k.shape[0] != v.shape[0]
            or offsets.shape != key_offsets.shape
            or offsets.shape[0] == 0
        )
        if wrong:
            raise ShapeError(
                f"{self.name}: expected queries of {self.heads} heads, as many keys as values, of {self.groups} heads, "
                f"and offsets of the same texts, {shapes}"
            )

    def result(self, q: Spec, v: Spec) -> Spec:
        """The spec of what attention gives."""
        return Spec((q.shape[0], v.shape[1] // self.groups * self.heads), q.dtype)

    def refusal(self, value: int) -> str:
        return f"{self.name}: offsets must rise from 0 to the number of tokens; got {value}"

    def apart(self, x: Any, heads: int) -> Any:
        """A matrix with its heads on an axis of their own: (groups, heads ÷ groups, tokens, dim)."""
        return x.reshape(len(x), self.groups, heads // self.groups, x.shape[1] // heads).transpose(1, 2, 0, 3)

    def tiles(
        self, queries: int, keys: int, offsets: Array, key_offsets: Array
    ) -> Iterator[tuple[slice, slice, Array | bool]]:
        """Queries of a text, the keys that they may see, and which of them each one does.

        Raises:
            ShapeError: for offsets that do not rise from 0 to the number of tokens.
        """
        for given, count in ((offsets, queries), (key_offsets, keys)):
            if given[0] != 0 or given[-1] != count or (given[1:] < given[:-1]).any():
                raise ShapeError(
                    f"{self.name}: offsets must rise from 0 to the number of tokens, {count}; got offsets of shape "
                    f"{given.shape} from {given[0]} to {given[-1]}"
                )
        for text in np.flatnonzero((offsets[1:] > offsets[:-1]) & (key_offsets[1:] > key_offsets[:-1])):
            (first, end), (key, last) = offsets[text : text + 2].tolist(), key_offsets[text : text + 2].tolist()
            for start in range(first, end, QUERIES):
                stop = min(start + QUERIES, end)
                if not self.causal:
                    yield slice(start, stop), slice(key, last), True
                    continue
                limits = np.arange(start, stop) - end + last  # the last key that each query sees
                if limits[-1] >= key:
                    seen = np.arange(key, limits[-1] + 1) <= limits[:, None]
                    yield slice(start, stop), slice(key, int(limits[-1]) + 1), seen


class Attend(Attention):
    """y = softmax(scale q kᵀ) v for each text and head; rows of zeros where a query sees no key.

    Args:
        q: shape (tokens, heads × dim).
        k, v: shapes (key tokens, groups × dim) and (key tokens, groups × value dim).
        offsets, key_offsets: shape (texts + 1,).

    Returns:
        shape (tokens, heads × value dim).
    """

    def infer(self, q: Spec, k: Spec, v: Spec, offsets: Spec, key_offsets: Spec) -> Spec:
        self.check(q, k, v, offsets, key_offsets)
        return self.result(q, v)

    def forward(self, xp: Any, q: Any, k: Any, v: Any, offsets: Any, key_offsets: Any) -> Any:
        y = xp.zeros(self.result(Spec(q.shape, q.dtype), Spec(v.shape, v.dtype)).shape, q.dtype)
        queries, keys, values = self.apart(q, self.heads), self.apart(k, self.groups), self.apart(v, self.groups)
        results = self.apart(y, self.heads)
        for rows, seen, mask in self.tiles(len(q), len(k), offsets, key_offsets):
            p = _probabilities(xp, queries[:, :, rows], keys[:, :, seen], self.scale, mask)
            results[:, :, rows] = p @ values[:, :, seen]
        return y

    def probabilities(self, q: Array, k: Array, offsets: Array, key_offsets: Array) -> Array:
        """softmax(scale q kᵀ), to look at: shape (heads, tokens, key tokens), with zeros between tokens of other texts.

        A row sums to 1, or to 0 where a query sees no key. Memory grows with the square of the tokens.
        """
        found = np.zeros((self.groups, self.heads // self.groups, len(q), len(k)), q.dtype)
        queries, keys = self.apart(q, self.heads), self.apart(k, self.groups)
        for rows, seen, mask in self.tiles(len(q), len(k), offsets, key_offsets):
            found[:, :, rows, seen] = _probabilities(np, queries[:, :, rows], keys[:, :, seen], self.scale, mask)
        return found.reshape(self.heads, len(q), len(k))

    def backward(
        self, gradient: Tensor, output: Tensor, q: Tensor, k: Tensor, v: Tensor, offsets: Tensor, key_offsets: Tensor
    ) -> Contributions:
        joint = offsets is key_offsets
        block = AttendGradient.of(self.heads, self.groups, self.scale, self.causal, joint)
        packed = block(gradient, output, q, k, v, offsets, key_offsets)
        parts, start = [], 0
        for x in (q, k, v):
            if joint:
                parts.append(Slice((0, start), (1, 1), x.shape)(packed))
                start += x.shape[1]
            else:
                parts.append(reshape(Slice((start,), (1,), (x.spec.size,))(packed), x.shape))
                start += x.spec.size
        return (*parts, None, None)

    @classmethod
    def samples(cls) -> Samples:
        return tuple(sample(cls(*settings), *arrays) for settings, arrays in _sampled())


@dataclass(frozen=True, repr=False)
class AttendGradient(Attention):
    """The gradients of q, k and v, from the gradient g of y.

        p = softmax(scale q kᵀ),    s = p (g vᵀ - Σ g y),    δv = pᵀ g,    δq = scale s k,    δk = scale sᵀ q

    Only q, k, v and y are kept from the forward pass; p is computed again, tile by tile.

    Second order holds all tokens × all tokens of the batch in memory.

    Fields:
        joint: whether a row of the result has the gradients of the query, the key and the value of a token, side by
            side, as a product that gave all three wants them. There have to be as many keys as queries.

    Args:
        g, y: shape (tokens, heads × value dim).
        q, k, v, offsets, key_offsets: see `Attend`.

    Returns:
        δq, δk and δv: joint, shape (tokens, columns of all three); or else each flat, one after the other.
    """

    joint: bool = False

    def infer(self, g: Spec, y: Spec, q: Spec, k: Spec, v: Spec, offsets: Spec, key_offsets: Spec) -> Spec:
        self.check(q, k, v, offsets, key_offsets)
        expected = self.result(q, v).shape
        if g.shape != expected or y.shape != expected:
            raise ShapeError(
                f"{self.name}: expected a result and its gradient of shape {expected} for q {q.shape} and v {v.shape}, "
                f"got {y.shape} and {g.shape}"
            )
        if not self.joint:
            return Spec((q.size + k.size + v.size,), q.dtype)
        if q.shape[0] != k.shape[0]:
            raise ShapeError(f"{self.name}: expected as many keys as queries, got q {q.shape} and k {k.shape}")
        return Spec((q.shape[0], q.shape[1] + k.shape[1] + v.shape[1]), q.dtype)

    def forward(self, xp: Any, g: Any, y: Any, q: Any, k: Any, v: Any, offsets: Any, key_offsets: Any) -> Any:
        found = [xp.zeros(x.shape, x.dtype) for x in (q, k, v)]
        of_groups = [self.heads, self.groups, self.groups]
        dq, dk, dv = (self.apart(x, heads) for x, heads in zip(found, of_groups, strict=True))
        queries, keys, values = (self.apart(x, heads) for x, heads in zip((q, k, v), of_groups, strict=True))
        given, results = self.apart(g, self.heads), self.apart(y, self.heads)
        for rows, seen, mask in self.tiles(len(q), len(k), offsets, key_offsets):
            above, some = given[:, :, rows], keys[:, :, seen]
            p = _probabilities(xp, queries[:, :, rows], some, self.scale, mask)
            means = (above * results[:, :, rows]).sum(-1, keepdims=True)
            slopes = p * (above @ values[:, :, seen].swapaxes(-1, -2) - means) * self.scale
            dq[:, :, rows] = slopes @ some
            dk[:, :, seen] += (slopes.swapaxes(-1, -2) @ queries[:, :, rows]).sum(1, keepdims=True)
            dv[:, :, seen] += (p.swapaxes(-1, -2) @ above).sum(1, keepdims=True)
        return xp.concatenate(found if self.joint else [x.reshape(-1) for x in found], -1)

    def backward(self, gradient: Tensor, output: Tensor, *inputs: Tensor) -> Contributions:
        *floats, offsets, key_offsets = inputs
        stand_ins = [Tensor(x.spec) for x in floats]
        seed = Tensor(gradient.spec)
        written = self._written_out(stand_ins, offsets, key_offsets)
        found = adjoints_of([(written, seed)], stand_ins)
        known = dict(zip([*stand_ins, seed], [*floats, gradient], strict=True))
        return (*replayed([dense(found[x]) for x in stand_ins], known), None, None)

    def _written_out(self, floats: Sequence[Tensor], offsets: Tensor, key_offsets: Tensor) -> Tensor:
        """The same by other blocks, with all tokens of the batch against all, most of which no query sees."""

        def apart(x: Tensor, heads: int) -> Tensor:
            columns = x.shape[1] // heads
            return transpose(reshape(x, (x.shape[0], self.groups, heads // self.groups, columns)), (1, 2, 0, 3))

        def together(x: Tensor) -> Tensor:
            columns = x.shape[0] * x.shape[1] * x.shape[3]
            return reshape(transpose(x, (2, 0, 1, 3)), (x.shape[2], columns) if self.joint else (-1,))

        def turned(x: Tensor) -> Tensor:
            return transpose(x, (0, 1, 3, 2))

        g, y, q, k, v = floats
        above, results, queries = (apart(x, self.heads) for x in (g, y, q))
        keys, values = (apart(x, self.groups) for x in (k, v))
        texts, key_texts = segment_ids(offsets, q), segment_ids(key_offsets, k)
        seen = equal(reshape(texts, (-1, 1)), key_texts)
        if self.causal:
            before_end = iota(q.shape[0]).astype(INT64) - gather(offsets, texts + 1)
            keys_before_end = iota(k.shape[0]).astype(INT64) - gather(key_offsets, key_texts + 1)
            seen = seen & (reshape(before_end, (-1, 1)) >= keys_before_end)
        scores = (queries @ turned(keys)) * self.scale
        least = full((*scores.shape[:-1], 1), -np.inf, scores.dtype)  # so that there is one without keys, too
        highest = largest(concatenate([where(seen, stop_gradient(scores), -np.inf), least], -1), -1, keepdims=True)
        powers = where(seen, exp(where(seen, scores - highest, 0)), 0)
        totals = powers.sum(-1, keepdims=True)
        p = powers / where(totals > 0, totals, 1)
        means = (above * results).sum(-1, keepdims=True)
        slopes = p * (above @ turned(values) - means) * self.scale
        dk = (turned(slopes) @ queries).sum(1, keepdims=True)
        dv = (turned(p) @ above).sum(1, keepdims=True)
        return concatenate([together(slopes @ keys), together(dk), together(dv)], -1)

    @classmethod
    def samples(cls) -> Samples:
        found = []
        for (heads, groups, scale, causal), (q, k, v, *offsets) in _sampled():
            result = (len(q), v.shape[1] // groups * heads)
            block = cls(heads, groups, scale, causal, offsets[0] is offsets[1])
            given = real(*result, low=-1, high=1), real(*result, low=-1, high=2)
            found.append(sample(block, *given, q, k, v, *offsets))
        return tuple(found)


def _probabilities(xp: Any, q: Array, k: Array, scale: float, seen: Array | bool) -> Any:
    """The softmax of scores over the keys that are seen; zeros for a query that sees none."""
    scores = (q @ k.swapaxes(-1, -2)) * scale
    if seen is True:
        powers = xp.exp(scores - scores.max(-1, keepdims=True))
        return powers / powers.sum(-1, keepdims=True)
    highest = xp.where(seen, scores, -np.inf).max(-1, keepdims=True)
    powers = xp.where(seen, xp.exp(xp.where(seen, scores - highest, 0)), 0)
    totals = powers.sum(-1, keepdims=True)
    return powers / xp.where(totals == 0, 1, totals)


def _sampled() -> list[tuple[tuple[Any, ...], tuple[Array, ...]]]:
    """Settings, and q, k, v and both offsets, that blocks are tried on."""
    offsets, other = np.array([0, 2, 2, 3, 4]), np.array([0, 1, 2, 2, 4])
    return [
        ((2, 2, 0.7, False), (real(4, 4), real(4, 4, low=-1), real(4, 2, high=1), offsets, offsets)),
        ((4, 2, 1.0, False), (real(4, 4), real(4, 2, low=-1), real(4, 4, high=1), offsets, other)),
        ((2, 1, 0.5, True), (real(4, 4), real(4, 2, low=-1), real(4, 2, high=1), offsets, other)),
        ((1, 1, 1.0, False), (real(0, 2), real(0, 2), real(0, 2), offsets[:1], offsets[:1])),
    ]


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
) -> Tensor:
    """y = softmax(scale q kᵀ) v for each text and each head: what the tokens of a text find in its other tokens.

    Each row of the softmax goes over the keys of the query's own text; nothing is padded, so there is no mask. With
    fewer heads of keys and values than of queries, each serves as many of these, one after the other (grouped queries).
    The scores are made tile by tile and never kept, so that memory grows with the length of texts and not its square.

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

    Returns:
        shape (tokens, heads, value dim); zeros where a query has no key.

    Raises:
        ShapeError: when shapes do not fit, or offsets do not cover the tokens.
        ConfigurationError: for heads of queries that are no multiple of those of the keys.

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
    block = Attend.of(heads, groups, float(dim**-0.5 if scale is None else scale), bool(causal))
    rows = [reshape(x, (x.shape[0], x.shape[1] * x.shape[2])) for x in (q, k, v)]
    return reshape(block(*rows, offsets, key_offsets), (q.shape[0], heads, v.shape[2]))
