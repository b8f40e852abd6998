"""What attention and its gradient have in common: settings, checks, and the tiles that both go over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from chainrule.blocks.chance import Threefry
from chainrule.blocks.ragged import require_offsets
from chainrule.dataclasses import dataclass
from chainrule.errors import ShapeError
from chainrule.graph.block import Block, real
from chainrule.graph.conversion import as_tensors
from chainrule.graph.spec import INT64, UINT32, Array, Spec, require_integer
from chainrule.graph.tensor import Tensor, TensorLike

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
        rate: the probability of dropping a probability. Above 0 two inputs follow: a random word for each query and
            head, uint32 of shape (tokens, heads), and the two words of the key. From these comes a word for each key,
            anew wherever it is needed, and what is at least the `limit` is kept, and multiplied by `factor`.
    """

    heads: int
    groups: int
    scale: float
    causal: bool = False
    rate: float = 0.0

    @property
    def limit(self) -> int:
        """The smallest random word that keeps a probability."""
        return min(round(self.rate * 2**32), 2**32 - 1)

    @property
    def factor(self) -> float:
        """What probabilities that are kept are multiplied by."""
        return 1 / (1 - self.rate)

    def apart_by_use(self, inputs: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any]]:
        """The matrices, both offsets, and what the dropping is drawn from."""
        end = len(inputs) - 2 * bool(self.rate)
        return inputs[: end - 2], inputs[end - 2 : end], inputs[end:]

    def promote_inputs(self, inputs: Sequence[TensorLike]) -> tuple[Tensor, ...]:
        floats, both, drawn = self.apart_by_use(as_tensors(inputs))
        for x in both:
            require_integer(self.name, "offsets", x.spec)
        return (*floats, *(x.astype(INT64) for x in both), *drawn)

    def check(self, q: Spec, k: Spec, v: Spec, offsets: Spec, key_offsets: Spec, *drawn: Spec) -> None:
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
        expected = [Spec((q.shape[0], self.heads), UINT32), Spec((2,), UINT32)] if self.rate else []
        if list(drawn) != expected:
            raise ShapeError(f"{self.name}: expected random words {expected} for a rate of {self.rate}, got {[*drawn]}")

    def result(self, q: Spec, v: Spec) -> Spec:
        """The spec of what attention gives."""
        return Spec((q.shape[0], v.shape[1] // self.groups * self.heads), q.dtype)

    def factors(self, drawn: Sequence[Array], rows: slice, keys: slice) -> Array | float:
        """What the probabilities of a tile are multiplied by: 0 where they are dropped."""
        if not drawn:
            return 1.0
        words, key = drawn
        columns = np.arange(keys.start, keys.stop, dtype=np.uint32)
        found = Threefry().forward(np, columns, self.apart(words[rows], self.heads), key[:1], key[1:])
        return np.where(found >= self.limit, self.factor, 0.0)

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
        require_offsets(self.name, offsets, queries)
        require_offsets(self.name, key_offsets, keys)
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


def probabilities(xp: Any, q: Array, k: Array, scale: float, seen: Array | bool) -> Any:
    """The softmax of scores over the keys that are seen; zeros for a query that sees none."""
    scores = (q @ k.swapaxes(-1, -2)) * scale
    if seen is True:
        powers = xp.exp(scores - scores.max(-1, keepdims=True))
        return powers / powers.sum(-1, keepdims=True)
    highest = xp.where(seen, scores, -np.inf).max(-1, keepdims=True)
    powers = xp.where(seen, xp.exp(xp.where(seen, scores - highest, 0)), 0)
    totals = powers.sum(-1, keepdims=True)
    return powers / xp.where(totals == 0, 1, totals)


def sampled() -> list[tuple[tuple[Any, ...], tuple[Array, ...]]]:
    """Settings, and q, k, v, both offsets and random words, that blocks are tried on."""
    offsets, other = np.array([0, 2, 2, 3, 4]), np.array([0, 1, 2, 2, 4])
    words = np.arange(8, dtype=np.uint32).reshape(4, 2) * np.uint32(715827883)
    drawn = words, words[2]
    return [
        ((2, 2, 0.7, False, 0.0), (real(4, 4), real(4, 4, low=-1), real(4, 2, high=1), offsets, offsets)),
        ((4, 2, 1.0, False, 0.0), (real(4, 4), real(4, 2, low=-1), real(4, 4, high=1), offsets, other)),
        ((2, 1, 0.5, True, 0.0), (real(4, 4), real(4, 2, low=-1), real(4, 2, high=1), offsets, other)),
        ((1, 1, 1.0, False, 0.0), (real(0, 2), real(0, 2), real(0, 2), offsets[:1], offsets[:1])),
        ((2, 2, 0.7, False, 0.4), (real(4, 4), real(4, 4, low=-1), real(4, 2, high=1), offsets, offsets, *drawn)),
        ((2, 1, 0.5, True, 0.3), (real(4, 4), real(4, 2, low=-1), real(4, 2, high=1), offsets, other, *drawn)),
    ]
