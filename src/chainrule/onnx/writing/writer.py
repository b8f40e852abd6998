"""Writer: blocks → nodes of an ONNX graph. What one kind of block becomes is registered by `writes`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.errors import ModelError
from chainrule.graph.block import Block
from chainrule.graph.leaves import Parameter
from chainrule.graph.spec import FLOAT32, INT64, Array
from chainrule.graph.tensor import Tensor
from chainrule.onnx.library import library
from chainrule.onnx.sizes import AnySize, OpenGraph, Size

#: Writes a node: from the writer and the node to the name of what it gives.
Rule = Callable[["Writer", Tensor], str]
#: By the kind of a block, what writes it.
RULES: dict[type[Block], Rule] = {}


def writes(*kinds: type[Block]) -> Callable[[Rule], Rule]:
    """Register what writes blocks of these kinds."""

    def register(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(kinds, rule))
        return rule

    return register


class Writer:
    """The nodes of an ONNX graph, as they are written.

    Args:
        graph: what is written.
        named: names of parameters, and of inputs.
        sizes: names of open sizes, each of an array with one whole number.
        outer: the writer of the graph that this one is a part of.

    Attributes:
        nodes: what was written.
        initializers: parameters, by their names.
        counts: how many names of each kind there are.
        kept: the names of what is made once.
    """

    def __init__(
        self,
        graph: OpenGraph,
        named: Mapping[Tensor, str],
        sizes: Mapping[str, str] | None = None,
        outer: Writer | None = None,
    ) -> None:
        self.graph = graph
        self.nodes: list[Any] = []
        self.initializers: dict[str, Array] = {} if outer is None else outer.initializers
        self._names = dict(named)
        self._sizes = dict(sizes or {})
        self.counts: dict[str, int] = {} if outer is None else outer.counts
        self.kept: dict[object, str] = {} if outer is None else dict(outer.kept)
        self._readers: dict[Tensor, list[Tensor]] = {}
        for node in graph.nodes:
            for x in node.inputs:
                self._readers.setdefault(x, []).append(node)

    def write(self) -> list[str]:
        """Write all nodes; the names of the outputs.

        Raises:
            ModelError: for a block that has no nodes of ONNX.
        """
        for node in self.graph.nodes:
            if node.block is not None and node not in self._names:
                rule = RULES.get(type(node.block))
                if rule is None:
                    raise ModelError(
                        f"onnx: block {node.block.name} has no operators of ONNX that it can be written with; register "
                        f"some with chainrule.onnx.writes, or leave what uses it out of the network"
                    )
                self._names[node] = rule(self, node)
        return [self.name(x) for x in self.graph.graph.outputs]

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output; its name."""
        return self.add_several(operator, inputs, 1, **attributes)[0]

    def add_several(self, operator: str, inputs: Sequence[str], outputs: int, **attributes: Any) -> list[str]:
        """Add a node with several outputs; their names."""
        names = [self.new_name(operator) for _ in range(outputs)]
        self.nodes.append(library("helper").make_node(operator, inputs, names, name=names[0], **attributes))
        return names

    def new_name(self, operator: str) -> str:
        """A name that no other value has."""
        self.counts[operator] = number = self.counts.get(operator, 0) + 1
        return f"{operator}_{number}"

    def name(self, node: Tensor) -> str:
        """What a tensor is called: an input, a computed one, a parameter, or another leaf, which is a constant."""
        if node not in self._names:
            self._names[node] = self.constant(node.numpy())
        name = self._names[node]
        if isinstance(node, Parameter):
            self.initializers[name] = node.numpy()
        return name

    def inputs(self, node: Tensor) -> list[str]:
        """The names of the inputs of a node."""
        return [self.name(x) for x in node.inputs]

    def readers(self, node: Tensor) -> list[Tensor]:
        """The nodes that read this one."""
        return self._readers.get(node, [])

    def alias(self, node: Tensor, name: str) -> None:
        """Give a node that is yet to come the name of a value that is there, so that it is not written."""
        self._names[node] = name

    def constant(self, value: Any, dtype: Any = None) -> str:
        """An array that is a part of the graph; the same one once."""
        array = np.asarray(value, dtype)
        key = ("constant", array.dtype.str, array.shape, array.tobytes())
        return self.once(key, lambda: self.add("Constant", value=library("numpy_helper").from_array(array)))

    def whole(self, value: int) -> str:
        """A whole number, as an array without axes."""
        return self.constant(value, INT64)

    def once(self, key: object, make: Callable[[], str]) -> str:
        """What was made under a key, the first time."""
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]

    def size(self, size: AnySize) -> str:
        """A size, as an array of one whole number."""
        if isinstance(size, int):
            return self.constant([size], INT64)
        return self.once(("size", size), lambda: self._sum(size))

    def scalar(self, size: AnySize) -> str:
        """A size, as an array without axes."""
        if isinstance(size, int):
            return self.whole(size)
        return self.once(("scalar", size), lambda: self.add("Squeeze", self.size(size), self.constant([0], INT64)))

    def shape(self, sizes: Sequence[AnySize]) -> str:
        """Sizes, as an array of whole numbers."""
        if all(isinstance(size, int) for size in sizes):
            return self.constant(list(sizes), INT64)
        if len(sizes) == 1:
            return self.size(sizes[0])
        return self.once(("shape", tuple(sizes)), lambda: self.add("Concat", *map(self.size, sizes), axis=0))

    def cast(self, x: str, dtype: Any) -> str:
        """A value in another dtype."""
        return self.add("Cast", x, to=library("helper").np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def reshaped(self, x: str, sizes: Sequence[AnySize]) -> str:
        """A value in another shape; a single open size is what remains, which needs no computation."""
        open_sizes = [size for size in sizes if isinstance(size, Size)]
        if len(open_sizes) == 1 and 0 not in sizes:
            return self.add("Reshape", x, self.constant([-1 if isinstance(n, Size) else n for n in sizes], INT64))
        return self.add("Reshape", x, self.shape(sizes), allowzero=1)

    def column(self, x: str, axes: Sequence[int]) -> str:
        """A value with new axes of size 1."""
        return self.add("Unsqueeze", x, self.constant(list(axes), INT64))

    def full(self, sizes: Sequence[AnySize], value: float, dtype: Any = FLOAT32) -> str:
        """An array of one number."""
        filling = library("numpy_helper").from_array(np.array([value], dtype))
        shape = self.shape(sizes)
        key = ("full", shape, np.dtype(dtype).str, value)
        return self.once(key, lambda: self.add("ConstantOfShape", shape, value=filling))

    def counted(self, size: AnySize) -> str:
        """0, 1, 2 ... as whole numbers."""
        if isinstance(size, int):
            return self.constant(np.arange(size, dtype=np.int64))
        return self.once(("counted", size), lambda: self.add("Range", self.whole(0), self.scalar(size), self.whole(1)))

    def _sum(self, size: Size) -> str:
        """The formula of a size."""
        total = ""
        for symbol, factor in size.factors:
            part = self._sizes[symbol]
            if factor != 1:
                part = self.add("Mul", part, self.constant([factor], INT64))
            total = self.add("Add", total, part) if total else part
        return self.add("Add", total, self.constant([size.constant], INT64)) if size.constant else total
