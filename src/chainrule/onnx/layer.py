"""OnnxModel: the graph of an ONNX file as a layer, which runs on every engine, learns and is drawn."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.engines import engine_named
from chainrule.errors import DTypeError, ShapeError, UnsupportedError
from chainrule.files import refuse_existing, write_file
from chainrule.graph.array import DTYPES
from chainrule.graph.leaves import Parameter
from chainrule.graph.spec import Array, Spec
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn import Layer
from chainrule.onnx.export import serialized
from chainrule.onnx.library import library
from chainrule.onnx.reading.graphs import Runner
from chainrule.onnx.reading.step import Value, ValueNeededError, constant, held

#: Programs that a graph keeps for different values of the inputs that decide shapes.
MOST_COMPILED = 16


class OnnxModel(Layer):
    """A graph that was read from an ONNX file; see `load`.

    Called with tensors or data, one for each input of the graph, it gives the outputs: a tensor, or a list of several.
    Floating-point initializers are its parameters, and what nodes of kind Constant hold stays as it is.

    Some operators give a shape that numbers of an input decide, such as Reshape. Eagerly, that is nothing special. A
    function that is compiled has to have such inputs as NumPy arrays that it closes over; `run` sees to that.

    Attributes:
        parameters_by_name: by the names of initializers.
        inputs, outputs: names.
    """

    def __init__(self, proto: Any) -> None:
        self._proto = proto
        self._runner = Runner(proto)
        arrays = {x.name: library("numpy_helper").to_array(x) for x in proto.graph.initializer}
        self.parameters_by_name = {
            name: Parameter.of(array, name=name, dtype=array.dtype)
            for name, array in arrays.items()
            if array.dtype.kind == "f" and array.dtype in DTYPES
        }
        self._fixed: dict[str, Value] = {
            name: held(array) for name, array in arrays.items() if name not in self.parameters_by_name
        }
        self.inputs = [x.name for x in proto.graph.input if x.name not in arrays]
        self.outputs = [x.name for x in proto.graph.output]
        self._infos = {x.name: x.type for x in proto.graph.input}
        #: Inputs whose values decide shapes, as far as was found out.
        self._deciding: frozenset[str] = frozenset()
        self._compiled: dict[object, Callable[..., Any]] = {}

    def __call__(self, *inputs: TensorLike) -> Tensor | list[Tensor]:
        """The outputs.

        Raises:
            ShapeError: for another number of inputs, or one of another number of axes.
            UnsupportedError: for what is not there, such as an operator or a dtype; the message names the operator.
        """
        results = self._outputs(inputs)
        return results[0] if len(results) == 1 else results

    def run(self, *inputs: TensorLike, engine: str = "native") -> list[Array]:
        """The outputs as arrays, computed by an engine.

        Inputs whose values decide shapes are a part of the compiled program: others of them are compiled anew.

        Args:
            inputs: one for each input of the graph.
            engine: "native" or "eager".

        Raises:
            ShapeError, UnsupportedError: see the call.
        """
        arrays = [self._array(x, name) for x, name in zip(inputs, self.inputs, strict=False)]
        if len(inputs) != len(self.inputs):
            raise self._wrong_number(len(inputs))
        while True:
            try:
                return self._run(arrays, engine)
            except ValueNeededError as error:
                if not error.inputs - self._deciding:
                    raise
                self._deciding |= error.inputs

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the graph with its parameters as they are now; unchanged, it gives the bytes that chainrule wrote.

        Raises:
            StorageError: when there is such a file already, or it cannot be written.
        """
        refuse_existing(Path(path))
        write_file(path, serialized(self.proto(), str(path)))

    def proto(self) -> Any:
        """The message of the library `onnx`, with the parameters as they are now."""
        proto = type(self._proto)()
        proto.CopyFrom(self._proto)
        for x in proto.graph.initializer:
            if x.name in self.parameters_by_name:
                x.CopyFrom(library("numpy_helper").from_array(self.parameters_by_name[x.name].numpy(), x.name))
        return proto

    @property
    def metadata(self) -> dict[str, str]:
        """What the file says of itself."""
        return {x.key: x.value for x in self._proto.metadata_props}

    def specs(self, sizes: Mapping[str, int] | None = None, size: int = 3) -> list[Spec]:
        """What the inputs look like, where open sizes are given numbers.

        Args:
            sizes: by their names.
            size: of the others.
        """
        found = []
        for name in self.inputs:
            kind = self._infos[name].tensor_type
            dtype = self._dtype(name)
            shape = [
                (sizes or {}).get(x.dim_param, size) if x.WhichOneof("value") != "dim_value" else x.dim_value
                for x in kind.shape.dim
            ]
            found.append(Spec(tuple(shape), dtype))
        return found

    def _outputs(self, inputs: Sequence[TensorLike]) -> list[Tensor]:
        if len(inputs) != len(self.inputs):
            raise self._wrong_number(len(inputs))
        given: dict[str, Value] = {**self.parameters_by_name, **self._fixed}
        for name, x in zip(self.inputs, inputs, strict=True):
            read = x if isinstance(x, Tensor) else constant(self._array(x, name))
            self._check(name, read)
            given[name] = read
        results: list[Tensor] = []
        for name, found in zip(self.outputs, self._runner.run(given), strict=True):
            if not isinstance(found, Tensor):
                raise UnsupportedError(f"output '{name}': there are no tensors of {getattr(found, 'dtype', 'none')}")
            results.append(found)
        return results

    def _run(self, arrays: Sequence[Array], engine: str) -> list[Array]:
        names = [name for name in self.inputs if name not in self._deciding]
        fixed = {name: x for name, x in zip(self.inputs, arrays, strict=True) if name in self._deciding}

        def function(*free: Tensor) -> list[Tensor]:
            held = dict(zip(names, free, strict=True)) | {name: constant(x) for name, x in fixed.items()}
            return self._outputs([held[name] for name in self.inputs])

        key = (engine, tuple((name, x.dtype.str, x.shape, x.tobytes()) for name, x in fixed.items()))
        if key not in self._compiled:
            self._compiled = {k: v for k, v in self._compiled.items() if len(self._compiled) < MOST_COMPILED}
            self._compiled[key] = engine_named(engine).compile(function)
        given = dict(zip(self.inputs, arrays, strict=True))
        found = self._compiled[key](*[constant(given[name]) for name in names])
        return [x.numpy() for x in (found if isinstance(found, list | tuple) else [found])]

    def _array(self, x: TensorLike, name: str) -> Array:
        """Data of an input, in the dtype that the graph has for it."""
        dtype = self._dtype(name)
        array = x.numpy() if isinstance(x, Tensor) else np.asarray(x)
        if array.dtype == dtype:
            return array
        if not np.can_cast(array.dtype, dtype, "same_kind") and array.size:
            raise DTypeError(f"input '{name}': expected {dtype}, got {array.dtype}")
        return array.astype(dtype)

    def _dtype(self, name: str) -> np.dtype[Any]:
        """The dtype of an input.

        Raises:
            UnsupportedError: for one that tensors do not have; it names the operator that reads the input.
        """
        kind = self._infos[name]
        dtype: Any = kind.WhichOneof("value")
        if dtype == "tensor_type":
            number = kind.tensor_type.elem_type
            found: np.dtype[Any] = np.dtype(library("helper").tensor_dtype_to_np_dtype(number))
            if found in DTYPES:
                return found
            dtype = library().TensorProto.DataType.Name(number).lower()
        reader = next((x for x in self._proto.graph.node if name in x.input), None)
        operator = f"{reader.op_type}: " if reader is not None else ""
        raise UnsupportedError(
            f"{operator}input '{name}' is {dtype}, and there are no tensors of that; expected one of "
            f"{', '.join(x.name for x in DTYPES)}"
        )

    def _check(self, name: str, x: Tensor) -> None:
        kind = self._infos[name].tensor_type
        expected = [size.dim_value if size.HasField("dim_value") else None for size in kind.shape.dim]
        wrong = kind.HasField("shape") and (
            len(expected) != len(x.shape)
            or any(n is not None and n != size for n, size in zip(expected, x.shape, strict=True))
        )
        if wrong:
            shown = ", ".join("?" if n is None else str(n) for n in expected)
            raise ShapeError(f"input '{name}': expected shape ({shown}), got {x.shape}")

    def _wrong_number(self, count: int) -> ShapeError:
        return ShapeError(f"OnnxModel: expected {len(self.inputs)} inputs ({', '.join(self.inputs)}), got {count}")

    def __repr__(self) -> str:
        return f"OnnxModel({', '.join(self.inputs)} → {', '.join(self.outputs)})"
