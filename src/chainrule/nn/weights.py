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


def save(layer: Layer, path: str | os.PathLike[str]) -> None:
    """See `Layer.save`."""
    write_file(path, file_parts({name: x.numpy() for name, x in layer.named_tensors().items()}))


def load(layer: Layer, path: str | os.PathLike[str]) -> None:
    """See `Layer.load`."""
    try:
        with ArrayFile(Path(path)) as file:
            arrays = {name: file.read(name) for name in file.shapes}
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: expected a safetensors file, as Layer.save writes it: {error}") from error
    assign(layer, arrays, f"{path}: ")


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
    return {ours: np.transpose(arrays[name], axes) if axes else arrays[name] for ours, (name, axes) in names.items()}


def to_torch(layer: Layer) -> dict[str, Array]:
    """The tensors of a layer under PyTorch's names and in its form, copied; see `from_torch`.

    In PyTorch: `module.load_state_dict({name: torch.from_numpy(x) for name, x in to_torch(layer).items()})`.

    Example:
        >>> from chainrule.nn import Linear, Sequential
        >>> network = Sequential(Linear(3, 2, generator=np.random.default_rng(0)))
        >>> {name: array.shape for name, array in to_torch(network).items()}
        {'0.weight': (2, 3), '0.bias': (2,)}
    """
    held = {ours: leaf.numpy() for ours, leaf in layer.named_tensors().items()}
    return {
        name: np.array(np.transpose(held[ours], np.argsort(axes)) if axes else held[ours], order="C")
        for ours, (name, axes) in _torch_names(layer).items()
    }


def _torch_names(layer: Layer) -> dict[str, tuple[str, tuple[int, ...]]]:
    """For each tensor by our name: PyTorch's name, and which of its axes ours are; none where they are the same."""
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
        found[path] = (".".join(filter(None, names)).removesuffix(".T"), axes)
    return found
