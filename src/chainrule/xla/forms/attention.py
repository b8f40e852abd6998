"""The forms of attention: texts side by side, each padded to the longest, or all tokens of a batch against all.

Where the lengths of texts are known to the host, a batch is laid out as (texts, longest); the keys that a query does
not see are left out of the softmax. For offsets that are computed nobody knows a longest text: then all tokens are
compared with all, and most comparisons are left out.

Scores are kept here from one product to the next; where a device has a kernel that keeps none, `fused.py` is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.blocks.additive_attention import AttendAdditively, AttendAdditivelyGradient
from chainrule.blocks.attention import Attend
from chainrule.blocks.attention_gradient import AttendGradient
from chainrule.blocks.chance import Threefry
from chainrule.xla.forms import fused
from chainrule.xla.forms.form import Call, form_of
from chainrule.xla.forms.sides import Side, side
from chainrule.xla.namespace import XP
from chainrule.xla.products import product
from chainrule.xla.values import Value

#: What looks at how long the longest text is.
ATTENTION = (Attend, AttendGradient, AttendAdditively, AttendAdditivelyGradient)
HIGHEST = jax.lax.Precision.HIGHEST


def sides(call: Call, queries: int, keys: int, offsets: Any, key_offsets: Any) -> tuple[Side, Side, Any]:
    """The queries and keys, and which keys each query sees: (texts, queries, keys)."""
    longest = call.longest[-1] if None not in call.longest[-2:] else None
    q = side(offsets, queries, None if longest is None else call.longest[-2])
    k = side(key_offsets, keys, longest)
    seen = (q.text[:, :, None] == k.text[:, None, :]) & q.there[:, :, None]
    if getattr(call.block, "causal", False):
        seen &= q.before_end[:, :, None] >= k.before_end[:, None, :]
    return q, k, seen


def softmax(scores: Any, seen: Any) -> Any:
    """Probabilities of what is seen; zeros for a query that sees nothing."""
    highest = jnp.max(jnp.where(seen, scores, -jnp.inf), -1, keepdims=True)
    powers = jnp.where(seen, jnp.exp(jnp.where(seen, scores - highest, 0)), 0)
    totals = powers.sum(-1, keepdims=True)
    return powers / jnp.where(totals == 0, 1, totals)


def factors(block: Any, drawn: Any, q: Side, k: Side) -> Any:
    """What probabilities are multiplied by where some are dropped."""
    words, key = drawn
    rows = q.apart(words, block.groups, block.heads)
    columns = k.tokens.astype(jnp.uint32)[:, None, None, None, :]
    found = Threefry().forward(XP, columns, rows, key[0], key[1])
    return jnp.where(found >= np.uint32(block.limit), block.factor, 0.0)


def einsum(call: Call, rule: str, a: Any, b: Any) -> Any:
    """A product of many matrices."""
    return product(partial(jnp.einsum, rule), a, b, call.precision)


@form_of(Attend)
def attend(call: Call, *inputs: Value) -> Value:
    """See `Attend`."""
    block = call.block
    (q, k, v), (offsets, key_offsets), drawn = block.apart_by_use([x.array for x in inputs])
    if not q.size or not k.size:
        return Value(jnp.zeros(call.spec.shape, call.spec.dtype), inputs[0].rows)
    real = inputs[0].real
    real = None if real is None else inputs[0].rows[:, None]
    if call.kernel is not None:
        return Value(fused.attended(call, q, k, v, offsets, key_offsets), real)
    left, right, seen = sides(call, q.shape[0], k.shape[0], offsets, key_offsets)
    queries = left.apart(q, block.groups, block.heads)
    keys, values = (right.apart(x, block.groups, block.groups)[:, :, 0] for x in (k, v))
    scores = einsum(call, "tghqd,tgkd->tghqk", queries, keys) * block.scale
    p = softmax(scores, seen[:, None, None])
    if drawn:
        p = p * factors(block, drawn, left, right).astype(p.dtype)
    y = left.together(einsum(call, "tghqk,tgkd->tghqd", p, values))
    return Value(y.astype(call.spec.dtype), real)


@form_of(AttendGradient)
def attend_gradient(call: Call, *inputs: Value) -> Value:
    """See `AttendGradient`."""
    block = call.block
    (g, y, q, k, v), (offsets, key_offsets), drawn = block.apart_by_use([x.array for x in inputs])
    if not q.size or not k.size:
        return Value(jnp.zeros(call.spec.shape, call.spec.dtype))
    if call.kernel is not None:
        return _together(call, inputs[2:5], fused.gradients(call, g, q, k, v, offsets, key_offsets))
    left, right, seen = sides(call, q.shape[0], k.shape[0], offsets, key_offsets)
    given, results, queries = (left.apart(x, block.groups, block.heads) for x in (g, y, q))
    keys, values = (right.apart(x, block.groups, block.groups)[:, :, 0] for x in (k, v))
    p = softmax(einsum(call, "tghqd,tgkd->tghqk", queries, keys) * block.scale, seen[:, None, None])
    slopes, kept = einsum(call, "tghqd,tgkd->tghqk", given, values), p
    if drawn:
        found = factors(block, drawn, left, right).astype(p.dtype)
        slopes, kept = slopes * found, p * found
    slopes = p * (slopes - (given * results).sum(-1, keepdims=True)) * block.scale
    dq = left.together(einsum(call, "tghqk,tgkd->tghqd", slopes, keys))
    dk = right.together(einsum(call, "tghqk,tghqd->tgkd", slopes, queries)[:, :, None])
    dv = right.together(einsum(call, "tghqk,tghqd->tgkd", kept, given)[:, :, None])
    return _together(call, inputs[2:5], (dq, dk, dv))


def _together(call: Call, matrices: Sequence[Value], found: Sequence[Any]) -> Value:
    """The gradients of queries, keys and values as `AttendGradient` packs them."""
    dtype = call.spec.dtype
    if call.block.joint:
        real = matrices[0].rows
        return Value(jnp.concatenate(found, -1).astype(dtype), None if real is None else real[:, None])
    array = jnp.concatenate([x.reshape(-1) for x in found]).astype(dtype)
    if all(like.real is None for like in matrices):
        return Value(array)
    return Value(array, jnp.concatenate([like.mask.reshape(-1) for like in matrices]))


def _additive(call: Call, q: Any, k: Any, offsets: Any, key_offsets: Any, w: Any) -> tuple[Side, Side, Any, Any]:
    """Both sides, tanh(q + k) of each query and key, and the probabilities: (texts, queries, keys)."""
    left, right, seen = sides(call, q.shape[0], k.shape[0], offsets, key_offsets)
    queries = left.apart(q, 1, 1)[:, 0, 0]
    keys = right.apart(k, 1, 1)[:, 0, 0]
    t = jnp.tanh(queries[:, :, None] + keys[:, None])
    scores = jnp.einsum("tqkd,d->tqk", t, w, precision=HIGHEST)
    return left, right, t, softmax(scores, seen)


@form_of(AttendAdditively)
def attend_additively(call: Call, *inputs: Value) -> Value:
    """See `AttendAdditively`."""
    q, k, v, w, offsets, key_offsets = (x.array for x in inputs)
    if not q.shape[0] or not k.shape[0]:
        return Value(jnp.zeros(call.spec.shape, call.spec.dtype))
    left, right, _, p = _additive(call, q, k, offsets, key_offsets, w)
    values = right.apart(v, 1, 1)[:, 0, 0]
    y = jnp.einsum("tqk,tkd->tqd", p, values, precision=HIGHEST)
    real = inputs[0].rows
    return Value(left.together(y[:, None, None]), None if real is None else real[:, None])


@form_of(AttendAdditivelyGradient)
def attend_additively_gradient(call: Call, *inputs: Value) -> Value:
    """See `AttendAdditivelyGradient`."""
    g, q, k, v, w, offsets, key_offsets = (x.array for x in inputs)
    (n, dim), values_size = q.shape, v.shape[1]
    y = jnp.zeros(call.spec.shape, call.spec.dtype)
    if not n or not k.shape[0]:
        return Value(y)
    left, right, t, p = _additive(call, q, k, offsets, key_offsets, w)
    given, values = left.apart(g, 1, 1)[:, 0, 0], right.apart(v, 1, 1)[:, 0, 0]
    slopes = jnp.einsum("tqd,tkd->tqk", given, values, precision=HIGHEST)
    slopes = jnp.where(p > 0, p * (slopes - (p * slopes).sum(-1, keepdims=True)), 0)
    u = slopes[..., None] * w * (1 - t * t)
    dq = left.together(u.sum(2)[:, None, None])
    dk = right.together(u.sum(1)[:, None, None])
    dv = right.together(jnp.einsum("tqk,tqd->tkd", p, given, precision=HIGHEST)[:, None, None])
    dw = left.together((slopes[..., None] * t).sum(2)[:, None, None])
    y = y.at[0, :n, :dim].set(dq).at[1, n:, :dim].set(dk).at[0, n:, :values_size].set(dv).at[2, :n, :dim].set(dw)
    if inputs[1].real is None and inputs[2].real is None:
        return Value(y)
    rows = [jnp.broadcast_to(True if x.real is None else x.rows, x.array.shape[:1]) for x in inputs[1:3]]
    return Value(y, jnp.concatenate(rows).reshape(1, -1, 1))
