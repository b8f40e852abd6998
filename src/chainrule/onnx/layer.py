"""OnnxModel: the graph of an ONNX file as a layer, which runs on every engine, learns and is drawn."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.engines import engine_named
from chainrule.errors import ConfigurationError, DTypeError, ShapeError, UnsupportedError
from chainrule.files import refuse_existing, write_file
from chainrule.graph.array import DTYPES, converted
from chainrule.graph.leaves import Parameter
from chainrule.graph.spec import INT32, Array, Spec
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.graph.trace import Graph, trace
from chainrule.nn import Layer
from chainrule.onnx.export import serialized
from chainrule.onnx.library import library
from chainrule.onnx.reading.graphs import Runner, reads_of
from chainrule.onnx.reading.narrow import NARROW, Narrow, is_narrow, limits
from chainrule.onnx.reading.step import Value, ValueNeededError, constant, held

#: Programs that a graph keeps for different values of the inputs that decide shapes.
MOST_COMPILED = 16

#: The dtypes that tensors have, by their names in ONNX.
OWN_DTYPES = {{"float32": "FLOAT", "float64": "DOUBLE"}.get(dtype.name, dtype.name.upper()): dtype for dtype in DTYPES}
#: In models that chainrule wrote, where texts begin and end, by the names of their tokens.
OFFSETS = {"ids": "offsets", "target_ids": "target_offsets", "first": "offsets", "pieces": "piece_offsets"}


class OnnxModel(Layer):
    """A graph that was read from an ONNX file; see `load`.

    Called with tensors or data, one for each input of the graph, it gives the outputs: a tensor, or a list of several.
    Floating-point initializers are its parameters, and what nodes of kind Constant hold stays as it is.

    Some operators give a shape that numbers of an input decide, such as Reshape. Eagerly, that is nothing special. A
    function that is compiled has to have such inputs as NumPy arrays that it closes over; `run` sees to that.

    Attributes:
        weights: parameters, by the names of initializers.
        inputs, outputs: names.
    """

    def __init__(self, proto: Any) -> None:
        self._proto = proto
        self._runner = Runner(proto)
        arrays = {x.name: library("numpy_helper").to_array(x) for x in proto.graph.initializer}
        self.weights = {
            name: Parameter.of(array, name=name, dtype=array.dtype)
            for name, array in arrays.items()
            if array.dtype.kind == "f" and array.dtype in DTYPES
        }
        self._fixed: dict[str, Value] = {
            name: held(array) for name, array in arrays.items() if name not in self.weights
        }
        #: What something reads; other inputs may be anything.
        self._read = {x.name for x in proto.graph.output}.union(*map(reads_of, proto.graph.node))
        self.inputs = [x.name for x in proto.graph.input if x.name not in arrays]
        self.outputs = [x.name for x in proto.graph.output]
        self._infos = {x.name: x.type for x in proto.graph.input}
        #: Inputs whose values decide shapes, as far as was found out.
        self._deciding: frozenset[str] = frozenset()
        self._compiled: dict[object, Callable[..., Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles take over; native code belongs to this process."""
        return {**vars(self), "_compiled": {}}

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
        arrays = [
            self._array(x, name) if name in self._read else np.zeros(0, np.int64)
            for x, name in zip(inputs, self.inputs, strict=False)
        ]
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
        """Write the graph with its parameters as they are now; unchanged, it is the one that was read.

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
            array = self.weights[x.name].numpy() if x.name in self.weights else None
            if array is not None and array.tobytes() != library("numpy_helper").to_array(x).tobytes():
                x.CopyFrom(library("numpy_helper").from_array(array, x.name))
        return proto

    @property
    def metadata(self) -> dict[str, str]:
        """What the file says of itself."""
        return {x.key: x.value for x in self._proto.metadata_props}

    def graph(self, values: Mapping[str, TensorLike] | None = None, size: int = 3) -> Graph:
        """The blocks that the graph is made of here, to print and to draw.

        Args:
            values: by the names of inputs; those whose values decide shapes have to be given. Where they begin and end
                in a model that chainrule wrote is made up.
            size: of axes that the file leaves open.

        Raises:
            ConfigurationError: for a name that is no input.
            UnsupportedError: for an input that decides shapes and is not given.

        Example:
            >>> import onnx.parser
            >>> text = '<ir_version: 10, opset_import: ["": 20]> g (float[n] x) => (float[n] y) { y = Exp(x) }'
            >>> print(OnnxModel(onnx.parser.parse_model(text)).graph())
            %0: float32(3,) = input x
            %1: float32(3,) = exp %0
            return %1
        """
        given = {name: self._array(x, name) for name, x in (values or {}).items() if name in self.inputs}
        unknown = next((name for name in values or {} if name not in self.inputs), None)
        if unknown is not None:
            raise ConfigurationError(f"there is no input {unknown!r}; there are {', '.join(self.inputs)}")
        sizes = {
            named.dim_param: number
            for name, x in given.items()
            for named, number in zip(self._infos[name].tensor_type.shape.dim, x.shape, strict=False)
            if named.dim_param
        }
        specs = {name: self._spec(name, sizes, size) for name in self.inputs}
        if any(key.startswith("chainrule.") for key in self.metadata):
            for tokens, name in OFFSETS.items():
                if name in specs and name not in given and tokens in specs:
                    count = specs[tokens].shape[0]
                    given[name] = np.linspace(0, count, specs[name].shape[0]).astype(np.int64)
        free = [name for name in self.inputs if name not in given]

        def function(*arrays: Tensor) -> list[Tensor]:
            every = dict(zip(free, arrays, strict=True)) | {name: constant(x) for name, x in given.items()}
            return self._outputs([every[name] for name in self.inputs])

        return trace(function, *[specs[name] for name in free], names=free)

    def _spec(self, name: str, sizes: Mapping[str, int], size: int) -> Spec:
        """What an input looks like, where open sizes are numbers."""
        shape = self._infos[name].tensor_type.shape.dim
        found = (x.dim_value if x.WhichOneof("value") == "dim_value" else sizes.get(x.dim_param, size) for x in shape)
        dtype = self._dtype(name)
        return Spec(tuple(found), INT32 if is_narrow(dtype) else dtype)

    def _outputs(self, inputs: Sequence[TensorLike]) -> list[Tensor]:
        if len(inputs) != len(self.inputs):
            raise self._wrong_number(len(inputs))
        given: dict[str, Value] = {**self.weights, **self._fixed}
        for name, x in zip(self.inputs, inputs, strict=True):
            if name in self._read:
                read = x if isinstance(x, Tensor) else constant(self._array(x, name))
                self._check(name, read)
                dtype = self._dtype(name)
                given[name] = Narrow(read, dtype) if is_narrow(dtype) else read
        results: list[Tensor] = []
        for name, found in zip(self.outputs, self._runner.run(given), strict=True):
            found = found.numbers if isinstance(found, Narrow) else found
            if not isinstance(found, Tensor):
                raise UnsupportedError(f"output '{name}': there are no tensors of {getattr(found, 'dtype', 'none')}")
            results.append(found)
        return results

    def _run(self, arrays: Sequence[Array], engine: str) -> list[Array]:
        names = [name for name in self.inputs if name not in self._deciding]
        fixed = {name: x for name, x in zip(self.inputs, arrays, strict=True) if name in self._deciding}

        def function(*free: Tensor) -> list[Tensor]:
            given = dict(zip(names, free, strict=True)) | {name: constant(x) for name, x in fixed.items()}
            return self._outputs([given[name] for name in self.inputs])

        key = (engine, tuple((name, x.dtype.str, x.shape, x.tobytes()) for name, x in fixed.items()))
        if key not in self._compiled:
            if len(self._compiled) >= MOST_COMPILED:
                self._compiled.clear()
            self._compiled[key] = engine_named(engine).compile(function)
        given = dict(zip(self.inputs, arrays, strict=True))
        found = self._compiled[key](*[constant(given[name]) for name in names])
        results = [x.numpy() for x in (found if isinstance(found, list | tuple) else [found])]
        return [self._declared(x, info) for x, info in zip(results, self._proto.graph.output, strict=True)]

    @staticmethod
    def _declared(x: Array, info: Any) -> Array:
        """An output in the dtype that the graph has for it, where that is of few bits."""
        kind = info.type.tensor_type.elem_type
        dtype = np.dtype(library("helper").tensor_dtype_to_np_dtype(kind)) if kind else x.dtype
        return x.astype(dtype) if is_narrow(dtype) else x

    def _array(self, x: TensorLike, name: str) -> Array:
        """Data of an input, in the dtype that the graph has for it."""
        dtype = self._dtype(name)
        array = x.numpy() if isinstance(x, Tensor) else np.asarray(x)
        if is_narrow(dtype):
            least, most = limits(dtype)
            whole = array.astype(INT32)
            if (
                array.dtype.kind == "f"
                or (whole != array).any()
                or whole.min(initial=0) < least
                or whole.max(initial=0) > most
            ):
                raise DTypeError(f"input '{name}': expected whole numbers from {least} to {most} ({dtype}), got others")
            return whole
        if array.dtype == dtype:
            return array
        if np.can_cast(array.dtype, dtype, "same_kind"):
            return array.astype(dtype)
        if array.dtype.kind in "iuf" and dtype.kind in "iu":
            found = converted(array, dtype)
            if (found == array).all():
                return found
        raise DTypeError(f"input '{name}': expected {dtype}, got {array.dtype}")

    def _dtype(self, name: str) -> np.dtype[Any]:
        """The dtype of an input.

        Raises:
            UnsupportedError: for one that tensors do not have; it names the operator that reads the input.
        """
        kind = self._infos[name]
        dtype: Any = kind.WhichOneof("value")
        if dtype == "tensor_type":
            number = kind.tensor_type.elem_type
            names = {value: name for name, value in library().TensorProto.DataType.items()}
            if names.get(number) in OWN_DTYPES:
                return np.dtype(OWN_DTYPES[names[number]])
            if names.get(number, "").lower() in NARROW:
                narrow: np.dtype[Any] = np.dtype(library("helper").tensor_dtype_to_np_dtype(number))
                return narrow
            dtype = names.get(number, f"of kind {number}").lower()
        reader = next((x for x in self._proto.graph.node if name in reads_of(x)), None)
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
