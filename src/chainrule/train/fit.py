"""fit: from a learner and labelled tables to a trained model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from chainrule.data import Table
from chainrule.data.layout import Sizes
from chainrule.dataclasses import dataclass
from chainrule.engines import engine_named
from chainrule.errors import ConfigurationError, DataError, DivergenceError, ModelError, StorageError, shortened
from chainrule.models import Learner, Model
from chainrule.models.ahead import Ahead
from chainrule.native.threads import thread_count
from chainrule.tasks import Classify, Task
from chainrule.train.checkpoint import Checkpointer
from chainrule.train.diagnostics import Finding
from chainrule.train.diagnostics.observation import Observation
from chainrule.train.followed_folder import agree, place_of
from chainrule.train.memory import Memory, memory_of
from chainrule.train.observers import EarlyStopping, Progress, Recorder
from chainrule.train.prepared import Prepared
from chainrule.train.range_test import RangeTest, range_test
from chainrule.train.record import Line, Record, first_line, with_data
from chainrule.train.run_folder import RunFolder, what_is_kept
from chainrule.train.trainer import Epoch, Observer, Trainer
from chainrule.train.training import AUTO, Training
from chainrule.train.validation import parted, repeated_rows
from chainrule.xla.ranks import Team, current_team

#: The part of the rows that is kept to validate on, where no others are given.
VALIDATION = 0.1


@dataclass(frozen=True, eq=False)
class Run:
    """One training of one learner with one seed.

    Attributes:
        model: with the weights of the best epoch.
        best: that epoch.
        epochs: all epochs.
        stopped: why training ended.
        record: the lines that were written down.
        folder: where model and record are saved; None when no folder was asked for.
    """

    model: Model
    best: Epoch
    epochs: tuple[Epoch, ...]
    stopped: str
    record: tuple[Line, ...]
    folder: Path | None = None

    @property
    def interrupted(self) -> bool:
        """Whether the user stopped it with Ctrl-C."""
        return self.stopped == "interrupted"

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is to be said of the rows and of what the figures are worth, a line each; most trainings have none."""
        return tuple(remark for line in self.record for remark in line.get("remarks", ()))

    @property
    def transfer(self) -> dict[str, int]:
        """Bytes that training "sent" to a device and "fetched" from it; empty for an engine without a device."""
        return {name: count for line in self.record for name, count in line.get("transfer", {}).items()}

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What diagnostics found wrong with the training; most trainings have nothing."""
        return tuple(Finding(**found) for line in self.record for found in line.get("findings", ()))


def fit(
    learner: Learner,
    train: Table | Prepared,
    valid: Table | None = None,
    *,
    task: Task | None = None,
    training: Training | None = None,
    seed: int = 0,
    folder: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = False,
    engine: str = "native",
    threads: int | None = None,
    diagnostics: bool = True,
    observers: Sequence[Observer] = (),
) -> Run:
    """Train a model: what is to be known of the table, initial weights, epochs with validation, best weights.

    The same learner, task, training, tables and seed give the same weights, bit for bit, also after a training that was
    killed and resumed, and at any number of threads.

    Args:
        learner: the family of networks and its settings.
        train: rows to learn from, with what is to be predicted; or `Prepared` ones, with those to stop by and the task,
            which several trainings share.
        valid: rows to stop by; None takes a tenth of `train`, chosen by the seed, each label in proportion. A label
            with one row is learned from; of fewer than 50 rows, all are learned from and validated on. `Run.remarks`
            says so.
        task: what is asked; None for one label a row (`Classify`).
        training: how it is trained; None for what suits the learner.
        seed: of the initial weights, the order of examples, dropout, and the split.
        folder: a new folder for model and record. While training, `<folder>.partial` holds the record and a
            checkpoint.
        resume: go on from the checkpoint in `<folder>.partial`, if there is one; of a training that has ended in
            `folder`, give the run.
        progress: show a progress bar and a line an epoch on standard error.
        engine: "native" for compiled steps and validation, or "eager" to run them block by block on NumPy, to look
            inside: several times slower, and equal up to rounding.
        threads: how many may work on a step at the same time; None for one on each processor core that this process
            may use. The weights are the same, bit for bit, at any number. They serve the native program alone; texts
            are read by as many as Polars has, which the environment variable POLARS_MAX_THREADS sets.
        diagnostics: look on, and say what is wrong with the training (`Run.findings`, and in the record). Weights have
            the same bits with and without.
        observers: what else looks on, such as `chainrule.animate.Regions`.

    Returns:
        The run. After Ctrl-C it has the best weights so far.

    Raises:
        ConfigurationError: for settings that do not go together, such as a task that the learner cannot do, and for a
            training that takes more memory than is free.
        DataError: for tables that cannot be learned from.
        DivergenceError: when the loss is no longer a finite number; its `run` holds the best weights so far, or None.
        StorageError: when the folder exists already, an unfinished training is in the way, or the disk is full.
        ModelError: when the checkpoint to resume from is of another training.
        RankError: of ranks that train together (`chainrule.xla.ranks.together`), when they have other data or settings.
        KeyboardInterrupt: when Ctrl-C came before the first epoch ended, or while the model was being saved; the
            message says what is kept.

    Example:
        >>> import chainrule
        >>> table = chainrule.Table.from_lists(["good", "fun", "bad", "dull"] * 10, list("ppnn") * 10)
        >>> run = chainrule.fit(chainrule.BagOfWords(), table, training=chainrule.Training(epochs=3), seed=1)
        >>> len(run.epochs), run.best.valid["accuracy"], run.model.predict(["fun"])
        (3, 1.0, ['p'])
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ConfigurationError(f"seed: expected a whole number of 0 or more, got {shortened(seed)}")
    if isinstance(train, Prepared):
        if valid is not None or task is not None:
            raise ConfigurationError(
                "fit: prepared rows have their task, and rows to stop by: leave out task and valid"
            )
        valid, task = train.valid, train.task
    task = Classify() if task is None else task
    training = Training() if training is None else training
    for name, given, kind, example in (
        ("a learner", learner, Learner, "FeedForward()"),
        ("task as a task", task, Task, "Classify()"),
        ("training as settings", training, Training, "Training(epochs=5)"),
        *(("observers", each, Observer, "[chainrule.animate.Regions.of_table(table)]") for each in observers),
    ):
        if not isinstance(given, kind):
            raise ConfigurationError(f"fit: expected {name} such as {example}, got {shortened(given)}")
    for name, table in (("train", train), ("valid", valid)):
        if not isinstance(table, Table | Prepared) and not (name == "valid" and table is None):
            raise ConfigurationError(f"fit: expected {name} as a Table (read_table makes one), got {shortened(table)}")
    engine = engine_named(engine).name
    threads = thread_count(threads)
    if resume and folder is None:
        raise ConfigurationError("resume: expected the folder of the training to go on with, got none")
    learner.require(task.answers, task.name)
    task = task.resolved(learner.reads, learner.name)
    if isinstance(train, Prepared) and learner.layout(task.answers) != train.reads:
        raise ConfigurationError(f"fit: the rows were prepared as {train.reads.name}, and {learner.name} reads others")
    team = current_team()
    if team is not None and engine != "xla":
        raise ConfigurationError(f"engine: ranks train together with the engine xla, got {engine}; take --engine xla")
    place = place_of(None if folder is None else Path(folder), resume, team)
    try:
        running = _Running(seed, place, progress, engine, threads, diagnostics, tuple(observers), team)
        return _fit(learner, train, valid, task, training, running)
    except BaseException as error:
        if place is None:
            raise
        place.leave()
        if isinstance(error, StorageError) and place.checkpoint.exists():
            raise StorageError(f"{error}; mend that and go on by --resume (resume=True)") from error
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt(what_is_kept(place.folder)) from error
        raise
    finally:
        if place is not None:
            place.release()


@dataclass(frozen=True)
class _Running:
    """How a training runs, which does not change what comes out but for the seed."""

    seed: int
    place: RunFolder | None
    progress: bool
    engine: str
    threads: int
    diagnostics: bool
    observers: tuple[Observer, ...]
    team: Team | None


def _fit(
    learner: Learner,
    rows: Table | Prepared,
    valid: Table | None,
    task: Task,
    training: Training,
    running: _Running,
) -> Run:
    seed, place, engine = running.seed, running.place, running.engine
    prepared = rows if isinstance(rows, Prepared) else None
    train = rows.train if isinstance(rows, Prepared) else rows
    split = train.report if valid is None else None
    remarks: list[str] = []
    if valid is None:
        train, valid, remarks = parted(train, VALIDATION, seed, task)
    if not len(valid):
        raise DataError(f"{valid.name}: has no rows to validate on")
    auto, training = training.learning_rate == AUTO, training.resolved(learner, task)
    memory: list[Memory] = []

    def before(learner: Learner, sizes: Sizes) -> None:
        memory.append(memory_of(learner, task, training, sizes))

    learned = None if prepared is None else (prepared.codec, prepared.examples)
    model, examples = Model.untrained(learner, task, train, seed=seed, before=before, learned=learned)
    training = training.resolved(learner, task, examples.rows)
    remarks += model.remarks
    _require_frozen(model, training)
    if prepared is not None:
        validation = prepared.validation
    else:
        validation = examples if valid is train else model.codec.encode(valid, targets=True)
    ahead = Ahead.of(model, [examples] if validation is examples else [examples, validation])
    trained = model
    if ahead is not None:
        memory.append(memory.pop().with_vectors(ahead.bytes))
        if place is None or not place.ended:
            trained = ahead.trained(ahead.vectors(engine, running.threads))
            examples, *others = ahead.examples()
            validation = others[0] if others else examples
    found: RangeTest | None = None
    if auto:
        line = None if place is None else place.range_test()
        if line is not None:  # a training that goes on keeps the rate it has
            found = RangeTest.of_line(line)
        else:
            found = range_test(trained, training, examples, seed=seed, engine=engine, threads=running.threads)
        training = training if found.suggestion is None else training.with_rate(found.suggestion)
        remarks.append(f"{found}{'' if found.suggestion else f'; trained with {training.learning_rate:g}'}")
    model.training = trained.training = training.settings()
    remarks += model.codec.inputs.remarks
    described = None if prepared is None else prepared.described
    first = with_data(first_line(model, training, seed, engine), train, valid, split=split, described=described)
    start = {**first, "memory": memory[0].trained, "remarks": remarks}
    if found is not None:
        start["range_test"] = found.as_line()
    if running.diagnostics and valid is not train:
        start["repeated"] = repeated_rows(train, valid) if prepared is None else prepared.repeated
    if running.team is not None:
        agree(running.team, place, start)
    if place is not None and place.ended:
        return _ended(place, place.ended_record(start))
    trainer = Trainer(trained, training, examples, validation, seed=seed, engine=engine, threads=running.threads)
    observation = Observation(trainer, train, valid) if running.diagnostics else None
    record = Record([start]) if place is None else place.open_record(trainer, start)
    observers: list[Observer] = [EarlyStopping(trainer.patience), Recorder(record, diagnostics=running.diagnostics)]
    if observation is not None:
        observers.append(observation)
    observers += running.observers
    if running.progress:
        observers.append(Progress(memory=memory[0]))
    if place is not None:
        observers.append(Checkpointer(place.checkpoint, record, team=running.team))
    trainer.observers = observers
    try:
        trainer.run()
    except DivergenceError as error:
        error.run = _finish(trainer, record, place)
        raise
    except KeyboardInterrupt:  # it came after training, while the end of that was written down
        _finish(trainer, record, place)
        raise
    run = _finish(trainer, record, place)
    if run is None:
        raise KeyboardInterrupt
    return run


def _require_frozen(model: Model, training: Training) -> None:
    """Refuse penalties on weights that are to stay as they are.

    Raises:
        ConfigurationError: naming both.
    """
    shrunk = training.l1 or training.l2 or training.max_norm or getattr(training.optimizer, "weight_decay", 0)
    if shrunk and getattr(model.network, "frozen_epochs", 0) != 0:
        raise ConfigurationError(
            "vectors_training: frozen vectors stay as they are, and penalties (--l1, --l2, --max-norm, --weight-decay) "
            "would shrink them; leave these out, or have the vectors tuned"
        )


def _ended(place: RunFolder, record: Record) -> Run:
    """The run of a training that has ended already, from its folder."""
    model = Model.load(place.folder)
    try:
        lines = [line for line in record.lines if line["kind"] == "epoch"]
        epochs = tuple(Epoch.of_line(line, number) for number, line in enumerate(lines, start=1))
        best = min(epochs, key=lambda epoch: epoch.valid[model.task.monitor])  # the first of equals, as in training
        return Run(model, best, epochs, record.lines[-1]["reason"], tuple(record.lines), place.folder)
    except (LookupError, ValueError, TypeError) as error:
        raise ModelError(f"{place.folder}: its record is not that of a whole training: {error}") from error


def _finish(trainer: Trainer, record: Record, place: RunFolder | None) -> Run | None:
    """The run with its best weights, saved if it has a place; None when no epoch was finished.

    Where Ctrl-C comes meanwhile, it is saved all the same: it may be all that there is of the training.
    """
    try:
        return _saved(trainer, record, place)
    except KeyboardInterrupt:
        _saved(trainer, record, place)
        raise


def _saved(trainer: Trainer, record: Record, place: RunFolder | None) -> Run | None:
    best = trainer.restore_best()
    if best is None:
        return None
    trainer.model.network = trainer.model.network.settled()
    trainer.model.task = trainer.task.settled(best.valid)
    if place is not None:
        place.finish(trainer.model, record)
    return Run(
        model=trainer.model,
        best=best,
        epochs=tuple(trainer.history),
        stopped=trainer.stopped or "",
        record=tuple(record.lines),
        folder=None if place is None else place.folder,
    )
