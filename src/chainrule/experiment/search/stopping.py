"""Stopping hopeless runs: by the learning curves of earlier generations, never of runs at the same time.

So what stops a run is known before it begins, and a search gives the same runs at any number of workers. Runs are
compared at the same share of the epochs that they may take, as a learning rate that falls to zero has runs of any
length improve most at their end; what is compared is the best value so far.
"""

from __future__ import annotations

import math
import statistics
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from chainrule.dataclasses import dataclass
from chainrule.experiment.runner import HOPELESS
from chainrule.settings import Registry, Settings, setting
from chainrule.train.trainer import Epoch, Observer, Trainer

#: Shares that differ by less are the same.
TINY = 1e-9


@dataclass(frozen=True)
class Curve:
    """The learning curve of a run.

    Attributes:
        points: by the share of its epochs that were over, a measure of validation; in order.
        stopped: whether the run was stopped as hopeless: then nobody knows how it would have gone on. One that ended by
            itself stays at what it had reached.

    Example:
        >>> curve = Curve(((0.25, 0.6), (0.5, 0.8), (0.75, 0.7)))
        >>> curve.until(0.5), curve.best(1.0, higher=True), Curve(curve.points, stopped=True).best(1.0, higher=True)
        ([0.6, 0.8], 0.8, None)
    """

    points: tuple[tuple[float, float], ...]
    stopped: bool = False

    @classmethod
    def of(cls, epochs: Iterable[Epoch], measure: str, most: int, *, stopped: bool = False) -> Curve:
        """The curve of a run.

        Args:
            epochs: its validations.
            measure: of validation.
            most: the epochs that it may take.
            stopped: whether it was stopped as hopeless.
        """
        return cls(tuple((epoch.epoch / most, epoch.valid[measure]) for epoch in epochs), stopped)

    @classmethod
    def of_record(cls, lines: Sequence[Mapping[str, Any]], measure: str, *, stopped: bool = False) -> Curve:
        """The curve of a run that has ended, from the lines of its record."""
        epochs = (Epoch.of_line(dict(line), number) for number, line in enumerate(lines) if line["kind"] == "epoch")
        return cls.of(epochs, measure, lines[0]["training"]["epochs"], stopped=stopped)

    def until(self, share: float) -> list[float]:
        """The values up to a share of the epochs; none where the run did not come to it."""
        if self.stopped and self.points[-1][0] < share - TINY:
            return []
        return [value for at, value in self.points if at <= share + TINY and math.isfinite(value)]

    def best(self, share: float, *, higher: bool) -> float | None:
        """The best of these values; None where there is none."""
        values = self.until(share)
        return (max(values) if higher else min(values)) if values else None


@dataclass(frozen=True, kw_only=True)
class Stopping(Settings, ABC):
    """A rule for what runs are hopeless."""

    #: Whether it stops any.
    stops: ClassVar[bool] = True

    @abstractmethod
    def reason(self, curve: Curve, earlier: Sequence[Curve], *, higher: bool) -> str | None:
        """Why a run is to be stopped after a validation; None where it goes on.

        Args:
            curve: of the run, up to that validation.
            earlier: those of the runs of earlier generations.
            higher: whether higher values are better.
        """


STOPPING: Registry[Stopping] = Registry("rule for stopping", Stopping)


@STOPPING.register
class Never(Stopping):
    """Every run goes on to its end."""

    name: ClassVar[str] = "none"
    stops: ClassVar[bool] = False

    def reason(self, curve: Curve, earlier: Sequence[Curve], *, higher: bool) -> str | None:  # noqa: ARG002
        """None."""
        return None


@STOPPING.register
@dataclass(frozen=True, kw_only=True)
class Median(Stopping):
    """Stop a run whose best value is worse than the median of what earlier runs had reached on average by then.

    The average of a run is over its values up to the same share of its epochs.

    Source: Golovin et al., Google Vizier (2017), section 3.2.2. Deviation: shares of epochs in the place of steps.
    """

    name: ClassVar[str] = "median"

    warmup: float = setting(0.2, "share of the epochs before any run is stopped", least=0, below=1)
    least: int = setting(5, "earlier runs that there must be", least=1)

    def reason(self, curve: Curve, earlier: Sequence[Curve], *, higher: bool) -> str | None:
        """Compare with the median, after the warm-up."""
        share = curve.points[-1][0]
        averages = [statistics.fmean(values) for other in earlier if (values := other.until(share))]
        best = curve.best(share, higher=higher)
        if best is None or not self.warmup <= share < 1 or len(averages) < self.least:
            return None
        middle = statistics.median(averages)
        if not _better(middle, best, higher=higher):
            return None
        return (
            f"{best:.4g} after {share:.0%} of the epochs, worse than {middle:.4g}, the median of {len(averages)} runs"
        )


@STOPPING.register
@dataclass(frozen=True, kw_only=True)
class Halving(Stopping):
    """Successive halving: rungs at 1, 1/η, 1/η², ... of the epochs; past one goes who is among the best 1/η there.

    A run is compared with the runs of earlier generations that came to the rung.

    Source: Jamieson and Talwalkar, Non-stochastic Best Arm Identification (2016); without waiting for a rung to be
    full: Li et al., A System for Massively Parallel Hyperparameter Tuning (2020). Deviations: runs that are stopped are
    never taken up again, and runs are compared with earlier generations alone.
    """

    name: ClassVar[str] = "halving"

    factor: float = setting(3.0, "η: of the runs at a rung, the best 1/η go on", above=1)
    rungs: int = setting(3, "places at which runs are compared, before the end", least=1)

    def reason(self, curve: Curve, earlier: Sequence[Curve], *, higher: bool) -> str | None:
        """Compare with those that came to the last rung that was passed since the validation before."""
        share, before = curve.points[-1][0], curve.points[-2][0] if len(curve.points) > 1 else 0.0
        rungs = [self.factor**-k for k in range(1, self.rungs + 1)]
        best = curve.best(share, higher=higher)
        if best is None or share >= 1 or not any(before < rung - TINY and rung <= share + TINY for rung in rungs):
            return None
        others = [value for other in earlier if (value := other.best(share, higher=higher)) is not None]
        better = sum(_better(value, best, higher=higher) for value in others)
        places = math.floor((len(others) + 1) / self.factor)
        if not places or better < places:
            return None
        return f"{best:.4g} after {share:.0%} of the epochs, place {better + 1} of {len(others) + 1} there"


@dataclass
class Hopeless(Observer):
    """Stops a run that a rule calls hopeless.

    Attributes:
        rule: that is asked after each validation.
        measure: of validation, that is compared.
        higher: whether higher is better.
        earlier: the curves of the runs of earlier generations.
    """

    turn: ClassVar[int] = Observer.DECIDES

    rule: Stopping
    measure: str
    higher: bool
    earlier: tuple[Curve, ...]

    def epoch_ended(self, trainer: Trainer, epoch: Epoch) -> str | None:  # noqa: ARG002
        """Ask the rule."""
        curve = Curve.of(trainer.history, self.measure, trainer.epochs)
        reason = self.rule.reason(curve, self.earlier, higher=self.higher)
        return None if reason is None else f"{HOPELESS}: {self.measure} {reason}"


def _better(one: float, other: float, *, higher: bool) -> bool:
    return one > other if higher else one < other
