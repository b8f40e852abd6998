"""Checkpoints: all that a training needs to go on to the same bits after it was killed.

One safetensors file holds the weights, the optimizer's state and the best weights so far, each array under the name of
its parameter, and, as text in its header, the epochs so far, the place in the data and the first line of the record. It
is written beside its place and renamed: there is always a whole one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import ClassVar

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError, safe_open

from chainrule.errors import ModelError
from chainrule.files import write_file
from chainrule.graph.spec import Array
from chainrule.train.record import Line, Record, require_same
from chainrule.train.trainer import Epoch, Observer, Position, Trainer

FORMAT = 2


class Checkpointer(Observer):
    """Writes a checkpoint after each validation."""

    turn: ClassVar[int] = Observer.KEEPS

    def __init__(self, path: Path, record: Record) -> None:
        self.path = path
        self.record = record

    def epoch_ended(self, trainer: Trainer, epoch: Epoch) -> None:
        """Write the checkpoint."""
        arrays = {f"weights.{name}": x.numpy() for name, x in trainer.named_parameters.items()}
        arrays.update({f"optimizer.{name}": array for name, array in _named_state(trainer).items()})
        content = {
            "format": FORMAT,
            "epochs": [line for line in self.record.lines if line["kind"] == "epoch"],
            "position": dataclasses.asdict(trainer.position),
            "best": None,
            "stopped": trainer.stopped,
            "first_line": self.record.lines[0],
        }
        if trainer.best is not None:
            content["best"] = trainer.best[0].number
            arrays.update({f"best.{name}": array for name, array in trainer.best[1].items()})
        owned = {name: np.asarray(array, order="C") for name, array in arrays.items()}
        text = json.dumps(content)
        write_file(self.path, safetensors.numpy.save(owned, {"checkpoint": text, "seal": _seal(text, owned)}))


def read_checkpoint(path: Path) -> tuple[Line, dict[str, Array]]:
    """The content and the arrays of a checkpoint.

    Raises:
        ModelError: when it cannot be read, was damaged, or another version wrote it.
    """
    try:
        with safe_open(path, framework="numpy") as stream:
            text, seal = (stream.metadata()[key] for key in ("checkpoint", "seal"))
            arrays = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118  (not a dictionary)
        content = json.loads(text)
        found = content["format"]
        newer, older = found > FORMAT, found < FORMAT
        whole = seal == _seal(text, arrays)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path}: is not a whole checkpoint: {error}; remove its folder and train anew") from error
    if newer:
        raise ModelError(f"{path}: was written by a newer chainrule; install that version to resume")
    if older:
        raise ModelError(f"{path}: was written by an older chainrule; resume with that, or remove its folder")
    if not whole:
        raise ModelError(
            f"{path}: was changed after it was written (its seal does not fit); remove its folder and train anew"
        )
    return content, arrays


def restore(trainer: Trainer, content: Line, arrays: dict[str, Array], first_line: Line, path: Path) -> None:
    """Put a trainer where a checkpoint was written.

    Raises:
        ModelError: when the checkpoint is of a training with other data or settings, which the message names, or lacks
            what a checkpoint holds.
    """
    try:
        require_same(content["first_line"], first_line, path)
        _restore(trainer, content, arrays)
    except ModelError:
        raise
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"{path}: is not a whole checkpoint: {error}; remove its folder and train anew") from error


def _restore(trainer: Trainer, content: Line, arrays: dict[str, Array]) -> None:
    for name, parameter in trainer.named_parameters.items():
        parameter.assign(arrays[f"weights.{name}"])
    numbers = {name: i for i, name in enumerate(trainer.named_parameters)}
    slots: dict[str, Array] = {}
    for key, array in arrays.items():
        if key.startswith("optimizer."):
            name, _, slot = key.removeprefix("optimizer.").rpartition("/")
            slots[f"{numbers[name]}.{slot}" if name else slot] = array
    trainer.state.load(slots)
    trainer.history = [Epoch.of_line(line, number) for number, line in enumerate(content["epochs"], start=1)]
    trainer.position = Position(**content["position"])
    trainer.stopped = content["stopped"]
    if content["best"] is not None:
        weights = {name: arrays[f"best.{name}"] for name in trainer.named_parameters}
        trainer.best = (trainer.history[content["best"] - 1], weights)


def _named_state(trainer: Trainer) -> dict[str, Array]:
    """The optimizer's arrays by the names of parameters instead of their numbers: "bias/mean" instead of "3.mean"."""
    names = list(trainer.named_parameters)
    held = {}
    for key, array in trainer.state.arrays().items():
        number, dot, slot = key.partition(".")
        held[f"{names[int(number)]}/{slot}" if dot else key] = array
    return held


def _seal(text: str, arrays: dict[str, Array]) -> str:
    """SHA-256 of a checkpoint's content and arrays: safetensors files have no checksum of their own."""
    digest = hashlib.sha256(text.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape} ".encode() + array.tobytes())
    return digest.hexdigest()
