"""Observers: what looks on at a training; those that the toolkit brings are in `chainrule.train.observers`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from chainrule.data import Examples
from chainrule.train.epoch import Epoch

if TYPE_CHECKING:
    from chainrule.train.trainer import Trainer


class Observer:
    """What looks on at a training. Observers are asked in the order of what they do, however they are listed."""

    #: When it is asked: those that decide come first, then those that record, show, and keep.
    DECIDES, RECORDS, SHOWS, KEEPS = range(4)
    turn: ClassVar[int] = SHOWS

    def training_started(self, trainer: Trainer) -> None:
        """Before the first step, also of a training that goes on."""

    def batch_ended(self, trainer: Trainer, batch: Examples, sums: Mapping[str, float]) -> None:
        """After each mini-batch: that, and its sums: "weight", "loss" (mean times weight) and the task's own.

        A device may still be computing them: an observer that looks at them in each step waits for it each time.
        """

    def epoch_ended(self, trainer: Trainer, epoch: Epoch) -> str | None:
        """After each validation; a reason to stop, if there is one."""

    def training_ended(self, trainer: Trainer) -> None:
        """After the last epoch, however training ended; once more where Ctrl-C comes meanwhile."""
