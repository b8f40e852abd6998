"""`chainrule train --dry-run`: what a training would be, without one step of it."""

from __future__ import annotations

from typing import Any

import numpy as np

import chainrule.polars as pl
from chainrule.cli.printing import align, listed, say, show
from chainrule.data import Examples, Table
from chainrule.models import Learner, Model
from chainrule.models.ahead import Ahead
from chainrule.shown import one_line
from chainrule.tasks import Task
from chainrule.train.fit import VALIDATION
from chainrule.train.memory import Memory, memory_of
from chainrule.train.trainer import Trainer
from chainrule.train.training import Training
from chainrule.train.validation import parted

#: Labels that are shown with their rows.
SHOWN = 10


def describe(
    task: Task,
    learner: Learner,
    training: Training,
    train: Table,
    valid: Table | None,
    *,
    seed: int,
    engine: str,
    threads: int | None,
) -> None:
    """Print task, data, mini-batch, network and the cost of a step.

    Raises:
        ChainruleError: whatever the training would refuse before its first step.
    """
    unlabelled = train.report.unlabelled
    remarks: list[str] = []
    if valid is None:
        train, valid, remarks = parted(train, VALIDATION, seed, task)
    training = training.resolved(learner, task)
    memory: list[Memory] = []
    model, examples = Model.untrained(
        learner,
        task,
        train,
        seed=seed,
        before=lambda sized, sizes: memory.append(memory_of(sized, task, training, sizes)),
    )
    training = training.resolved(learner, task, examples.rows)
    remarks += model.remarks
    validation = model.codec.encode(valid, targets=True)
    ahead, trained, read = Ahead.of(model, [examples, validation]), model, [examples, validation]
    if ahead is not None:  # what a step computes is seen without the numbers
        memory.append(memory.pop().with_vectors(ahead.bytes))
        trained, read = ahead.trained(np.zeros(ahead.shape, np.float32)), ahead.examples()
    trainer = Trainer(trained, training, *read, seed=seed, engine=engine, threads=threads)
    batch = examples.slice(0, trainer.batch_size)
    _section("task", [(key, _value(value)) for key, value in _flat(model.task.settings())])
    _section("data", _data(train, valid, examples, model, unlabelled))
    show(f"\nmini-batch of {batch.rows} rows")
    show(align([["array", "shape", "type"], *([k, str(x.shape), x.dtype.name] for k, x in batch.arrays().items())]))
    _section("learner", [(key, _value(value)) for key, value in model.learner.settings().items()])
    show(f"\nnetwork, for {'one text of one token' if train.textual else 'one row'}")
    show(model.summary())
    _section("training", [(key, _value(value)) for key, value in _flat(training.settings())])
    steps = trainer.training.steps_of_pass(examples.rows)
    counts = [("steps an epoch", f"{steps:,}"), ("steps at most", f"{steps * trainer.epochs:,}")]
    counts.append(("memory", str(memory[0])))
    cost = trainer.cost(read[0].slice(0, trainer.batch_size))
    if cost is not None:
        counts.append(("a step", cost))
    _section("cost", counts)
    for remark in (*remarks, *model.codec.inputs.remarks):
        say(remark)
    show("\nnothing was trained: leave --dry-run out to train")


def _section(title: str, rows: list[tuple[str, str]]) -> None:
    show(f"\n{title}" if title != "task" else title)
    show(listed([(f"  {name}", value) for name, value in rows]))


def _data(train: Table, valid: Table, examples: Examples, model: Model, unlabelled: int) -> list[tuple[str, str]]:
    """What is known of the tables."""
    lengths = examples.lengths
    rows = [
        ("training rows", f"{len(train):,} of {train.name}"),
        ("validation rows", f"{len(valid):,} of {valid.name}"),
        ("unlabelled rows", f"{unlabelled:,} left out"),
    ]
    if train.textual:
        middle, longest = np.median(lengths), lengths.max()
        rows += [
            ("entries", f"{model.codec.sizes.entries:,} tokens and n-grams"),
            ("character n-grams", model.codec.inputs.describe().get("characters", "none")),
            ("ids a text", f"{lengths.mean():.1f} on average, median {middle:.0f}, {longest} at most"),
        ]
    else:
        held = train.columns.get_columns()
        for what, kind in (("numbers", pl.Float64), ("categories", pl.String)):
            names = [x.name for x in held if x.dtype == kind]
            rows.append((what, f"{len(names)}: {', '.join(names)}" if names else "none"))
    labels = train.labels
    if labels is not None and labels.dtype == pl.Float64:
        numbers = labels.to_numpy()
        shown = f"mean {numbers.mean():.4g}, from {numbers.min():.4g} to {numbers.max():.4g}"
        rows.append(("numbers to predict", shown))
    elif labels is not None and train.written:
        rows.append(("texts to write", f"{len(labels):,}, {labels.n_unique():,} of them distinct"))
    elif labels is not None:
        each = labels.explode().drop_nulls() if labels.dtype.is_nested() else labels
        counts = list(zip(*(x.to_list() for x in each.value_counts(sort=True).get_columns()), strict=True))
        shown = ", ".join(f"{one_line(name)} {count:,}" for name, count in counts[:SHOWN])
        more = f", and {len(counts) - SHOWN:,} more" if len(counts) > SHOWN else ""
        rows.append(("labels", f"{len(counts):,}: {shown}{more}"))
    return rows


def _flat(settings: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Settings with those that are settings themselves by paths."""
    rows: list[tuple[str, Any]] = []
    for key, value in settings.items():
        rows += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
    return rows


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
