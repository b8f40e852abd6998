"""Embeddings: a table with one row a token. Their gradients stay row-sparse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from chainrule.blocks import equal, expand, gather, reshape, segment_mean, segment_sum, where
from chainrule.errors import ConfigurationError, ShapeError, shortened
from chainrule.graph.conversion import as_tensors, promote
from chainrule.graph.leaves import Parameter
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn.initializers import Initializer, Normal
from chainrule.nn.layer import Layer, is_size

MODES = ("mean", "sum")


class Embedding(Layer):
    """y[..., :] = E[ids[...], :]: a row of the table for every id.

    Args:
        rows: how many ids there are, the size of the vocabulary.
        size: how many numbers stand for one id.
        generator: where the initial table is drawn from.
        initializer: how the table is drawn; by default normally with variance 1 / size, so that rows have a length
            of about 1.
        dtype: float32 or float64.

    Attributes:
        table: E, shape (rows, size).

    Raises:
        ConfigurationError: for sizes below 1.

    Example:
        >>> embedding = Embedding(5, 3, generator=np.random.default_rng(0))
        >>> embedding, embedding([[0, 4], [2, 2]]).shape
        (Embedding(5 × 3), (2, 2, 3))
        >>> embedding([5])
        Traceback (most recent call last):
        chainrule.errors.IndexRangeError: Embedding(5 × 3): gather: index 5 is out of range; expected 0 to 4
    """

    in_torch: ClassVar[Mapping[str, str]] = {"table": "weight"}

    table: Parameter

    def __init__(
        self,
        rows: int,
        size: int,
        *,
        generator: np.random.Generator,
        initializer: Initializer | None = None,
        dtype: DTypeLike = "float32",
    ) -> None:
        if not (is_size(rows) and is_size(size)):
            raise ConfigurationError(
                f"{type(self).__name__}: expected sizes of at least 1, got {rows} rows of size {size}"
            )
        drawn = (initializer or Normal(deviation=size**-0.5))((rows, size), generator, dtype)
        self.table = Parameter.of(drawn, name="table", dtype=dtype)

    def __call__(self, ids: TensorLike) -> Tensor:
        """The rows.

        Args:
            ids: integers in 0 ... rows - 1, any shape.

        Returns:
            shape (*ids.shape, size).

        Raises:
            DTypeError: when the ids are not integers.
            IndexRangeError: for an id that is not a row.
        """
        return gather(self.table, ids)

    def __repr__(self) -> str:
        rows, size = self.table.shape
        return f"{type(self).__name__}({rows} × {size})"


class EmbeddingBag(Embedding):
    """The sum or the mean of the rows of each bag of ids, the bags being of different sizes, without padding.

        sum: y[s] = Σ wᵢ E[idsᵢ],    mean: y[s] = Σ wᵢ E[idsᵢ] / Σ wᵢ    over the i of bag s

    The weights w are 1 unless given. An empty bag gives zeros, and so does the mean of a bag whose weights sum to 0.

    Args:
        rows: how many ids there are.
        size: how many numbers stand for one id.
        mode: "mean" or "sum".
        generator: where the initial table is drawn from.
        initializer: see `Embedding`.
        dtype: float32 or float64.

    Attributes:
        table: E, shape (rows, size).

    Raises:
        ConfigurationError: for sizes below 1, or another mode.

    Example (two bags, [0, 4] and [2]):
        >>> bag = EmbeddingBag(5, 3, generator=np.random.default_rng(0))
        >>> bag, bag([0, 4, 2], [0, 2, 3]).shape
        (EmbeddingBag(5 × 3, mean), (2, 3))

    Source: Joulin et al., Bag of Tricks for Efficient Text Classification (2017).
    """

    def __init__(
        self,
        rows: int,
        size: int,
        *,
        mode: str = "mean",
        generator: np.random.Generator,
        initializer: Initializer | None = None,
        dtype: DTypeLike = "float32",
    ) -> None:
        if mode not in MODES:
            raise ConfigurationError(f"EmbeddingBag: expected a mode of {' or '.join(MODES)}, got {shortened(mode)}")
        super().__init__(rows, size, generator=generator, initializer=initializer, dtype=dtype)
        self.mode = mode

    def __call__(self, ids: TensorLike, offsets: TensorLike, weights: TensorLike | None = None) -> Tensor:  # type: ignore[override]
        """One vector a bag.

        Args:
            ids: shape (n,), the ids of all bags, one bag after another.
            offsets: shape (bags + 1,): bag s holds ids[offsets[s]:offsets[s + 1]].
            weights: shape (n,), floating-point; None for 1 everywhere.

        Returns:
            shape (bags, size).

        Raises:
            DTypeError: when ids or offsets are not integers.
            ShapeError: when the ids or weights have another shape, or the offsets do not cover the ids.
            IndexRangeError: for an id that is not a row.
        """
        ids, offsets = as_tensors([ids, offsets])
        if ids.spec.rank != 1:
            raise ShapeError(f"expected ids of one axis, the bags one after another, got shape {ids.shape}")
        vectors = self.rows(ids)
        if weights is None:
            return (segment_mean if self.mode == "mean" else segment_sum)(vectors, offsets)
        vectors, weights = promote("weights", [vectors, weights])
        if weights.shape != ids.shape:
            raise ShapeError(f"expected one weight an id, shape {ids.shape}, got shape {weights.shape}")
        total = segment_sum(vectors * expand(weights, 1), offsets)
        if self.mode == "sum":
            return total
        weight = segment_sum(weights, offsets)
        nothing = expand(equal(weight, 0), 1)
        return where(nothing, 0, total / where(nothing, 1, expand(weight, 1)))

    def rows(self, ids: TensorLike) -> Tensor:
        """E[ids]: what a bag sums up, shape (*ids.shape, size)."""
        return gather(self.table, ids)

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, {self.mode})"


class EmbeddingWindow(Embedding):
    """y[b, :] = [E[ids[b, 0]], ..., E[ids[b, window - 1]]]: the rows of a fixed number of ids in one vector.

    Args:
        rows: how many ids there are.
        size: how many numbers stand for one id.
        window: how many ids an example has.
        generator: where the initial table is drawn from.
        initializer: see `Embedding`.
        dtype: float32 or float64.

    Attributes:
        table: E, shape (rows, size).

    Raises:
        ConfigurationError: for sizes below 1.

    Example:
        >>> window = EmbeddingWindow(5, 3, 2, generator=np.random.default_rng(0))
        >>> window, window([[0, 4], [2, 2]]).shape
        (EmbeddingWindow(5 × 3, window 2), (2, 6))

    Source: Bengio et al., A Neural Probabilistic Language Model (2003).
    """

    def __init__(
        self,
        rows: int,
        size: int,
        window: int,
        *,
        generator: np.random.Generator,
        initializer: Initializer | None = None,
        dtype: DTypeLike = "float32",
    ) -> None:
        if window < 1:
            raise ConfigurationError(f"EmbeddingWindow: expected a window of at least 1, got {window}")
        super().__init__(rows, size, generator=generator, initializer=initializer, dtype=dtype)
        self.window = window

    def __call__(self, ids: TensorLike) -> Tensor:
        """One vector an example.

        Args:
            ids: shape (batch, window), integers in 0 ... rows - 1.

        Returns:
            shape (batch, window · size).

        Raises:
            DTypeError: when the ids are not integers.
            ShapeError: when an example has another number of ids.
            IndexRangeError: for an id that is not a row.
        """
        (ids,) = as_tensors([ids])
        if ids.spec.rank != 2 or ids.shape[1] != self.window:
            raise ShapeError(f"expected ids of shape (batch, {self.window}), got shape {ids.shape}")
        return reshape(gather(self.table, ids), (ids.shape[0], self.window * self.table.shape[1]))

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, window {self.window})"
