"""Checkpoints: all that a training needs to go on to the same bits after it was killed.

One sealed safetensors file holds the weights, the optimizer's state and the best weights so far, each array under the
name of its parameter, and, as text in its header, the epochs so far, the place in the data and the first line of the
record. It is written beside its place and renamed: there is always a whole one.

When a checkpoint comes depends on the clock, and the weights must not. So arrays are written as they are in memory:
rows of embedding tables that are behind (`chainrule.optim.deferral`) stay so, and what tells how far is written too.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import ClassVar

import numpy as np
from safetensors import SafetensorError

from chainrule.array_file import SEAL, ArrayFile, file_parts, is_sealed
from chainrule.data import Examples
from chainrule.errors import ModelError
from chainrule.files import write_file
from chainrule.graph.spec import Array
from chainrule.optim.deferral import Deferral
from chainrule.train.record import Line, Record, require_same
from chainrule.train.trainer import Epoch, Observer, Position, Trainer
from chainrule.xla.ranks import Team

FORMAT = 3
#: Seconds from one checkpoint to the next, at least, and the share of the time that they may take.
INTERVAL, SHARE = 60.0, 0.03
#: Ranks hear after so many mini-batches whether a checkpoint is due.
BATCHES = 16
#: Bytes a second that a slow disk writes: what the first checkpoint will take is not known otherwise.
SLOW_DISK = 200e6


class Checkpointer(Observer):
    """Writes a checkpoint after a step where one is due: each minute, or more seldom where it takes long.

    The time from one to the next is so long that what the last one took is 3 % of it. A training of less than a minute
    writes none.

    Of ranks that train together, rank 0 looks at the clock and writes. The others hear from it, as parameters that are
    cut among devices are put together by all.

    Args:
        path: of the file.
        record: of the training.
        clock: gives the time in seconds.
        team: the ranks; None for a process that trains alone.
    """

    turn: ClassVar[int] = Observer.KEEPS

    def __init__(
        self,
        path: Path,
        record: Record,
        *,
        clock: Callable[[], float] = time.monotonic,
        team: Team | None = None,
    ) -> None:
        self.path = path
        self.team = team
        self.record = record
        self.clock = clock
        self._last = clock()
        self._cost = 0.0

    def training_started(self, trainer: Trainer) -> None:
        """The time begins to run."""
        best = sum(x.spec.size * x.dtype.itemsize for x in trainer.changing.values())
        self._cost = (sum(array.nbytes for array in _in_memory(trainer).values()) + best) / SLOW_DISK
        self._last = self.clock()

    def batch_ended(self, trainer: Trainer, batch: Examples, sums: Mapping[str, float]) -> None:
        """Write a checkpoint if it is due."""
        if self.team is not None and trainer.taken % BATCHES:
            return
        due = self.clock() - self._last >= max(INTERVAL, self._cost / SHARE)
        if due if self.team is None else self.team.told(due):
            with nullcontext() if self.team is None else self.team.watchdog.busy():
                self.write(trainer)

    def write(self, trainer: Trainer) -> None:
        """Write a checkpoint.

        Raises:
            StorageError: when it cannot be written; the one before stays.
        """
        started = self.clock()
        arrays, best = _in_memory(trainer), trainer.best
        content = {
            "format": FORMAT,
            "epochs": [line for line in self.record.lines if line["kind"] == "epoch"],
            "position": dataclasses.asdict(trainer.position.settled()),
            "best": None if best is None else best[0].number,
            "first_line": self.record.lines[0],
        }
        if best is not None:
            arrays |= {f"best.{name}": array for name, array in best[1].items()}
        if self.team is None or self.team.leads:
            write_file(self.path, file_parts(arrays, {"checkpoint": json.dumps(content)}, sealed=True))
        self._last = self.clock()
        self._cost = self._last - started


def read_content(path: Path) -> Line:
    """What a checkpoint holds beside its arrays.

    Raises:
        ModelError: when it cannot be read, was damaged, or another version wrote it.
    """
    try:
        with ArrayFile(path) as file:
            content: Line = json.loads(file.metadata["checkpoint"])
        found = content["format"]
        newer, older = found > FORMAT, found < FORMAT
        whole = newer or older or is_sealed(path)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(path, error) from error
    if newer:
        raise ModelError(f"{path}: was written by a newer chainrule; install that version to resume")
    if older:
        raise ModelError(f"{path}: was written by an older chainrule; resume with that, or remove its folder")
    if not whole:
        raise ModelError(
            f"{path}: was changed after it was written (its seal does not fit); remove its folder and train anew"
        )
    return content


def restore(trainer: Trainer, path: Path, first_line: Line) -> Line:
    """Put a trainer that has not begun where a checkpoint was written; the content of that.

    Raises:
        ModelError: when the checkpoint cannot be read, is of a training with other data or settings, which the message
            names, or lacks what a checkpoint holds.
    """
    content = read_content(path)
    try:
        require_same(content["first_line"], first_line, path)
        with ArrayFile(path) as file:
            _restore(trainer, content, file)
    except ModelError:
        raise
    except (SafetensorError, OSError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise _damaged(path, error) from error
    return content


def _restore(trainer: Trainer, content: Line, file: ArrayFile) -> None:
    """The arrays are read into the memory of those that the trainer has."""
    trainer.history = [Epoch.of_line(line, number) for number, line in enumerate(content["epochs"], start=1)]
    trainer.rescale()
    trainer.position = Position(**content["position"])
    trainer.taken = trainer.position.passes * trainer.batches + trainer.position.batches
    for i, state in enumerate(trainer.states):  # first, as what a step leaves behind may depend on its number
        file.read_into(_step(i), state.count.numpy())
    if any(name.startswith(_pauses(0)) for name in file.shapes):
        for step in (trainer.native_step, trainer.native_wait):  # an engine may not have traced them yet
            getattr(step, "prepare", lambda: None)()
    for i, deferral in enumerate(_deferrals(trainer)):
        if any(name.startswith(_pauses(i)) for name in file.shapes):
            deferral.go_on()
    arrays = _in_memory(trainer)
    if content["best"] is not None:
        weights = {name: np.empty(x.shape, x.dtype) for name, x in trainer.changing.items()}
        arrays |= {f"best.{name}": array for name, array in weights.items()}
        trainer.best = (trainer.history[content["best"] - 1], weights)
    if unknown := sorted(set(file.shapes) - {*arrays, SEAL}):
        raise ValueError(f"it holds {unknown[0]}, which this training does not have")
    for name, array in arrays.items():
        file.read_into(name, array)


def _in_memory(trainer: Trainer) -> dict[str, Array]:
    """All arrays of a training but the best weights, as they are in memory, by the names of parameters."""
    held = {f"weights.{name}": leaf.array for name, leaf in trainer.changing.items()}
    for group, state in zip(trainer.groups, trainer.states, strict=True):
        for name, slot in zip(group.names, state.slots, strict=True):
            held |= {f"optimizer.{name}/{remembered}": leaf.array for remembered, leaf in slot.items()}
    if trainer.averages is not None:
        held |= {
            f"averages.{name}": x.array for name, x in zip(trainer.named_parameters, trainer.averages.sums, strict=True)
        }
        held["averages.count/"] = trainer.averages.count.array
    if trainer.accumulation is not None:
        names = [name for group in trainer.groups for name in group.names]
        held |= {f"waiting.{name}": x.array for name, x in zip(names, trainer.accumulation.sums, strict=True)}
        held["waiting.weight/"] = trainer.accumulation.weight.array
    if trainer.carried is not None:
        held |= trainer.carried.arrays()
    arrays = {name: array for name, array in held.items() if array is not None}
    for i, state in enumerate(trainer.states):
        arrays[_step(i)] = state.count.numpy()
    for i, deferral in enumerate(_deferrals(trainer)):
        if deferral.behind:
            arrays |= {f"{_pauses(i)}{name}": array for name, array in deferral.arrays().items()}
    return arrays


def _deferrals(trainer: Trainer) -> list[Deferral]:
    """What brings rows of tables up to date, of all groups."""
    return [deferral for state in trainer.states for deferral in state.deferrals]


def _step(number: int) -> str:
    """The name of how many steps an optimizer has taken."""
    return f"optimizer.step.{number}" if number else "optimizer.step"


def _pauses(number: int) -> str:
    """What the names of the arrays begin with that tell how far the rows of an optimizer's tables are behind."""
    return f"pauses.{number}."


def _damaged(path: Path, error: Exception) -> ModelError:
    return ModelError(f"{path}: is not a whole checkpoint: {error}; remove its folder and train anew")
