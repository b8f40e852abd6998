"""Changes of low rank: what matrices that stay as they are may change by, with few numbers to learn."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from chainrule.blocks import matmul
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.graph.conversion import promote
from chainrule.graph.leaves import Parameter
from chainrule.graph.spec import Array
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn.attention import MultiHeadAttention
from chainrule.nn.initializers import Uniform
from chainrule.nn.layer import Layer, is_size
from chainrule.nn.linear import Linear


class LowRank(Layer):
    """y = α / r (x A) B, which a map adds to its x W: together they are x (W + α / r A B).

    W stays as it is, so that a large matrix learns with r (inputs + outputs) numbers. No gradient of W is needed, and
    with G = ∂loss/∂y those of A and B are products of narrow matrices:

        ∂loss/∂A = α / r xᵀ (G Bᵀ),    ∂loss/∂B = α / r (x A)ᵀ G.

    As B starts at 0, so does the change.

    Args:
        inputs: the size of the last axis of x.
        outputs: the size of the last axis of y.
        rank: r.
        scale: α: with it, the change learns about as fast at any rank.
        generator: where A is drawn from.
        dtype: float32 or float64.

    Attributes:
        inward: A, shape (inputs, rank).
        outward: B, shape (rank, outputs).
        factor: α / r.

    Raises:
        ConfigurationError: for sizes below 1, or a scale that is not above 0.

    Example:
        >>> change = LowRank(4, 3, 2, generator=np.random.default_rng(0))
        >>> change, change(np.ones((1, 4))).value
        (LowRank(4 → 2 → 3), array([[0., 0., 0.]], dtype=float32))

    Source: Hu et al., LoRA: Low-Rank Adaptation of Large Language Models (2021). Deviation: A is uniform between
    -1/√inputs and 1/√inputs, as in the authors' code; the paper says normal.
    """

    inward: Parameter
    outward: Parameter

    def __init__(
        self,
        inputs: int,
        outputs: int,
        rank: int,
        *,
        scale: float = 16.0,
        generator: np.random.Generator,
        dtype: DTypeLike = "float32",
    ) -> None:
        if not all(map(is_size, (inputs, outputs, rank))) or not scale > 0:
            raise ConfigurationError(
                f"LowRank: expected sizes and a rank of at least 1, and a scale above 0, got {inputs} inputs, "
                f"{outputs} outputs, rank {rank} and scale {scale}"
            )
        bound = inputs**-0.5
        drawn = Uniform(-bound, bound)((inputs, rank), generator, dtype)
        self.inward = Parameter.of(drawn, name="inward", dtype=dtype)
        self.outward = Parameter.of(np.zeros((rank, outputs)), name="outward", dtype=dtype)
        self.factor = scale / rank

    def __call__(self, x: TensorLike, columns: slice | None = None) -> Tensor:
        """The equation.

        Args:
            x: shape (..., inputs).
            columns: of y, where only some are wanted.

        Returns:
            shape (..., outputs).

        Raises:
            ShapeError: when the last axis has another size.
        """
        x, inward, outward = promote("low_rank", [x, self.inward, self.outward])
        if x.shape[-1:] != inward.shape[:1]:
            raise ShapeError(f"expected size {inward.shape[0]} on axis -1, got shape {x.shape}")
        return matmul(matmul(x, inward), outward if columns is None else outward[:, columns]) * self.factor

    def merged(self, weight: Tensor) -> Array:
        """W + α / r A B, of the dtype of W: the matrix that gives the same without this layer."""
        a, b = (x.numpy().astype(np.float64) for x in (self.inward, self.outward))
        merged: Array = (weight.numpy() + self.factor * (a @ b)).astype(weight.dtype)
        return merged

    def __repr__(self) -> str:
        (inputs, rank), outputs = self.inward.shape, self.outward.shape[1]
        return f"LowRank({inputs} → {rank} → {outputs})"


def add_low_rank(layer: Layer, rank: int, *, scale: float = 16.0, generator: np.random.Generator) -> None:
    """Give every linear map in a layer a change of low rank: `Linear`, and those of `MultiHeadAttention`.

    The three maps of attention that stand side by side in one matrix have one change together. That the matrices
    themselves stay as they are is up to whoever takes gradients: of the others alone.

    Raises:
        ConfigurationError: for a rank below 1, or a scale that is not above 0.

    Example:
        >>> attention = MultiHeadAttention(8, 2, generator=np.random.default_rng(0))
        >>> add_low_rank(attention, 2, generator=np.random.default_rng(1))
        >>> [name for name in attention.named_parameters() if "low_rank" in name]  # doctest: +NORMALIZE_WHITESPACE
        ['output.low_rank.inward', 'output.low_rank.outward', 'low_rank.inward', 'low_rank.outward']
    """
    for held in list(layer.named_layers().values()):
        if isinstance(held, Linear | MultiHeadAttention):
            weight = _matrix(held)
            inputs, outputs = weight.shape
            held.low_rank = LowRank(inputs, outputs, rank, scale=scale, generator=generator, dtype=weight.dtype)


def merge_low_rank(layer: Layer) -> None:
    """Put the changes of low rank into the matrices that they are of, and leave them out from here on.

    Example:
        >>> linear = Linear(4, 3, generator=np.random.default_rng(0))
        >>> add_low_rank(linear, 2, generator=np.random.default_rng(1))
        >>> merge_low_rank(linear)
        >>> list(linear.named_parameters())
        ['weight', 'bias']
    """
    for held in list(layer.named_layers().values()):
        if isinstance(held, Linear | MultiHeadAttention) and held.low_rank is not None:
            weight = _matrix(held)
            weight.assign(held.low_rank.merged(weight))
            del held.low_rank  # the class says that there is none


def _matrix(layer: Linear | MultiHeadAttention) -> Parameter:
    return layer.weight if isinstance(layer, Linear) else layer.input_weight
