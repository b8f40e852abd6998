"""The tensors of a layer as arrays by name: in files, and in PyTorch's names and forms."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError

from chainrule.array_file import ArrayFile, file_parts
from chainrule.errors import DataError, ShapeError
from chainrule.files import write_file
from chainrule.graph.array import as_array
from chainrule.graph.spec import Array
from chainrule.graph.tensor import Tensor, TensorLike

if TYPE_CHECKING:
    from chainrule.nn.layer import Layer

#: In the place of axes: a vector that PyTorch keeps as a matrix of one column.
COLUMN = (-1,)
#: The ends of names of files that Python would unpickle, and the command that makes another of such a file.
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
CONVERT = (
    "import torch, safetensors.torch; safetensors.torch.save_file({{name: x.contiguous() for name, x in "
    "torch.load({0!r}, map_location='cpu', weights_only=True).items()}}, 'weights.safetensors')"
)


def save(layer: Layer, path: str | os.PathLike[str]) -> None:
    """See `Layer.save`."""
    write_file(path, file_parts({name: x.numpy() for name, x in layer.named_tensors().items()}))


def load(layer: Layer, path: str | os.PathLike[str]) -> None:
    """See `Layer.load`."""
    assign(layer, _read(path, "a safetensors file, as Layer.save writes it"), f"{path}: ")


def _read(path: str | os.PathLike[str], expected: str) -> dict[str, Array]:
    """The arrays of a file by their names."""
    try:
        with ArrayFile(Path(path)) as file:
            return {name: file.read(name) for name in file.shapes}
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: expected {expected}: {error}") from error


def assign(layer: Layer, arrays: Mapping[str, TensorLike], where: str = "") -> None:
    """See `Layer.assign`; `where` stands in front of messages."""
    tensors = layer.named_tensors()
    missing, unknown = sorted(tensors.keys() - arrays.keys()), sorted(arrays.keys() - tensors.keys())
    if missing or unknown:
        raise DataError(
            f"{where}expected the tensors of {layer!r}, {', '.join(tensors) or 'none'}; missing: "
            f"{', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}"
        )
    fitting = {}
    for name, leaf in tensors.items():
        given = arrays[name]
        fitting[name] = as_array(given.numpy() if isinstance(given, Tensor) else given, leaf.dtype)
        if fitting[name].shape != leaf.shape:
            raise ShapeError(f"{where}{name} of {layer!r}: expected shape {leaf.shape}, got {fitting[name].shape}")
    for name, leaf in tensors.items():  # all, now that each is known to fit
        leaf.assign(fitting[name])


def save_torch(layer: Layer, path: str | os.PathLike[str]) -> None:
    """See `Layer.save_torch`."""
    write_file(path, file_parts(to_torch(layer), {"format": "pt"}))


def load_torch(layer: Layer, path: str | os.PathLike[str]) -> None:
    """See `Layer.load_torch`."""
    if Path(path).suffix.lower() in PICKLES:
        raise DataError(
            f"{path}: is a pickle, which runs what it holds when it is opened; where you trust it, convert it in "
            f"Python: {CONVERT.format(str(path))}"
        )
    arrays = _read(path, "the state_dict of a module as a safetensors file")
    unknown = sorted(arrays.keys() - {name for name, _ in _torch_names(layer).values()} - counted_names(arrays))
    if unknown:
        raise DataError(f"{path}: {layer!r} has no tensors {', '.join(unknown)}")
    assign(layer, from_torch(layer, arrays), f"{path}: ")


def counted_names(arrays: Mapping[str, Array]) -> set[str]:
    """What PyTorch's batch normalisation counts, and nothing depends on."""
    return {name for name in arrays if name.rpartition(".")[2] == "num_batches_tracked"}


def from_torch(layer: Layer, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays of a PyTorch module's `state_dict`, under the names and in the form of this layer's tensors.

    PyTorch keeps the weight of a linear layer as (outputs, inputs), and counts the layers of a `Sequential` as `0`, `1`
    and not `layers.0`, `layers.1`. Names of fields of your own are to be the same in both.

    Args:
        layer: what has the tensors.
        arrays: `{name: x.numpy() for name, x in module.state_dict().items()}`; PyTorch is not needed here.

    Raises:
        DataError: when an array is missing.

    Example:
        >>> from chainrule.nn import Linear
        >>> linear = Linear(3, 2, generator=np.random.default_rng(0))
        >>> state = {"weight": np.ones((2, 3)), "bias": np.zeros(2)}
        >>> linear.assign(from_torch(linear, state))
        >>> linear([[1.0, 2.0, 3.0]]).value
        array([[6., 6.]], dtype=float32)
    """
    names = _torch_names(layer)
    missing = sorted({name for name, _ in names.values()} - arrays.keys())
    if missing:
        raise DataError(f"from_torch: expected arrays for {layer!r}; missing: {', '.join(missing)}")
    found = {}
    for ours, (name, axes) in names.items():
        array = np.asarray(arrays[name])
        if axes == COLUMN:
            array = array.reshape(-1)
        elif axes and array.ndim == len(axes):  # of another rank, `assign` says what shape is expected
            array = np.transpose(array, axes)
        found[ours] = array
    return found


def to_torch(layer: Layer) -> dict[str, Array]:
    """The tensors of a layer under PyTorch's names and in its form, copied; see `from_torch`.

    In PyTorch: `module.load_state_dict({name: torch.from_numpy(x) for name, x in to_torch(layer).items()})`.

    Example:
        >>> from chainrule.nn import Linear, Sequential
        >>> network = Sequential(Linear(3, 2, generator=np.random.default_rng(0)))
        >>> {name: array.shape for name, array in to_torch(network).items()}
        {'0.weight': (2, 3), '0.bias': (2,)}
    """
    held, found = {ours: leaf.numpy() for ours, leaf in layer.named_tensors().items()}, {}
    for ours, (name, axes) in _torch_names(layer).items():
        array = held[ours].reshape(-1, 1) if axes == COLUMN else held[ours]
        found[name] = np.array(np.transpose(array, np.argsort(axes)) if axes and axes != COLUMN else array, order="C")
    return found


def _torch_names(layer: Layer) -> dict[str, tuple[str, tuple[int, ...]]]:
    """For each tensor by our name: PyTorch's name, and which of its axes ours are; none where they are the same.

    What `in_torch` of a layer calls "name.T" is transposed there, and "name.column" a matrix of one column; "" is no
    part of names, and "*_end" ends them.
    """
    layers = layer.named_layers()
    found = {}
    for path in layer.named_tensors():
        names: list[str] = []
        axes: tuple[int, ...] = ()
        fields = path.split(".")
        for i, field in enumerate(fields):
            owner = layers.get(".".join(fields[:i]))
            named = owner.in_torch.get(field, field) if owner is not None else field
            name, axes = named if isinstance(named, tuple) else (named, ())
            names.append(name)
        if names[-1].endswith(".T"):
            axes = (1, 0)
        elif names[-1].endswith(".column"):
            axes = COLUMN
        ends = [name.removeprefix("*") for name in names if name.startswith("*")]
        name = ".".join(name for name in names if name and not name.startswith("*"))
        found[path] = (name.removesuffix(".T").removesuffix(".column") + "".join(ends), axes)
    return found
