"""Speller: a vector for each token from its characters, so that words nobody has seen have one too."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from chainrule.blocks import concatenate, cumsum, segment_max
from chainrule.errors import ConfigurationError
from chainrule.graph.conversion import as_tensors
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn.convolution import Convolution
from chainrule.nn.embedding import Embedding
from chainrule.nn.initializers import Normal
from chainrule.nn.layer import Layer, is_size

#: Numbers that stand for one character, and characters that a filter sees.
SIZE, WIDTH = 30, 3


class Speller(Layer):
    """y = max over the characters of a token of convolve(C[characters]), for each token.

    Args:
        characters: how many there are.
        filters: the size of the vector of a token.
        generator: where the initial weights are drawn from.
        dtype: float32 or float64.

    Attributes:
        embeddings: C.
        convolution: filters over neighbouring characters of one token; beyond its ends there are zeros.

    Raises:
        ConfigurationError: for sizes below 1.

    Example (two tokens, of 2 characters and of 1):
        >>> speller = Speller(27, 4, generator=np.random.default_rng(0))
        >>> speller([1, 2, 2], [2, 1]).shape
        (2, 4)

    Source: dos Santos and Zadrozny, Learning Character-level Representations for Part-of-Speech Tagging (2014); sizes
    of Ma and Hovy, End-to-end Sequence Labeling via Bi-directional LSTM-CNNs-CRF (2016).
    """

    embeddings: Embedding
    convolution: Convolution

    def __init__(
        self, characters: int, filters: int, *, generator: np.random.Generator, dtype: DTypeLike = "float32"
    ) -> None:
        if not (is_size(characters) and is_size(filters)):
            raise ConfigurationError(f"Speller: expected sizes of at least 1, got {characters} and {filters}")
        first = Normal(deviation=SIZE**-0.5)
        self.embeddings = Embedding(characters, SIZE, generator=generator, initializer=first, dtype=dtype)
        self.convolution = Convolution(SIZE, filters, width=WIDTH, generator=generator, dtype=dtype)

    def __call__(self, characters: TensorLike, lengths: TensorLike) -> Tensor:
        """The vectors of tokens.

        Args:
            characters: of all tokens, one token after the other: shape (characters,).
            lengths: how many each token has: shape (tokens,); one without any gets zeros.

        Returns:
            shape (tokens, filters).
        """
        characters, lengths = as_tensors([characters, lengths])
        ends = cumsum(lengths, 0)
        offsets = concatenate([np.zeros(1, np.int64), ends], 0)
        return segment_max(self.convolution(self.embeddings(characters), offsets), offsets)

    def __repr__(self) -> str:
        rows, filters = self.embeddings.table.shape[0], self.convolution.bias.shape[0]
        return f"Speller({rows} characters → {filters})"
