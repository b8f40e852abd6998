"""Observers: early stopping, the record, and progress for people."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TextIO

from tqdm import tqdm

from chainrule.train.record import Record
from chainrule.train.trainer import Epoch, Observer, Trainer


class EarlyStopping(Observer):
    """Keeps the weights of the epoch with the lowest validation loss; stops after `patience` epochs without a lower.

    Source: Prechelt, Early Stopping, But When? (1998), the criterion UP with s = patience, on the best loss.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience

    def epoch_ended(self, trainer: Trainer, epoch: Epoch) -> None:
        """Compare with the best epoch so far."""
        if trainer.best is None or epoch.valid_loss < trainer.best[0].valid_loss:
            trainer.keep_best()
        elif epoch.epoch - trainer.best[0].epoch >= self.patience:
            trainer.stopped = f"no better validation loss for {self.patience} epochs"


class Recorder(Observer):
    """Writes a line an epoch, and one at the end, to the record."""

    def __init__(self, record: Record) -> None:
        self.record = record

    def epoch_ended(self, trainer: Trainer, epoch: Epoch) -> None:
        """Write the epoch's line."""
        self.record.append(epoch.as_line())

    def training_ended(self, trainer: Trainer) -> None:
        """Write why training ended and which epoch was best."""
        if trainer.stopped is not None:
            best = trainer.best[0].epoch if trainer.best else None
            self.record.append({"kind": "end", "reason": trainer.stopped, "best_epoch": best})


class Progress(Observer):
    """A progress bar an epoch with loss, accuracy and examples a second, and a line when it ends."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self._bar: tqdm[None] | None = None
        self._loss = 0.0
        self._correct = 0
        self._examples = 0

    def batch_ended(self, trainer: Trainer, examples: int, loss: float, correct: int) -> None:
        """Move the bar on."""
        if self._bar is None:
            number = len(trainer.history) + 1
            self._bar = tqdm(
                total=len(trainer.train.bags),
                desc=f"epoch {number}/{trainer.model.learner.epochs}",
                unit=" examples",
                file=self.stream,
                leave=False,
                disable=None,  # no bar where the stream is not a terminal
                dynamic_ncols=True,
            )
            self._loss, self._correct, self._examples = 0.0, 0, 0
        self._loss += loss * examples
        self._correct += correct
        self._examples += examples
        self._bar.set_postfix_str(
            f"loss {self._loss / self._examples:.4f}, accuracy {self._correct / self._examples:.3f}", refresh=False
        )
        self._bar.update(examples)

    def epoch_ended(self, trainer: Trainer, epoch: Epoch) -> None:
        """Close the bar and say what the epoch came to."""
        self._close()
        best = " (best so far)" if trainer.best and trainer.best[0] is epoch else ""
        self._say(
            f"epoch {epoch.epoch}: train loss {epoch.train_loss:.4f}, accuracy {epoch.train_accuracy:.3f}; "
            f"validation loss {epoch.valid_loss:.4f}, accuracy {epoch.valid_accuracy:.3f}; "
            f"{epoch.examples_per_second:,.0f} examples/s{best}"
        )

    def training_ended(self, trainer: Trainer) -> None:
        """Close the bar and say why training ended."""
        self._close()
        if trainer.stopped is not None:
            self._say(f"stopped after epoch {len(trainer.history)}: {trainer.stopped}")

    def _say(self, line: str) -> None:
        with suppress(OSError):  # a training goes on when nobody listens any more
            print(line, file=self.stream, flush=True)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
