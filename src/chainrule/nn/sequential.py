"""Layers one after another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from chainrule.errors import ConfigurationError, shortened
from chainrule.graph.conversion import as_tensors
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn.activations.activation import Function
from chainrule.nn.layer import Layer
from chainrule.random import Key


class Sequential(Layer):
    """y = fₙ(... f₂(f₁(x))): each layer is applied to what the one before returned.

    Messages and paths count the layers from 0, like `sequential.layers[0]`.

    Args:
        layers: layers, or plain functions of one tensor such as `chainrule.relu`.

    Raises:
        ConfigurationError: for anything else.

    Example:
        >>> import numpy as np
        >>> import chainrule
        >>> from chainrule.nn import Dropout, Linear, Sequential
        >>> generator = np.random.default_rng(0)
        >>> network = Sequential(Linear(2, 3, generator=generator), chainrule.relu, Dropout(0.5))
        >>> network
        Sequential(Linear(2 → 3), relu, Dropout(0.5))
        >>> network([[1.0, 2.0]]).shape
        (1, 3)
    """

    random: ClassVar[bool] = True
    in_torch: ClassVar[Mapping[str, str]] = {"layers": ""}

    layers: tuple[Layer, ...]

    def __init__(self, *layers: Layer | Callable[[TensorLike], Tensor]) -> None:
        for position, layer in enumerate(layers):
            if not callable(layer) or isinstance(layer, type):
                raise ConfigurationError(
                    f"Sequential: expected layers or functions, got {shortened(layer)} at position {position}"
                )
        self.layers = tuple(layer if isinstance(layer, Layer) else Function(layer) for layer in layers)

    def __call__(self, x: TensorLike, key: Key | None = None) -> Tensor:
        """Apply the layers.

        Args:
            x: what the first layer takes.
            key: for training; each layer that draws gets its own part of it.
        """
        for position, layer in enumerate(self.layers):
            x = layer(x, key.at(position)) if key is not None and layer.random else layer(x)
        return as_tensors([x])[0]

    def path_of(self, inner: Layer) -> str:
        """Where in this layer another one is, for messages."""
        position = next((i for i, layer in enumerate(self.layers) if layer is inner), None)
        return super().path_of(inner) if position is None else f"layer {position} of {type(self).__name__}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.layers))})"
