"""Plain functions as layers, and activations by name."""

from __future__ import annotations

from collections.abc import Callable

from chainrule.blocks import identity, relu, sigmoid, softplus, tanh
from chainrule.errors import ConfigurationError, shortened
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn.layer import Layer

ACTIVATIONS: dict[str, Callable[..., Tensor]] = {
    "identity": identity,
    "relu": relu,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "tanh": tanh,
}


class Function(Layer):
    """A plain function of one tensor, such as `chainrule.relu`, as a layer.

    Example:
        >>> import chainrule
        >>> Function(chainrule.relu)
        relu
    """

    def __init__(self, function: Callable[[TensorLike], Tensor]) -> None:
        self.function = function

    def __call__(self, x: TensorLike) -> Tensor:
        """The function's value."""
        return self.function(x)

    def __repr__(self) -> str:
        function = self.function
        return str(getattr(function, "__name__", None) or getattr(function, "name", None) or repr(function))


def activation(name: str) -> Function:
    """The activation of this name as a layer.

    Args:
        name: identity, relu, sigmoid, softplus or tanh.

    Raises:
        ConfigurationError: for another name.

    Example:
        >>> activation("relu")([-1.0, 2.0]).value
        array([0., 2.], dtype=float32)
    """
    if name not in ACTIVATIONS:
        raise ConfigurationError(f"activation: there is no {shortened(name)}; expected one of {', '.join(ACTIVATIONS)}")
    return Function(ACTIVATIONS[name])
