"""Load: from an ONNX file to a layer; whatever is wrong with the file is said before anything is computed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from chainrule.errors import DataError, shortened
from chainrule.onnx.layer import OnnxModel
from chainrule.onnx.library import MOST_BYTES, library


def load(path: str | os.PathLike[str]) -> OnnxModel:
    """Read an ONNX file: the graph as a layer, which runs and learns on every engine.

    Args:
        path: a file of less than 2 GB, with what it keeps in other files, which are read from its own folder.

    Raises:
        ConfigurationError: where the library `onnx` is not installed.
        DataError: for a file that cannot be read, is damaged, is no acyclic graph, or reads files of other folders.
        UnsupportedError: when it runs, for what is not there, such as an operator; the message names it.

    Example (a graph made by hand, which adds 1):
        >>> import tempfile
        >>> import onnx.parser
        >>> text = '<ir_version: 10, opset_import: ["": 20]> g (float[n] x) => (float[n] y) <float one = {1}> '
        >>> proto = onnx.parser.parse_model(text + '{ y = Add(x, one) }')
        >>> path = Path(tempfile.mkdtemp()) / "add.onnx"
        >>> onnx.save(proto, path)
        >>> model = load(path)
        >>> model, model([1.0, 2.0]).value, list(model.named_parameters())
        (OnnxModel(x → y), array([2., 3.], dtype=float32), ['weights.one'])
    """
    place = Path(path)
    try:
        size = place.stat().st_size
        if size > MOST_BYTES:
            raise DataError(
                f"{place}: has {size / 1e9:.1f} GB, and an ONNX file has less than 2; save it with its weights "
                f"in a file beside it: onnx.save(model, path, save_as_external_data=True)"
            )
        content = place.read_bytes()
    except OSError as error:
        raise DataError(f"{place}: cannot be read: {error.strerror or error}") from error
    return OnnxModel(parsed(content, place))


def parsed(content: bytes, place: Path) -> Any:
    """The message of the library `onnx` that bytes hold, whole and sound.

    Raises:
        DataError: see `load`.
    """
    onnx = library()
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(content)
    except Exception as error:  # protobuf has a class of its own for each way of being built
        raise DataError(f"{place}: is no ONNX file, or damaged: {error}") from error
    if not proto.HasField("graph") or not proto.ir_version:
        raise DataError(f"{place}: is no ONNX file, or damaged: it has no graph, or no version")
    if not proto.opset_import:
        raise DataError(f"{place}: does not say of which version its operators are (opset_import)")
    _load_external(proto, place)
    _require_order(proto.graph, place, set())
    for function in proto.functions:
        _require_nodes_in_order(function.node, place, set(function.input))
    try:
        onnx.checker.check_model(proto)
    except Exception as error:  # beside its own errors, those of texts that are none
        raise DataError(f"{place}: is no sound graph: {shortened(str(error).strip().partition(chr(10))[0])}") from error
    for x in proto.graph.initializer:
        try:
            library("numpy_helper").to_array(x)
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f"{place}: initializer '{x.name}' is damaged: {error}") from error
    return proto


def _load_external(proto: Any, place: Path) -> None:
    """Read what stands in other files.

    Raises:
        DataError: for files that are missing, or outside of the folder.
    """
    helper = library("external_data_helper")
    folder, size = place.parent.resolve(), 0
    held = [x for x in _tensors(proto) if x.data_location == library().TensorProto.EXTERNAL]
    for tensor in held:
        location = next((x.value for x in tensor.external_data if x.key == "location"), "")
        beside = (folder / location).resolve()
        if not location or folder not in beside.parents:
            raise DataError(
                f"{place}: '{tensor.name}' is kept in {location!r}, outside of the folder of the file; what a file "
                f"reads has to stand beside it"
            )
        size += _bytes(tensor, beside)
        if size > MOST_BYTES:
            raise DataError(
                f"{place}: its weights take more than 2 GB with those in files beside it, and graphs of less than 2 "
                f"are read; take a smaller model"
            )
    for tensor in held:
        location = next(x.value for x in tensor.external_data if x.key == "location")
        try:
            helper.load_external_data_for_tensor(tensor, str(folder))
        except Exception as error:  # the library raises errors of several kinds
            raise DataError(f"{place}: '{tensor.name}' cannot be read from {location!r}: {error}") from error
        tensor.data_location = library().TensorProto.DEFAULT
        del tensor.external_data[:]


def _bytes(tensor: Any, path: Path) -> int:
    """What a tensor in another file takes there, before it is read: what it says, or what the file holds."""
    told = {x.key: x.value for x in tensor.external_data}
    held = path.stat().st_size if path.is_file() else 0
    length = told.get("length", "")
    return min(int(length), held) if length.isdecimal() else held


def _tensors(proto: Any) -> Iterable[Any]:
    """All tensors of a file, in graphs inside of nodes too."""
    stack = [proto.graph]
    nodes = [x for function in proto.functions for x in function.node]
    while stack or nodes:
        if stack:
            graph = stack.pop()
            yield from graph.initializer
            nodes += graph.node
            continue
        for attribute in nodes.pop().attribute:
            yield from ([attribute.t] if attribute.HasField("t") else [])
            yield from attribute.tensors
            stack += [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]


def _require_order(graph: Any, place: Path, outer: set[str]) -> None:
    """Refuse a graph whose nodes do not come after what they read."""
    known = outer | {x.name for x in graph.input} | {x.name for x in graph.initializer}
    known |= {x.values.name for x in graph.sparse_initializer}
    known = _require_nodes_in_order(graph.node, place, known)
    missing = [x.name for x in graph.output if x.name not in known]
    if missing:
        raise DataError(f"{place}: output '{missing[0]}' is given by no node")


def _require_nodes_in_order(nodes: Iterable[Any], place: Path, known: set[str]) -> set[str]:
    made = {name for node in nodes for name in node.output}
    known = set(known)
    for node in nodes:
        for name in node.input:
            if name and name not in known:
                label = f"{node.op_type} '{node.name or ', '.join(map(str, node.output))}'"
                if name in made:
                    raise DataError(
                        f"{place}: {label} reads '{name}', which a later node gives: the graph has a cycle, or its "
                        f"nodes are not in order"
                    )
                raise DataError(f"{place}: {label} reads '{name}', which nothing gives")
        for attribute in node.attribute:
            for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                _require_order(graph, place, known)
        known |= set(node.output)
    return known
