"""The folder of a training: a partial one while it runs, which gets its real name at the end."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from chainrule.errors import StorageError
from chainrule.files import Lock, move_folder, refuse_existing, write_file
from chainrule.models import Model
from chainrule.models.folder import DESCRIPTION, WEIGHTS, write_files
from chainrule.tasks import INPUTS
from chainrule.train.checkpoint import read_checkpoint, restore
from chainrule.train.record import Line, Record
from chainrule.train.trainer import Trainer

CHECKPOINT, RECORD, SETTINGS, LOCK = "checkpoint.safetensors", "record.jsonl", "settings.toml", "lock"
CUT = re.compile(r"\..+\.[0-9]+\.partial")  # what `write_file` was writing when a training was killed


def own_files() -> set[str]:
    """The names of all files that a training may write."""
    inputs = {name for kind in INPUTS.values() for name in kind.files}
    return {CHECKPOINT, RECORD, SETTINGS, WEIGHTS, DESCRIPTION, LOCK} | inputs


def require_free(folder: Path, *, resume: bool) -> None:
    """Refuse a name that is taken, or under which a training was left.

    Raises:
        StorageError: when something is there.
    """
    refuse_existing(folder)
    partial = partial_of(folder)
    if os.path.lexists(partial) and not resume:
        raise StorageError(
            f"{partial} holds a training that did not end; go on with it by --resume (resume=True), "
            f"or remove it to start anew"
        )


def partial_of(folder: Path) -> Path:
    """Where the files of a training are until it ends."""
    return folder.with_name(f"{folder.name}.partial")


class RunFolder:
    """Where a training keeps its files.

    Args:
        folder: its name at the end; nothing may be there.
        resume: whether to go on with what an earlier training left.

    Attributes:
        partial: the folder while training runs.
        checkpoint: the file of the checkpoint.
        going_on: whether there is one.

    Raises:
        StorageError: when something is in the way, the folder cannot be made, or another process is training there.
    """

    def __init__(self, folder: Path, *, resume: bool) -> None:
        require_free(folder, resume=resume)
        self.folder = folder
        self.partial = partial_of(folder)
        self.checkpoint = self.partial / CHECKPOINT
        try:
            self.partial.mkdir(exist_ok=resume)
            files = {file.name for file in self.partial.iterdir()}
        except OSError as error:
            raise StorageError(f"cannot make {self.partial}: {error.strerror or error}") from error
        cut = {name for name in files if CUT.fullmatch(name)}
        if foreign := files - cut - own_files():
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

    def finish(self, model: Model, record: Record) -> None:
        """Write the model beside its record and give the folder its name."""
        write_files(self.partial, model.task, model.codec, model.learner, model.network, model.training)
        write_file(self.partial / SETTINGS, record.lines[0]["settings"])
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
