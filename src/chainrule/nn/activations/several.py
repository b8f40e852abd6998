"""Activations over several numbers: probabilities, gated halves, and the largest of pieces."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from chainrule.blocks import geglu, glu, log_softmax, maxout, reglu, softmax, sparsemax, swiglu
from chainrule.dataclasses import dataclass
from chainrule.graph.tensor import Tensor
from chainrule.nn.activations.activation import ACTIVATIONS, Activation
from chainrule.settings import setting


@ACTIVATIONS.register
class Softmax(Activation):
    """Probabilities over the last axis.

    Good: attention, and outputs of classifiers.
    Bad: between layers, units compete and gradients are small; for a loss, `cross_entropy` of logits is exact.
    Source: Bridle, Probabilistic Interpretation of Feedforward Classification Network Outputs (1990).
    """

    name: ClassVar[str] = "softmax"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(softmax)


@ACTIVATIONS.register
class LogSoftmax(Activation):
    """Log probabilities over the last axis.

    Good: losses, as no logarithm of 0 is ever taken.
    Bad: between layers.
    Source: none.
    """

    name: ClassVar[str] = "log_softmax"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(log_softmax)


@ACTIVATIONS.register
class Sparsemax(Activation):
    """Probabilities over the last axis of which many are exactly 0.

    Good: attention that looks at few places, which can be read off.
    Bad: what has probability 0 gets no gradient; it sorts.
    Source: Martins and Astudillo, From Softmax to Sparsemax (2016).
    """

    name: ClassVar[str] = "sparsemax"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(sparsemax)


@ACTIVATIONS.register
@dataclass(frozen=True, kw_only=True, repr=False)
class Maxout(Activation):
    """The largest of several linear maps: each unit learns its own convex function.

    Good: with dropout, which it was made for; no unit dies.
    Bad: as many times the weights as there are pieces.
    Source: Goodfellow et al., Maxout Networks (2013).
    """

    name: ClassVar[str] = "maxout"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(maxout)

    pieces: int = setting(2, "linear maps of which the largest counts", least=1)

    @property
    def reads(self) -> int:
        """One number of each piece."""
        return self.pieces


class _Gated(Activation):
    """The base of those that gate one half by the other."""

    @property
    def reads(self) -> int:
        """A number and its gate."""
        return 2


@ACTIVATIONS.register
class GLU(_Gated):
    """The gated linear unit: one half, times the logistic function of the other.

    Good: a path on which gradients pass through no bend.
    Bad: twice the weights for a layer of the same size.
    Source: Dauphin et al., Language Modeling with Gated Convolutional Networks (2017).
    """

    name: ClassVar[str] = "glu"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(glu)


@ACTIVATIONS.register
class ReGLU(_Gated):
    """One half, times the rectifier of the other.

    Good: the cheapest gate.
    Bad: twice the weights; gates die as rectifiers do.
    Source: Shazeer, GLU Variants Improve Transformer (2020).
    """

    name: ClassVar[str] = "reglu"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(reglu)


@ACTIVATIONS.register
class GEGLU(_Gated):
    """One half, times the Gaussian error linear unit of the other.

    Good: the inner layers of transformers.
    Bad: twice the weights.
    Source: Shazeer, GLU Variants Improve Transformer (2020).
    """

    name: ClassVar[str] = "geglu"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(geglu)


@ACTIVATIONS.register
class SwiGLU(_Gated):
    """One half, times the swish of the other.

    Good: the inner layers of today's large language models.
    Bad: twice the weights.
    Source: Shazeer, GLU Variants Improve Transformer (2020).
    """

    name: ClassVar[str] = "swiglu"
    function: ClassVar[Callable[..., Tensor]] = staticmethod(swiglu)
