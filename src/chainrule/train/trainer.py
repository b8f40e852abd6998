"""The trainer: a loop over mini-batches, and observers that look on. It knows no task and no learner in particular."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import chain, islice
from typing import Any

import numpy as np

from chainrule.data import Examples
from chainrule.engines import engine_named
from chainrule.errors import ConfigurationError, DivergenceError
from chainrule.graph.autodiff import gradients
from chainrule.graph.leaves import Mutable
from chainrule.graph.sparse import RowSparse
from chainrule.graph.spec import Array, spec_of
from chainrule.graph.tensor import Tensor
from chainrule.models import Model
from chainrule.optim import Accumulation, Averages, Optimizer, Schedule, State
from chainrule.random import Key, generator
from chainrule.tasks.task import LOSS_WEIGHT
from chainrule.train.carrying import carried_by, outputs_of
from chainrule.train.epoch import Epoch as Epoch
from chainrule.train.epoch import Position as Position
from chainrule.train.grouping import grouped
from chainrule.train.observer import Observer as Observer
from chainrule.train.regularization import Regularization
from chainrule.train.searching import Searching
from chainrule.train.sums import Pace, Sums
from chainrule.train.training import Training


class Trainer:
    """One training of one model with one seed.

    Attributes:
        model: the model in training.
        training: its settings, with optimizer and learning rate.
        history: the epochs so far.
        scale: what the learning rate is multiplied by, for all that these say.
        best: the epoch with the lowest loss in validation so far, and the weights it left.
        batch_size: rows in a mini-batch.
        batches, taken: mini-batches in a pass over the training examples, and so far.
        patience: validations without a better loss before training stops.
        epochs: passes over the training examples, at most.
        changing: what steps change, by name: the parameters, and running means and variances.
        averages: of the weights; None where they are not kept.
        accumulation: of gradients; None where each mini-batch is a step.
        carried: states that the rows of a mini-batch go on from; None where they begin anew.
        groups: of parameters; all in one, unless the settings say otherwise.
        states: of the optimizer of each group.
        position: where in the data it is.
        native_step: a step on the arrays of a mini-batch, as the engine runs it.
        native_wait: the same of a mini-batch whose gradients wait for others; None where none does.
        stopped: why training ends; None while it goes on.
        divergence: the error that ended it, where the loss was no longer a finite number.
        responses: of the model to the validation examples, when it was last asked.
    """

    def __init__(
        self,
        model: Model,
        training: Training,
        train: Examples,
        valid: Examples,
        *,
        seed: int,
        observers: Sequence[Observer] = (),
        engine: str = "native",
        threads: int | None = None,
    ) -> None:
        self.model = model
        self.task = model.task
        self.training = training.resolved(model.learner, model.task, train.rows)
        self.training.require_rows(train.rows, model.network)
        self.train, self.valid = train, valid
        self.seed = seed
        self.observers = observers
        self.engine = engine
        self.named_parameters = model.network.named_parameters()
        self.parameters = list(self.named_parameters.values())
        self.changing = model.network.changing()
        self.optimizer: Optimizer = self.training.optimizer  # type: ignore[assignment]  # resolved
        self.batch_size = self.training.rows_of_batch(train.rows)
        self.batches = math.ceil(train.rows / self.batch_size)
        self.taken = 0
        self.patience: int = self.training.patience or 1  # resolved
        self.epochs: int = self.training.epochs or 1  # resolved
        self.groups = grouped((*model.network.groups(), *self.training.groups), self.optimizer, self.named_parameters)
        self.regularization = Regularization(self.training, self.named_parameters)
        decay = self.training.average if isinstance(self.training.average, float) else None
        self.averages = None if self.training.average is None else Averages(self.parameters, decay)
        self.members = [[self.named_parameters[name] for name in group.names] for group in self.groups]
        self.states = [group.optimizer.start(held) for group, held in zip(self.groups, self.members, strict=True)]
        self.accumulation = self._accumulation()
        self.carried = carried_by(model.network, train, self.batch_size, searches=self.optimizer.searches)
        #: What the mean loss of the mini-batch that comes is over, but for weights of rows.
        self._weight = Mutable.of(np.zeros(()), dtype="float64", name="weight")
        self.position = Position()
        self.history: list[Epoch] = []
        self.scale = 1.0
        self.best: tuple[Epoch, dict[str, Array]] | None = None
        self.stopped: str | None = None
        self.divergence: DivergenceError | None = None
        self._pace = Pace(later=engine_named(engine).later)
        self.responses: Array | None = None
        self._pending: Iterator[Examples] | None = None
        self._served = True
        self._averaging: bool | None = None
        self._threads = threads
        self.sums: tuple[str, ...] = ()
        self._names = tuple(train.slice(0, 1).arrays())
        self._source = engine_named(engine).source(train)
        self.native_step: Callable[..., Any]
        self._choose_step()
        self.native_wait = None if self.accumulation is None else self.compiled(self._wait)

    def run(self) -> None:
        """Train until the epochs are over or an observer, or the user with Ctrl-C, says to stop.

        Raises:
            DivergenceError: when the loss is no longer a finite number; the best weights so far are kept.
        """
        self.observers = sorted(self.observers, key=lambda observer: observer.turn)
        try:
            for observer in self.observers:
                observer.training_started(self)
            with self._pace:
                while self.stopped is None and self.position.passes < self.epochs:
                    if (epoch := self.run_epoch()) is None:
                        break
                    self.history.append(epoch)
                    self.rescale()
                    for observer in self.observers:
                        self.stopped = observer.epoch_ended(self, epoch) or self.stopped
            self.stopped = self.stopped or "all epochs done"
        except KeyboardInterrupt:
            self.stopped = "interrupted"
        except DivergenceError as error:
            self.stopped, self.divergence = str(error), error
            raise
        finally:
            try:
                self._tell_end()
            except KeyboardInterrupt:  # what there is to write down is written first
                self._tell_end()
                raise

    def _tell_end(self) -> None:
        for observer in self.observers:
            observer.training_ended(self)

    def run_epoch(self) -> Epoch | None:
        """Steps until the next validation is due, and that; None when no step is left."""
        position = self.position
        while position.steps != self.training.every:
            started = time.perf_counter()
            batch = self._next_batch()
            if batch is None:  # a pass has ended
                position.passes, position.batches, position.read = position.passes + 1, 0, 0
                if self.training.every is None or position.passes == self.epochs:
                    break
                continue
            sums = self.run_batch(batch)
            position.advance(batch.rows, sums, time.perf_counter() - started, stepped=not self.waits)
            self._served = True
            for observer in self.observers:
                observer.batch_ended(self, batch, sums)
        if not position.steps:
            return None
        epoch = Epoch(
            number=len(self.history) + 1,
            epoch=self.passes,
            step=self.state.step,
            train=self.task.measures(position.settled().sums),
            valid=self.validate(),
            learning_rate=self.rate(self.state.step),
            seconds=position.seconds,
            examples_per_second=position.rows / position.seconds,
            observed=position.observed,
        )
        position.begin()
        return epoch

    def _averaged(self) -> AbstractContextManager[None]:
        """The weights are their averages meanwhile, where these are kept."""
        averages = self.averages
        return nullcontext() if averages is None or not averages.count.item() else averages.swapped()

    def _next_batch(self) -> Examples | None:
        """The mini-batch at the position, in the seeded order of the pass; None at its end."""
        if self._pending is None or not self._served:  # at the start of a pass, resumed, or interrupted
            self.model.network.pass_begins(self.position.passes)
            self._choose_step()
            shuffle = generator(self.seed, "shuffle", self.position.passes + 1)
            in_order = self.optimizer.searches  # where all rows are compared with all rows
            pending = iter([self.train]) if in_order else self.shuffled(self.train, shuffle)
            self._pending = islice(pending, self.position.batches, None)
        self._served = False
        batch = next(self._pending, None)
        if batch is None:
            self._pending = None
        return batch

    def shuffled(self, examples: Examples, generator: np.random.Generator) -> Iterator[Examples]:
        """Mini-batches of one pass over examples, as they are trained on."""
        return self.task.batches(examples, self.batch_size, generator, by_length=self.model.learner.by_length)

    def _choose_step(self) -> None:
        """The step of a pass: one that averages weights is another one than those before."""
        averaging = self.averages is not None and self.position.passes + 1 >= self.training.average_from
        if averaging != self._averaging:
            self._averaging = averaging
            self.native_step = Searching(self) if self.optimizer.searches else self.compiled(self._step)

    @property
    def passes(self) -> float:
        """Passes over the training examples so far, a whole number at the end of one."""
        passes = self.position.passes + self.position.read / self.train.rows
        return int(passes) if passes == int(passes) else round(passes, 4)

    def rescale(self) -> None:
        """Find out what the learning rate is multiplied by after the validations so far."""
        schedule, monitor = self.training.schedule, self.task.monitor
        if isinstance(schedule, Schedule):
            self.scale = schedule.scale([epoch.valid[monitor] for epoch in self.history])

    @property
    def state(self) -> State:
        """What the optimizer remembers; of several groups, that of the first: all have taken as many steps."""
        return self.states[0]

    def rate(self, step: int, share: float = 1.0) -> float:
        """The learning rate of a step, from 1, times a group's share of it."""
        steps = self.epochs * self.training.steps_of_pass(self.train.rows)
        return share * self.training.rate(step, steps) * self.scale

    def validate(self) -> dict[str, float]:
        """The measures of the validation examples and what these decide, by averages of weights where they are kept."""
        with self._averaged():
            self.responses = self.model.responses(self.valid, engine=self.engine)
        chosen = self.task.chosen(self.responses, self.valid)
        evaluation = self.task.settled(chosen).evaluate(self.responses, self.valid, self.model.codec)
        when = f"after step {self.state.step} (epoch {self.passes:g})"
        self._finite(getattr(evaluation, self.task.monitor), f"validation {self.task.monitor}", when)
        return {**{name: getattr(evaluation, name) for name in self.task.watched}, **chosen}

    def run_batch(self, batch: Examples) -> Sums:
        """Forward, backward and, unless its gradients wait for others, update on one mini-batch: its sums.

        Raises:
            DivergenceError: when the loss of this mini-batch, or of one before that was not read yet, is not finite.
        """
        step, weight, words = self.state.step + 1, self.task.weight(batch), Key.of(self.seed, self.taken).words
        self.taken += 1
        self.regularization.before_step(self.rate, step)
        if self.accumulation is not None:
            self._weight.assign(weight)
        run = self.native_wait if self.waits and self.native_wait is not None else self.native_step
        arrays, chosen = batch.arrays(), self._source and self._source.chosen(batch)
        loss, *found = run(*[arrays[name] for name in self._names], words, **({"chosen": chosen} if chosen else {}))
        when = f"at step {step} (epoch {self.position.passes + 1})"
        require = functools.partial(self._finite, what="loss", when=when, batch=self.taken)
        return self._pace.begun(Sums(weight, loss, dict(zip(self.sums, found, strict=True)), require))

    @property
    def waits(self) -> bool:
        """Whether the gradients of the last mini-batch wait for those of others, with which they make a step."""
        return self.taken % self.batches % self.training.accumulate != 0

    def _accumulation(self) -> Accumulation | None:
        if self.training.accumulate == 1:
            return None
        if any(group.optimizer.lazy for group in self.groups):
            raise ConfigurationError(
                "accumulate: gradients of several mini-batches are put together, and lazy updates are of the rows that "
                "one reads; leave one of both out"
            )
        return Accumulation(list(chain.from_iterable(self.members)))

    def loss_of(self, leaves: Sequence[Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a mini-batch and the task's sums."""
        *arrays, words = leaves
        loss, sums = self.loss(dict(zip(self._names, arrays, strict=True)), Key(words))
        self.sums = tuple(sums)
        return loss, sums

    def loss(self, batch: Mapping[str, Tensor], key: Key) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of the arrays of a mini-batch in training, and the task's sums.

        Where the network mixes two examples, these are mixtures, too: λ L(y) + (1 - λ) L(y[π]).
        """
        network, reads = self.model.network, self.model.reads.arrays
        outputs = outputs_of(network, batch, reads, key, self.carried)
        loss, sums = self.task.loss(outputs, batch, self.model.codec)
        mixture = network.mixture(outputs.shape[0], key)
        if mixture is None:
            return loss, sums
        others = {name: x if name in reads else mixture.other(x) for name, x in batch.items()}
        other, counts = self.task.loss(outputs, others, self.model.codec)
        mixed = {name: mixture.between(x, counts[name]) for name, x in sums.items() if name != LOSS_WEIGHT}
        return mixture.between(loss, other), {**sums, **mixed}

    def _wait(self, *leaves: Tensor) -> list[Tensor]:
        """The equations of a mini-batch that is not the last one of its step: its gradients are kept."""
        loss, sums = self.loss_of(leaves)
        if self.accumulation is not None:
            found = gradients(loss, list(chain.from_iterable(self.members)))
            self.accumulation.add(found, sums.get(LOSS_WEIGHT, self._weight).astype("float64"))
        return [loss, *sums.values()]

    def _step(self, *leaves: Tensor) -> list[Tensor]:
        """The equations of a step: the loss and the task's sums; parameters are updated."""
        loss, sums = self.loss_of(leaves)
        trained = list(chain.from_iterable(self.members))
        regularization, accumulation = self.regularization, self.accumulation
        if accumulation is None:
            found: Sequence[Tensor | RowSparse] = gradients(regularization.penalized(loss), trained)
            by_rows = [isinstance(gradient, RowSparse) for gradient in found]
        else:
            weight = sums.get(LOSS_WEIGHT, self._weight).astype("float64")
            part = loss * accumulation.part(weight).astype(loss.dtype)
            by_rows = [isinstance(gradient, RowSparse) for gradient in gradients(loss, trained)]
            found = accumulation.completed(gradients(regularization.penalized(part), trained), weight)
        found = regularization.clipped(found)
        rest = iter(found)
        for group, members, state in zip(self.groups, self.members, self.states, strict=True):
            rate = functools.partial(self.rate, share=group.share)
            group.optimizer.step(members, list(islice(rest, len(members))), state, learning_rate=rate)
        shares = {name: group.share for group in self.groups for name in group.names}
        tables = [name for name, sparse in zip(shares, by_rows, strict=True) if sparse]
        regularization.after_step(shares, tables)
        if self._averaging and self.averages is not None:
            self.averages.update()
        return [loss, *sums.values()]

    def compiled(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """A step as the engine runs it, prepared for the smallest and largest mini-batches that an order can give."""
        words = spec_of(Key.of(self.seed).words)
        expected = [[*map(spec_of, arrays.values()), words] for arrays in self.train.extremes(self.batch_size)]
        sizes = [*self.train.sizes(fixed_rows=True).values(), None]
        return engine_named(self.engine).compile(
            step,
            ragged=self.train.ragged,
            threads=self._threads,
            expected=expected,
            sizes=sizes,
            precision=self.training.precision,
        )

    def use_threads(self, threads: int) -> None:
        """Have so many threads work on the steps that come; the weights are the same, bit for bit."""
        if threads != self._threads:
            self._threads = threads
            for step in (self.native_step, self.native_wait):
                getattr(step, "use_threads", lambda _: None)(threads)

    def cost(self, batch: Examples) -> str | None:
        """What a step on a mini-batch computes and moves, in words; None where the engine does not know."""
        arrays = batch.arrays()
        specs = [spec_of(arrays[name]) for name in self._names]
        count = getattr(self.native_step, "cost", None)
        return None if count is None else str(count(*specs, spec_of(Key.of(self.seed).words)))

    def keep_best(self) -> None:
        """Remember the weights as they are now, as those of the last epoch, in the memory of those before."""
        kept = self.best[1] if self.best else {k: np.empty(x.shape, x.dtype) for k, x in self.changing.items()}
        try:
            self._keep(kept)
        except KeyboardInterrupt:  # weights of two epochs together would be no model
            self._keep(kept)
            raise

    def _keep(self, kept: dict[str, Array]) -> None:
        self.best = None
        with self._averaged():
            for name, leaf in self.changing.items():
                np.copyto(kept[name], leaf.numpy())
        self.best = (self.history[-1], kept)

    def restore_best(self) -> Epoch | None:
        """Give the model its best weights; the epoch they are from, or None when no epoch was finished."""
        if self.best is None:
            return None
        for name, leaf in self.changing.items():
            np.copyto(leaf.writable(), self.best[1][name])
        return self.best[0]

    def _finite(self, value: float, what: str, when: str, batch: int | None = None) -> None:
        if not math.isfinite(value):
            error = DivergenceError(
                f"the {what} became {value} {when}; lower the learning rate, which is {self.optimizer.learning_rate:g}"
            )
            error.batch = batch
            raise error
