"""The model folder: what a model is on disk. Nothing in it is ever executed or unpickled.

model.safetensors   the weights
model.json          format number, version, the settings of task, learner and training, what was learned from the table,
                    checksums of the other files
vocabulary.txt      of a model of words: a line an entry, with its count
tokenizer.json      of a model of other units, such as characters, subwords or the pieces of a pretrained encoder: these
config.json         of a pretrained encoder that was trained on: its sizes
columns.json        of a model of columns: means, deviations and categories
record.jsonl        what training wrote down (there when training wrote the folder)
settings.toml       the settings that repeat the training (there when training wrote the folder)
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError

from chainrule.array_file import ArrayFile, Part, file_parts, hashed
from chainrule.errors import ModelError, shortened
from chainrule.files import new_folder, write_file
from chainrule.models.learner import LEARNERS, Learner, Network
from chainrule.models.upgrade import FORMAT, upgraded
from chainrule.nn.initializers import weights_to_come
from chainrule.tasks import TASKS, Codec, Task
from chainrule.version import __version__

WEIGHTS, DESCRIPTION = "model.safetensors", "model.json"


def write_folder(
    folder: str | os.PathLike[str],
    task: Task,
    codec: Codec,
    learner: Learner,
    network: Network,
    training: Mapping[str, Any],
) -> None:
    """Write a model to a new folder, whole or not at all.

    Raises:
        StorageError: when the folder exists already, or cannot be written.
    """
    with new_folder(folder) as place:
        write_files(place, task, codec, learner, network, training)


def write_files(
    place: Path, task: Task, codec: Codec, learner: Learner, network: Network, training: Mapping[str, Any]
) -> None:
    """Write the files of a model into a folder that is there."""
    weights = {name: x.numpy() for name, x in network.named_tensors().items()}
    files: dict[str, Iterable[Part]] = {WEIGHTS: file_parts(weights)}
    files |= {name: [content] for name, content in codec.files().items()}
    digests = {name: hashlib.sha256() for name in files}
    for name, parts in files.items():
        write_file(place / name, hashed(parts, digests[name]))
    description = {
        "format": FORMAT,
        "chainrule": __version__,
        "task": task.settings(),
        "learner": learner.settings(),
        "training": dict(training),
        "codec": codec.describe(),
        "sha256": {name: digest.hexdigest() for name, digest in digests.items()},
    }
    sealed = {**description, "seal": _seal(description)}
    write_file(place / DESCRIPTION, json.dumps(sealed, indent=2, ensure_ascii=False) + "\n")


def read_folder(place: Path) -> tuple[Task, Codec, Learner, Network, dict[str, Any]]:
    """Read a model: its task, codec, learner, network and training settings.

    Raises:
        ModelError: when the folder is missing, incomplete, altered, or of a newer version.
    """
    try:
        return _read_files(place)
    except OSError as error:
        raise ModelError(f"{place}: cannot be read: {error.strerror or error}") from error


def _read_files(place: Path) -> tuple[Task, Codec, Learner, Network, dict[str, Any]]:
    if not place.is_dir():
        raise ModelError(f"{place}: there is no such folder; expected one written by chainrule train")
    for name in (DESCRIPTION, WEIGHTS):
        _require_file(place, name)
    path = place / DESCRIPTION
    description = _read_description(path)
    try:
        learner = LEARNERS.make(description["learner"])
        task = TASKS.make(description["task"]).resolved(learner.reads, learner.name)
        _require_whole(place, description["sha256"], [WEIGHTS, *task.files])
        codec = task.load(place, description["codec"], learner.layout(task.answers))
        with weights_to_come(_count_weights(place / WEIGHTS), WEIGHTS):  # the settings may ask for any size
            network = learner.network(codec.sizes, task.answers, np.random.default_rng(0))
    except ModelError as error:
        raise error if str(place) in str(error) else ModelError(f"{path}: {error}") from error
    except (ValueError, TypeError, MemoryError) as error:
        raise ModelError(f"{path}: {error}") from error
    load_weights(network, place / WEIGHTS)
    return task, codec, learner, network, description["training"]


def _require_whole(place: Path, checksums: Mapping[str, str], files: Sequence[str]) -> None:
    """Refuse files that are missing, or are not what was saved."""
    if set(checksums) != set(files):
        raise ModelError(f"{place / DESCRIPTION}: expected sha256 of {' and '.join(files)}, got {shortened(checksums)}")
    for name, checksum in checksums.items():
        _require_file(place, name)
        if _checksum(place / name) != checksum:
            raise ModelError(f"{place / name}: is not what was saved (its checksum differs); copy the folder again")


def _require_file(place: Path, name: str) -> None:
    if not (place / name).is_file():
        raise ModelError(f"{place}: {name} is missing; the folder is not a model, or not whole")


def load_weights(network: Network, path: Path) -> None:
    """Give a network the weights of a file.

    Raises:
        ModelError: when the file cannot be read, or names or shapes differ from what the network has.
    """
    tensors = network.named_tensors()
    try:
        with ArrayFile(path) as file:
            if set(tensors) != set(file.shapes):
                raise ModelError(
                    f"{path}: expected the weights {shortened(sorted(tensors))}, got {shortened(sorted(file.shapes))}"
                )
            for name, leaf in tensors.items():
                file.read_into(name, leaf.numpy())
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path}: {error}") from error


def _read_description(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
        found = content["format"]
        json.dumps(content, ensure_ascii=False).encode()  # refuses halves of characters, which JSON can hold
        seal = content.pop("seal", None)
        sealed = _seal(content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(
            f"{path}: is not the description of a model (a JSON object with the format number); copy the folder again"
        ) from error
    if isinstance(found, bool) or not isinstance(found, int) or not 1 <= found <= FORMAT:
        raise ModelError(
            f"{path}: has format {shortened(found)}, written by chainrule {shortened(content.get('chainrule'))}; "
            f"this version reads up to format {FORMAT}: install a newer chainrule"
        )
    if seal != sealed:
        raise ModelError(f"{path}: was changed after it was saved (its seal does not fit); copy the folder again")
    try:
        content = upgraded(content)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    for key in ("task", "learner", "training", "codec", "sha256"):
        if not isinstance(content.get(key), dict):
            raise ModelError(f"{path}: expected {key} as an object, got {shortened(content.get(key))}")
    return dict(content)


def _count_weights(path: Path) -> int:
    """How many numbers the file of weights holds, from its header alone, which its size bounds."""
    try:
        with ArrayFile(path) as file:
            return sum(map(math.prod, file.shapes.values()))
    except (SafetensorError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from error


def _checksum(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _seal(description: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()
