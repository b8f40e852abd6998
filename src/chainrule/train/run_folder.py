"""The folder of a training: a partial one while it runs, which gets its real name at the end.

Whoever trains holds a lock in it, from before the first file until the folder has its name. So of two trainings under
one name the second is refused, and a killed one, whose lock the system has let go of, can be gone on with.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from chainrule.errors import StorageError, shortened
from chainrule.files import Lock, is_locked, move_folder, refuse_existing, write_file
from chainrule.models import Model
from chainrule.models.folder import DESCRIPTION, WEIGHTS, write_files
from chainrule.tasks import INPUTS
from chainrule.train.checkpoint import read_content, restore
from chainrule.train.record import Line, Record, read_lines, require_same
from chainrule.train.trainer import Trainer

CHECKPOINT, RECORD, SETTINGS, LOCK = "checkpoint.safetensors", "record.jsonl", "settings.toml", "lock"
CUT = re.compile(r"\..+\.[0-9]+\.partial")  # what `write_file` was writing when a training was killed


def own_files() -> set[str]:
    """The names of all files that a training may write."""
    inputs = {name for kind in INPUTS.values() for name in kind.files}
    return {CHECKPOINT, RECORD, SETTINGS, WEIGHTS, DESCRIPTION, LOCK} | inputs


def partial_of(folder: Path) -> Path:
    """Where the files of a training are until it ends."""
    return folder.with_name(f"{folder.name}.partial")


def require_free(folder: Path, *, resume: bool) -> None:
    """Refuse a name that is taken, or under which a training is running or was left.

    With `resume`, a training that has ended is in nobody's way, nor is one that was left.

    Raises:
        StorageError: when something is there.
    """
    if resume and folder.name and has_ended(folder):
        return
    refuse_existing(folder)
    partial = partial_of(folder)
    if is_locked(partial / LOCK):
        raise _busy(partial)
    if os.path.lexists(partial) and not resume:
        raise StorageError(
            f"{partial} holds a training that did not end; go on with it by --resume (resume=True), "
            f"or remove it to start anew"
        )


def has_ended(folder: Path) -> bool:
    """Whether a training has ended under this name: its model is there, and its record."""
    try:
        return all((folder / name).is_file() for name in (DESCRIPTION, RECORD))
    except OSError:  # a name that is too long for any
        return False


def what_is_kept(folder: Path) -> str:
    """What is there of a training that was stopped, and what to do with it; "" where there is nothing."""
    if has_ended(folder):
        return f"the best model so far is saved in {folder}"
    partial = partial_of(folder)
    if os.path.lexists(partial / CHECKPOINT):
        return f"{partial} holds the training so far; go on with it by --resume (resume=True)"
    return ""


def what_is_missing(folder: Path) -> str:
    """Why a training under this name cannot be gone on with; "" where it can."""
    partial = partial_of(folder)
    if not os.path.lexists(partial):
        return f"there is no {partial} to go on with"
    if not os.path.lexists(partial / CHECKPOINT):
        return f"{partial} holds no checkpoint, of which the first is written after about a minute"
    return ""


class RunFolder:
    """Where a training keeps its files.

    Args:
        folder: its name at the end; nothing may be there.
        resume: whether to go on with what an earlier training left, or has finished.

    Attributes:
        partial: the folder while training runs.
        checkpoint: the file of the checkpoint.
        ended: whether an earlier training has ended there.
        going_on: whether there is a checkpoint.

    Raises:
        StorageError: when something is in the way, the folder cannot be made, or another process is training there.
    """

    def __init__(self, folder: Path, *, resume: bool) -> None:
        require_free(folder, resume=resume)
        self.folder = folder
        self.partial = partial_of(folder)
        self.checkpoint = self.partial / CHECKPOINT
        self._lock: Lock | None = None
        self.ended = os.path.lexists(folder)
        if not self.ended:
            self._take(resume)
        if self._lock is not None and os.path.lexists(folder):  # another process ended its training just now
            self.leave()
            self.release()
            require_free(folder, resume=resume)
            self.ended = True
        self.going_on = not self.ended and self.checkpoint.exists()

    def _take(self, resume: bool) -> None:
        """Make the partial folder, lock it, and clear away what was being written when a training was killed."""
        try:
            self.partial.mkdir(exist_ok=resume)
            files = {file.name for file in self.partial.iterdir()}
        except (OSError, ValueError) as error:  # ValueError for a name that none can be
            if isinstance(error, FileExistsError) and not resume:
                raise _busy(self.partial) from error  # made since it was found to be free
            raise StorageError(f"cannot make {self.partial}: {getattr(error, 'strerror', None) or error}") from error
        cut = {name for name in files if CUT.fullmatch(name)}
        if (left := files - cut) and (foreign := left - own_files()):
            raise StorageError(
                f"{self.partial} is needed while training, but holds {shortened(min(foreign))}, which no training "
                f"wrote; move it away, or choose another name"
            )
        try:
            self._lock = Lock(self.partial / LOCK)
        except BlockingIOError:
            raise _busy(self.partial) from None
        for name in cut:
            (self.partial / name).unlink()

    def open_record(self, trainer: Trainer, start: Line) -> Record:
        """The record to append to, and the trainer put where the checkpoint was, if there is one."""
        if not self.going_on:
            return Record([start], self.partial / RECORD)
        content = restore(trainer, self.checkpoint, start)
        return Record([content["first_line"], *content["epochs"]], self.partial / RECORD)

    def range_test(self) -> Line | None:
        """The range test of the training that is gone on with, or has ended, there; None where there was none."""
        if self.going_on:
            first: Line = read_content(self.checkpoint)["first_line"]
        elif self.ended:
            first = read_lines(self.folder / RECORD)[0]
        else:
            return None
        return first.get("range_test")

    def ended_record(self, start: Line) -> Record:
        """The record of the training that has ended there.

        Raises:
            ModelError: when it was one of other data or settings.
        """
        path = self.folder / RECORD
        lines = read_lines(path)
        require_same(lines[0], start, path)
        self._clear()
        return Record(lines)

    def finish(self, model: Model, record: Record) -> None:
        """Write the model beside its record and give the folder its name, unless it has it."""
        if not has_ended(self.folder):
            write_files(self.partial, model.task, model.codec, model.learner, model.network, model.training)
            write_file(self.partial / SETTINGS, record.lines[0]["settings"])
            record.write()
            if sys.platform == "win32":  # which renames no folder that holds an open file
                self.release()
            move_folder(self.partial, self.folder)
        self._clear()  # last, so that a training killed before can be resumed
        self.release()

    def _clear(self) -> None:
        """Remove what is of no use beside a model; what cannot be removed does no harm."""
        for name in (CHECKPOINT, LOCK):
            with suppress(OSError):
                (self.folder / name).unlink(missing_ok=True)

    def leave(self) -> None:
        """Remove what was begun, unless there is a checkpoint to go on from."""
        if self._lock is not None and not self.checkpoint.exists():
            shutil.rmtree(self.partial, ignore_errors=True)

    def release(self) -> None:
        """Let another training have the folder."""
        if self._lock is not None:
            self._lock.release()


def _busy(partial: Path) -> StorageError:
    return StorageError(f"{partial}: another process is training there; wait for its end, or choose another name")
