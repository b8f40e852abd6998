"""Recording: what a function does with one example, as rows of numbers.

A call of a layer or of a `chainrule.cell` is one operation, and so is every block outside of these. Operations of one
*kind* do the same with inputs of the same shapes. The record of an example has for each kind a matrix of whole numbers,
a row an operation: which operations its inputs come from, and the whole numbers that it was given. Nothing is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from chainrule.dynamic.kinds import Kind, Kinds, Lazy, State
from chainrule.dynamic.records import Record, settled
from chainrule.errors import ConfigurationError, DTypeError, shortened
from chainrule.graph.array import as_array
from chainrule.graph.block import Block
from chainrule.graph.calls import CALLS
from chainrule.graph.leaves import Constant, Mutable
from chainrule.graph.order import topological_order
from chainrule.graph.spec import FLOAT32, FLOAT64, Array, Spec, spec_of
from chainrule.graph.tensor import OPERATIONS, TRACING, Tensor
from chainrule.graph.trace import RECORDING, Recording
from chainrule.random import Key

new = object.__new__


class Given(NamedTuple):
    """What an operation is given: what other operations gave, whole numbers, and other data."""

    edges: list[Any]
    whole: list[int]
    data: list[Any]


def recorded(kinds: Kinds, function: Callable[[Any], Any], example: Any) -> Record:
    """What a function does with an example."""
    return _Recorder(kinds).record(function, example)


@contextmanager
def recording(recorder: _Recorder) -> Any:
    """Have calls and operations taken down and not computed."""
    calls, operations, tracing = CALLS.set(recorder), RECORDING.set(Recording()), TRACING.set(True)
    try:
        yield
    finally:
        CALLS.reset(calls)
        RECORDING.reset(operations)
        TRACING.reset(tracing)


class _Recorder:
    """Takes down what is done with one example; see `Record`."""

    def __init__(self, kinds: Kinds) -> None:
        self.kinds = kinds
        self.logs: dict[int, list[int]] = {}
        self.data: dict[int, list[list[Any]]] = {}
        self._nodes: dict[Tensor, Lazy | Tensor] = {}

    def record(self, function: Callable[[Any], Any], example: Any) -> Record:
        """Call the function, and give what it did."""
        with recording(self):
            # Of a layer that is batched itself, what is inside is recorded.
            calls = (vars(each)["__call__"] for each in type(function).__mro__ if "__call__" in vars(each))
            inside = getattr(next(calls, None), "__wrapped__", None)
            result = function(example) if inside is None else inside(function, example)
            kind = self._finish(result)
        matrices = {}
        for number, log in self.logs.items():
            width = self.kinds.all[number].width
            matrices[number] = np.array(log, np.int64).reshape(-1, width).T
        return settled(self.kinds, Record(matrices, self.data, kind))

    def call(self, target: Any, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Take down a call."""
        key: list[Any] = [target]
        given = Given([], [], [])
        for x in args:
            kind_of = type(x)
            if kind_of is State or kind_of is Lazy:
                origin = x.origin
                key.append(origin[0])
                given[0].append(origin)
            elif kind_of is int:
                key.append(int)
                given[1].append(x)
            else:
                self._argument(x, key, given)
        if named:
            for name in sorted(named):
                key.append(name)
                self._argument(named[name], key, given)
        if not (given[0] or given[1] or given[2]):
            given[1].append(0)  # what stands for an operation that is given nothing
        found = self.kinds.find(tuple(key))
        if found is None:
            found = self._add(key, target, args, named, given)
        return self._append(found, given)

    def _append(self, kind: Kind, given: Given) -> Any:
        """A further operation of a kind, and what stands for its results."""
        number = kind.number
        edges, whole, data = given
        log = self.logs.get(number)
        if log is None:
            log = self.logs[number] = []
            if kind.data:
                self.data[number] = [[] for _ in kind.data]
        row, height = len(log) // kind.width, 0
        for _, source, of, below in edges:
            log.append(source)
            log.append(of)
            if below >= height:
                height = below + 1
        log += whole
        log.append(height)
        if data:
            for values, x in zip(self.data[number], data, strict=True):
                values.append(x)
        parts = []
        for form, source in kind.results:
            lazy = new(Lazy)
            lazy.origin = (form, source, row, height)  # a plain tuple, in a third of the time
            parts.append(lazy)
        if kind.container is None:
            return parts[0]
        state = State(parts)
        state.origin = (kind.form, kind.source, row, height)  # type: ignore[assignment]
        return state

    def _argument(self, x: Any, key: list[Any], given: Given) -> None:
        """Take an argument apart: what decides what is done goes into the key, and all else into the other lists."""
        if isinstance(x, Lazy | State):
            key.append(x.origin[0])
            given.edges.append(x.origin)
        elif isinstance(x, Tensor):
            self._tensor(x, key, given)
        elif type(x) is int or isinstance(x, np.integer):
            key.append(int)
            given.whole.append(int(x))
        elif x is None or isinstance(x, str | bool):
            key.append((type(x), x))
        elif type(x) is float:
            key.append(float)
            given.data.append(x)
        elif isinstance(x, np.generic | np.ndarray):
            array = as_array(x)
            key.append((Array, spec_of(array)))
            given.data.append(array)
        elif isinstance(x, list | tuple):
            key.append((type(x), len(x)))
            for each in x:
                self._argument(each, key, given)
        elif isinstance(x, dict):
            key.append((dict, tuple(x)))
            for each in x.values():
                self._argument(each, key, given)
        elif isinstance(x, Key):  # its words are data, so that draws at one site are of one kind
            key.append((Key, x.site))
            self._argument(x.words, key, given)
        elif isinstance(x, Hashable):
            key.append(x)
        else:
            raise ConfigurationError(
                f"batched: an operation was given {shortened(x)}; expected tensors, numbers, arrays"
            )

    def _tensor(self, x: Tensor, key: list[Any], given: Given) -> None:
        """A tensor that is an argument."""
        found = self.node(x)
        if isinstance(found, Lazy):
            key.append(found.origin[0])
            given.edges.append(found.origin)
        elif isinstance(found, Mutable) or found.block is not None:
            key.append(found)
        else:
            key.append((Array, found.spec))
            given.data.append(found.numpy())

    def node(self, x: Tensor) -> Tensor:
        """What stands for a tensor: a recorded operation, a leaf, or a node that is computed of parameters alone."""
        if isinstance(x, Lazy) or x.block is None:
            return x
        if x not in self._nodes:
            for node in topological_order([x]):
                if node not in self._nodes and node.block is not None:
                    self._nodes[node] = self._block(node, node.block)
        return self._nodes[x]

    def _block(self, node: Tensor, block: Block) -> Tensor:
        """A block that was applied outside of layers and cells."""
        if node.value is not None:  # of data alone: it was computed
            return Constant(node.spec, node.value)
        inputs = [self._nodes.get(x, x) for x in node.inputs]
        settings = (
            type(block),
            tuple([v if isinstance(v, Hashable) else repr(v) for k, v in vars(block).items() if k[0] != "_"]),
        )
        if all(isinstance(x, Mutable) or (x.block is not None and not isinstance(x, Lazy)) for x in inputs):
            return self.kinds.shared((settings, *inputs), node)
        key: list[Any] = [settings]
        given = Given([], [], [])
        for x in inputs:
            self._tensor(x, key, given)
        found = self.kinds.find(tuple(key))
        if found is None:
            found = self._add(key, block, tuple(inputs), {}, given)
        result: Tensor = self._append(found, given)
        return result

    def _add(self, key: list[Any], target: Any, args: tuple[Any, ...], named: dict[str, Any], given: Given) -> Kind:
        """A new kind, of which this is the first operation."""
        whole, data = given.whole, given.data
        forms = [origin[0] for origin in given.edges]
        components = [len(form.specs) for form in forms]

        def function(leaves: list[Tensor]) -> Any:
            count = sum(components)
            rest = iter(leaves[:count]), iter(leaves[count : count + len(whole)]), iter(leaves[count + len(whole) :])

            def filled(x: Any) -> Any:
                """An argument with leaves in place of what differs from operation to operation."""
                if isinstance(x, Lazy):
                    return next(rest[0])
                if isinstance(x, State):
                    return tuple([next(rest[0]) for _ in x])
                if isinstance(x, Tensor):
                    found = self.node(x)
                    if isinstance(found, Lazy):
                        return next(rest[0])
                    return found if isinstance(found, Mutable) or found.block is not None else next(rest[2])
                if x is None or isinstance(x, str | bool):
                    return x
                if isinstance(x, int | np.integer):
                    return next(rest[1])
                if isinstance(x, float | np.generic | np.ndarray):
                    return next(rest[2])
                if isinstance(x, list | tuple):
                    return type(x)([filled(each) for each in x])
                if isinstance(x, dict):
                    return {name: filled(each) for name, each in x.items()}
                if isinstance(x, Key):
                    return Key(filled(x.words), x.site)
                return x

            return target(*[filled(x) for x in args], **{name: filled(named[name]) for name in sorted(named)})

        add = self.kinds.add
        try:
            return add(tuple(key), repr(target), forms, len(whole), _specs(data, FLOAT32), function)
        except DTypeError:
            if float not in map(type, data):
                raise
            return add(tuple(key), repr(target), forms, len(whole), _specs(data, FLOAT64), function)

    def _finish(self, result: Any) -> int:
        """Take down the results, as an operation of which there is one in an example; its kind."""
        key: list[Any] = ["results"]
        given = Given([], [], [])
        structure = self._structure(result, key, given)
        found = self.kinds.find(tuple(key))
        if found is None:
            edges, whole, data = given
            if not (edges or whole or data):
                raise ConfigurationError(f"batched: the function returned {shortened(result)}; expected tensors")
            forms, specs = [origin[0] for origin in edges], _specs(data, FLOAT32)
            found = self.kinds.add(tuple(key), "results", forms, len(whole), specs, lambda leaves: leaves)
            self.kinds.structures[found.number] = structure
        self._append(found, given)
        return found.number

    def _structure(self, x: Any, key: list[Any], given: Given) -> Any:
        """Take results apart as `_argument` does; what they are, with the lists in place of what these hold."""
        if isinstance(x, list | tuple) and not isinstance(x, State):
            key.append((type(x), len(x)))
            return type(x)([self._structure(each, key, given) for each in x])
        if isinstance(x, dict):
            key.append((dict, tuple(x)))
            return {name: self._structure(each, key, given) for name, each in x.items()}
        if isinstance(x, Tensor) and not isinstance(self.node(x), Lazy | Mutable):
            x = self.call(_itself, (x,), {})  # data alone, where other examples may give what they computed
        before = [len(x) for x in given]
        self._argument(x, key, given)
        grown = [len(found) > size for found, size in zip(given, before, strict=True)]
        if not any(grown):
            raise ConfigurationError(
                f"batched: the function returned {shortened(x)}, which does not follow from the example; expected "
                f"tensors and numbers that do"
            )
        place = ("edge", "whole", "data")[grown.index(True)]
        return (place,) * len(x) if isinstance(x, State) else place


def _itself(x: Tensor) -> Tensor:
    """What is given, as the result of an operation."""
    result: Tensor = OPERATIONS["identity"](x)
    return result


def _specs(data: Sequence[Any], dtype: np.dtype[Any]) -> list[Spec]:
    """The specs of data; a Python number has the dtype of the tensors that it meets."""
    return [Spec((), dtype) if type(x) is float else spec_of(x) for x in data]
