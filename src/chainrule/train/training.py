"""Training: the settings of how a network is trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from chainrule.dataclasses import dataclass
from chainrule.engines import PRECISIONS, SINGLE
from chainrule.errors import ConfigurationError
from chainrule.models.learner import Learner, Network
from chainrule.optim import OPTIMIZERS, SCHEDULES, Optimizer, Plateau, Schedule
from chainrule.settings import SettingError, Settings, setting
from chainrule.tasks.task import Task

#: Passes over the training rows, at most, at a learning rate that does not change: early stopping ends them.
MOST_EPOCHS = 100
#: The learning rate that a range test finds (`chainrule.find_rate`).
AUTO = "auto"
#: The plain mean of weights.
MEAN = "mean"


@dataclass(frozen=True, kw_only=True)
class Training(Settings):
    """How a network is trained: settings alone.

    Attributes:
        optimizer: the update rule: a name, which stands for the settings that the learner was tuned with, or an
            optimizer such as `SGD(0.1, momentum=0.9)`; None for the one that suits learner and task.
        learning_rate: the size of a step, which goes before the optimizer's own; None for that, or, where the optimizer
            is a name, for the one that the learner was tuned with. "auto" has a range test find it before training
            (`chainrule.find_rate`).
        schedule: how the learning rate changes from step to step: a name, or a schedule such as `Linear(warmup=0.1)`;
            None for the one that suits the learner.
        clip: the largest norm of all gradients together, above which they are scaled down; None for no limit.
        clip_value: the largest value of each number of a gradient, to which it is cut before that.
        l1: λ of the penalty λ Σ |w| that is added to the loss; with `l2` the elastic net.
        l2: λ of the penalty λ / 2 Σ w² that is added to the loss.
        proximal: instead of the gradient of the L1 penalty, shrink weights after each step by η λ, so that small ones
            become 0.
        max_norm: the longest that the weights into one unit, and a row of a table, may be; None for no limit.
        average: β of an exponential moving average of the weights, or "mean" for their plain mean over the steps, which
            is validated and kept in the place of the weights themselves; None for these.
        average_from: the epoch from which on weights are averaged, from 1: `average="mean"` is then the mean over the
            last epochs.
        penalize: what `l1`, `l2` and `max_norm` are about: names or patterns; none for all parameters but biases.
        groups: what is other for some parameters: `("embeddings=0.1x", "*.bias=weight_decay:0")`; see
            `chainrule.train.grouping`.
        batch_size: rows in a mini-batch; None for all of them.
        accumulate: mini-batches whose gradients are put together for one step, as those of one mini-batch of all their
            rows; the last step of a pass has those that are left.
        epochs: passes over the training rows, at most; the learning rate of a schedule that falls is small after them.
            None for what suits the learner and the number of rows (`Learner.epochs`); with a schedule that does not
            fall by itself ("constant", "plateau"), 100.
        patience: validations without a better loss before training stops; None for what suits the learner.
        every: steps from one validation to the next; None for one at the end of each epoch.
        precision: the numbers that products of a step are made of: "float32", or with the engine xla "bfloat16", where
            parameters, sums and updates stay float32.

    Example:
        >>> Training(epochs=5, optimizer="sgd").settings()["optimizer"]
        'sgd'
    """

    optimizer: str | Optimizer | None = setting(None, "update rule", kinds=OPTIMIZERS)
    learning_rate: float | str | None = setting(
        None, "size of a step, or auto: found by a range test", above=0, word=AUTO, option="--lr", metavar="RATE"
    )
    schedule: str | Schedule | None = setting(None, "how the learning rate changes from step to step", kinds=SCHEDULES)
    clip: float | None = setting(None, "largest norm of the gradients, above which they are scaled down", above=0)
    clip_value: float | None = setting(None, "largest value of each number of a gradient", above=0)
    l1: float = setting(0.0, "penalty on the sizes of weights", least=0)
    l2: float = setting(0.0, "penalty on the squares of weights", least=0)
    proximal: bool = setting(False, "shrink weights by the L1 penalty after each step, so that small ones become 0")
    max_norm: float | None = setting(None, "longest that the weights into a unit may be", above=0)
    average: float | str | None = setting(
        None, "decay of a moving average of weights, which is kept, or mean", above=0, below=1, word=MEAN
    )
    average_from: int = setting(1, "epoch from which on weights are averaged", least=1)
    penalize: tuple[str, ...] = setting((), "parameters that l1, l2 and max-norm are about; '' for all but biases")
    groups: tuple[str, ...] = setting(
        (), "another rate, rule or setting for parameters by name", option="--groups", metavar="PATTERN=CHANGES"
    )
    batch_size: int | None = setting(64, "rows in a mini-batch; all of them for full batches", least=1, none="all")
    accumulate: int = setting(1, "mini-batches whose gradients make one step together", least=1)
    epochs: int | None = setting(None, "passes over the training rows, at most", least=1)
    patience: int | None = setting(None, "validations without a better loss before stopping", least=1)
    every: int | None = setting(None, "steps between validations; none for one each epoch", least=1)
    precision: str = setting(
        SINGLE, "numbers that products are made of; others than float32 on XLA alone", choices=PRECISIONS
    )

    def __post_init__(self) -> None:
        (declared,) = (x for x in self.declared() if x.name == "learning_rate")
        given, optimizer = declared.checked("training", self.learning_rate), self.optimizer
        rate = None if given == AUTO else given
        if isinstance(optimizer, Mapping):  # as JSON has it, beside the learning rate
            optimizer = OPTIMIZERS.make(optimizer, **({} if rate is None else {"learning_rate": rate}))
        elif isinstance(optimizer, Optimizer) and rate is not None:
            optimizer = replace(optimizer, learning_rate=rate)
        if isinstance(optimizer, Optimizer) and given != AUTO:
            object.__setattr__(self, "learning_rate", optimizer.learning_rate)
        object.__setattr__(self, "optimizer", optimizer)
        super().__post_init__()
        if self.proximal and not self.l1:
            raise SettingError("training", "proximal", "needs an l1 above 0")

    def resolved(self, learner: Learner, task: Task | None = None, rows: int | None = None) -> Training:
        """The same training with an optimizer, a learning rate, ...: what is not given is what suits the learner.

        Args:
            learner: the family of networks.
            task: what is asked; None for one label a row, as `Classify` asks.
            rows: to learn from; None leaves the number of epochs open.

        The learning rate "auto" comes out as the one that is trained with where a range test finds none.
        """
        optimizer = self.optimizer
        rate = self.learning_rate if isinstance(self.learning_rate, float) else None
        if not isinstance(optimizer, Optimizer):
            even = task is None or task.unit_gradient(getattr(task, "criterion", None))
            name = optimizer or learner.optimizer_for(unit_gradient=even)
            tuned = dict(learner.tuned.get(name, {}))
            suggested = tuned.pop("learning_rate", None)
            if suggested is not None and task is not None:
                suggested *= task.pace
            rate = suggested if rate is None else rate
            given = {} if rate is None else {"learning_rate": rate}
            optimizer = OPTIMIZERS.make({"name": name, **tuned}, **given)
        rate = optimizer.learning_rate if rate is None else rate
        patience = learner.patience if self.patience is None else self.patience
        optimizer = replace(optimizer, learning_rate=rate)
        schedule, epochs = self.schedule or learner.schedule_for(optimizer.name), self.epochs
        if not isinstance(schedule, Schedule):
            schedule = SCHEDULES.make({"name": schedule, **learner.tuned_schedules.get(schedule, {})})
        if epochs is None and rows is not None:
            epochs = MOST_EPOCHS if not schedule.falls else learner.epochs(self.steps_of_pass(rows))
        if optimizer.searches:
            self._require_search(optimizer.name)
        if self.average is not None and epochs is not None and self.average_from > epochs:
            reason = f"must be one of the epochs, {epochs} at most, for there to be an average; got {self.average_from}"
            raise SettingError("training", "average_from", reason)
        if isinstance(schedule, Plateau) and schedule.wait >= patience:
            reason = f"must be below the patience, {patience}: training would stop before the learning rate is reduced"
            raise SettingError(schedule.name, "wait", f"{reason}; got {schedule.wait}")
        return replace(
            self, optimizer=optimizer, learning_rate=rate, schedule=schedule, patience=patience, epochs=epochs
        )

    def _require_search(self, optimizer: str) -> None:
        """Refuse what does not go with an optimizer that searches.

        Raises:
            SettingError: naming it.
        """
        if self.batch_size is not None:
            reason = f"compares the loss at several places, which is of all rows then; got {self.batch_size}"
            raise SettingError(
                "training", "batch_size", f"must be all (--batch-size all) with {optimizer}, as it {reason}"
            )
        for name in ("clip", "clip_value", "proximal", "max_norm", "average"):
            if getattr(self, name):
                reason = (
                    f"does not go with {optimizer}, which follows the loss alone; leave it out, or take another rule"
                )
                raise SettingError("training", name, reason)
        if self.learning_rate == AUTO:
            raise SettingError(
                "training", "learning_rate", f"auto does not go with {optimizer}, which searches in each step"
            )

    def rows_of_batch(self, rows: int) -> int:
        """Rows in a mini-batch of so many rows to learn from."""
        return rows if self.batch_size is None else self.batch_size

    def steps_of_pass(self, rows: int) -> int:
        """Steps in a pass over so many rows to learn from."""
        return math.ceil(rows / (self.rows_of_batch(rows) * self.accumulate))

    def require_rows(self, rows: int, network: Network) -> None:
        """Refuse a batch size that leaves a last mini-batch of fewer rows than a layer takes in training.

        Raises:
            ConfigurationError: naming the layer, and a batch size that leaves more.
        """
        size = min(self.rows_of_batch(rows), rows)
        for path, layer in network.named_layers().items():
            least, last = layer.least_rows, rows % size or size
            if last < least:
                fitting = (other for other in range(size + 1, rows + 1) if rows % other == 0 or rows % other >= least)
                advice = f"take another, such as {next(fitting)}" if rows >= least else "give more rows"
                raise ConfigurationError(
                    f"batch_size: of {rows:,} training rows, mini-batches of {size:,} leave a last one of {last}, and "
                    f"{layer!r} ({path}) takes {least} or more in training, as fewer have no variance; {advice}"
                )

    def with_rate(self, rate: float) -> Training:
        """The same training, resolved, with another learning rate."""
        return replace(self, optimizer=replace(self.optimizer, learning_rate=rate), learning_rate=rate)  # type: ignore[type-var]

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step, from 1, of so many."""
        if not isinstance(self.learning_rate, float) or not isinstance(self.schedule, Schedule):
            raise ConfigurationError("training: has no learning rate yet; resolved(learner) gives it one")
        return self.learning_rate * self.schedule.factor(step, steps)
