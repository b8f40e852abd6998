"""Convolution over the tokens of texts, which never reads across the end of a text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from chainrule.blocks import matmul, reshape, segment_ids, transpose
from chainrule.blocks.places import shifted
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.graph.conversion import as_tensors, promote
from chainrule.graph.leaves import Parameter
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn.initializers import Initializer, XavierUniform
from chainrule.nn.layer import Layer, is_size
from chainrule.nn.steps import takes_padded


class Convolution(Layer):
    """yᵢ = b + Σₖ xᵢ₊ₖ₋ₐ W[:, k], over the tokens of a text; beyond its ends there are zeros.

    Every token has an output, from a window of so many tokens around it: a = ⌊(width − 1) / 2⌋ of them before it, or,
    where it is causal, all of the others. All products with W are one.

    Args:
        inputs: the size of a token.
        outputs: the size of its output: how many filters there are.
        width: how many tokens a filter sees.
        causal: whether an output depends on no later token.
        generator: where the initial weights are drawn from.
        initializer: how W is drawn, as a matrix of (width × inputs, outputs).
        dtype: float32 or float64.

    Attributes:
        before: a.
        weight: W, shape (inputs, width, outputs); in PyTorch (outputs, inputs, width).
        bias: b, shape (outputs,), which starts at 0.

    Raises:
        ConfigurationError: for sizes below 1.

    Example (two texts, of 2 tokens and of 1):
        >>> convolution = Convolution(3, 2, width=3, generator=np.random.default_rng(0))
        >>> convolution, convolution(np.ones((3, 3)), [0, 2, 3]).shape
        (Convolution(3 → 2, width 3), (3, 2))

    Source: Collobert et al., Natural Language Processing (Almost) from Scratch (2011), section 3.2.2.
    """

    in_torch: ClassVar[Mapping[str, str | tuple[str, tuple[int, ...]]]] = {"weight": ("weight", (1, 2, 0))}

    weight: Parameter
    bias: Parameter

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        width: int,
        causal: bool = False,
        generator: np.random.Generator,
        initializer: Initializer | None = None,
        dtype: DTypeLike = "float32",
    ) -> None:
        if not (is_size(inputs) and is_size(outputs) and is_size(width)):
            raise ConfigurationError(
                f"Convolution: expected sizes of at least 1, got {inputs} inputs, {outputs} outputs and width {width}"
            )
        self.width, self.causal = width, causal
        self.before = width - 1 if causal else (width - 1) // 2
        drawn = (initializer or XavierUniform())((width * inputs, outputs), generator, dtype)
        weight = np.swapaxes(drawn.reshape(width, inputs, outputs), 0, 1)
        self.weight = Parameter.of(weight, name="weight", dtype=dtype)
        self.bias = Parameter.of(np.zeros(outputs), name="bias", dtype=dtype)

    @takes_padded
    def __call__(self, x: TensorLike, offsets: TensorLike) -> Tensor:
        """The outputs.

        Args:
            x: the tokens of all texts, one text after the other: shape (tokens, inputs).
            offsets: where each text begins, and the last one ends: shape (texts + 1,).

        Returns:
            shape (tokens, outputs).

        Raises:
            ShapeError: when a size differs.
        """
        x, weight = promote("convolution", [x, self.weight])
        (offsets,) = as_tensors([offsets])
        inputs, width, outputs = weight.shape
        if x.spec.rank != 2 or x.shape[1] != inputs:
            raise ShapeError(f"expected tokens of shape (tokens, {inputs}), got {x.shape}")
        products = matmul(x, reshape(weight, (inputs, width * outputs)))
        ids = segment_ids(offsets, x)
        total: Tensor = self.bias
        for k in range(width):
            total = shifted(products[:, k * outputs : (k + 1) * outputs], ids, k - self.before) + total
        return total

    def window(self, tokens: TensorLike) -> Tensor:
        """The output for windows of tokens: shape (windows, width, inputs) in, (windows, outputs) out.

        Raises:
            ShapeError: when a size differs.
        """
        x, weight = promote("convolution", [tokens, self.weight])
        inputs, width, outputs = weight.shape
        if x.spec.rank != 3 or x.shape[1:] != (width, inputs):
            raise ShapeError(f"expected windows of shape (windows, {width}, {inputs}), got {x.shape}")
        taps = reshape(transpose(weight, (1, 0, 2)), (width * inputs, outputs))
        return matmul(reshape(x, (x.shape[0], width * inputs)), taps) + self.bias

    def __repr__(self) -> str:
        inputs, width, outputs = self.weight.shape
        return f"Convolution({inputs} → {outputs}, width {width}{', causal' if self.causal else ''})"
