"""Contexts: texts cut into stretches of tokens, in each of which every token but the first is to be predicted."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.data import Examples, Ragged, Table
from chainrule.data.chunks import offsets_of
from chainrule.data.layout import Sizes
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
    """

    def __init__(self, inputs: InputPart, targets: Part, length: int) -> None:
        super().__init__(inputs, targets)
        self.length = length

    @property
    def sizes(self) -> Sizes:
        """As many outputs as there are ids."""
        sizes = self.inputs.sizes
        return Sizes(outputs=sizes.entries, entries=sizes.entries)

    def examples(self, fields: Fields, *, targets: bool) -> Examples:
        """Contexts of the texts, if it is to learn or to be validated; the whole texts if not."""
        ids = with_edges(fields["ids"])  # type: ignore[arg-type]
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
