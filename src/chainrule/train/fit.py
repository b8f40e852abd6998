"""fit: from a learner and labelled tables to a trained classifier."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from chainrule.data import Table
from chainrule.errors import ConfigurationError, DataError, DivergenceError, StorageError
from chainrule.files import Lock, move_folder, refuse_existing
from chainrule.models import Learner, TextClassifier
from chainrule.models.folder import DESCRIPTION, RECORD, VOCABULARY, WEIGHTS, write_files
from chainrule.native.threads import thread_count
from chainrule.train.checkpoint import Checkpointer, read_checkpoint, restore
from chainrule.train.observers import EarlyStopping, Progress, Recorder
from chainrule.train.record import Line, Record, first_line
from chainrule.train.trainer import Epoch, Examples, Observer, Trainer

CHECKPOINT = "checkpoint.safetensors"
LOCK = "lock"
OWN = {CHECKPOINT, RECORD, WEIGHTS, VOCABULARY, DESCRIPTION, LOCK}
CUT = re.compile(r"\..+\.[0-9]+\.partial")  # what `write_file` was writing when a training was killed


@dataclass(frozen=True, eq=False)
class Run:
    """One training of one learner with one seed.

    Attributes:
        model: the classifier, with the weights of the best epoch.
        best: that epoch.
        epochs: all epochs.
        stopped: why training ended.
        record: the lines that were written down.
        folder: where model and record are saved; None when no folder was asked for.
    """

    model: TextClassifier
    best: Epoch
    epochs: tuple[Epoch, ...]
    stopped: str
    record: tuple[Line, ...]
    folder: Path | None = None

    @property
    def interrupted(self) -> bool:
        """Whether the user stopped it with Ctrl-C."""
        return self.stopped == "interrupted"


def fit(
    learner: Learner,
    train: Table,
    valid: Table | None = None,
    *,
    seed: int = 0,
    folder: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = False,
    eager: bool = False,
    threads: int | None = None,
) -> Run:
    """Train a classifier: vocabulary, initial weights, epochs with validation, early stopping, best weights.

    The same learner, tables and seed give the same weights, bit for bit, also after a training that was killed and
    resumed, and at any number of threads.

    Args:
        learner: the model family and its hyper-parameters.
        train: labelled texts to learn from.
        valid: labelled texts to stop by; None takes a stratified tenth of `train`, chosen by the seed.
        seed: of the initial weights, the order of examples, dropout, and the split.
        folder: a new folder for model and record. While training, `<folder>.partial` holds the record and a
            checkpoint.
        resume: go on from the checkpoint in `<folder>.partial`, if there is one.
        progress: show a progress bar and a line an epoch on standard error.
        eager: run steps and validation block by block on NumPy, to look inside, instead of as native programs; several
            times slower, and equal up to rounding.
        threads: how many may work on a step at the same time; None for one on each processor core that this process
            may use. The weights are the same, bit for bit, at any number. They serve the native program alone; texts
            are read by as many as Polars has, which the environment variable POLARS_MAX_THREADS sets.

    Returns:
        The run. After Ctrl-C it has the best weights so far.

    Raises:
        DataError: for tables that cannot be learned from.
        DivergenceError: when the loss is no longer a finite number; its `run` holds the best weights so far, or None.
        StorageError: when the folder exists already, an unfinished training is in the way, or the disk is full.
        ModelError: when the checkpoint to resume from is of another training.
        KeyboardInterrupt: when Ctrl-C came before the first epoch ended.

    Example:
        >>> import chainrule
        >>> table = chainrule.Table.from_lists(["good", "fun", "bad", "dull"] * 10, list("ppnn") * 10)
        >>> run = chainrule.fit(chainrule.BagOfWords(epochs=3), table, seed=1)
        >>> len(run.epochs), run.best.valid_accuracy, run.model.predict(["fun"])
        (3, 1.0, ['p'])
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ConfigurationError(f"seed: expected a whole number of 0 or more, got {seed!r}")
    if not isinstance(learner, Learner):
        raise ConfigurationError(f"fit: expected a learner such as FeedForward(), got {learner!r}")
    for name, table in (("train", train), ("valid", valid)):
        if not isinstance(table, Table) and not (name == "valid" and table is None):
            raise ConfigurationError(f"fit: expected {name} as a Table (read_table makes one), got {table!r}")
    threads = thread_count(threads)
    if resume and folder is None:
        raise ConfigurationError("resume: expected the folder of the training to go on with, got none")
    place = None if folder is None else _Place(Path(folder), resume=resume)
    try:
        return _fit(learner, train, valid, seed, place, progress=progress, eager=eager, threads=threads)
    except BaseException as error:
        kept = place is not None and place.leave()
        if kept and isinstance(error, StorageError):
            raise StorageError(f"{error}; mend that and go on by --resume (resume=True)") from error
        raise
    finally:
        if place is not None:
            place.release()


def _fit(
    learner: Learner,
    train: Table,
    valid: Table | None,
    seed: int,
    place: _Place | None,
    *,
    progress: bool,
    eager: bool,
    threads: int,
) -> Run:
    if valid is None:
        train, valid = train.split(90, 10, seed=seed)
    if not len(valid):
        raise DataError(f"{valid.name}: has no rows to validate on")
    model, bags = TextClassifier.prepared(learner, train, seed=seed)
    start = first_line(model, train, valid, seed, eager=eager)
    examples = Examples(bags, model.encode_labels(train))
    validation = Examples(model.encode(valid.texts), model.encode_labels(valid))
    trainer = Trainer(model, examples, validation, seed=seed, eager=eager, threads=threads)
    record = Record([start]) if place is None else place.open_record(trainer, start)
    observers: list[Observer] = [EarlyStopping(learner.patience), Recorder(record)]
    if progress:
        observers.append(Progress())
    if place is not None:
        observers.append(Checkpointer(place.checkpoint, record))
    trainer.observers = observers
    try:
        trainer.run()
    except DivergenceError as error:
        error.run = _finish(trainer, record, place)
        raise
    run = _finish(trainer, record, place)
    if run is None:
        raise KeyboardInterrupt
    return run


class _Place:
    """Where a training keeps its files: a partial folder, which gets its real name at the end."""

    def __init__(self, folder: Path, *, resume: bool) -> None:
        refuse_existing(folder)
        self.folder = folder
        self.partial = folder.with_name(f"{folder.name}.partial")
        self.checkpoint = self.partial / CHECKPOINT
        if os.path.lexists(self.partial) and not resume:
            raise StorageError(
                f"{self.partial} holds a training that did not end; go on with it by --resume (resume=True), "
                f"or remove it to start anew"
            )
        try:
            self.partial.mkdir(exist_ok=resume)
            files = {file.name for file in self.partial.iterdir()}
        except OSError as error:
            raise StorageError(f"cannot make {self.partial}: {error.strerror or error}") from error
        cut = {name for name in files if CUT.fullmatch(name)}
        if foreign := files - cut - OWN:
            raise StorageError(
                f"{self.partial} is needed while training, but holds {min(foreign)!r}, which no training wrote; "
                f"move it away, or choose another name"
            )
        try:
            self._lock = Lock(self.partial / LOCK)
        except BlockingIOError:
            raise StorageError(f"{self.partial}: another process is training there; wait for its end") from None
        for name in cut:
            (self.partial / name).unlink()
        self.going_on = self.checkpoint.exists()

    def open_record(self, trainer: Trainer, start: Line) -> Record:
        """The record to append to, and the trainer put where the checkpoint was, if there is one."""
        if not self.going_on:
            return Record([start], self.partial / RECORD)
        content, arrays = read_checkpoint(self.checkpoint)
        restore(trainer, content, arrays, start, self.checkpoint)
        return Record([content["first_line"], *content["epochs"]], self.partial / RECORD)

    def finish(self, model: TextClassifier) -> None:
        """Write the model beside its record and give the folder its name."""
        write_files(self.partial, model.learner, model.vocabulary, model.labels, model.network)
        self.release()
        (self.partial / LOCK).unlink(missing_ok=True)
        move_folder(self.partial, self.folder)
        (self.folder / CHECKPOINT).unlink(missing_ok=True)  # last, so that a training killed before can be resumed

    def leave(self) -> bool:
        """Remove what was begun, unless there is a checkpoint to go on from; whether there is."""
        kept = self.checkpoint.exists()
        if not kept:
            shutil.rmtree(self.partial, ignore_errors=True)
        return kept

    def release(self) -> None:
        """Let another training have the folder."""
        self._lock.release()


def _finish(trainer: Trainer, record: Record, place: _Place | None) -> Run | None:
    """The run with its best weights, saved if it has a place; None when no epoch was finished."""
    best = trainer.restore_best()
    if best is None:
        return None
    if place is not None:
        place.finish(trainer.model)
    return Run(
        model=trainer.model,
        best=best,
        epochs=tuple(trainer.history),
        stopped=trainer.stopped or "",
        record=tuple(record.lines),
        folder=None if place is None else place.folder,
    )
