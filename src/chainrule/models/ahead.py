"""Vectors of a frozen encoder: no step changes them, so that they are computed once, before the first one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.blocks import gather
from chainrule.data import Examples, Ragged
from chainrule.data.batching import portions
from chainrule.data.chunks import offsets_of
from chainrule.data.layout import Layout
from chainrule.dataclasses import dataclass
from chainrule.engines import engine_named
from chainrule.graph.leaves import Mutable
from chainrule.graph.spec import FLOAT32, Array
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.models.learner import Network
from chainrule.models.model import BATCH, MOST_TOKENS, Model
from chainrule.nn import Layer
from chainrule.random import Key

#: The places of a row's vectors among all that were computed.
PLACES = Layout("vectors that were computed before", ("ids", "offsets"))


class HeadNetwork(Network):
    """y = head(v[ids]): the part of a network that learns, on the vectors v that the rest of it gave.

    Args:
        whole: the network that it is a part of, which has its head.
        vectors: v, shape (vectors, size).

    Attributes:
        head: of the whole network.
        vectors: v.
    """

    reads = PLACES

    head: Layer
    vectors: Mutable

    def __init__(self, whole: Any, vectors: Array) -> None:
        self.head = whole.head
        self.vectors = Mutable.of(vectors, name="vectors")
        self._whole: Callable[[], Any] = lambda: whole  # no field, in which parameters would be looked for

    def __call__(self, *arrays: TensorLike, key: Key | None = None) -> Tensor:
        """The outputs, as the whole network gives them for the texts of these vectors."""
        ids, offsets = arrays
        outputs: Tensor = self.head(gather(self.vectors, ids), offsets, key and key.at(1))
        return outputs

    def changing(self) -> dict[str, Mutable]:
        """Only the head changes."""
        return {name: x for name, x in super().changing().items() if x is not self.vectors}

    def settled(self) -> Network:
        """The whole network."""
        whole: Network = self._whole().settled()
        return whole


@dataclass(frozen=True, eq=False)
class Ahead:
    """What is to be computed before the first step.

    Attributes:
        model: whose encoder stays as it is.
        parts: the examples that it reads in training: those to learn from, and those to validate on.
    """

    model: Model
    parts: Sequence[Examples]

    @classmethod
    def of(cls, model: Model, parts: Sequence[Examples]) -> Ahead | None:
        """None for a network all of which learns, and one that knows nothing of that."""
        return cls(model, parts) if getattr(model.network, "is_frozen", False) else None

    @property
    def shape(self) -> tuple[int, int]:
        """Of all vectors."""
        network: Any = self.model.network
        return sum(int(network.counts(part).sum()) for part in self.parts), network.encoder.configuration.size

    @property
    def bytes(self) -> int:
        """What all vectors take."""
        rows, size = self.shape
        return rows * size * FLOAT32.itemsize

    def vectors(self, engine: str, threads: int | None) -> Array:
        """All of them, those of the first part first."""
        network: Any = self.model.network
        names = self.model.reads.arrays
        sizes = [self.parts[0].sizes()[name] for name in names]
        compute: Any = engine_named(engine).compile(network.vectors, ragged=True, threads=threads, sizes=sizes)
        found, place = np.empty(self.shape, FLOAT32), 0
        for part in self.parts:
            for some in portions(part, BATCH, MOST_TOKENS):
                arrays = some.arrays()
                computed = compute(*[arrays[name] for name in names]).numpy()
                found[place : place + len(computed)] = computed
                place += len(computed)
        return found

    def trained(self, vectors: Array) -> Model:
        """The model whose network is the head alone; `HeadNetwork.settled` of that is the whole network."""
        model = self.model
        return Model(model.task, model.codec, model.learner, HeadNetwork(model.network, vectors), model.training)

    def examples(self) -> list[Examples]:
        """The parts, with the places of vectors instead of texts."""
        network: Any = self.model.network
        read, found, place = set(self.model.reads.arrays), [], 0
        for part in self.parts:
            offsets = offsets_of(network.counts(part))
            ids = np.arange(place, place + offsets[-1], dtype=np.int32)
            rest = {name: field for name, field in part.fields.items() if name not in read}
            found.append(Examples({"ids": Ragged(ids, offsets), **rest}))
            place += len(ids)
        return found
