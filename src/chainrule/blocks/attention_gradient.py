"""The gradient of attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.blocks.attention_tiles import Attention, probabilities, sampled
from chainrule.blocks.casting import stop_gradient
from chainrule.blocks.chance import threefry
from chainrule.blocks.comparison import equal, greater_equal, where
from chainrule.blocks.creation import full
from chainrule.blocks.exponential import exp
from chainrule.blocks.indexing import gather
from chainrule.blocks.movement import iota, reshape, transpose
from chainrule.blocks.ragged import segment_ids
from chainrule.blocks.reduction import max as largest
from chainrule.blocks.slicing import concatenate
from chainrule.dataclasses import dataclass
from chainrule.errors import ShapeError
from chainrule.graph.autodiff import adjoints_of, dense
from chainrule.graph.block import Contributions, Samples, real, sample
from chainrule.graph.spec import INT64, Spec
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import replayed


@dataclass(frozen=True, repr=False)
class AttendGradient(Attention):
    """The gradients of q, k and v, from the gradient g of y.

        p = softmax(scale q kᵀ),  s = p (m (g vᵀ) - Σ g y),  δv = (p m)ᵀ g,  δq = scale s k,  δk = scale sᵀ q

    Only q, k, v and y are kept from the forward pass; p and m are computed again, tile by tile.

    Second order holds all tokens × all tokens of the batch in memory.

    Fields:
        joint: whether a row of the result has the gradients of the query, the key and the value of a token, side by
            side, as a product that gave all three wants them. There have to be as many keys as queries.

    Args:
        g, y: shape (tokens, heads × value dim).
        q, k, v, offsets, key_offsets, drawn: see `Attend`.

    Returns:
        δq, δk and δv: joint, shape (tokens, columns of all three); or else each flat, one after the other.
    """

    joint: bool = False

    def infer(self, g: Spec, y: Spec, q: Spec, k: Spec, v: Spec, *others: Spec) -> Spec:
        self.check(q, k, v, *others)
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

    def forward(self, xp: Any, g: Any, y: Any, q: Any, k: Any, v: Any, *others: Any) -> Any:
        offsets, key_offsets, *drawn = others
        found = [xp.zeros(x.shape, x.dtype) for x in (q, k, v)]
        of_groups = [self.heads, self.groups, self.groups]
        dq, dk, dv = (self.apart(x, heads) for x, heads in zip(found, of_groups, strict=True))
        queries, keys, values = (self.apart(x, heads) for x, heads in zip((q, k, v), of_groups, strict=True))
        given, results = self.apart(g, self.heads), self.apart(y, self.heads)
        for rows, seen, mask in self.tiles(len(q), len(k), offsets, key_offsets):
            above, some = given[:, :, rows], keys[:, :, seen]
            p = probabilities(xp, queries[:, :, rows], some, self.scale, mask)
            means = (above * results[:, :, rows]).sum(-1, keepdims=True)
            factors = self.factors(drawn, rows, seen)
            slopes = (p * (above @ values[:, :, seen].swapaxes(-1, -2) * factors - means) * self.scale).astype(q.dtype)
            dq[:, :, rows] = slopes @ some
            dk[:, :, seen] += (slopes.swapaxes(-1, -2) @ queries[:, :, rows]).sum(1, keepdims=True)
            dv[:, :, seen] += ((p * factors).astype(q.dtype).swapaxes(-1, -2) @ above).sum(1, keepdims=True)
        return xp.concatenate(found if self.joint else [x.reshape(-1) for x in found], -1)

    def backward(self, gradient: Tensor, output: Tensor, *inputs: Tensor) -> Contributions:
        floats, (offsets, key_offsets), drawn = self.apart_by_use(inputs)
        stand_ins = [Tensor(x.spec) for x in floats]
        seed = Tensor(gradient.spec)
        written = self._written_out(stand_ins, offsets, key_offsets, drawn)
        found = adjoints_of([(written, seed)], stand_ins)
        known = dict(zip([*stand_ins, seed], [*floats, gradient], strict=True))
        return (*replayed([dense(found[x]) for x in stand_ins], known), None, None, *[None for _ in drawn])

    def _written_out(
        self, floats: Sequence[Tensor], offsets: Tensor, key_offsets: Tensor, drawn: Sequence[Tensor]
    ) -> Tensor:
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
        slopes, kept = above @ turned(values), p
        if drawn:
            words, key = drawn
            found = threefry(iota((k.shape[0],)), apart(words, self.heads), key[0], key[1])
            keeps = greater_equal(found, np.uint32(self.limit))
            slopes, kept = (where(keeps, x * self.factor, 0) for x in (slopes, p))
        slopes = p * (slopes - means) * self.scale
        dk = (turned(slopes) @ queries).sum(1, keepdims=True)
        dv = (turned(kept) @ above).sum(1, keepdims=True)
        return concatenate([together(slopes @ keys), together(dk), together(dv)], -1)

    @classmethod
    def samples(cls) -> Samples:
        found = []
        for (heads, groups, scale, causal, rate), (q, k, v, *others) in sampled():
            result = (len(q), v.shape[1] // groups * heads)
            block = cls(heads, groups, scale, causal, rate, others[0] is others[1])
            given = real(*result, low=-1, high=1), real(*result, low=-1, high=2)
            found.append(sample(block, *given, q, k, v, *others))
        return tuple(found)
