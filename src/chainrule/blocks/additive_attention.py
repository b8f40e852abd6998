"""Additive attention: how well query and key agree is told by a small network of both, and not by their product."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from chainrule.blocks.activation import tanh
from chainrule.blocks.arranging import pad
from chainrule.blocks.comparison import equal, where
from chainrule.blocks.contraction import matmul
from chainrule.blocks.movement import expand, reshape
from chainrule.blocks.ragged import refuse_ends, require_offsets, segment_bounds, segment_ids
from chainrule.blocks.reduction import softmax
from chainrule.blocks.slicing import Slice, concatenate, stack
from chainrule.errors import ShapeError
from chainrule.graph.autodiff import adjoints_of, dense
from chainrule.graph.block import Block, Contributions, Element, Samples, real, sample
from chainrule.graph.conversion import as_tensors, promote
from chainrule.graph.spec import INT64, Array, Spec, require_integer
from chainrule.graph.tensor import Tensor, TensorLike, operation
from chainrule.graph.trace import replayed

#: The weight of a key that is not seen, where all keys of a batch are compared: e to the power of it is 0.
UNSEEN = -1e30


class Additive(Block, abstract=True):
    """What `AttendAdditively` and its gradient have in common."""

    def promote_inputs(self, inputs: Sequence[TensorLike]) -> tuple[Tensor, ...]:
        *floats, offsets, key_offsets = as_tensors(inputs)
        for x in (offsets, key_offsets):
            require_integer(self.name, "offsets", x.spec)
        return (*floats, offsets.astype(INT64), key_offsets.astype(INT64))

    def check(self, q: Spec, k: Spec, v: Spec, w: Spec, offsets: Spec, key_offsets: Spec) -> None:
        """Refuse what does not fit."""
        fits = (
            q.rank == k.rank == v.rank == 2
            and offsets.rank == key_offsets.rank == 1
            and q.shape[1:] == k.shape[1:] == w.shape
            and k.shape[0] == v.shape[0]
            and offsets.shape == key_offsets.shape
            and offsets.shape[0] > 0
        )
        if not fits:
            raise ShapeError(
                f"{self.name}: expected queries and keys of one size, a weight for each of its numbers, a value a key "
                f"and offsets of the same texts, got q {q.shape}, k {k.shape}, v {v.shape}, weight {w.shape}, offsets "
                f"{offsets.shape} and {key_offsets.shape}"
            )

    def refusal(self, value: int) -> str:
        return f"{self.name}: offsets must rise from 0 to the number of tokens; got {value}"

    def texts(self, queries: int, keys: int, offsets: Array, key_offsets: Array) -> Iterator[tuple[slice, slice]]:
        """The queries and the keys of each text that has both.

        Raises:
            ShapeError: for offsets that do not rise from 0 to the number of tokens.
        """
        require_offsets(self.name, offsets, queries)
        require_offsets(self.name, key_offsets, keys)
        for (start, end), (first, last) in zip(pairwise(offsets), pairwise(key_offsets), strict=True):
            if start < end and first < last:
                yield slice(start, end), slice(first, last)


class AttendAdditively(Additive):
    """yᵢ = Σⱼ pᵢⱼ vⱼ,   pᵢ = softmaxⱼ(w · tanh(qᵢ + kⱼ)) over the keys of the query's text; zeros where there is none.

    Args:
        q: shape (tokens, dim).
        k, v: shapes (key tokens, dim) and (key tokens, value dim).
        w: shape (dim,).
        offsets, key_offsets: shape (texts + 1,).
    """

    def infer(self, q: Spec, k: Spec, v: Spec, w: Spec, offsets: Spec, key_offsets: Spec) -> Spec:
        self.check(q, k, v, w, offsets, key_offsets)
        return Spec((q.shape[0], v.shape[1]), q.dtype)

    def forward(self, xp: Any, q: Any, k: Any, v: Any, w: Any, offsets: Any, key_offsets: Any) -> Any:
        y = xp.zeros((len(q), v.shape[1]), q.dtype)
        for rows, seen in self.texts(len(q), len(k), offsets, key_offsets):
            y[rows] = _probabilities(xp, xp.tanh(q[rows, None] + k[seen]), w) @ v[seen]
        return y

    def probabilities(self, q: Array, k: Array, w: Array, offsets: Array, key_offsets: Array) -> Array:
        """p, to look at: shape (1, tokens, key tokens), with zeros between tokens of other texts."""
        found = np.zeros((1, len(q), len(k)), q.dtype)
        for rows, seen in self.texts(len(q), len(k), offsets, key_offsets):
            found[0, rows, seen] = _probabilities(np, np.tanh(q[rows, None] + k[seen]), w)
        return found

    def loops(
        self, nest: Any, y: Any, q: Element, k: Element, v: Element, w: Element, offsets: Element, key_offsets: Element
    ) -> None:
        keys = _Keys(nest, q, k, w, y.spec.dtype)

        def query(i: Any, first: Any, last: Any) -> None:
            nest.nest(v.shape[1:], lambda c: y.store(nest, (i, *c), keys.zero))

            def add(j: Any, factor: Any, power: Any) -> None:
                nest.nest(v.shape[1:], lambda c: y.store(nest, (i, *c), y((i, *c)) * factor + power * v((j, *c))))

            total = keys.over(i, first, last, add)
            nest.nest(v.shape[1:], lambda c: y.store(nest, (i, *c), y((i, *c)) / total))

        _each_query(nest, q, k, offsets, key_offsets, query)

    def backward(
        self, gradient: Tensor, output: Tensor, q: Tensor, k: Tensor, v: Tensor, w: Tensor, *offsets: Tensor
    ) -> Contributions:
        packed = AttendAdditivelyGradient()(gradient, q, k, v, w, *offsets)
        count = q.shape[0]
        dq, dk, dv, dw = (
            reshape(Slice((part, row, 0), (1, 1, 1), (1, *x.shape))(packed), x.shape)
            for part, row, x in ((0, 0, q), (1, count, k), (0, count, v), (2, 0, q))
        )
        return dq, dk, dv, dw.sum(axis=0), None, None

    @classmethod
    def samples(cls) -> Samples:
        return tuple(sample(cls(), *arrays) for arrays in _sampled())


class AttendAdditivelyGradient(Additive):
    """The gradients of q, k, v and w, from the gradient g of y.

        s = p (g vᵀ - Σ p g vᵀ),    uᵢⱼ = sᵢⱼ w (1 - tanh(qᵢ + kⱼ)²)
        δqᵢ = Σⱼ uᵢⱼ,    δkⱼ = Σᵢ uᵢⱼ,    δv = pᵀ g,    δw = Σᵢ Σⱼ sᵢⱼ tanh(qᵢ + kⱼ), of which the sum over i is left

    All is computed again from q and k, a pair at a time. Second order holds all pairs of the batch in memory.

    Args:
        g: shape (tokens, value dim).
        q, k, v, w, offsets, key_offsets: see `AttendAdditively`.

    Returns:
        shape (3, tokens + key tokens, the larger of dim and value dim), with zeros around: δq above δv; δk in the rows
        of keys; and the part that each query has in δw. What one loop writes lies in matrices of their own.
    """

    def infer(self, g: Spec, q: Spec, k: Spec, v: Spec, w: Spec, offsets: Spec, key_offsets: Spec) -> Spec:
        self.check(q, k, v, w, offsets, key_offsets)
        if g.shape != (q.shape[0], v.shape[1]):
            raise ShapeError(f"{self.name}: expected a gradient of shape {(q.shape[0], v.shape[1])}, got {g.shape}")
        return Spec((3, q.shape[0] + k.shape[0], max(q.shape[1], v.shape[1])), q.dtype)

    def forward(self, xp: Any, g: Any, q: Any, k: Any, v: Any, w: Any, offsets: Any, key_offsets: Any) -> Any:
        y = xp.zeros((3, len(q) + len(k), max(q.shape[1], v.shape[1])), q.dtype)
        (n, dim), values = q.shape, v.shape[1]
        dq, dk, dv, dw = y[0, :n, :dim], y[1, n:, :dim], y[0, n:, :values], y[2, :n, :dim]
        for rows, seen in self.texts(len(q), len(k), offsets, key_offsets):
            t = xp.tanh(q[rows, None] + k[seen])
            p, slopes = _probabilities(xp, t, w), g[rows] @ v[seen].T
            slopes = p * (slopes - (p * slopes).sum(1, keepdims=True))
            u = slopes[:, :, None] * w * (1 - t * t)
            dq[rows], dk[seen], dv[seen] = u.sum(1), u.sum(0), p.T @ g[rows]
            dw[rows] = (slopes[:, :, None] * t).sum(1)
        return y

    def loops(
        self, nest: Any, y: Any, g: Element, q: Element, k: Element, v: Element, w: Element, offsets: Element,
        key_offsets: Element,
    ) -> None:  # fmt: skip
        keys, (dim,), (values,), count = _Keys(nest, q, k, w, y.spec.dtype), w.shape, v.shape[1:], q.shape[0]

        def clear(row: Any) -> None:
            for part in range(3):
                nest.loop(y.shape[2], lambda c, part=part: y.store(nest, (part, row, c), keys.zero))

        def clear_keys(first: Any, last: Any) -> None:
            nest.loop(last, lambda j: clear(count + j), first, total=k.shape[0])

        def query(i: Any, first: Any, last: Any) -> None:
            clear(i)
            mean = nest.declare(keys.zero)

            def agreement(j: Any) -> Any:
                found = nest.declare(keys.zero)
                nest.loop(values, lambda c: nest.assign(found, found.get() + g((i, c)) * v((j, c))))
                return found.get()

            def add(j: Any, factor: Any, power: Any) -> None:
                nest.assign(mean, mean.get() * factor + power * agreement(j))

            total = keys.over(i, first, last, add)
            nest.assign(mean, mean.get() / total)

            def share(j: Any) -> None:
                p = nest.declare(nest.xp.exp(keys.score(i, j) - keys.top.get()) / total)
                slope = nest.declare(p.get() * (agreement(j) - mean.get()))

                def through(d: Any) -> None:
                    t = keys.angle(i, j, d)
                    u = slope.get() * w((d,)) * (1 - t * t)
                    for place, x in (((0, i, d), u), ((1, count + j, d), u), ((2, i, d), slope.get() * t)):
                        y.store(nest, place, y(place) + x)

                def of_value(c: Any) -> None:
                    place = (0, count + j, c)
                    y.store(nest, place, y(place) + p.get() * g((i, c)))

                nest.loop(dim, through)
                nest.loop(values, of_value)

            nest.loop(last, share, first, total=k.shape[0])

        _each_query(nest, q, k, offsets, key_offsets, query, clear_keys)

    def backward(self, gradient: Tensor, output: Tensor, *inputs: Tensor) -> Contributions:
        *floats, offsets, key_offsets = inputs
        g, q, k, v, w = stand_ins = [Tensor(x.spec) for x in floats]
        rows = q.shape[0]
        seen = equal(reshape(segment_ids(offsets, q), (-1, 1)), segment_ids(key_offsets, k))
        weights = reshape(w, (1, w.shape[0])) + 0 * q  # one for each query, so that the sum over these is left
        t = tanh(expand(q, 1) + expand(k, 0))
        scores = reshape(matmul(t, expand(weights, 2)), (rows, k.shape[0]))
        p = where(seen, softmax(where(seen, scores, UNSEEN), 1), 0) if k.shape[0] else scores
        first = adjoints_of([(matmul(p, v), g)], [q, k, v, weights])
        of = [dense(first[x]) for x in (q, k, v, weights)]
        wide = gradient.shape[2]
        dq, dk, dv, dw = (pad(x, [(0, 0), (0, wide - x.shape[1])]) for x in of)
        above, below = pad(dk, [(rows, 0), (0, 0)]), pad(dw, [(0, k.shape[0]), (0, 0)])
        packed = stack([concatenate([dq, dv], 0), above, below], 0)
        seed = Tensor(gradient.spec)
        found = adjoints_of([(packed, seed)], stand_ins)
        known = dict(zip([*stand_ins, seed], [*floats, gradient], strict=True))
        return (*replayed([dense(found[x]) for x in stand_ins], known), None, None)

    @classmethod
    def samples(cls) -> Samples:
        return tuple(sample(cls(), real(len(arrays[0]), arrays[2].shape[1], low=-1), *arrays) for arrays in _sampled())


class _Keys:
    """Writes loops over the keys of a query.

    Attributes:
        top: the largest score so far.
    """

    def __init__(self, nest: Any, q: Element, k: Element, w: Element, dtype: Any) -> None:
        self.nest, self.q, self.k, self.w = nest, q, k, w
        self.zero, self.least = nest.number(0, dtype), nest.number(-np.inf, dtype)
        self.top: Any = None

    def angle(self, i: Any, j: Any, d: Any) -> Any:
        """A number of tanh(qᵢ + kⱼ)."""
        return self.nest.xp.tanh(self.q((i, d)) + self.k((j, d)))

    def score(self, i: Any, j: Any) -> Any:
        """w · tanh(qᵢ + kⱼ)."""
        found = self.nest.declare(self.zero)
        (dim,) = self.w.shape
        self.nest.loop(dim, lambda d: self.nest.assign(found, found.get() + self.w((d,)) * self.angle(i, j, d)))
        return found.get()

    def over(self, i: Any, first: Any, last: Any, add: Any) -> Any:
        """Go over the keys once; `add` gets each, what all before is to be multiplied by, and e^(score - largest).

        Returns:
            the sum of the powers, 1 where there is no key.
        """
        nest, exp = self.nest, self.nest.xp.exp
        self.top, total = nest.declare(self.least), nest.declare(self.zero)

        def key(j: Any) -> None:
            score = nest.declare(self.score(i, j))
            new = nest.declare(nest.xp.maximum(score.get(), self.top.get()))
            factor = nest.declare(exp(self.top.get() - new.get()))
            power = nest.declare(exp(score.get() - new.get()))
            nest.assign(self.top, new.get())
            nest.assign(total, total.get() * factor.get() + power.get())
            add(j, factor.get(), power.get())

        nest.loop(last, key, first, total=self.k.shape[0])
        return nest.xp.where(last > first, total.get(), 1)


def _each_query(
    nest: Any, q: Element, k: Element, offsets: Element, key_offsets: Element, query: Any, begin: Any = None
) -> None:
    """Go over texts, and over the queries of each with the bounds of its keys; `begin` gets these before."""

    def text(s: Any) -> None:
        start, end = segment_bounds(nest, s, offsets, q.shape[0])
        first, last = segment_bounds(nest, s, key_offsets, k.shape[0])
        if begin is not None:
            begin(first, last)
        nest.loop(end, lambda i: query(i, first, last), start, total=q.shape[0])

    refuse_ends(nest, offsets, q.shape[0])
    refuse_ends(nest, key_offsets, k.shape[0])
    nest.loop(offsets.shape[0] - 1, text, parallel=True)


def _probabilities(xp: Any, t: Array, w: Array) -> Any:
    """The softmax of the scores over the keys."""
    scores = t @ w
    powers = xp.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def _sampled() -> list[tuple[Array, ...]]:
    """q, k, v, w and both offsets that blocks are tried on."""
    offsets, other = np.array([0, 2, 2, 3, 4]), np.array([0, 1, 2, 2, 4])
    q, w = real(4, 3), real(3, low=-1)
    return [
        (q, real(4, 3, low=-1), real(4, 2, high=1), w, offsets, offsets),
        (q, real(4, 3, low=-1), real(4, 5, high=1), w, offsets, other),
        (real(0, 2), real(0, 2), real(0, 2), real(2), offsets[:1], offsets[:1]),
    ]


@operation
def attend_additively(
    q: TensorLike,
    k: TensorLike,
    v: TensorLike,
    weight: TensorLike,
    offsets: TensorLike,
    key_offsets: TensorLike | None = None,
) -> Tensor:
    """yᵢ = Σⱼ pᵢⱼ vⱼ,   pᵢ = softmaxⱼ(w · tanh(qᵢ + kⱼ)): attention in which a small network compares query and key.

    The softmax goes over the keys of the query's own text. Pairs of a query and a key are computed one after another
    and not kept, so that memory is that of the tokens.

    Gradient: see `AttendAdditivelyGradient`; that of second order keeps all pairs of the batch.
    PyTorch: none. NumPy: none.

    Args:
        q: the queries of all texts, one text after the other, already mapped: shape (tokens, dim).
        k: the keys, already mapped: shape (key tokens, dim).
        v: the values: shape (key tokens, value dim).
        weight: w, shape (dim,).
        offsets: where the queries of each text begin, and the last ones end: shape (texts + 1,).
        key_offsets: the same of keys and values; None where they are those of the queries.

    Returns:
        shape (tokens, value dim); zeros where a text has no key.

    Raises:
        ShapeError: when shapes do not fit, or offsets do not cover the tokens.

    Example (two texts, of two tokens and of one):
        >>> import chainrule
        >>> q, k, v = [[0.0], [9.0], [1.0]], [[-50.0], [50.0], [5.0]], [[2.0], [4.0], [7.0]]
        >>> chainrule.attend_additively(q, k, v, [90.0], [0, 2, 3]).value[:, 0]
        array([4., 4., 7.], dtype=float32)

    Source: Bahdanau, Cho and Bengio, Neural Machine Translation by Jointly Learning to Align and Translate (2015).
    """
    q, k, v, weight = promote("attend_additively", [q, k, v, weight], floating=True)
    (offsets,) = as_tensors([offsets])
    (key_offsets,) = as_tensors([offsets if key_offsets is None else key_offsets])
    return AttendAdditively()(q, k, v, weight, offsets, key_offsets)
