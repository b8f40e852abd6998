"""Attention by a kernel of the device that keeps no scores: cuDNN's flash attention, which JAX calls.

`kernel_of` says when it is taken, and nobody else. Such a kernel sums in whatever order its threads come, unless XLA is
told otherwise (`OPTIONS`), and then it gives the same bits in each run. XLA then marks the first of several calls that
are alike as one of a fixed order, and no longer finds the others, which it takes for the same (JAX 0.10 and 0.11:
"IndexError: raw_hash_map::at"). So each call has a seed of its own, which tells them apart, and of which nothing is
drawn, as no probability is dropped. `jax.nn.dot_product_attention` takes no seed; the function beneath it does. As
that one is JAX's own, a small program is tried before the kernel is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from chainrule.blocks.attention import Attend
from chainrule.blocks.attention_gradient import AttendGradient
from chainrule.graph.tensor import Tensor
from chainrule.xla.forms.form import Call
from chainrule.xla.forms.sides import Side, side
from chainrule.xla.mesh import layout
from chainrule.xla.products import MIXED

#: The kernel of each kind of device, by the name that `jax.nn.dot_product_attention` gives it.
KERNELS = {"gpu": "cudnn", "cuda": "cudnn"}
#: What it computes with; sums are float32.
DTYPE: Any = jnp.bfloat16
#: The widest head, and what its size is a multiple of, and so are the places of a text.
WIDEST, MULTIPLE = 128, 8
#: XLA's options for programs with such a kernel: the same bits in each run.
OPTIONS: dict[str, str | bool] = {"xla_gpu_exclude_nondeterministic_ops": True}
#: What was found when a kernel was tried: why it does not serve, by its name and what it was asked for; "" if it does.
FOUND: dict[tuple[Any, ...], str] = {}


def kernel_of(node: Tensor, longest: Mapping[Tensor, int], precision: str) -> str | None:
    """The kernel that computes a node; None where there is none, or it does not fit.

    It is taken where

    - products are of bfloat16 (`--precision bfloat16`), and there is one device, which has a kernel;
    - the host knows how long the longest text is, so that texts lie side by side;
    - no probability is dropped, as the kernel would draw others than the other engines do;
    - a causal query and its keys are tokens of the same text: the kernel counts places from the first key;
    - heads of keys are as wide as those of values, at most 128, and a multiple of 8;
    - a small program with such heads, forward and backward, ran on the device when it was first asked for.
    """
    block = node.block
    if not isinstance(block, Attend | AttendGradient) or precision != MIXED or block.rate:
        return None
    (*_, q, k, v), (offsets, key_offsets), _ = block.apart_by_use(node.inputs)
    size, width = q.shape[1] // block.heads, v.shape[1] // block.groups
    fits = size == width <= WIDEST and size % MULTIPLE == 0 and q.spec.size and k.spec.size
    known = offsets in longest and key_offsets in longest
    if not fits or not known or (block.causal and offsets is not key_offsets) or layout() is not None:
        return None
    kernel = KERNELS.get(jax.default_backend())
    return kernel if kernel is not None and not refusal(kernel, block, size) else None


def refusal(kernel: str, block: Attend | AttendGradient, size: int) -> str:
    """Why a kernel does not serve heads of a size on this device; "" where it does. It is tried once."""
    asked = kernel, block.heads, block.groups, size, block.causal
    if asked not in FOUND:
        try:
            _try(*asked)
            FOUND[asked] = ""
        except Exception as error:  # noqa: BLE001  (JAX, XLA and cuDNN each raise their own)
            FOUND[asked] = f"{type(error).__name__}: {error}".splitlines()[0][:200]
    return FOUND[asked]


def _try(kernel: str, heads: int, groups: int, size: int, causal: bool) -> None:
    """Run a small program: two layers over two texts, one of them short, forward and backward."""

    def program(q: Any, k: Any, v: Any, lengths: Any) -> Any:
        found = []
        for seed in range(2):
            y, back = jax.vjp(_function(kernel, size**-0.5, causal, seed, lengths, lengths), q, k, v)
            found.append(back(y))
            q = y
        return found

    shapes = [jax.ShapeDtypeStruct((2, 64, count, size), DTYPE) for count in (heads, groups, groups)]
    options = OPTIONS if kernel == "cudnn" else None
    compiled = jax.jit(program).lower(*shapes, jax.ShapeDtypeStruct((2,), jnp.int32)).compile(options)
    with jax.ensure_compile_time_eval():  # it may be asked for while a step is traced
        arrays = [jnp.ones(x.shape, x.dtype) for x in shapes]
        jax.block_until_ready(compiled(*arrays, jnp.array([64, 3], jnp.int32)))


def _function(kernel: str, scale: float, causal: bool, seed: int, lengths: Any, key_lengths: Any) -> Any:
    """Attention as a function of queries, keys and values, each of shape (texts, places, heads, size).

    The seed tells one call in a program from another; see above.
    """
    if kernel != "cudnn":
        settings = {"query_seq_lengths": lengths, "key_value_seq_lengths": key_lengths, "implementation": kernel}
        return partial(jax.nn.dot_product_attention, scale=scale, is_causal=causal, **settings)
    from jax._src.cudnn.fused_attention_stablehlo import MaskType, dot_product_attention

    def attend(q: Any, k: Any, v: Any) -> Any:
        mask = MaskType.PADDING_CAUSAL if causal else MaskType.PADDING
        settings = {"q_seqlen": lengths, "kv_seqlen": key_lengths, "scale": scale, "mask_type": mask, "seed": seed}
        return dot_product_attention(q, k, v, **settings)

    return attend


def _laid(call: Call, q: Any, k: Any, offsets: Any, key_offsets: Any) -> tuple[Side, Side]:
    places = [-(-x // MULTIPLE) * MULTIPLE for x in call.longest[-2:] if x is not None]
    return side(offsets, q.shape[0], places[0]), side(key_offsets, k.shape[0], places[1])


def _forward(call: Call, q: Any, k: Any, v: Any, offsets: Any, key_offsets: Any) -> tuple[Side, Side, Any, Any]:
    """Both sides, the result by texts, and the function that gives gradients.

    A text without tokens counts as one token of zeros: what it finds, and all gradients, are zeros.
    """
    left, right = _laid(call, q, k, offsets, key_offsets)
    lengths = [jnp.maximum(jnp.diff(x), 1).astype(jnp.int32) for x in (offsets, key_offsets)]
    pairs = ((q, left, call.block.heads), (k, right, call.block.groups), (v, right, call.block.groups))
    laid = [of.rows(x.astype(DTYPE)).reshape(*of.tokens.shape, heads, -1) for x, of, heads in pairs]
    attend = _function(str(call.kernel), call.block.scale, call.block.causal, len(call.kept), *lengths)
    y, back = jax.vjp(attend, *laid)
    return left, right, y, back


def attended(call: Call, q: Any, k: Any, v: Any, offsets: Any, key_offsets: Any) -> Any:
    """See `Attend`; what its gradient needs is kept."""
    found = _forward(call, q, k, v, offsets, key_offsets)
    call.kept[_name(q, k, v)] = (q, k, v), found
    return found[0].tokens_of(found[2]).astype(call.spec.dtype)


def gradients(call: Call, g: Any, q: Any, k: Any, v: Any, offsets: Any, key_offsets: Any) -> Sequence[Any]:
    """Those of the queries, keys and values, each of shape (tokens, columns)."""
    _, found = call.kept.get(_name(q, k, v)) or (None, _forward(call, q, k, v, offsets, key_offsets))
    left, right, y, back = found
    dq, dk, dv = back(left.rows(g.astype(DTYPE)).reshape(y.shape))
    return [left.tokens_of(dq), right.tokens_of(dk), right.tokens_of(dv)]


def _name(*arrays: Any) -> tuple[int, ...]:
    return tuple(map(id, arrays))
