"""What an activation is, and plain functions as layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from chainrule.dataclasses import dataclass
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn.layer import Layer
from chainrule.settings import Registry, Settings


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


@dataclass(frozen=True, kw_only=True, repr=False)
class Activation(Settings, Layer):
    """A function between linear maps, with its settings: a layer without parameters, unless `layer` gives it some.

    A subclass names its function over tensors, whose settings are its own. Its docstring says what it is good and bad
    for, and where it comes from; `docs/activations.md` is made from that.

    Example (an own activation, once registered, `--activation` finds it too):
        >>> from chainrule.nn.activations import ACTIVATIONS, Activation
        >>> from chainrule.settings import setting
        >>> @dataclass(frozen=True, kw_only=True, repr=False)
        ... class Scaled(Activation):
        ...     name: ClassVar[str] = "scaled"
        ...     function: ClassVar[Callable[..., Tensor]] = staticmethod(lambda x, factor: x * factor)
        ...     factor: float = setting(2.0, "what numbers are multiplied by")
        >>> import chainrule
        >>> Scaled(factor=3), Scaled()(chainrule.tensor([1.0, 2.0])).value
        (scaled:factor=3.0, array([2., 4.], dtype=float32))
    """

    #: The function over tensors: `function(x, **settings)`.
    function: ClassVar[Callable[..., Tensor]]

    @property
    def reads(self) -> int:
        """How many numbers of its input become one of its output."""
        return 1

    @property
    def gain(self) -> float:
        """What initial weights before it are multiplied by, so that layers keep the size of numbers."""
        return 1.0

    def layer(self, size: int) -> Layer:  # noqa: ARG002
        """The activation as a layer of so many outputs: with parameters of its own, where it has some."""
        return self

    def __call__(self, x: TensorLike) -> Tensor:
        """The function's value."""
        return self.function(x, **{declared.name: getattr(self, declared.name) for declared in self.declared()})

    def __repr__(self) -> str:
        return self.spelled()


#: The modules of `chainrule.nn.activations`, and the names that each declares.
ROOMS = {
    "pieces": (
        "identity", "relu", "relu6", "leaky_relu", "prelu", "elu", "celu", "selu", "hard_sigmoid", "hard_tanh",
        "hard_swish",
    ),
    "several": ("softmax", "log_softmax", "sparsemax", "maxout", "glu", "reglu", "geglu", "swiglu"),
    "smooth": ("sigmoid", "log_sigmoid", "tanh", "softplus", "softsign", "silu", "swish", "gelu", "mish"),
}  # fmt: skip

ACTIVATIONS: Registry[Activation] = Registry(
    "activation",
    Activation,
    {name: f"chainrule.nn.activations.{room}" for room, names in ROOMS.items() for name in names},
)


def activation(name: str | Activation, size: int = 1) -> Layer:
    """The activation of this name as a layer.

    Args:
        name: such as "relu", or with settings "leaky_relu:slope=0.02".
        size: how many outputs the layer has, for activations with parameters.

    Raises:
        ConfigurationError: for an unknown name or setting; the message names the near ones.

    Example:
        >>> activation("relu")([-1.0, 2.0]).value
        array([0., 2.], dtype=float32)
    """
    return ACTIVATIONS.make(name).layer(size)
