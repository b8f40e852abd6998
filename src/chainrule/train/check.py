"""Checks before training: what experts look at before they spend time on it, in a few seconds.

Each check is a fact of the network, the loss and the rows, that a training cannot do without: it says in a sentence
what was found, and whether it is as it should be.

Source: Karpathy, A Recipe for Training Neural Networks (2019), for the list.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from chainrule.data import Examples, Table
from chainrule.dataclasses import dataclass
from chainrule.errors import DivergenceError, GradientError
from chainrule.graph.autodiff import gradients
from chainrule.graph.conversion import tensor
from chainrule.graph.sparse import RowSparse
from chainrule.graph.spec import Array
from chainrule.models import Learner, Model
from chainrule.optim.schedules import Constant
from chainrule.random import generator
from chainrule.tasks import Classify, Task
from chainrule.tasks.task import Baseline
from chainrule.train.trainer import Trainer
from chainrule.train.training import Training

#: Rows of the mini-batch that checks are made with, and of the one that is overfitted; and steps for that.
ROWS, FEW, STEPS = 64, 4, 500
#: Rows that the network and the baseline are compared on, and steps before that.
COMPARED, LEARNED = 1024, 60
#: The loss at the start is near that of the baseline where it is below so many times that, and answers are calibrated
#: where they are no surer than this.
NEAR, SURE = 1.6, 0.9
#: A network has learned something from the rows where its loss is below such a part of that of the baseline.
BETTER = 0.98
#: Rounding: how far numbers may differ, relative to the largest.
ROUNDING = 1e-3
#: The loss of the mini-batch that is overfitted falls to such a part of what it was.
OVERFITTED = 0.1


@dataclass(frozen=True)
class Check:
    """What a check found.

    Attributes:
        name: of what was checked.
        passed: whether it is as it should be.
        sentence: what was found; where it is not as it should be, what to do.
    """

    name: str
    passed: bool
    sentence: str


class _Subject:
    """What is checked: an untrained model, its examples, and how it would be trained."""

    def __init__(self, model: Model, training: Training, examples: Examples, seed: int) -> None:
        self.model, self.examples, self.seed = model, examples, seed
        self.training = replace(training, accumulate=1)  # each mini-batch is looked at by itself
        order = generator(seed, "check").permutation(examples.rows)
        self.batch = examples.take(order[:ROWS])
        self.few = examples.take(order[:FEW])
        self.compared = examples.take(order[:COMPARED])
        self.before = {name: np.array(x.numpy()) for name, x in model.network.changing().items()}

    def outputs(self, batch: Examples) -> Array:
        """Of the network as it evaluates."""
        arrays = batch.arrays()
        return self.model.network(*[tensor(arrays[name]) for name in self.model.reads.arrays]).numpy()

    def loss(self, batch: Examples) -> float:
        """The mean loss of the task over rows."""
        evaluation = self.model.task.evaluate(self.responses(batch), batch, self.model.codec)
        return float(evaluation.measures["loss"])

    def responses(self, batch: Examples) -> Array:
        """What the outputs of the network mean."""
        arrays = {name: tensor(array) for name, array in batch.arrays().items()}
        return self.model.task.response(tensor(self.outputs(batch)), arrays).numpy()

    def baseline(self) -> Baseline | None:
        """The best answer by its loss that needs no look at a row."""
        held = self.model.task.baselines(self.examples, self.model.codec)
        return next((each for each in held if each.measure == "loss"), None)

    def trained(self, rows: Examples, batch_size: int, steps: int) -> float:
        """The loss on rows after so many steps on them."""
        training = replace(self.training, batch_size=batch_size, schedule=Constant(), l1=0.0, l2=0.0, max_norm=None)
        trainer = Trainer(self.model, training, rows, rows, seed=self.seed, engine="native", threads=1)
        left = steps
        while left > 0:
            for each in trainer.shuffled(rows, generator(self.seed, "check", left)):
                trainer.run_batch(each)
                left -= 1
                if not left:
                    break
        return self.loss(rows)

    def restore(self) -> None:
        """The weights are what they were."""
        for name, leaf in self.model.network.changing().items():
            np.copyto(leaf.writable(), self.before[name])


def loss_at_start(subject: _Subject) -> Check:
    """The loss of initial weights is near that of the baseline: ln C for C labels."""
    name, found, baseline = "loss at the start", subject.loss(subject.batch), subject.baseline()
    if baseline is None:
        return Check(name, math.isfinite(found), f"it is {found:.4g}; the task has no baseline to compare it with")
    expected = subject.model.task.loss_of(baseline, subject.batch, subject.model.codec)
    passed = math.isfinite(found) and found <= NEAR * expected + ROUNDING
    labels = len(getattr(subject.model.codec.targets, "names", ()))
    chance = f" (ln {labels} is {math.log(labels):.3g})" if labels > 1 else ""
    what = "near" if passed else "far above"
    todo = "" if passed else "; take smaller initial weights, or scale the inputs"
    return Check(name, passed, f"it is {found:.4g}, {what} the {expected:.4g} of {baseline.answer}{chance}{todo}")


def calibration_at_start(subject: _Subject) -> Check | None:
    """Initial weights are not sure of any answer."""
    found = subject.model.task.certainty(subject.responses(subject.batch))
    if found is None:
        return None
    sure = float(found.mean())
    todo = "" if sure < SURE else ", before anything is learned; take smaller initial weights, or scale the inputs"
    said = f"the surest answer to a row has a probability of {sure:.2f} on average{todo}"
    return Check("calibration at the start", sure < SURE, said)


def rows_alone_forward(subject: _Subject) -> Check:
    """The outputs of a row are the same whichever rows are beside it."""
    together = subject.outputs(subject.few)
    alone = np.concatenate([subject.outputs(subject.few.slice(i, i + 1)) for i in range(subject.few.rows)])
    return _independent("rows independent, forward", together, alone, "what a row gives depends on the rows beside it")


def rows_alone_backward(subject: _Subject) -> Check:
    """The gradient of one row's output is 0 for the inputs of all others.

    Inputs may be ids, which have no gradient, so it is the gradients of parameters that are compared: those of a row's
    outputs in a mini-batch and alone.
    """
    parameters = subject.model.network.parameters()
    arrays = subject.few.arrays()
    outputs = subject.model.network(*[tensor(arrays[name]) for name in subject.model.reads.arrays])
    row = subject.few.slice(0, 1).arrays()
    single = subject.model.network(*[tensor(row[name]) for name in subject.model.reads.arrays])
    pairs = [gradients(each.sum(), parameters, unused="zeros") for each in (outputs[: single.shape[0]], single)]
    together, alone = (np.concatenate([_flat(x) for x in found]) for found in pairs)
    return _independent(
        "rows independent, backward", together, alone, "a gradient of a row depends on the rows beside it"
    )


def every_parameter_learns(subject: _Subject) -> Check:
    """Every parameter has a gradient that is a number, and not 0 everywhere, after a step."""
    batch, seed = subject.batch, subject.seed
    with suppress(GradientError):  # of a parameter that no path leads to, which is found below
        trainer = Trainer(subject.model, subject.training, subject.examples, batch, seed=seed, engine="eager")
        trainer.run_batch(batch)  # layers that start at zero keep the gradients of those before them at zero
    names = subject.model.network.named_parameters()
    arrays = {name: tensor(array) for name, array in subject.batch.arrays().items()}
    outputs = subject.model.network(*[arrays[name] for name in subject.model.reads.arrays])
    loss, _ = subject.model.task.loss(outputs, arrays, subject.model.codec)
    found = dict(zip(names, gradients(loss, list(names.values()), unused="zeros"), strict=True))
    idle = [name for name, x in found.items() if not _flat(x).any() or not np.isfinite(_flat(x)).all()]
    shown = ", ".join(idle[:5])
    sentence = f"{shown} of {len(names)} parameters: look at how it enters the outputs" if idle else f"{len(names)} do"
    return Check("every parameter has a gradient", not idle, f"none has {sentence}" if idle else sentence)


def better_than_no_look(subject: _Subject) -> Check | None:
    """After some steps the network is better than the best answer that needs no look at a row."""
    baseline = subject.baseline()
    if baseline is None:
        return None
    rows = subject.compared.rows
    found = subject.trained(subject.compared, min(subject.training.rows_of_batch(rows), rows), LEARNED)
    expected = subject.model.task.loss_of(baseline, subject.compared, subject.model.codec)
    passed = found < BETTER * expected
    what = "below" if passed else "hardly below"
    todo = "" if passed else "; check that the inputs tell the labels, and the learning rate (chainrule find-rate)"
    said = f"after {LEARNED} steps the loss is {found:.4g}, {what} the {expected:.4g} of {baseline.answer}{todo}"
    return Check("better than without a look at rows", passed, said)


def one_batch_overfitted(subject: _Subject) -> Check:
    """The network learns a few rows by heart."""
    start = max(subject.loss(subject.few), 1e-9)
    found = subject.trained(subject.few, subject.few.rows, STEPS)
    passed = found < OVERFITTED * start
    todo = "" if passed else "; another learning rate (chainrule find-rate), a larger network or less dropout help"
    said = f"in {STEPS} steps on {subject.few.rows} rows the loss falls from {start:.4g} to {found:.4g}{todo}"
    return Check("one mini-batch overfitted", passed, said)


CHECKS: Sequence[Callable[[_Subject], Check | None]] = (
    loss_at_start,
    calibration_at_start,
    rows_alone_forward,
    rows_alone_backward,
    every_parameter_learns,
    better_than_no_look,
    one_batch_overfitted,
)


def check(
    learner: Learner, table: Table, *, task: Task | None = None, training: Training | None = None, seed: int = 0
) -> tuple[Check, ...]:
    """What experts check before they train: see the functions of this module, in the order of `CHECKS`.

    Args:
        learner: the family of networks and its settings.
        table: rows to learn from, with what is to be predicted; checks are made with some of them.
        task: what is asked; None for one label a row (`Classify`).
        training: how it is trained; None for what suits the learner.
        seed: of the initial weights, and the rows.

    Example:
        >>> import chainrule
        >>> table = chainrule.Table.from_lists(["so good", "good fun", "so bad", "bad luck"] * 30, list("ppnn") * 30)
        >>> all(found.passed for found in chainrule.check(chainrule.BagOfWords(), table))
        True
    """
    task = Classify() if task is None else task
    learner.require(task.answers, task.name)
    task = task.resolved(learner.reads, learner.name)
    training = Training() if training is None else training
    model, examples = Model.untrained(learner, task, table, seed=seed)
    training = training.resolved(learner, task, examples.rows)
    subject = _Subject(model, training, examples, seed)
    return tuple(found for each in CHECKS if (found := _found(each, subject)) is not None)


def _found(each: Callable[[_Subject], Check | None], subject: _Subject) -> Check | None:
    """What a check finds; that it cannot be made is a fault, too."""
    try:
        return each(subject)
    except (GradientError, DivergenceError) as error:
        return Check(each.__name__.replace("_", " "), passed=False, sentence=str(error))
    finally:
        subject.restore()


def _independent(name: str, together: Array, alone: Array, fault: str) -> Check:
    largest = float(np.abs(alone).max(initial=0.0))
    difference = float(np.abs(together - alone).max(initial=0.0)) / (largest or 1.0)
    passed = difference < ROUNDING
    part = f"{difference:.0e} of the largest"
    said = f"in a mini-batch and alone it is the same, up to {part}" if passed else f"{fault}, by {part}"
    return Check(name, passed, said)


def _flat(gradient: object) -> Array:
    """The numbers of a gradient in a row; of a table's, those of the rows that it has, by their numbers."""
    if isinstance(gradient, RowSparse):
        held = gradient.coalesce()
        indices, rows = held.indices.numpy(), held.rows.numpy()
        kept = indices < gradient.shape[0]
        kept &= rows.reshape(len(rows), -1).any(axis=1)  # rows that others read have a gradient of 0
        order = np.argsort(indices[kept], kind="stable")
        return rows[kept][order].reshape(-1)
    return gradient.numpy().reshape(-1)  # type: ignore[attr-defined,no-any-return]
