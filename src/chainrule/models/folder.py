"""The model folder: what a classifier is on disk. Nothing in it is ever executed or unpickled.

model.safetensors   the weights
model.json          format number, version, learner with its hyper-parameters, labels, checksums of the other files
vocabulary.txt      a line an entry, with its count
record.jsonl        what training wrote down (there when training wrote the folder)
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from chainrule.errors import ModelError
from chainrule.files import new_folder, write_file
from chainrule.graph.spec import Array
from chainrule.models.bag_of_words import BagOfWords
from chainrule.models.feed_forward import FeedForward
from chainrule.models.learner import Learner, TextNetwork, learner_from
from chainrule.text import Vocabulary
from chainrule.version import __version__

FORMAT = 1
LEARNERS: dict[str, type[Learner]] = {kind.name: kind for kind in (BagOfWords, FeedForward)}
WEIGHTS, DESCRIPTION, VOCABULARY, RECORD = "model.safetensors", "model.json", "vocabulary.txt", "record.jsonl"


def write_folder(
    folder: str | os.PathLike[str],
    learner: Learner,
    vocabulary: Vocabulary,
    labels: Sequence[str],
    network: TextNetwork,
) -> None:
    """Write a model to a new folder, whole or not at all.

    Raises:
        StorageError: when the folder exists already, or cannot be written.
    """
    with new_folder(folder) as place:
        write_files(place, learner, vocabulary, labels, network)


def write_files(
    place: Path, learner: Learner, vocabulary: Vocabulary, labels: Sequence[str], network: TextNetwork
) -> None:
    """Write the files of a model into a folder that is there."""
    weights = {name: np.asarray(x.numpy(), order="C") for name, x in network.named_tensors().items()}
    write_file(place / WEIGHTS, safetensors.numpy.save(weights))
    vocabulary.save(place / VOCABULARY)
    description = {
        "format": FORMAT,
        "chainrule": __version__,
        "learner": learner.settings(),
        "labels": list(labels),
        "sha256": {name: _checksum(place / name) for name in (WEIGHTS, VOCABULARY)},
    }
    sealed = {**description, "seal": _seal(description)}
    write_file(place / DESCRIPTION, json.dumps(sealed, indent=2, ensure_ascii=False) + "\n")


def read_folder(folder: str | os.PathLike[str]) -> tuple[Learner, Vocabulary, tuple[str, ...], TextNetwork]:
    """Read a model.

    Raises:
        ModelError: when the folder is missing, incomplete, altered, or of a newer version.
    """
    try:
        return _read_files(Path(folder))
    except OSError as error:
        raise ModelError(f"{folder}: cannot be read: {error.strerror or error}") from error


def _read_files(place: Path) -> tuple[Learner, Vocabulary, tuple[str, ...], TextNetwork]:
    if not place.is_dir():
        raise ModelError(f"{place}: there is no such folder; expected one written by chainrule train")
    for name in (DESCRIPTION, WEIGHTS, VOCABULARY):
        if not (place / name).is_file():
            raise ModelError(f"{place}: {name} is missing; the folder is not a model, or not whole")
    description = _read_description(place / DESCRIPTION)
    for name, expected in description["sha256"].items():
        if _checksum(place / name) != expected:
            raise ModelError(f"{place / name}: is not what was saved (its checksum differs); copy the folder again")
    vocabulary = Vocabulary.load(place / VOCABULARY)
    labels = tuple(description["labels"])
    try:
        learner = learner_from(LEARNERS, description["learner"])
        network = learner.network(len(vocabulary), len(labels), np.random.default_rng(0))
    except (ValueError, MemoryError) as error:
        raise ModelError(f"{place / DESCRIPTION}: {error}") from error
    load_weights(network, _read_weights(place / WEIGHTS), place / WEIGHTS)
    return learner, vocabulary, labels, network


def load_weights(network: TextNetwork, weights: dict[str, Array], where: Path | str) -> None:
    """Give a network the weights of a file.

    Raises:
        ModelError: when names or shapes differ from what the network has.
    """
    tensors = network.named_tensors()
    if set(tensors) != set(weights):
        raise ModelError(f"{where}: expected the weights {sorted(tensors)}, got {sorted(weights)}")
    for name, leaf in tensors.items():
        if weights[name].shape != leaf.shape or weights[name].dtype != leaf.dtype:
            raise ModelError(f"{where}: expected {name} as {leaf.spec}, got {weights[name].dtype}{weights[name].shape}")
        leaf.assign(weights[name])


def _read_description(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
        found = content["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(
            f"{path}: is not the description of a model (a JSON object with the format number); copy the folder again"
        ) from error
    if not isinstance(found, int) or found > FORMAT:
        raise ModelError(
            f"{path}: has format {found}, written by chainrule {content.get('chainrule')}; this version reads up to "
            f"format {FORMAT}: install a newer chainrule"
        )
    seal = content.pop("seal", None)
    if seal != _seal(content):
        raise ModelError(f"{path}: was changed after it was saved (its seal does not fit); copy the folder again")
    labels, checksums = content.get("labels"), content.get("sha256")
    if not isinstance(labels, list) or len(labels) < 2 or not all(isinstance(label, str) for label in labels):
        raise ModelError(f"{path}: expected labels as a list of two or more strings, got {labels!r}")
    if len(set(labels)) < len(labels):
        raise ModelError(f"{path}: expected labels that differ, got {labels!r}")
    if not isinstance(checksums, dict) or set(checksums) != {WEIGHTS, VOCABULARY}:
        raise ModelError(f"{path}: expected sha256 of {WEIGHTS} and {VOCABULARY}, got {checksums!r}")
    if not isinstance(content.get("learner"), dict):
        raise ModelError(f"{path}: expected learner as an object, got {content.get('learner')!r}")
    return dict(content)


def _read_weights(path: Path) -> dict[str, Array]:
    try:
        return dict(safetensors.numpy.load(path.read_bytes()))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from error


def _checksum(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _seal(description: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()
