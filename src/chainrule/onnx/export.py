"""Export: a trained model as an ONNX file, which other tools run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.blocks import log_softmax
from chainrule.data.layout import NEXT_TOKEN, SEQUENCE
from chainrule.errors import ModelError
from chainrule.files import refuse_existing, write_file
from chainrule.graph.spec import FLOAT32, INT64, Spec
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph, trace
from chainrule.models.model import Model
from chainrule.onnx.library import IR_VERSION, MOST_BYTES, OPSET, library
from chainrule.onnx.sizes import AnySize, OpenGraph
from chainrule.onnx.writing import Writer
from chainrule.version import __version__

TEXTS, TOKENS, ROWS = "texts", "tokens", "rows"
#: Of each array, the open size of its first axis, and what is added to it.
FIRST_AXES: Mapping[str, tuple[str, int]] = {
    "ids": (TOKENS, 0),
    "offsets": (TEXTS, 1),
    "characters": ("characters", 0),
    "lengths": (TOKENS, 0),
    "first": (TOKENS, 0),
    "pieces": ("pieces", 0),
    "piece_offsets": (TEXTS, 1),
    "target_ids": ("target_tokens", 0),
    "target_offsets": (TEXTS, 1),
    "numbers": (ROWS, 0),
    "categories": (ROWS, 0),
}
RESPONSE, LOG_PROBABILITIES = "response", "log_probabilities"


def export_model(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a model as an ONNX file; see `model_proto`. The same model gives the same bytes.

    Args:
        model: any, with a network of blocks that ONNX has operators for.
        path: a new file.

    Raises:
        ConfigurationError: where the library `onnx` is not installed.
        ModelError: for a network that ONNX cannot express, or of 2 GB and more.
        StorageError: when there is such a file already, or it cannot be written.

    Example:
        >>> import tempfile, chainrule.onnx
        >>> table = chainrule.Table.from_lists(["good", "fun", "bad", "dull"] * 5, list("ppnn") * 5)
        >>> model = chainrule.fit(chainrule.BagOfWords(), table, table).model
        >>> path = Path(tempfile.mkdtemp()) / "model.onnx"
        >>> chainrule.onnx.export_model(model, path)
    """
    refuse_existing(Path(path))
    write_file(path, serialized(model_proto(model), str(path)))


def serialized(proto: Any, what: str) -> bytes:
    """The bytes of a file, the same ones for the same content.

    Raises:
        ModelError: for 2 GB and more, which no protobuf message may have.
    """
    weights = sum(len(x.raw_data) for x in proto.graph.initializer)  # a message that is too large has no size
    size = weights if weights > MOST_BYTES else proto.ByteSize()
    if size > MOST_BYTES:
        raise ModelError(
            f"{what}: an ONNX file has less than 2 GB, and this one would have {size / 1e9:.1f}; train with fewer "
            f"embeddings (a smaller vocabulary or dim)"
        )
    content: bytes = proto.SerializeToString(deterministic=True)
    return content


def model_proto(model: Model) -> Any:
    """A model as a message of the library `onnx`.

    Its inputs are the arrays that the network reads, all whole numbers as int64, of any number of texts and tokens.
    `response` is what the model's answers are made of, such as probabilities. Where the task writes tokens, the
    log-probabilities of all that may come next are a second output, `log_probabilities`: what a search or a draw,
    which no graph holds, goes by.
    """
    helper = library("helper")
    reads = model.reads.arrays
    unknown = [name for name in reads if name not in FIRST_AXES]
    if unknown:
        raise ModelError(
            f"onnx: learner {model.learner.name} reads {unknown[0]}, and which of its sizes are open is not known; "
            f"expected one of {', '.join(FIRST_AXES)}"
        )
    open_sizes = list(dict.fromkeys(FIRST_AXES[name][0] for name in reads))
    graph = OpenGraph.traced(lambda sizes: _trace(model, sizes), open_sizes)
    leaves = dict(zip(graph.graph.inputs, reads, strict=True))
    named: dict[Tensor, str] = {x: path for path, x in model.network.named_parameters().items()}
    writer = Writer(graph, {**leaves, **named}, {size: _named(size) for size in open_sizes})
    size_nodes = _size_nodes(reads, open_sizes)
    outputs = writer.write()
    names = [RESPONSE, LOG_PROBABILITIES][: len(outputs)]
    ends = [helper.make_node("Identity", [x], [name], name=name) for x, name in zip(outputs, names, strict=True)]
    infos = [_info(name, x.spec, _open_shape(name, x.spec)) for x, name in leaves.items()]
    results = [
        _info(name, x.spec, [_shown(graph.shape(x)[0]), *x.shape[1:]])
        for name, x in zip(names, graph.graph.outputs, strict=True)
    ]
    weights = [
        library("numpy_helper").from_array(np.ascontiguousarray(x), name) for name, x in writer.initializers.items()
    ]
    made = helper.make_graph([*size_nodes, *writer.nodes, *ends], "chainrule", infos, results, weights)
    proto = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
        producer_name="chainrule", producer_version=__version__,
    )  # fmt: skip
    helper.set_model_props(proto, metadata(model))
    return proto


def metadata(model: Model) -> dict[str, str]:
    """What is to be known beside the graph: task, learner, labels, and what turns texts into ids."""
    labels = getattr(model.codec.targets, "values", None) or getattr(model.codec.targets, "names", None)
    described: dict[str, Any] = {
        "task": model.task.settings(),
        "learner": model.learner.settings(),
        "training": model.training,
        "codec": model.codec.describe(),
    }
    if labels:
        described["labels"] = list(labels)
    texts = {name: json.dumps(held, ensure_ascii=False, sort_keys=True) for name, held in described.items()}
    files = {name: content.decode() for name, content in model.codec.files().items()}
    return {f"chainrule.{name}": text for name, text in sorted({**texts, **files}.items())}


def _trace(model: Model, sizes: Mapping[str, int]) -> Graph:
    """The function of the network for some sizes."""
    specs = [_spec(model, name, sizes) for name in model.reads.arrays]

    def function(*arrays: Tensor) -> list[Tensor]:
        outputs = model.network(*arrays)
        batch = dict(zip(model.reads.arrays, arrays, strict=True))
        found = [model.task.response(outputs, batch)]
        if model.task.answers in (NEXT_TOKEN, SEQUENCE):
            found.append(log_softmax(outputs, 1))
        return found

    return trace(function, *specs, names=model.reads.arrays)


def _spec(model: Model, name: str, sizes: Mapping[str, int]) -> Spec:
    """An array of a layout."""
    size, more = FIRST_AXES[name]
    known = model.codec.sizes
    rest = {"numbers": (known.features,), "categories": (len(known.cardinalities),)}.get(name, ())
    return Spec((sizes[size] + more, *rest), FLOAT32 if name == "numbers" else INT64)


def _open_shape(name: str, spec: Spec) -> list[Any]:
    """The shape of an input, with names in the place of open sizes."""
    size, more = FIRST_AXES[name]
    return [f"{size} + {more}" if more else size, *spec.shape[1:]]


def _shown(size: AnySize) -> Any:
    """An open size by its name."""
    return size if isinstance(size, int) else " + ".join(name for name, _ in size.factors)


def _info(name: str, spec: Spec, shape: Sequence[Any]) -> Any:
    helper = library("helper")
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(spec.dtype), shape)


def _size_nodes(reads: Sequence[str], open_sizes: Sequence[str]) -> list[Any]:
    """Nodes that find open sizes, each as an array of one whole number."""
    helper, nodes = library("helper"), []
    for size in open_sizes:
        array = next(name for name in reads if FIRST_AXES[name][0] == size)
        name, more = _named(size), FIRST_AXES[array][1]
        held = f"{name}_and_more" if more else name
        nodes.append(helper.make_node("Shape", [array], [held], name=held, start=0, end=1))
        if more:
            number = library("numpy_helper").from_array(np.array([more], np.int64))
            nodes.append(helper.make_node("Constant", [], [f"{name}_more"], name=f"{name}_more", value=number))
            nodes.append(helper.make_node("Sub", [held, f"{name}_more"], [name], name=name))
    return nodes


def _named(size: str) -> str:
    """What an open size is called in the graph."""
    return f"count_of_{size}"
