"""Layer: parameters as fields, an equation in `__call__`."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from chainrule.errors import ConfigurationError, DTypeError, IndexRangeError, ShapeError
from chainrule.graph.calls import CALLS
from chainrule.graph.leaves import Mutable, Parameter
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn import weights

#: Errors about the data a layer was called on: they say which layer it was.
INPUT_ERRORS = (ShapeError, DTypeError, IndexRangeError)


class Layer:
    """The base of all layers: parameters and sub-layers are plain fields, the equation is `__call__`.

    A layer's parameters are found through its fields, and through lists, tuples and dictionaries in them. An error
    about a shape, a dtype or an index that its `__call__` raises starts with the layer's own text, such as
    `Linear(100 → 128): `, and each layer around it adds where that layer is. A returned tensor lists in `.layers` the
    layers that returned it.

    A layer that draws random numbers in training sets `random = True` and takes `key: Key | None = None`: with a key it
    trains, without one it evaluates. There is no other mode; see `Dropout`.

    Example (an own layer):
        >>> import numpy as np
        >>> import chainrule
        >>> from chainrule.nn import Layer, Linear
        >>> class Residual(Layer):
        ...     def __init__(self, size, generator):
        ...         self.inner = Linear(size, size, generator=generator)
        ...     def __call__(self, x):
        ...         return x + chainrule.relu(self.inner(x))
        >>> residual = Residual(2, np.random.default_rng(0))
        >>> residual([[1.0, 2.0]]).shape, list(residual.named_parameters())
        ((1, 2), ['inner.weight', 'inner.bias'])
        >>> residual([[1.0, 2.0, 3.0]])
        Traceback (most recent call last):
        chainrule.errors.ShapeError: inner of Residual, Linear(2 → 2): expected size 2 on axis -1, got 3 (shape (1, 3))
    """

    #: Whether the layer takes a key.
    random: ClassVar[bool] = False
    #: Rows of a mini-batch that it takes in training, at least.
    least_rows: ClassVar[int] = 1
    #: Fields that PyTorch names or keeps otherwise: its name, with `.T` where it keeps the matrix transposed, or with
    #: the order that its axes have here; "" for no name.
    in_torch: ClassVar[Mapping[str, str | tuple[str, tuple[int, ...]]]] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        """The layer's equation.

        Raises:
            ConfigurationError: for a layer that defines none.
        """
        raise ConfigurationError(
            f"layer {type(self).__name__} has no equation: define it as __call__(self, x), and parameters and "
            f"sub-layers as fields in __init__"
        )

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.__dict__.get("__slots__"):
            raise TypeError(
                f"layer {cls.__name__} has slots, where its parameters would not be found; use plain fields"
            )
        if "__call__" in cls.__dict__:
            cls.__call__ = _located(cls.__call__)  # type: ignore[method-assign]

    def named_parameters(self) -> dict[str, Parameter]:
        """The parameters by their path through the fields, such as `hidden.0.weight`; a shared one once."""
        return {path: found for path, found in _walk(self, "", set()) if isinstance(found, Parameter)}

    def parameters(self) -> list[Parameter]:
        """The parameters in the order of the fields; a shared one once."""
        return list(self.named_parameters().values())

    def named_tensors(self) -> dict[str, Tensor]:
        """All tensors by their path: the parameters, and fixed ones, such as word weights that were counted."""
        return {path: found for path, found in _walk(self, "", set()) if isinstance(found, Tensor)}

    def changing(self) -> dict[str, Mutable]:
        """What training changes, by its path: the parameters, and what is counted, such as running means."""
        return {path: found for path, found in self.named_tensors().items() if isinstance(found, Mutable)}

    def named_layers(self) -> dict[str, Layer]:
        """This layer under "", and all layers in it by their path through the fields; a shared one once."""
        return {path: found for path, found in _walk(self, "", set()) if isinstance(found, Layer)}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all tensors by name, as a safetensors file: whole, or not at all.

        Raises:
            StorageError: when it cannot be written.
        """
        weights.save(self, path)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Take over the tensors of a file that `save` wrote; all of them, or none.

        Raises:
            DataError: for a file that cannot be read, or that has other names.
            ShapeError: for a tensor of another shape.
        """
        weights.load(self, path)

    def save_torch(self, path: str | os.PathLike[str]) -> None:
        """Write all tensors to a file that a module of PyTorch loads; see `chainrule.nn.to_torch`.

        In PyTorch: `module.load_state_dict(safetensors.torch.load_file(path))`.

        Raises:
            StorageError: when it cannot be written.
        """
        weights.save_torch(self, path)

    def load_torch(self, path: str | os.PathLike[str]) -> None:
        """Take over a module's `state_dict` in a safetensors file; all tensors, or none. See `chainrule.nn.from_torch`.

        In PyTorch: `safetensors.torch.save_file(module.state_dict(), path)`.

        Raises:
            DataError: for a file that cannot be read, such as a pickle, or that has other names.
            ShapeError: for a tensor of another shape.

        Example:
            >>> import tempfile
            >>> import numpy as np
            >>> from chainrule.nn import Linear
            >>> one, other = (Linear(2, 1, generator=np.random.default_rng(seed)) for seed in range(2))
            >>> one.save_torch(f"{tempfile.gettempdir()}/linear.safetensors")
            >>> other.load_torch(f"{tempfile.gettempdir()}/linear.safetensors")
            >>> bool((one.weight.numpy() == other.weight.numpy()).all())
            True
        """
        weights.load_torch(self, path)

    def assign(self, arrays: Mapping[str, TensorLike]) -> None:
        """Give all tensors new values, by the names of `named_tensors`; all of them, or none.

        Raises:
            DataError: for missing or unknown names.
            ShapeError: for an array of another shape.

        Example:
            >>> import numpy as np
            >>> from chainrule.nn import Linear
            >>> linear = Linear(2, 1, generator=np.random.default_rng(0))
            >>> linear.assign({"weight": [[1.0], [2.0]], "bias": [3.0]})
            >>> linear([[1.0, 1.0]]).value
            array([[6.]], dtype=float32)
        """
        weights.assign(self, arrays)

    def path_of(self, inner: Layer) -> str:
        """Where in this layer another one is, for messages."""
        path = next((path for path, layer in self.named_layers().items() if layer is inner), "a layer")
        return f"{path} of {type(self).__name__}"

    def __repr__(self) -> str:
        return type(self).__name__


def is_size(value: object) -> bool:
    """Whether a layer may be of that size: a whole number of 1 or more."""
    return isinstance(value, int | np.integer) and bool(value >= 1)


def _walk(value: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Tensor | Layer]]:
    """Every tensor and layer in a value with its path, outer before inner, each object once."""
    if id(value) in seen:
        return
    seen.add(id(value))
    fields: dict[Any, Any] = {}
    if isinstance(value, Tensor):
        yield path, value
    elif isinstance(value, Layer):
        yield path, value
        fields = vars(value)
    elif isinstance(value, dict):
        fields = value
    elif isinstance(value, list | tuple):
        fields = dict(enumerate(value))
    for name, field in fields.items():
        yield from _walk(field, f"{path}.{name}" if path else str(name), seen)


def _located(call: Callable[..., Any]) -> Callable[..., Any]:
    """A layer's `__call__` that marks what it returns, and puts the layer in front of the errors it raises."""

    @functools.wraps(call)
    def wrapper(self: Layer, *args: Any, **kwargs: Any) -> Any:
        recorder = CALLS.get()
        if recorder is not None:
            return recorder.call(self, args, kwargs)
        try:
            output = call(self, *args, **kwargs)
        except INPUT_ERRORS as error:
            inner = vars(error).get("layer")  # the outermost layer that the message names by now
            if inner is not self:
                where = f"{self!r}: " if inner is None else f"{self.path_of(inner)}, "
                error.args = (where + str(error),)
                vars(error)["layer"] = self
            raise
        if isinstance(output, Tensor) and not (output.layers and any(layer is self for layer in output.layers)):
            output.layers = (*output.layers, self)
        return output

    return wrapper
