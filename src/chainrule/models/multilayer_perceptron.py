"""The multilayer perceptron over numbers and categories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from chainrule.blocks import concatenate, one_hot, reshape
from chainrule.data.layout import ROWS, Layout, Sizes
from chainrule.dataclasses import dataclass
from chainrule.graph.conversion import as_tensors
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.models.learner import LEARNERS, Layered, Network
from chainrule.nn import Embedding, Sequential
from chainrule.random import Key
from chainrule.settings import setting

EMBEDDING, ONE_HOT = ENCODINGS = ("embedding", "one-hot")


class PerceptronNetwork(Network):
    """Hidden layers over the numbers x of a row and its categories c.

        h₀ = [x, E[c₁], ..., E[c_m]],  or with one-hot categories  [x, Σⱼ onehot(cⱼ)]
        hₖ = dropout(f(hₖ₋₁ Wₖ + bₖ)),    y = h_K W + b

    Attributes:
        embeddings: E, shape (entries, dim), or None where categories are one-hot, or there are none.
        layers: the hidden layers and the output.
    """

    embeddings: Embedding | None
    layers: Sequential

    def __init__(self, learner: MultilayerPerceptron, sizes: Sizes, generator: np.random.Generator) -> None:
        embedded = learner.category_encoding == EMBEDDING and bool(sizes.entries)
        self.entries = sizes.entries
        self.embeddings = Embedding(sizes.entries, learner.dim, generator=generator) if embedded else None
        width = len(sizes.cardinalities) * learner.dim if embedded else sizes.entries
        self.mixes = learner.mixup
        self.layers = learner.layers(sizes.features + width, sizes.outputs, generator)

    def __call__(self, numbers: TensorLike, categories: TensorLike, *, key: Key | None = None) -> Tensor:  # type: ignore[override]
        """The outputs, shape (rows, outputs)."""
        read = self._read(*as_tensors([numbers, categories]))
        mixture = self.mixture(read.shape[0], key)
        return self.layers(read if mixture is None else mixture(read), key=key)

    def _read(self, numbers: Tensor, categories: Tensor) -> Tensor:
        """h₀."""
        if not self.entries:
            return numbers
        if self.embeddings is None:
            held = one_hot(categories, self.entries).sum(1)
        else:
            held = reshape(self.embeddings(categories), (categories.shape[0], -1))
        return concatenate([numbers, held], 1)


@LEARNERS.register
@dataclass(frozen=True, kw_only=True)
class MultilayerPerceptron(Layered):
    """Hidden layers over numbers and categories.

    Attributes:
        hidden: the sizes of the hidden layers; empty for none.
        activation: between layers; see `Layered`.
        dropout: the probability of dropping each number after a hidden layer, in training.
        category_encoding: "embedding" (each category has numbers of its own, which are learned) or "one-hot".
        dim: the numbers that stand for one category, where they are embeddings.

    Example:
        >>> import chainrule, polars
        >>> frame = polars.DataFrame({"a": [0, 0, 1, 1] * 20, "b": [0, 1, 0, 1] * 20, "xor": list("nyyn") * 20})
        >>> table = chainrule.Table.from_frame(frame, numbers=["a", "b"], label="xor")
        >>> run = chainrule.fit(MultilayerPerceptron(), table, table)
        >>> run.model.predict(frame[:4])
        ['n', 'y', 'y', 'n']

    Source: Rumelhart, Hinton and Williams, Learning Representations by Back-Propagating Errors (1986); embeddings of
    categories as in Guo and Berkhahn, Entity Embeddings of Categorical Variables (2016).
    """

    name: ClassVar[str] = "mlp"
    reads: ClassVar[Layout] = ROWS
    tuned: ClassVar[Mapping[str, Mapping[str, float]]] = {
        "adam": {"learning_rate": 0.001},
        "adamw": {"learning_rate": 0.001},
        "sgd": {"learning_rate": 0.01, "momentum": 0.9},
    }
    patience: ClassVar[int] = 10

    dropout: float = setting(
        0.0, "probability of dropping a number after a hidden layer", least=0, below=1, metavar="RATE"
    )
    category_encoding: str = setting(EMBEDDING, "how categories become numbers", choices=ENCODINGS)
    dim: int = setting(8, "numbers that stand for one token or category", least=1)

    def network(self, sizes: Sizes, answers: str, generator: np.random.Generator) -> PerceptronNetwork:  # noqa: ARG002
        """A network with weights drawn from the generator."""
        return PerceptronNetwork(self, sizes, generator)
