"""Contexts: texts cut into stretches of tokens, in each of which every token but the first is to be predicted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.data import Examples, Ragged, Table
from chainrule.data.chunks import offsets_of
from chainrule.data.layout import CARRIES, FOLLOWING, Sizes
from chainrule.tasks.codec import Codec, Fields, InputPart, Part
from chainrule.text.pieces import EDGE


class Nothing:
    """What is known of targets where there are none beside the texts."""

    sizes = Sizes(outputs=0)

    def encode(self, table: Table) -> Fields:  # noqa: ARG002
        """Nothing."""
        return {}

    def files(self) -> dict[str, bytes]:
        """None."""
        return {}

    def describe(self) -> dict[str, Any]:
        """Nothing."""
        return {}


class ContextCodec(Codec):
    """From texts to their tokens, with one before and one after each text that stands for its ends.

    Args:
        inputs: what is known of the texts.
        targets: of these there is nothing to know.
        length: tokens that are predicted in one context.
        carried: whether a state goes on from each context to the next.
    """

    def __init__(self, inputs: InputPart, targets: Part, length: int, *, carried: bool = False) -> None:
        super().__init__(inputs, targets)
        self.length, self.carried = length, carried

    @property
    def sizes(self) -> Sizes:
        """As many outputs as there are ids."""
        sizes = self.inputs.sizes
        return Sizes(outputs=sizes.entries, entries=sizes.entries)

    def examples(self, fields: Fields, *, targets: bool) -> Examples:
        """Contexts of the texts, if it is to learn or to be validated; the whole texts if not."""
        ids = with_edges(fields["ids"])  # type: ignore[arg-type]
        if targets and self.carried:
            return stretches(ids, self.length)
        return Examples({"ids": contexts(ids, self.length) if targets else ids})


def with_edges(texts: Ragged) -> Ragged:
    """The ids of texts, each with the id 1 before and after it.

    Example:
        >>> with_edges(Ragged(np.array([5, 6], np.int32), np.array([0, 2, 2]))).ids
        array([1, 5, 6, 1, 1, 1], dtype=int32)
    """
    offsets = texts.offsets + 2 * np.arange(len(texts) + 1)
    ids = np.full(offsets[-1], EDGE, np.int32)
    inner = np.ones(len(ids), bool)
    inner[offsets[:-1]] = inner[offsets[1:] - 1] = False
    ids[inner] = texts.ids
    return Ragged(ids, offsets)


def contexts(texts: Ragged, length: int) -> Ragged:
    """Texts of two ids or more, cut into contexts of up to `length` + 1 ids; one begins with the last id of the other.

    So each id but the first of a text is predicted once.

    Example:
        >>> cut = contexts(Ragged(np.array([1, 5, 6, 7, 1, 1, 8, 1], np.int32), np.array([0, 5, 8])), 3)
        >>> np.split(cut.ids, cut.offsets[1:-1])
        [array([1, 5, 6, 7], dtype=int32), array([7, 1], dtype=int32), array([1, 8, 1], dtype=int32)]
    """
    counts = -(-(texts.lengths - 1) // length)
    first = offsets_of(counts)
    number = np.arange(first[-1]) - np.repeat(first[:-1], counts)
    starts = np.repeat(texts.offsets[:-1], counts) + length * number
    stops = np.minimum(starts + length + 1, np.repeat(texts.offsets[1:], counts))
    cut = [texts.ids[start:stop] for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]
    return Ragged(np.concatenate([texts.ids[:0], *cut]), offsets_of(stops - starts))


def stretches(texts: Ragged, length: int) -> Examples:
    """Texts of two ids or more, cut into stretches of up to `length` ids, with the ids that follow each of these.

    So a stretch goes on exactly where the one before it ended, unless it is the first of a text.

    Example:
        >>> cut = stretches(Ragged(np.array([1, 5, 6, 7, 1, 1, 8, 1], np.int32), np.array([0, 5, 8])), 3).arrays()
        >>> [cut[name].tolist() for name in ("ids", "following", "offsets", "carries")]
        [[1, 5, 6, 7, 1, 8], [5, 6, 7, 1, 8, 1], [0, 3, 4, 6], [0.0, 1.0, 0.0]]
    """
    last = np.zeros(len(texts.ids), bool)
    last[texts.offsets[1:] - 1] = True
    first = np.zeros(len(texts.ids), bool)
    first[texts.offsets[:-1]] = True
    counts = texts.lengths - 1
    rows = -(-counts // length)
    number = np.arange(rows.sum()) - np.repeat(offsets_of(rows)[:-1], rows)
    offsets = offsets_of(np.minimum(np.repeat(counts, rows) - length * number, length))
    return Examples({
        "ids": Ragged(texts.ids[~last], offsets), FOLLOWING: Ragged(texts.ids[~first], offsets),
        CARRIES: (number > 0).astype(np.float32),
    })  # fmt: skip


def streams(examples: Examples, size: int) -> Iterator[Examples]:
    """Mini-batches of stretches, of which each row goes on from the same row of the mini-batch before.

    The stretches, in their order, are divided into so many streams, as equally long as can be, and a mini-batch is the
    next one of each. The state before a stream is not known, unless a text begins there.

    Example:
        >>> rows = Examples({"row": np.arange(7), "carries": np.ones(7, np.float32)})
        >>> [[batch.fields[name].tolist() for name in ("row", "carries")] for batch in streams(rows, 3)]
        [[[0, 3, 5], [0.0, 0.0, 0.0]], [[1, 4, 6], [1.0, 1.0, 1.0]], [[2], [1.0]]]
    """
    size = min(size, examples.rows)
    steps = -(-examples.rows // size)
    longest = examples.rows - size * (steps - 1)
    starts = offsets_of(np.repeat([steps, steps - 1], [longest, size - longest]))[:-1]
    for step in range(steps):
        batch = examples.take(starts[: size if step < steps - 1 else longest] + step)
        if step == 0:
            batch.fields[CARRIES] = np.zeros_like(batch.array(CARRIES))
        yield batch
