"""Attention as nodes: the texts of a batch stand side by side, each as long as the longest, and are masked.

Memory grows with the square of the longest text, and not with that of all tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.blocks.additive_attention import AttendAdditively
from chainrule.blocks.attention import Attend
from chainrule.graph.spec import INT64
from chainrule.graph.tensor import Tensor
from chainrule.onnx.sizes import AnySize, plus
from chainrule.onnx.writing.ragged import lengths_of, places_of, segments_of, without_last
from chainrule.onnx.writing.writer import Writer, writes


@dataclass(frozen=True)
class _Padding:
    """From rows to texts that stand side by side, and back.

    Attributes:
        rows: the row of each place of each text, shape (texts, longest); any where there is none.
        there: whether there is one.
        places: 0, 1, 2 ... up to the longest.
        lengths: of the texts, shape (texts,).
        flat: where each row stands, shape (rows,).
    """

    rows: str
    there: str
    places: str
    lengths: str
    flat: str


def _padding(writer: Writer, offsets: str, texts: AnySize, tokens: AnySize) -> _Padding:
    lengths = lengths_of(writer, offsets)

    def count() -> str:
        padded = writer.add("Concat", lengths, writer.constant([0], INT64), axis=0)  # where there is no text
        return writer.add("ReduceMax", padded, keepdims=0)

    longest = writer.once(("longest", offsets), count)
    places = writer.once(
        ("padded places", offsets), lambda: writer.add("Range", writer.whole(0), longest, writer.whole(1))
    )
    there = writer.once(("padded there", offsets), lambda: writer.add("Less", places, writer.column(lengths, [1])))

    def rows() -> str:
        found = writer.add("Add", writer.column(without_last(writer, offsets), [1]), places)
        return writer.add("Where", there, found, writer.whole(0))

    def flat() -> str:
        first = writer.add("Mul", segments_of(writer, offsets, texts, tokens), longest)
        return writer.add("Add", first, places_of(writer, offsets, texts, tokens))

    held = writer.once(("padded rows", offsets), rows)
    return _Padding(held, there, places, lengths, writer.once(("padded flat", offsets), flat))


def _both(writer: Writer, node: Tensor) -> tuple[_Padding, _Padding]:
    """Of queries and of keys."""
    q, k, *_ = node.inputs
    paddings = []
    for offsets, x in zip(node.inputs[-2:], (q, k), strict=True):
        texts = plus(writer.graph.shape(offsets)[0], -1)
        paddings.append(_padding(writer, writer.name(offsets), texts, writer.graph.shape(x)[0]))
    return paddings[0], paddings[1]


@writes(Attend)
def _attend(writer: Writer, node: Tensor) -> str:
    settings = writer.graph.settings(node)
    heads, groups = settings["heads"], settings["groups"]
    q, k, v, *_ = node.inputs
    queries, keys = _both(writer, node)

    def apart(x: Tensor, padding: _Padding, count: int) -> str:
        """Shape (texts, groups, heads ÷ groups, longest, dim)."""
        padded = writer.add("Gather", writer.name(x), padding.rows)
        columns = x.shape[1] // count
        split = writer.constant([0, 0, groups, count // groups, columns], INT64)
        return writer.add("Transpose", writer.add("Reshape", padded, split), perm=[0, 2, 3, 1, 4])

    turned = writer.add("Transpose", apart(k, keys, groups), perm=[0, 1, 2, 4, 3])
    scores = writer.add("MatMul", apart(q, queries, heads), turned)
    scores = writer.add("Mul", scores, writer.constant(settings["scale"], q.dtype))
    seen = writer.column(keys.there, [1, 2, 3])
    if settings["causal"]:
        # The last query of a text stands at its last key.
        moved = writer.add("Sub", keys.lengths, queries.lengths)
        limits = writer.add("Add", writer.column(queries.places, [0, 2]), writer.column(moved, [1, 2]))
        before = writer.add("GreaterOrEqual", limits, writer.column(keys.places, [0, 1]))
        seen = writer.add("And", seen, writer.column(before, [1, 2]))
    mixed = writer.add("MatMul", _weights(writer, scores, seen, q.dtype), apart(v, keys, groups))
    together = writer.add("Transpose", mixed, perm=[0, 3, 1, 2, 4])
    return _rows(writer, together, node, queries)


@writes(AttendAdditively)
def _attend_additively(writer: Writer, node: Tensor) -> str:
    q, k, v, w, *_ = node.inputs
    queries, keys = _both(writer, node)
    query = writer.column(writer.add("Gather", writer.name(q), queries.rows), [2])
    key = writer.column(writer.add("Gather", writer.name(k), keys.rows), [1])
    scores = writer.add("MatMul", writer.add("Tanh", writer.add("Add", query, key)), writer.name(w))
    weights = _weights(writer, scores, writer.column(keys.there, [1]), q.dtype)
    return _rows(writer, writer.add("MatMul", weights, writer.add("Gather", writer.name(v), keys.rows)), node, queries)


def _weights(writer: Writer, scores: str, seen: str, dtype: np.dtype) -> str:
    """The softmax over what is seen; zeros where nothing is."""
    least = writer.constant(np.finfo(dtype).min, dtype)
    softmax = writer.add("Softmax", writer.add("Where", seen, scores, least), axis=-1)
    return writer.add("Where", seen, softmax, writer.constant(0, dtype))


def _rows(writer: Writer, padded: str, node: Tensor, padding: _Padding) -> str:
    """The rows of all texts, one after the other."""
    flat = writer.add("Reshape", padded, writer.constant([-1, node.shape[1]], INT64))
    return writer.add("Gather", flat, padding.flat)
