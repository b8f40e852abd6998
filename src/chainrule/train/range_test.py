"""The learning-rate range test: which learning rate suits, from one short training at rates that rise.

The learning rate rises exponentially from step to step. As long as it is too small, the loss stays where it began; then
it falls, and where the rate is too large it rises again. What is suggested is the rate at which three fifths of the
fall are done: there the loss has fallen fastest, and where a curve crosses a level is found more surely than where it
is steepest.
The fall is counted from what the best constant answer reaches: down to there biases alone bring the loss, at rates at
which nothing else is learned yet. Where labels are rare, that is most of the way.

Source: Smith, Cyclical Learning Rates for Training Neural Networks (2017), section 3.3. Deviations: the rate rises
exponentially, as the range is not known; the curve is smoothed by medians; constant answers are taken into account;
and the suggestion is one rate, not a range.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from chainrule.data import Examples, Table
from chainrule.dataclasses import dataclass
from chainrule.engines import engine_named
from chainrule.errors import ConfigurationError, DivergenceError
from chainrule.graph.spec import Array
from chainrule.models import Learner, Model
from chainrule.native.threads import thread_count
from chainrule.optim import Schedule
from chainrule.random import generator
from chainrule.settings import setting
from chainrule.tasks import Classify, Task
from chainrule.train.trainer import Trainer
from chainrule.train.training import Training

#: The rates that are tried, and in how many steps, at most.
LOWEST, HIGHEST, STEPS = 1e-7, 100.0, 450
#: Of fewer steps no curve can be read.
FEWEST = 30
#: The test ends where the median of the last so many losses is so many times that of the first ones.
LAST, DIVERGED = 9, 2.0
#: Losses at the beginning of a curve that are taken together, and the share of a curve that a median is over.
FIRST, WINDOW = 20, 1 / 12
#: A fall is clear where it is so many times what chance makes of a median, and such a share of the loss at the start.
SURE, SHARE = 6.0, 0.03
#: The share of the fall that is done at the rate that is suggested.
DONE = 3 / 5
#: Half-way to the rate that is suggested, the fall has barely begun: no more of it is done than this, and chance.
BEGUN = 0.2


@dataclass(frozen=True, kw_only=True)
class Rising(Schedule):
    """η_t = a (b / a)^((t - 1) / (T - 1)), exponentially from one rate to another in a number of steps of its own.

    Attributes:
        lowest: a.
        highest: b.
        length: T.

    Example:
        >>> [round(Rising(lowest=0.01, highest=1.0, length=3).factor(step, 3), 3) for step in (1, 2, 3)]
        [0.01, 0.1, 1.0]
    """

    name: ClassVar[str] = "rising"

    lowest: float = setting(LOWEST, "learning rate of the first step", above=0)
    highest: float = setting(HIGHEST, "learning rate of the last step", above=0)
    length: int = setting(STEPS, "steps from the lowest to the highest", least=2)

    def factor(self, step: int, steps: int) -> float:  # noqa: ARG002
        """The equation above."""
        return self.lowest * math.pow(self.highest / self.lowest, min((step - 1) / (self.length - 1), 1.0))


@dataclass(frozen=True, eq=False)
class RangeTest:
    """What a range test found.

    Attributes:
        rates: of the steps, in ascending order.
        losses: of the mini-batches, before the step.
        suggestion: a learning rate; None where there is no clear range.
        reason: why it is suggested, or why nothing is.
        ended: why there were no more steps.
        seconds: that the test took.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggestion: float | None
    reason: str
    ended: str
    seconds: float

    def as_line(self) -> dict[str, Any]:
        """All of it, as JSON can hold it."""
        names = ("suggestion", "reason", "ended", "seconds")
        return {**{name: getattr(self, name) for name in names}, "rates": [*self.rates], "losses": [*self.losses]}

    @classmethod
    def of_line(cls, line: dict[str, Any]) -> RangeTest:
        """That of which `as_line` gave a line."""
        return cls(**{**line, "rates": tuple(line["rates"]), "losses": tuple(line["losses"])})

    def __str__(self) -> str:
        cost = f"{len(self.rates)} steps, {self.seconds:.1f} s"
        if self.suggestion is None:
            return f"no clear range of learning rates: {self.reason} ({cost})"
        return f"learning rate {self.suggestion:.2g}: {self.reason} ({cost})"


def find_rate(
    learner: Learner,
    table: Table,
    *,
    task: Task | None = None,
    training: Training | None = None,
    seed: int = 0,
    lowest: float = LOWEST,
    highest: float = HIGHEST,
    steps: int = STEPS,
    engine: str = "native",
    threads: int | None = None,
) -> RangeTest:
    """Which learning rate suits a learner and a table: a short training at rates that rise exponentially.

    It ends with its steps, with the data (it reads them as often as the training itself would), or where the loss
    diverges. The same arguments give the same suggestion.

    Args:
        learner: the family of networks and its settings.
        table: rows to learn from, with what is to be predicted.
        task: what is asked; None for one label a row (`Classify`).
        training: how it is trained, but for the learning rate and its schedule; None for what suits the learner.
        seed: of the initial weights, the order of examples, and dropout.
        lowest: the learning rate of the first step.
        highest: that of the last step.
        steps: from one to the other.
        engine: "native" or "eager".
        threads: that may work on a step at the same time; None for one on each processor core.

    Raises:
        ConfigurationError: for settings that do not go together, and for a range that is none.
        DataError: for a table that cannot be learned from.

    Example:
        >>> import chainrule
        >>> table = chainrule.Table.from_lists(["so good", "good fun", "so bad", "bad luck"] * 100, list("ppnn") * 100)
        >>> found = chainrule.find_rate(chainrule.BagOfWords(), table)
        >>> 0.001 < found.suggestion < 0.1
        True
    """
    task = Classify() if task is None else task
    learner.require(task.answers, task.name)
    task = task.resolved(learner.reads, learner.name)
    training = Training() if training is None else training
    model, examples = Model.untrained(learner, task, table, seed=seed)
    training = training.resolved(learner, task, examples.rows)
    running = {"engine": engine_named(engine).name, "threads": thread_count(threads)}
    return range_test(model, training, examples, seed=seed, lowest=lowest, highest=highest, steps=steps, **running)  # type: ignore[arg-type]


def range_test(
    model: Model,
    training: Training,
    examples: Examples,
    *,
    seed: int,
    engine: str,
    threads: int | None,
    lowest: float = LOWEST,
    highest: float = HIGHEST,
    steps: int = STEPS,
) -> RangeTest:
    """The range test of an untrained model, whose weights are afterwards what they were; see `find_rate`."""
    if not 0 < lowest < highest or not math.isfinite(highest):
        raise ConfigurationError(f"find_rate: expected 0 < lowest < highest, got {lowest:g} and {highest:g}")
    if getattr(training.optimizer, "searches", False):
        raise ConfigurationError("find_rate: lbfgs searches for the length of each step itself; it needs no other rate")
    if steps < FEWEST:
        raise ConfigurationError(f"find_rate: expected {FEWEST} steps or more, as no curve can be read of {steps}")
    decay = getattr(training.optimizer, "weight_decay", 0)
    if decay:  # a rate of 1 ÷ decay would leave nothing of the weights
        highest = max(min(highest, 0.5 / decay), 2 * lowest)
    started = time.perf_counter()
    passes = training.epochs or 1
    available = passes * training.steps_of_pass(examples.rows)
    rising = Rising(lowest=lowest, highest=highest, length=max(min(steps, available), 2))
    tried = replace(training.with_rate(1.0), schedule=rising)
    before = {name: np.array(x.numpy()) for name, x in model.network.changing().items()}
    trainer = Trainer(model, tried, examples, examples, seed=seed, engine=engine, threads=threads)
    rates, losses, ended = _curve(trainer, rising.length, steps)
    for name, leaf in trainer.changing.items():
        np.copyto(leaf.writable(), before[name])
    baselines = model.task.baselines(examples, model.codec)
    constant = next((model.task.loss_of(x, examples, model.codec) for x in baselines if x.measure == "loss"), None)
    suggested, reason = suggestion(rates, losses, constant)
    return RangeTest(tuple(rates), tuple(losses), suggested, reason, ended, time.perf_counter() - started)


def _curve(trainer: Trainer, length: int, steps: int) -> tuple[list[float], list[float], str]:
    """Rates and losses of the steps, and why there were no more."""
    rates: list[float] = []
    losses: list[float] = []
    sums: Counter[str] = Counter()
    for batch in _batches(trainer):
        try:
            sums.update(trainer.run_batch(batch))
        except DivergenceError:
            return rates, losses, "the loss was no longer a finite number"
        if trainer.waits:
            continue
        rates.append(trainer.rate(trainer.state.step))
        losses.append(trainer.task.measures(sums)["loss"])
        sums.clear()
        if len(losses) >= FIRST + LAST and np.median(losses[-LAST:]) > DIVERGED * np.median(losses[:FIRST]):
            return rates, losses, "the loss diverged"
        if len(losses) == length:
            break
    return rates, losses, "all rates were tried" if length == steps else "the data ended"


def _batches(trainer: Trainer) -> Iterator[Examples]:
    """Mini-batches in the order of the training's first pass, pass after pass.

    In an order of its own, a pass would begin with rows that were learned from a few steps before: their loss is lower
    because they are remembered, and the curve would fall by a step there. In the same order a row comes back as late as
    it can, when the rate that it was last learned from at is lower by as much as rates rise in a pass.
    """
    for _ in range(trainer.epochs):
        yield from trainer.shuffled(trainer.train, generator(trainer.seed, "shuffle", 1))


def suggestion(
    rates: Sequence[float], losses: Sequence[float], constant: float | None = None
) -> tuple[float | None, str]:
    """The learning rate at which three fifths of the fall of the loss are done, and why; None where no fall is clear.

    The loss is smoothed by running medians, which a spike does not move. The fall is from the median of the first
    losses to the lowest smoothed one. The rate is found by how many of the losses before that lie above that
    level, so that noise at the crossing cancels.

    Args:
        rates: of the steps, in ascending order.
        losses: of the steps.
        constant: the loss of the best constant answer, from which the fall is counted where it clearly goes below; None
            where it is not known.

    Example:
        >>> rates = [10 ** (step / 50 - 6) for step in range(300)]
        >>> losses = [1 - 1 / (1 + (0.01 / rate) ** 2) for rate in rates]
        >>> round(suggestion(rates, losses)[0], 3)
        0.013
    """
    curve = np.asarray(losses, np.float64)
    if len(curve) < FEWEST:
        return None, f"of {len(curve)} steps no curve can be read; give more rows, more epochs or smaller mini-batches"
    window = max(int(len(curve) * WINDOW), 5)
    smooth = _medians(curve, window)
    low = int(smooth.argmin())
    start = float(np.median(curve[: max(window, low // 4)]))
    fall, chance = start - smooth[low], _chance(curve[: low + 1], smooth[: low + 1], window)
    highest = math.inf
    if constant is not None and constant - smooth[low] >= max(SURE * chance, SHARE * abs(constant)):
        highest = constant
        start, fall = min(start, highest), min(fall, highest - smooth[low])
    if fall < max(SURE * chance, SHARE * abs(start)):
        return None, f"the loss is level: it falls from {start:.3g} to {smooth[low]:.3g} at most"
    above = int((smooth[: low + 1] > start - DONE * fall).sum())
    begun = min(float(np.median(curve[: window // 2])), highest) - smooth[above // 2]
    if above < window // 2 or begun > BEGUN * fall + SURE * chance:
        return None, f"the loss falls from the first step on; begin below a learning rate of {rates[0]:.2g}"
    if above >= len(curve) - 1:
        return None, f"the loss still falls at the end; go on above a learning rate of {rates[-1]:.2g}"
    fallen = f"from {start:.3g} to {smooth[low]:.3g}"
    return float(rates[above]), f"three fifths of the fall of the loss {fallen} are done there"


def _medians(curve: Array, window: int) -> Array:
    """The median of the losses around each; at the ends the curve is mirrored."""
    half = window // 2
    mirrored = np.pad(curve, half, mode="reflect")
    return np.median(np.lib.stride_tricks.sliding_window_view(mirrored, 2 * half + 1), axis=1)  # type: ignore[no-any-return]


def _chance(curve: Array, smooth: Array, window: int) -> float:
    """The standard error of a median, from how far losses lie from the smoothed curve (median absolute deviation)."""
    deviation = 1.4826 * float(np.median(np.abs(curve - smooth)))
    return 1.2533 * deviation / math.sqrt(window)
