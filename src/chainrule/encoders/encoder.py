"""Pretrained encoders: transformers that read a text in both directions, with the weights that others trained."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from chainrule.encoders.configuration import EncoderConfiguration
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.graph.conversion import as_tensors
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn import Dropout, Embedding, LayerNorm, LearnedPositions, Linear, TransformerEncoderLayer
from chainrule.nn.initializers import Normal
from chainrule.nn.layer import Layer
from chainrule.random import Key


class PretrainedEncoder(Layer):
    """Vectors of tokens, each of which has seen its whole text.

        x = norm(E[ids] + T[types] + P[places]) M,    x ← layer(x) for each layer

    M is there only in encoders whose embeddings have another size than their layers. The layers have their norms last.
    Texts are one after the other, with offsets; nothing is padded, so there is no mask.

    Args:
        configuration: sizes and settings.
        generator: where weights are drawn from; `read_encoder` has those of a folder.
        dtype: float32 or float64.

    Attributes:
        words, positions, types: E, P and T, or None where tokens have no types.
        norm: of the sum.
        projection: M with a bias, or None.
        layers: of the transformer.

    Deviation from transformers in training: the layers of DistilBERT drop numbers of what the attention gives, too.

    Example (two texts, of three tokens and of one):
        >>> sizes = {"vocabulary": 9, "size": 8, "layers": 2, "heads": 2, "inner": 16, "positions": 10}
        >>> encoder = PretrainedEncoder(EncoderConfiguration("bert", **sizes), generator=np.random.default_rng(0))
        >>> encoder, encoder([1, 5, 2, 7], [0, 3, 4]).shape
        (PretrainedEncoder(bert, 2 layers of 8), (4, 8))

    Sources: Devlin et al., BERT (2019); Liu et al., RoBERTa (2019); Sanh et al., DistilBERT (2019); Clark et al.,
    ELECTRA (2020).
    """

    random: ClassVar[bool] = True

    types: Embedding | None
    projection: Linear | None

    def __init__(
        self, configuration: EncoderConfiguration, *, generator: np.random.Generator, dtype: DTypeLike = "float32"
    ) -> None:
        c = configuration
        normal, width = Normal(deviation=0.02), c.embedding or c.size
        drawn = {"generator": generator, "dtype": dtype}
        self.configuration = c
        self.words = Embedding(c.vocabulary, width, initializer=normal, **drawn)  # type: ignore[arg-type]
        self.positions = LearnedPositions(c.positions, width, first=c.first, generator=generator, dtype=dtype)
        self.types = (
            Embedding(c.types, width, initializer=normal, generator=generator, dtype=dtype) if c.types else None
        )
        self.norm, self.dropout = LayerNorm(width, epsilon=c.epsilon, dtype=dtype), Dropout(c.dropout)
        self.projection = Linear(width, c.size, generator=generator, dtype=dtype) if width != c.size else None
        self.layers = [
            TransformerEncoderLayer(
                c.size, c.heads, c.inner, dropout=c.dropout, attention_dropout=c.attention_dropout, inner_dropout=0.0,
                norm_first=False, activation=c.function, epsilon=c.epsilon, generator=generator, dtype=dtype,
            )
            for _ in range(c.layers)
        ]  # fmt: skip

    def __call__(
        self, ids: TensorLike, offsets: TensorLike, types: TensorLike | None = None, key: Key | None = None
    ) -> Tensor:
        """The vectors.

        Args:
            ids: of the tokens of all texts, one text after the other, with the tokens that begin and end a text: shape
                (tokens,).
            offsets: where each text begins, and the last one ends: shape (texts + 1,).
            types: of the tokens, shape (tokens,); None for the first type everywhere.
            key: for training.

        Returns:
            shape (tokens, size).

        Raises:
            ShapeError: for a text of more tokens than there are positions.
            IndexRangeError: for an id outside the vocabulary.
            ConfigurationError: for types in an encoder that has none.
        """
        ids, offsets = as_tensors([ids, offsets])
        if ids.spec.rank != 1:
            raise ShapeError(f"expected ids of one axis, the texts one after another, got shape {ids.shape}")
        x = self.words(ids)
        if self.types is not None:
            x = x + (self.types.table[0] if types is None else self.types(types))
        elif types is not None:
            raise ConfigurationError(f"{self!r} has no types of tokens; expected types to be None")
        x = self.dropout(self.norm(self.positions(x, offsets)), key and key.at(0))
        if self.projection is not None:
            x = self.projection(x)
        for site, layer in enumerate(self.layers, 1):
            x = layer(x, offsets, key and key.at(site))
        return x

    def __repr__(self) -> str:
        c = self.configuration
        return f"PretrainedEncoder({c.family}, {c.layers} layers of {c.size})"
