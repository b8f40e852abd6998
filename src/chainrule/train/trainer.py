"""The trainer: a loop over epochs and mini-batches, and observers that look on at the end of each epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from chainrule.data import Batch, Ragged, batches
from chainrule.errors import DivergenceError
from chainrule.graph.autodiff import gradients
from chainrule.graph.spec import INT64, Array, Spec, spec_of
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.models import TextClassifier
from chainrule.native.compile import Compiled, compile
from chainrule.nn import cross_entropy
from chainrule.optim import State
from chainrule.random import Key, generator
from chainrule.train.metrics import measure


@dataclass(frozen=True)
class Examples:
    """Encoded texts and their classes."""

    bags: Ragged
    classes: Array


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to. Losses are in nats, accuracies between 0 and 1."""

    epoch: int
    step: int
    train_loss: float
    train_accuracy: float
    valid_loss: float
    valid_accuracy: float
    valid_macro_f1: float
    learning_rate: float
    seconds: float
    examples_per_second: float

    def as_line(self) -> dict[str, Any]:
        """The line of the record."""
        return {"kind": "epoch", **asdict(self)}


class Observer:
    """What looks on at a training; each method is told the trainer and may set `trainer.stopped`."""

    def training_started(self, trainer: Trainer) -> None:
        """Before the first epoch, also of a training that goes on."""

    def batch_ended(self, trainer: Trainer, examples: int, loss: float, correct: int) -> None:
        """After each step: the size of the batch, its mean loss, and how many were classified right."""

    def epoch_ended(self, trainer: Trainer, epoch: Epoch) -> None:
        """After each epoch's validation."""

    def training_ended(self, trainer: Trainer) -> None:
        """After the last epoch, however training ended."""


class Trainer:
    """One training of one classifier with one seed.

    Attributes:
        model: the classifier in training.
        history: the epochs so far.
        best: the epoch with the lowest validation loss so far, and the weights it left.
        state: the optimizer's.
        eager: whether steps and validation run block by block on NumPy instead of compiled.
        threads: that may work on a compiled step.
        equations: a step on arrays.
        stopped: why training is to end after this epoch; None while it goes on.
    """

    def __init__(
        self,
        model: TextClassifier,
        train: Examples,
        valid: Examples,
        *,
        seed: int,
        observers: Sequence[Observer] = (),
        eager: bool = False,
        threads: int | None = None,
    ) -> None:
        self.model = model
        self.train = train
        self.valid = valid
        self.seed = seed
        self.observers = observers
        self.eager = eager
        self.threads = threads
        self.parameters = model.network.parameters()
        self.optimizer = model.learner.make_optimizer()
        self.state: State = self.optimizer.start(self.parameters)
        self.equations: Callable[..., tuple[Tensor, Tensor]] = self._step if eager else self._compiled()
        self.history: list[Epoch] = []
        self.best: tuple[Epoch, list[Array]] | None = None
        self.stopped: str | None = None

    def run(self) -> None:
        """Train until the epochs are over or an observer, or the user with Ctrl-C, says to stop.

        Raises:
            DivergenceError: when the loss is no longer a finite number; the best weights so far are kept.
        """
        for observer in self.observers:
            observer.training_started(self)
        try:
            while self.stopped is None and len(self.history) < self.model.learner.epochs:
                epoch = self.run_epoch()
                self.history.append(epoch)
                for observer in self.observers:
                    observer.epoch_ended(self, epoch)
            self.stopped = self.stopped or "all epochs done"
        except KeyboardInterrupt:
            self.stopped = "interrupted"
        except DivergenceError as error:
            self.stopped = str(error)
            raise
        finally:
            for observer in self.observers:
                observer.training_ended(self)

    def run_epoch(self) -> Epoch:
        """One pass over the training examples in a fresh seeded order, and validation."""
        number = len(self.history) + 1
        started = time.perf_counter()
        loss_sum, correct = 0.0, 0
        shuffle = generator(self.seed, "shuffle", number)
        for batch in batches(self.train.bags, None, self.model.learner.batch_size, generator=shuffle):
            loss, right = self.step(batch, number)
            loss_sum += loss * len(batch)
            correct += right
            for observer in self.observers:
                observer.batch_ended(self, len(batch), loss, right)
        seconds = time.perf_counter() - started
        examples = len(self.train.bags)
        probabilities = self.model.probabilities(self.valid.bags, eager=self.eager)
        measured = measure(self.model.labels, self.valid.classes, probabilities)
        return Epoch(
            epoch=number,
            step=self.state.step,
            train_loss=loss_sum / examples,
            train_accuracy=correct / examples,
            valid_loss=self._finite(measured.loss, "validation loss", f"after step {self.state.step} (epoch {number})"),
            valid_accuracy=measured.accuracy,
            valid_macro_f1=measured.macro_f1,
            learning_rate=self.optimizer.learning_rate,
            seconds=seconds,
            examples_per_second=examples / seconds,
        )

    def step(self, batch: Batch, epoch: int) -> tuple[float, int]:
        """Forward, backward and update on one mini-batch; its mean loss and how many were classified right."""
        number = self.state.step
        classes = self.train.classes[batch.rows]
        words = Key.of(self.seed, number).words
        loss, logits = self.equations(batch.bags.ids, batch.bags.offsets, classes, words)
        value = self._finite(loss.item(), "loss", f"at step {number + 1} (epoch {epoch})")
        return value, int((logits.numpy().argmax(axis=1) == classes).sum())

    def _compiled(self) -> Compiled[tuple[Tensor, Tensor]]:
        """The step compiled, and traced for the smallest and the largest mini-batches that any order can give."""
        step = compile(self._step, ragged=True, threads=self.threads)
        lengths = np.sort(self.train.bags.lengths)
        size = min(self.model.learner.batch_size, len(lengths))
        last = len(lengths) % size
        smallest = last if last > 1 else size
        for held in (lengths[:smallest], lengths[-size:], lengths[len(lengths) // 2 :][:size]):
            ids, rows = Spec((int(held.sum()),), self.train.bags.ids.dtype), len(held)
            step.trace_for(ids, Spec((rows + 1,), INT64), Spec((rows,), INT64), spec_of(Key.of(self.seed).words))
        return step

    def _step(
        self, ids: TensorLike, offsets: TensorLike, classes: TensorLike, words: TensorLike
    ) -> tuple[Tensor, Tensor]:
        """The equations of a step: the loss and the logits it came from; parameters are updated."""
        logits = self.model.network(ids, offsets, key=Key(words))
        loss = cross_entropy(logits, classes)
        self.optimizer.step(self.parameters, gradients(loss, self.parameters), self.state)
        return loss, logits

    def keep_best(self) -> None:
        """Remember the weights as they are now, as those of the last epoch."""
        self.best = (self.history[-1], [np.array(x.numpy()) for x in self.parameters])

    def restore_best(self) -> Epoch | None:
        """Give the model its best weights; the epoch they are from, or None when no epoch was finished."""
        if self.best is None:
            return None
        for parameter, weights in zip(self.parameters, self.best[1], strict=True):
            parameter.assign(weights)
        return self.best[0]

    def _finite(self, value: float, what: str, when: str) -> float:
        if not math.isfinite(value):
            raise DivergenceError(
                f"the {what} became {value} {when}; lower the learning rate, which is {self.optimizer.learning_rate:g}"
            )
        return value
