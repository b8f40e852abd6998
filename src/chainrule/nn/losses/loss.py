"""Losses of tasks: by name and class, with their settings, and what targets each is of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from chainrule.dataclasses import dataclass
from chainrule.graph.tensor import Tensor
from chainrule.nn.losses.binary import binary_cross_entropy_with_logits, binary_focal, hinge, squared_hinge
from chainrule.nn.losses.classes import cross_entropy, focal, multi_margin
from chainrule.nn.losses.numbers import (
    huber,
    log_cosh,
    mean_absolute_error,
    mean_squared_error,
    poisson_nll,
    quantile,
)
from chainrule.settings import Registry, Settings, setting

#: What targets may be: numbers, class ids, sides (-1 or 1), or which labels there are (0 or 1 each).
NUMBERS, CLASSES, SIDES, LABELS = TARGETS = ("numbers", "classes", "sides", "labels")


@dataclass(frozen=True, kw_only=True)
class Loss(Settings):
    """A loss with its settings, as a task has it: `loss.over("numbers")(outputs, targets, reduction="none")`.

    A subclass has a function for each kind of targets that it is a loss of, which takes its settings by name.

    Example:
        >>> Huber(delta=2).over("numbers")([3.0], [0.0]).item()
        4.0
    """

    numbers: ClassVar[Callable[..., Tensor] | None] = None
    classes: ClassVar[Callable[..., Tensor] | None] = None
    sides: ClassVar[Callable[..., Tensor] | None] = None
    labels: ClassVar[Callable[..., Tensor] | None] = None
    #: Whether it changes by about as much as any output of a row does, and not more, however wrong that is.
    unit_gradient: ClassVar[bool] = False

    def over(self, targets: str) -> Callable[..., Tensor]:
        """The function of outputs and such targets."""
        function: Callable[..., Tensor] = getattr(self, targets)
        given = {declared.name: getattr(self, declared.name) for declared in self.declared()}

        def loss(outputs: Any, truth: Any, **further: Any) -> Tensor:
            return function(outputs, truth, **given, **further)

        return loss


class Losses(Registry[Loss]):
    """All losses by name; `fitting[targets]` are those of such targets."""

    def __init__(self) -> None:
        super().__init__("loss", Loss)
        self.fitting: dict[str, Registry[Loss]] = {targets: Registry("loss", Loss) for targets in TARGETS}

    def register(self, kind: type[Loss]) -> type[Loss]:
        """Add a class under its name, for the targets that it has functions of."""
        super().register(kind)
        for targets, registry in self.fitting.items():
            if getattr(kind, targets) is not None:
                registry.register(kind)
        return kind


LOSSES = Losses()


@LOSSES.register
class SquaredError(Loss):
    """The squared difference, whose best answer is the mean."""

    name: ClassVar[str] = "mse"
    numbers: ClassVar[Callable[..., Tensor] | None] = staticmethod(mean_squared_error)


@LOSSES.register
class AbsoluteError(Loss):
    """The absolute difference, whose best answer is the median: outliers matter little."""

    name: ClassVar[str] = "mae"
    numbers: ClassVar[Callable[..., Tensor] | None] = staticmethod(mean_absolute_error)


@LOSSES.register
@dataclass(frozen=True, kw_only=True)
class Huber(Loss):
    """Squared near 0, absolute beyond: smooth, and outliers matter little."""

    name: ClassVar[str] = "huber"
    numbers: ClassVar[Callable[..., Tensor] | None] = staticmethod(huber)

    delta: float = setting(1.0, "where it becomes a line; in deviations of the target", above=0)


@LOSSES.register
class LogCosh(Loss):
    """As `huber`, with all derivatives smooth."""

    name: ClassVar[str] = "log_cosh"
    numbers: ClassVar[Callable[..., Tensor] | None] = staticmethod(log_cosh)


@LOSSES.register
@dataclass(frozen=True, kw_only=True)
class Quantile(Loss):
    """Absolute, but differences above and below count differently: its best answer is a quantile."""

    name: ClassVar[str] = "quantile"
    numbers: ClassVar[Callable[..., Tensor] | None] = staticmethod(quantile)

    share: float = setting(0.5, "share of the targets that are to lie below the answers", above=0, below=1)


@LOSSES.register
class Poisson(Loss):
    """The likelihood of counts: answers are rates, and always above 0."""

    name: ClassVar[str] = "poisson"
    numbers: ClassVar[Callable[..., Tensor] | None] = staticmethod(poisson_nll)


@LOSSES.register
class CrossEntropy(Loss):
    """The likelihood of the right class: probabilities that may be trusted."""

    name: ClassVar[str] = "cross_entropy"
    unit_gradient: ClassVar[bool] = True
    classes: ClassVar[Callable[..., Tensor] | None] = staticmethod(cross_entropy)


@LOSSES.register
@dataclass(frozen=True, kw_only=True)
class BinaryCrossEntropy(Loss):
    """The likelihood of each label, there or not."""

    name: ClassVar[str] = "bce"
    unit_gradient: ClassVar[bool] = True
    labels: ClassVar[Callable[..., Tensor] | None] = staticmethod(binary_cross_entropy_with_logits)

    positive_weight: float = setting(1.0, "how much a label that is there counts, beside one that is not", above=0)


@LOSSES.register
@dataclass(frozen=True, kw_only=True)
class Focal(Loss):
    """The cross-entropy in which what is right already counts less, for rare classes; it blurs probabilities."""

    name: ClassVar[str] = "focal"
    unit_gradient: ClassVar[bool] = True
    classes: ClassVar[Callable[..., Tensor] | None] = staticmethod(focal)
    labels: ClassVar[Callable[..., Tensor] | None] = staticmethod(binary_focal)

    gamma: float = setting(2.0, "how much less easy examples count", least=0)


@LOSSES.register
class Hinge(Loss):
    """Of classes that come too close: what is right by a margin has no loss. Scores are no probabilities."""

    name: ClassVar[str] = "hinge"
    unit_gradient: ClassVar[bool] = True
    classes: ClassVar[Callable[..., Tensor] | None] = staticmethod(multi_margin)
    sides: ClassVar[Callable[..., Tensor] | None] = staticmethod(hinge)


def _squared_margin(scores: Tensor, labels: Tensor, **further: Any) -> Tensor:
    return multi_margin(scores, labels, power=2, **further)


@LOSSES.register
class SquaredHinge(Loss):
    """The square of the hinge loss: smooth, and gross errors matter more."""

    name: ClassVar[str] = "squared_hinge"
    classes: ClassVar[Callable[..., Tensor] | None] = staticmethod(_squared_margin)
    sides: ClassVar[Callable[..., Tensor] | None] = staticmethod(squared_hinge)
