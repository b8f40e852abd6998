"""Observers: early stopping, the record, and progress for people."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar, TextIO

from chainrule.data import Examples
from chainrule.engines import engine_named
from chainrule.train.diagnostics import findings
from chainrule.train.memory import Memory
from chainrule.train.record import Record
from chainrule.train.trainer import Epoch, Observer, Trainer
from chainrule.train.validation import outcome

if TYPE_CHECKING:
    from tqdm import tqdm


class EarlyStopping(Observer):
    """Keeps the weights of the epoch with the lowest validation loss; stops after `patience` epochs without a lower.

    What it watches is the measure that the task names (`Task.monitor`).

    Source: Prechelt, Early Stopping, But When? (1998), the criterion UP with s = patience, on the best loss.
    """

    turn: ClassVar[int] = Observer.DECIDES

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self._compared = 0

    def training_ended(self, trainer: Trainer) -> None:
        """Compare the last epoch, if Ctrl-C came between its validation and that."""
        if trainer.history and trainer.history[-1].number > self._compared:
            self.epoch_ended(trainer, trainer.history[-1])

    def epoch_ended(self, trainer: Trainer, epoch: Epoch) -> str | None:
        """Compare with the best epoch so far."""
        self._compared = epoch.number
        monitor, best = trainer.task.monitor, trainer.best
        if best is None or epoch.valid[monitor] < best[0].valid[monitor]:
            trainer.keep_best()
        elif epoch.number - best[0].number >= self.patience:
            what = "epochs" if trainer.training.every is None else "validations"
            return f"no better validation {monitor} for {self.patience} {what}"
        return None


class Recorder(Observer):
    """Writes a line an epoch, and one at the end, to the record.

    Args:
        record: to write to.
        diagnostics: whether the last line says what is wrong with the training.
    """

    turn: ClassVar[int] = Observer.RECORDS

    def __init__(self, record: Record, *, diagnostics: bool = False) -> None:
        self.record = record
        self.diagnostics = diagnostics
        self._transferred: dict[str, int] = {}

    def training_started(self, trainer: Trainer) -> None:
        """Look up what went to the device and came from it before."""
        self._transferred = engine_named(trainer.engine).transfer()

    def epoch_ended(self, trainer: Trainer, epoch: Epoch) -> None:
        """Write the epoch's line, and that of one before whose line Ctrl-C kept from being written."""
        written = sum(line["kind"] == "epoch" for line in self.record.lines)
        for each in trainer.history[written:]:
            self.record.append(each.as_line())

    def training_ended(self, trainer: Trainer) -> None:
        """Write why training ended, which epoch was best, and what it is worth."""
        if trainer.history:
            self.epoch_ended(trainer, trainer.history[-1])
        if trainer.stopped is not None and self.record.lines[-1]["kind"] != "end":
            best = trainer.best[0].epoch if trainer.best else None
            end = {"kind": "end", "reason": trainer.stopped, "best_epoch": best, **outcome(trainer)}
            if self._transferred:
                now = engine_named(trainer.engine).transfer()
                end["transfer"] = {name: now[name] - before for name, before in self._transferred.items()}
            if self.diagnostics:
                end["observed"] = trainer.position.observed
                end["findings"] = [found.as_line() for found in findings([*self.record.lines, end])]
            self.record.append(end)


class Progress(Observer):
    """What memory training takes; for each epoch a bar with loss, measures and examples a second, and a line."""

    turn: ClassVar[int] = Observer.SHOWS

    def __init__(self, stream: TextIO | None = None, *, memory: Memory | None = None) -> None:
        self.stream = stream or sys.stderr
        self.memory = memory
        self._bar: tqdm[None] | None = None
        self._with_bars = self.stream is not None and self.stream.isatty()  # there is none where it was closed before

    def training_started(self, trainer: Trainer) -> None:
        """Say what memory it takes."""
        if self.memory is not None:
            self._say(f"memory: {self.memory}")

    def batch_ended(self, trainer: Trainer, batch: Examples, sums: Mapping[str, float]) -> None:
        """Move the bar on."""
        if not self._with_bars:
            return
        position = trainer.position
        if self._bar is None:
            from tqdm import tqdm  # it loads locks of processes: only where a bar is seen

            self._bar = tqdm(
                total=self._rows(trainer),
                initial=position.rows - batch.rows,  # a training that goes on may do so in the middle
                desc=f"epoch {position.passes + 1}/{trainer.epochs}",
                unit=" examples",
                file=self.stream,
                leave=False,
                dynamic_ncols=True,
            )
        if position.sums:  # those of the last steps may still be computed: the bar does not wait for them
            self._bar.set_postfix_str(_shown(trainer.task.measures(position.sums)), refresh=False)
        self._bar.update(batch.rows)

    def _rows(self, trainer: Trainer) -> int:
        """The rows from the last validation to the next."""
        training, position, rows = trainer.training, trainer.position, trainer.train.rows
        if training.every is None:
            return rows
        left = rows * (trainer.epochs - position.passes) - position.read + position.rows
        return min(training.every * training.accumulate * trainer.batch_size, left)

    def epoch_ended(self, trainer: Trainer, epoch: Epoch) -> None:
        """Close the bar and say what the epoch came to."""
        self._close()
        best = " (best so far)" if trainer.best and trainer.best[0] is epoch else ""
        valid = {name: epoch.valid[name] for name in trainer.task.watched[:2]}
        self._say(
            f"epoch {epoch.epoch:g}: train {_shown(epoch.train)}; validation {_shown(valid)}; "
            f"{epoch.examples_per_second:,.0f} examples/s{best}"
        )

    def training_ended(self, trainer: Trainer) -> None:
        """Close the bar and say why training ended."""
        self._close()
        if trainer.stopped is not None:
            last = trainer.history[-1].epoch if trainer.history else 0
            self._say(f"stopped after epoch {last:g}: {trainer.stopped}")

    def _say(self, line: str) -> None:
        with suppress(OSError):  # a training goes on when nobody listens any more
            print(line, file=self.stream, flush=True)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _shown(measures: dict[str, float]) -> str:
    """Measures in one line, the loss first."""
    digits = {name: 4 if name == "loss" else 3 for name in measures}
    return ", ".join(f"{name.replace('_', ' ')} {value:.{digits[name]}f}" for name, value in measures.items())
