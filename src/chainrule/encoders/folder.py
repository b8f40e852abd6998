"""Folders of pretrained models, as transformers and the hub keep them: read and written."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from safetensors import SafetensorError

from chainrule.array_file import ArrayFile, file_parts
from chainrule.encoders.configuration import EncoderConfiguration
from chainrule.encoders.encoder import PretrainedEncoder
from chainrule.encoders.heads import PretrainedModel
from chainrule.encoders.tensors import has_pooler, is_left_out, plain_name, views, written_names
from chainrule.errors import ModelError, shortened
from chainrule.files import new_folder, write_file
from chainrule.nn.initializers import weights_to_come
from chainrule.shown import listing

CONFIGURATION, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
#: Weights that are pickled, which are never read.
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json", "model.pt", "pytorch_model.pt")
#: What a tokenizer may be kept in, and what makes sentence embeddings of an encoder.
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt",
    "vocab.json", "merges.txt",
)  # fmt: skip
#: Names that a message lists.
LISTED = 8


def read_encoder(folder: str | os.PathLike[str]) -> PretrainedEncoder:
    """The encoder in a folder, without a head; see `read_model`."""
    return read_model(folder).encoder


def read_model(folder: str | os.PathLike[str]) -> PretrainedModel:
    """The encoder in a folder of transformers, with its head if it has one for texts or tokens.

    Read are `config.json` and `model.safetensors`, or the shards that `model.safetensors.index.json` names. Numbers of
    other precisions become float32. Heads of pretraining, such as the one that guesses masked words, are left out.

    Raises:
        ModelError: for a missing file, an unknown architecture, and tensors that are missing, unknown, double or of
            another shape, by name; nothing is read then.
    """
    place = Path(folder)
    try:
        configuration = read_configuration(place)
        with ExitStack() as stack:
            return _read(place, configuration, _files(place, stack))
    except OSError as error:
        raise ModelError(f"{place}: cannot be read: {error.strerror or error}") from error


def read_configuration(folder: str | os.PathLike[str]) -> EncoderConfiguration:
    """The configuration of the encoder in a folder.

    Raises:
        ModelError: when there is none, or it is not of an encoder that is known.
    """
    place = Path(folder)
    if not place.is_dir():
        raise ModelError(f"{place}: there is no such folder; expected one of transformers, with {CONFIGURATION}")
    return EncoderConfiguration.of(read_json(place / CONFIGURATION), str(place / CONFIGURATION))


def read_json(path: Path, kind: type = dict) -> Any:
    """What a JSON file of a folder holds.

    Raises:
        ModelError: when it is missing or damaged, or holds something else than an object (or another kind).
    """
    if not path.is_file():
        raise ModelError(
            f"{path.parent}: {path.name} is missing; the folder is not of a pretrained model, or not whole"
        )
    try:
        content = json.loads(path.read_bytes())
        json.dumps(content, ensure_ascii=False).encode()  # refuses halves of characters, which JSON can hold
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: is not JSON: {shortened(str(error))}; copy it again") from error
    if not isinstance(content, kind):
        raise ModelError(f"{path}: expected {'an object' if kind is dict else 'a list'}, got {shortened(content)}")
    return content


def _read(place: Path, configuration: EncoderConfiguration, files: dict[str, ArrayFile]) -> PretrainedModel:
    """The model whose weights are in these files, by their names."""
    found: dict[str, tuple[ArrayFile, str, str]] = {}
    twice: Counter[str] = Counter()
    for file_name, file in files.items():
        for name in file.shapes:
            plain = plain_name(name, configuration.family)
            if not is_left_out(plain, configuration):
                twice[plain] += 1
                found[plain] = (file, name, file_name)
    double = sorted(name for name, count in twice.items() if count > 1)
    if double:
        raise ModelError(f"{place}: tensors that come twice: {_listed(double)}; expected each in one file, once")
    numbers = sum(math.prod(shape) for file in files.values() for shape in file.shapes.values())
    try:
        with weights_to_come(numbers, f"{place.name}'s weights"):
            model = PretrainedModel.of(configuration, pooler=has_pooler(found), generator=np.random.default_rng(0))
    except (ValueError, MemoryError, OverflowError) as error:
        raise ModelError(f"{place / CONFIGURATION}: asks for more than the weights beside it hold: {error}") from error
    expected = views(model)
    missing, unknown = (
        sorted(expected.keys() - found.keys()),
        sorted(found[x][1] for x in found.keys() - expected.keys()),
    )
    if missing or unknown:
        raise ModelError(
            f"{place}: expected the tensors of {configuration.family} as {CONFIGURATION} describes it; missing: "
            f"{_listed(missing)}; unknown: {_listed(unknown)}"
        )
    for plain, (file, name, file_name) in found.items():
        where, view = f"{place / file_name}: {name}", expected[plain]
        if file.shapes[name] != view.shape:
            raise ModelError(f"{where}: expected shape {view.shape}, as {CONFIGURATION} says, got {file.shapes[name]}")
        if not file.is_floating(name):
            raise ModelError(f"{where}: expected floating-point numbers, got {file.kind(name)}")
    for plain, (file, name, file_name) in found.items():
        try:
            file.read_into(name, expected[plain], convert=True)
        except (SafetensorError, ValueError) as error:
            raise ModelError(f"{place / file_name}: {name}: {error}") from error
    return model


def _files(place: Path, stack: ExitStack) -> dict[str, ArrayFile]:
    """The files of weights, by their names."""
    if (place / WEIGHTS).is_file():
        return {WEIGHTS: _open(place / WEIGHTS, stack)}
    if not (place / INDEX).is_file():
        pickled = next((name for name in PICKLES if (place / name).is_file()), None)
        if pickled is not None:
            raise ModelError(_refusal_of_pickles(place, pickled))
        raise ModelError(f"{place}: {WEIGHTS} is missing (or {INDEX} and its shards); the folder is not whole")
    index = read_json(place / INDEX).get("weight_map")
    if not isinstance(index, dict) or not index or not all(isinstance(x, str) for x in index.values()):
        raise ModelError(f"{place / INDEX}: expected weight_map with the file of each tensor, got {shortened(index)}")
    shards = sorted(set(index.values()))
    outside = [name for name in shards if PurePath(name).name != name or name in ("", ".", "..") or "\\" in name]
    if outside:
        raise ModelError(f"{place / INDEX}: expected names of files in the folder, got {_listed(outside)}")
    missing = [name for name in shards if not (place / name).is_file()]
    if missing:
        raise ModelError(f"{place}: shards are missing: {_listed(missing)}; copy the folder again")
    files = {name: _open(place / name, stack) for name in shards}
    absent = sorted(name for name, shard in index.items() if name not in files[shard].shapes)
    if absent:
        raise ModelError(f"{place}: tensors are not in the shard that {INDEX} says: {_listed(absent)}")
    return files


def _open(path: Path, stack: ExitStack) -> ArrayFile:
    try:
        return stack.enter_context(ArrayFile(path))
    except SafetensorError as error:
        raise ModelError(f"{path}: is not a safetensors file: {error}; copy it again") from error


def _refusal_of_pickles(place: Path, name: str) -> str:
    if name.endswith(".json"):
        command = (
            f"from transformers import AutoModel; AutoModel.from_pretrained('{place}').save_pretrained('{place}-new')"
        )
    else:
        command = (
            f"import torch, safetensors.torch as s; x = torch.load('{place / name}', weights_only=True); "
            f"s.save_file({{k: v.clone() for k, v in x.items()}}, '{place / WEIGHTS}')"
        )
    return (
        f"{place}: {WEIGHTS} is missing, and {name} is pickled, which is never read, as that can run any program. "
        f'If you trust it, convert it where PyTorch is installed: python -c "{command}"'
    )


def write_encoder(
    model: PretrainedModel | PretrainedEncoder,
    folder: str | os.PathLike[str],
    *,
    tokenizer_of: str | os.PathLike[str] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> None:
    """Write a folder that transformers opens with equal answers: whole, or not at all.

    Args:
        model: an encoder, with or without a head.
        folder: the place of a new folder.
        tokenizer_of: a folder whose files of the tokenizer are copied.
        files: further files, by their names.

    Raises:
        StorageError: when something is there already, or cannot be written.
    """
    if isinstance(model, PretrainedEncoder):
        model = PretrainedModel(model)
    names = written_names(model)
    arrays = {names[plain]: view.astype(np.float32, copy=False) for plain, view in views(model).items()}
    with new_folder(folder) as place:
        write_file(place / CONFIGURATION, model.configuration.written())
        write_file(place / WEIGHTS, file_parts(arrays, {"format": "pt"}))
        for path in _tokenizer_files(tokenizer_of):
            shutil.copyfile(path, place / path.name)
        for name, content in (files or {}).items():
            write_file(place / name, [content])


def _tokenizer_files(folder: str | os.PathLike[str] | None) -> Iterator[Path]:
    if folder is not None:
        yield from (Path(folder) / name for name in TOKENIZER_FILES if (Path(folder) / name).is_file())


def _listed(names: list[str]) -> str:
    return listing(names, LISTED)
