"""The linear layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import DTypeLike

from chainrule.blocks import matmul
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.graph.conversion import promote
from chainrule.graph.leaves import Parameter
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn.initializers import Initializer, XavierUniform
from chainrule.nn.layer import Layer, is_size

if TYPE_CHECKING:
    from chainrule.nn.low_rank import LowRank


class Linear(Layer):
    """y = x W + b.

    With G = ∂loss/∂y and one row of x, y and G an example, the chain rule gives

        ∂loss/∂W = xᵀ G,    ∂loss/∂b = the sum of the rows of G,    ∂loss/∂x = G Wᵀ.

    Args:
        inputs: the size of the last axis of x.
        outputs: the size of the last axis of y.
        with_bias: whether there is a b; it starts at 0.
        generator: where the initial weights are drawn from.
        initializer: how W is drawn; `HeUniform` suits layers before a rectifier.
        dtype: float32 or float64.

    Attributes:
        weight: W, shape (inputs, outputs).
        bias: b, shape (outputs,), or None.
        low_rank: what is added to x W while W stays as it is; None for nothing (`add_low_rank`).

    Raises:
        ConfigurationError: for sizes below 1.

    Example:
        >>> linear = Linear(3, 2, generator=np.random.default_rng(0))
        >>> linear, linear([[1.0, 2.0, 3.0]]).shape, linear.weight.shape
        (Linear(3 → 2), (1, 2), (3, 2))
    """

    in_torch: ClassVar[Mapping[str, str]] = {"weight": "weight.T"}

    weight: Parameter
    bias: Parameter | None
    low_rank: LowRank | None = None

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        with_bias: bool = True,
        generator: np.random.Generator,
        initializer: Initializer | None = None,
        dtype: DTypeLike = "float32",
    ) -> None:
        if not (is_size(inputs) and is_size(outputs)):
            raise ConfigurationError(f"Linear: expected sizes of at least 1, got {inputs} inputs and {outputs} outputs")
        drawn = (initializer or XavierUniform())((inputs, outputs), generator, dtype)
        self.weight = Parameter.of(drawn, name="weight", dtype=dtype)
        self.bias = Parameter.of(np.zeros(outputs), name="bias", dtype=dtype) if with_bias else None

    def __call__(self, x: TensorLike) -> Tensor:
        """y = x W + b.

        Args:
            x: shape (..., inputs).

        Returns:
            shape (..., outputs).

        Raises:
            ShapeError: when the last axis has another size.
        """
        x, weight = promote("linear", [x, self.weight])
        if x.shape[-1:] != weight.shape[:1]:
            got = f"{x.shape[-1]} (shape {x.shape})" if x.shape else "a scalar"
            raise ShapeError(f"expected size {weight.shape[0]} on axis -1, got {got}")
        y = matmul(x, weight)
        if self.low_rank is not None:
            y = y + self.low_rank(x)
        return y if self.bias is None else y + self.bias

    def __repr__(self) -> str:
        inputs, outputs = self.weight.shape
        return f"Linear({inputs} → {outputs}{'' if self.bias is not None else ', no bias'})"
