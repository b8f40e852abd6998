"""Smooth activations of single numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from chainrule.blocks import gelu, log_sigmoid, mish, sigmoid, silu, softplus, softsign, swish, tanh
from chainrule.blocks.smooth import APPROXIMATIONS
from chainrule.dataclasses import dataclass
from chainrule.graph.tensor import Tensor
from chainrule.nn.activations.activation import ACTIVATIONS, Activation
from chainrule.settings import setting


@ACTIVATIONS.register
class Sigmoid(Activation):
    """The logistic function: from 0 to 1.

    Good: gates, and probabilities of two classes.
    Bad: between layers, its slope of at most 1/4 makes gradients vanish with depth; outputs are never below 0.
    Source: Rumelhart, Hinton and Williams, Learning Representations by Back-Propagating Errors (1986).
    """

    name: ClassVar[str] = "sigmoid"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(sigmoid)


@ACTIVATIONS.register
class LogSigmoid(Activation):
    """The logarithm of the logistic function.

    Good: log probabilities that never overflow.
    Bad: between layers; it has no lower limit, and vanishes above 0.
    Source: none.
    """

    name: ClassVar[str] = "log_sigmoid"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(log_sigmoid)


@ACTIVATIONS.register
class Tanh(Activation):
    """The hyperbolic tangent: from -1 to 1, with slope 1 at 0.

    Good: bounded, mean near 0; recurrent cells, and small networks.
    Bad: units saturate where inputs are large, and have no gradient then.
    Source: LeCun et al., Efficient BackProp (1998).
    """

    name: ClassVar[str] = "tanh"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(tanh)

    @property
    def gain(self) -> float:
        """5/3, as its slope is below 1 away from 0."""
        return 5 / 3


@ACTIVATIONS.register
@dataclass(frozen=True, kw_only=True, repr=False)
class Softplus(Activation):
    """A smooth rectifier.

    Good: outputs that must be positive, such as a rate or a deviation; its derivatives are all smooth.
    Bad: between layers it is slower than the rectifier and never 0.
    Source: Dugas et al., Incorporating Second-Order Functional Knowledge for Better Option Pricing (2000).
    """

    name: ClassVar[str] = "softplus"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(softplus)

    beta: float = setting(1.0, "how sharp the bend is", above=0)
    threshold: float | None = setting(None, "above it, x times the sharpness is taken for the value")


@ACTIVATIONS.register
class Softsign(Activation):
    """A bounded function that saturates slowly.

    Good: gradients fall as 1 / x², and not exponentially as those of `tanh`.
    Bad: it comes near its limits only for very large inputs.
    Source: Bergstra et al., Quadratic Polynomials Learn Better Image Features (2009).
    """

    name: ClassVar[str] = "softsign"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(softsign)


@ACTIVATIONS.register
class SiLU(Activation):
    """A number times its own gate: the swish with β = 1.

    Good: deep networks; smooth, with a gradient also somewhat below 0.
    Bad: an exponential for each number; not monotonic.
    Source: Elfwing, Uchibe and Doya, Sigmoid-Weighted Linear Units (2018).
    """

    name: ClassVar[str] = "silu"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(silu)


@ACTIVATIONS.register
@dataclass(frozen=True, kw_only=True, repr=False)
class Swish(Activation):
    """A number times its own gate, of a sharpness that may be chosen.

    Good: between a line (β = 0) and the rectifier (β large).
    Bad: as `silu`.
    Source: Ramachandran, Zoph and Le, Searching for Activation Functions (2017), with a fixed β.
    """

    name: ClassVar[str] = "swish"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(swish)

    beta: float = setting(1.0, "how sharp the bend is", above=0)


@ACTIVATIONS.register
@dataclass(frozen=True, kw_only=True, repr=False)
class GELU(Activation):
    """A number times the probability that a normal one is below it.

    Good: transformers, most of which have it.
    Bad: the error function for each number, unless approximate; not monotonic.
    Source: Hendrycks and Gimpel, Gaussian Error Linear Units (2016).
    """

    name: ClassVar[str] = "gelu"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(gelu)

    approximate: str = setting("none", "equation in the place of the exact one", choices=APPROXIMATIONS)


@ACTIVATIONS.register
class Mish(Activation):
    """A number times the hyperbolic tangent of its softplus.

    Good: as `silu`, a little smoother; common in vision.
    Bad: the slowest: an exponential, a logarithm and a hyperbolic tangent for each number.
    Source: Misra, Mish: A Self Regularized Non-Monotonic Activation Function (2020).
    """

    name: ClassVar[str] = "mish"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(mish)
