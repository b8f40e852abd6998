"""Checkpoints: all that a training needs to go on to the same bits after it was killed.

One safetensors file holds the weights, the optimizer's state, the best weights so far, and, as text in its header, the
epochs so far and the first line of the record. It is written beside its place and renamed: there is always a whole
one.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError, safe_open

from chainrule.errors import ModelError
from chainrule.files import write_file
from chainrule.graph.spec import Array
from chainrule.train.record import Line, Record, comparable
from chainrule.train.trainer import Epoch, Observer, Trainer

FORMAT = 1


class Checkpointer(Observer):
    """Writes a checkpoint after each epoch; stands last among the observers, so that it sees what they decided."""

    def __init__(self, path: Path, record: Record) -> None:
        self.path = path
        self.record = record

    def epoch_ended(self, trainer: Trainer, epoch: Epoch) -> None:
        """Write the checkpoint."""
        arrays = {f"weights.{i}": x.numpy() for i, x in enumerate(trainer.parameters)}
        arrays.update({f"optimizer.{name}": array for name, array in trainer.state.arrays().items()})
        content = {
            "format": FORMAT,
            "epochs": [line for line in self.record.lines if line["kind"] == "epoch"],
            "best": None,
            "stopped": trainer.stopped,
            "first_line": self.record.lines[0],
        }
        if trainer.best is not None:
            content["best"] = trainer.best[0].epoch
            arrays.update({f"best.{i}": array for i, array in enumerate(trainer.best[1])})
        owned = {name: np.asarray(array, order="C") for name, array in arrays.items()}
        text = json.dumps(content)
        write_file(self.path, safetensors.numpy.save(owned, {"checkpoint": text, "seal": _seal(text, owned)}))


def read_checkpoint(path: Path) -> tuple[Line, dict[str, Array]]:
    """The content and the arrays of a checkpoint.

    Raises:
        ModelError: when it cannot be read, was damaged, or a newer version wrote it.
    """
    try:
        with safe_open(path, framework="numpy") as stream:
            text, seal = (stream.metadata()[key] for key in ("checkpoint", "seal"))
            arrays = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118  (not a dictionary)
        content = json.loads(text)
        newer = content["format"] > FORMAT
        whole = seal == _seal(text, arrays)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path}: is not a whole checkpoint: {error}; remove its folder and train anew") from error
    if newer:
        raise ModelError(f"{path}: was written by a newer chainrule; install that version to resume")
    if not whole:
        raise ModelError(
            f"{path}: was changed after it was written (its seal does not fit); remove its folder and train anew"
        )
    return content, arrays


def restore(trainer: Trainer, content: Line, arrays: dict[str, Array], first_line: Line, path: Path) -> None:
    """Put a trainer where a checkpoint was written.

    Raises:
        ModelError: when the checkpoint is of a training with other data or settings; the message names them.
    """
    there, here = comparable(content["first_line"]), comparable(json.loads(json.dumps(first_line)))
    for key, value in here.items():
        if there.get(key) != value:
            raise ModelError(
                f"{path}: the training to resume had another {key}: {_difference(there.get(key), value)}; "
                f"resume with the same data and settings, or remove the folder and train anew"
            )
    for i, parameter in enumerate(trainer.parameters):
        parameter.assign(arrays[f"weights.{i}"])
    prefix = "optimizer."
    slots = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    trainer.state.load(slots)
    trainer.history = [Epoch(**{k: v for k, v in line.items() if k != "kind"}) for line in content["epochs"]]
    trainer.stopped = content["stopped"]
    if content["best"] is not None:
        weights = [arrays[f"best.{i}"] for i in range(len(trainer.parameters))]
        trainer.best = (trainer.history[content["best"] - 1], weights)


def _seal(text: str, arrays: dict[str, Array]) -> str:
    """SHA-256 of a checkpoint's content and arrays: safetensors files have no checksum of their own."""
    digest = hashlib.sha256(text.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape} ".encode() + array.tobytes())
    return digest.hexdigest()


def _difference(there: object, here: object) -> str:
    if isinstance(there, dict) and isinstance(here, dict):
        for key in [*there, *here]:
            if there.get(key) != here.get(key):
                return f"{key}: {_difference(there.get(key), here.get(key))}"
    return f"{there!r}, and now {here!r}"
