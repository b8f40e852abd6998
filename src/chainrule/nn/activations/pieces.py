"""Activations in pieces: straight lines, and exponentials below 0."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import ClassVar

import numpy as np

from chainrule.blocks import (
    celu,
    elu,
    hard_sigmoid,
    hard_swish,
    hard_tanh,
    identity,
    leaky_relu,
    prelu,
    relu,
    relu6,
    selu,
)
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError
from chainrule.graph.leaves import Parameter
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn.activations.activation import ACTIVATIONS, Activation
from chainrule.nn.layer import Layer
from chainrule.settings import setting


@ACTIVATIONS.register
class Identity(Activation):
    """None: layers one after another are one linear map.

    Good: a bottleneck between two layers, fewer numbers than one large matrix; to see what the others add.
    Bad: nothing that is not linear can be learned.
    Source: none.
    """

    name: ClassVar[str] = "identity"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(identity)


@ACTIVATIONS.register
class ReLU(Activation):
    """The rectifier: what is below 0 becomes 0.

    Good: the cheapest; gradients pass whole where a unit is on; half of the numbers are 0.
    Bad: a unit that is off for every row has no gradient and stays dead, as after too large a step.
    Source: Nair and Hinton, Rectified Linear Units Improve Restricted Boltzmann Machines (2010).
    """

    name: ClassVar[str] = "relu"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(relu)

    @property
    def gain(self) -> float:
        """√2, as half of the numbers become 0."""
        return math.sqrt(2)


@ACTIVATIONS.register
class ReLU6(Activation):
    """The rectifier with a ceiling at 6.

    Good: a fixed range, for arithmetic in few bits.
    Bad: no gradient above 6 either.
    Source: Krizhevsky, Convolutional Deep Belief Networks on CIFAR-10 (2010).
    """

    name: ClassVar[str] = "relu6"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(relu6)

    @property
    def gain(self) -> float:
        """√2, as half of the numbers become 0; few reach the ceiling."""
        return math.sqrt(2)


@ACTIVATIONS.register
@dataclass(frozen=True, kw_only=True, repr=False)
class LeakyReLU(Activation):
    """The rectifier that lets a little through below 0.

    Good: no unit dies.
    Bad: the slope is one setting more, and seldom matters much.
    Source: Maas, Hannun and Ng, Rectifier Nonlinearities Improve Neural Network Acoustic Models (2013).
    """

    name: ClassVar[str] = "leaky_relu"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(leaky_relu)

    slope: float = setting(0.01, "slope below 0")

    @property
    def gain(self) -> float:
        """√(2 / (1 + slope²))."""
        return math.sqrt(2 / (1 + self.slope**2))


class LearnedSlope(Layer):
    """y = x where x > 0, else a x, with a slope a for each unit, which is learned.

    Args:
        size: how many units.
        slope: where each slope starts.

    Attributes:
        slope: a, shape (size,).

    Raises:
        ConfigurationError: for a size below 1.

    Example:
        >>> LearnedSlope(2, slope=0.5)([[2.0, -2.0]]).value
        array([[ 2., -1.]], dtype=float32)

    Source: He et al., Delving Deep into Rectifiers (2015).
    """

    in_torch: ClassVar[Mapping[str, str]] = {"slope": "weight"}

    slope: Parameter

    def __init__(self, size: int, *, slope: float = 0.25) -> None:
        if size < 1:
            raise ConfigurationError(f"LearnedSlope: expected a size of at least 1, got {size}")
        self.slope = Parameter.of(np.full(size, slope), name="slope", dtype="float32")

    def __call__(self, x: TensorLike) -> Tensor:
        """The equation."""
        return prelu(x, self.slope)

    def __repr__(self) -> str:
        return f"LearnedSlope({self.slope.shape[0]})"


@ACTIVATIONS.register
@dataclass(frozen=True, kw_only=True, repr=False)
class PReLU(Activation):
    """The rectifier whose slope below 0 is learned, one for each unit; called by itself, with its first slope.

    Good: each unit finds how linear it is to be, for one number more.
    Bad: overfits small tables sooner; penalties on weights leave it alone, as they would make it a rectifier.
    Source: He et al., Delving Deep into Rectifiers (2015).
    """

    name: ClassVar[str] = "prelu"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(prelu)

    slope: float = setting(0.25, "slope below 0")

    def layer(self, size: int) -> LearnedSlope:
        """The layer that learns the slopes."""
        return LearnedSlope(size, slope=self.slope)

    @property
    def gain(self) -> float:
        """√(2 / (1 + slope²))."""
        return math.sqrt(2 / (1 + self.slope**2))


@ACTIVATIONS.register
@dataclass(frozen=True, kw_only=True, repr=False)
class ELU(Activation):
    """The exponential linear unit: a line above 0, and below it an exponential that ends at -α.

    Good: the mean of its outputs is near 0, which speeds learning; no kink for α = 1.
    Bad: an exponential for each number; gradients vanish far below 0.
    Source: Clevert, Unterthiner and Hochreiter, Fast and Accurate Deep Network Learning by ELUs (2016).
    """

    name: ClassVar[str] = "elu"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(elu)

    alpha: float = setting(1.0, "minus the limit far below 0", above=0)


@ACTIVATIONS.register
@dataclass(frozen=True, kw_only=True, repr=False)
class CELU(Activation):
    """The exponential linear unit without a kink at 0, whatever its limit -α.

    Good: as `elu`, with a limit that may be chosen freely.
    Bad: as `elu`.
    Source: Barron, Continuously Differentiable Exponential Linear Units (2017).
    """

    name: ClassVar[str] = "celu"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(celu)

    alpha: float = setting(1.0, "minus the limit far below 0", above=0)


@ACTIVATIONS.register
class SELU(Activation):
    """The exponential linear unit, scaled so that deep layers keep mean 0 and variance 1.

    Good: deep plain networks without normalisation layers, with LeCun's initial weights.
    Bad: its promise holds for such weights alone, and not with ordinary dropout.
    Source: Klambauer et al., Self-Normalizing Neural Networks (2017).
    """

    name: ClassVar[str] = "selu"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(selu)


@ACTIVATIONS.register
class HardSigmoid(Activation):
    """Straight lines in the place of the logistic function.

    Good: gates without an exponential.
    Bad: no gradient outside -3 to 3, where the logistic function has a small one.
    Source: Courbariaux, Bengio and David, BinaryConnect (2015); the slope: Howard et al., MobileNetV3 (2019).
    """

    name: ClassVar[str] = "hard_sigmoid"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(hard_sigmoid)


@ACTIVATIONS.register
@dataclass(frozen=True, kw_only=True, repr=False)
class HardTanh(Activation):
    """Straight lines in the place of the hyperbolic tangent.

    Good: cheap, with a range that may be chosen.
    Bad: no gradient outside the range: units die at both ends.
    Source: Collobert, Large Scale Machine Learning (2004).
    """

    name: ClassVar[str] = "hard_tanh"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(hard_tanh)

    low: float = setting(-1.0, "least value")
    high: float = setting(1.0, "largest value")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.low <= self.high:
            raise ConfigurationError(f"hard_tanh: expected low of at most high, got {self.low:g} and {self.high:g}")


@ACTIVATIONS.register
class HardSwish(Activation):
    """Swish from a parabola and straight lines.

    Good: nearly as good as `silu` on small processors, without an exponential.
    Bad: the slope jumps at -3 and 3; no gradient below -3.
    Source: Howard et al., Searching for MobileNetV3 (2019).
    """

    name: ClassVar[str] = "hard_swish"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(hard_swish)
