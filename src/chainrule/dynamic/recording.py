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

from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, DTypeError, shortened
from chainrule.graph.array import as_array
from chainrule.graph.block import Block
from chainrule.graph.calls import CALLS
from chainrule.graph.leaves import Constant, Mutable
from chainrule.graph.order import topological_order
from chainrule.graph.spec import FLOAT32, FLOAT64, INT64, Array, Spec, spec_of
from chainrule.graph.tensor import OPERATIONS, TRACING, Tensor
from chainrule.graph.trace import RECORDING, Recording

new = object.__new__
#: Of a source: all outputs of its kind.
ALL = -1


class Form:
    """The specs of what one operation gives, the same object for the same specs: it is a part of keys."""

    __slots__ = ("specs",)

    def __init__(self, specs: tuple[Spec, ...]) -> None:
        self.specs = specs


class Origin(NamedTuple):
    """What a result of a recorded operation is of.

    Attributes:
        form: its specs.
        source: its kind and output, as a number.
        row: which operation of its kind it is in this example.
        height: how many operations that read others lie below it, one after another.
    """

    form: Form
    source: int
    row: int
    height: int


class Lazy(Tensor):
    """An output of a recorded operation, without a value."""

    __slots__ = ("origin",)

    # The same for all, so that one is made quickly: most of the time of recording goes here.
    value = block = name = gradient = None  # type: ignore[assignment]
    inputs = layers = loans = ()  # type: ignore[assignment]

    @property
    def spec(self) -> Spec:  # type: ignore[override]
        """Shape and dtype."""
        spec: Spec = self.origin[0].specs[0]
        return spec


class State(tuple):  # type: ignore[type-arg]
    """All outputs of a recorded operation, where these are several."""

    origin: Origin


@dataclass(eq=False)
class Kind:
    """Operations that do the same with inputs of the same shapes.

    Attributes:
        number: its place among all kinds.
        name: for people.
        edges: of each input that other operations give, the specs of what it consists of.
        whole: how many whole numbers an operation is given.
        data: the specs of all else that an operation is given.
        leaves: what stands for the inputs of one operation in its graph: edges, whole numbers, data.
        outputs: what it gives.
    """

    number: int
    name: str
    edges: tuple[tuple[Spec, ...], ...]
    whole: int
    data: tuple[Spec, ...]
    leaves: list[Tensor]
    outputs: list[Tensor]

    def __post_init__(self) -> None:
        #: Of each output its form, and its number as a source.
        self.results: list[tuple[Form, int]] = []
        self.form: Form | None = None
        self.source = -1
        self.container: type | None = None
        #: The numbers of an operation in a record: two for each edge, the whole numbers, and the height.
        self.width = 2 * len(self.edges) + self.whole + 1


class Record(NamedTuple):
    """What a function did with one example.

    Attributes:
        matrices: of each kind, by its number, the rows of numbers, transposed: shape (width, operations).
        data: of each kind that is given other data, a list for each of these.
        result: the kind of the results.
    """

    matrices: dict[int, Array]
    data: dict[int, list[list[Any]]]
    result: int


class Kinds:
    """The kinds that a function was found to have, and what else its records share."""

    def __init__(self) -> None:
        self.all: list[Kind] = []
        #: Of each source by its number, the kind and the output, or `ALL`.
        self.sources: list[tuple[int, int]] = []
        self._by_key: dict[Hashable, Kind] = {}
        self._forms: dict[tuple[Spec, ...], Form] = {}
        self._shared: dict[Hashable, Tensor] = {}
        #: Of each kind of results what the function returned, with numbers of leaves in place of tensors.
        self.structures: dict[int, Any] = {}

    def find(self, key: Hashable) -> Kind | None:
        """The kind of a key, or None."""
        return self._by_key.get(key)

    def form(self, specs: tuple[Spec, ...]) -> Form:
        """The form of these specs."""
        return self._forms.setdefault(specs, Form(specs))

    def source(self, kind: int, output: int) -> int:
        """The number of a new source."""
        self.sources.append((kind, output))
        return len(self.sources) - 1

    def add(
        self,
        key: Hashable,
        name: str,
        edges: Sequence[Form],
        whole: int,
        data: Sequence[Spec],
        function: Callable[[list[Tensor]], Any],
    ) -> Kind:
        """A new kind; the function is traced for one operation."""
        specs = [spec for form in edges for spec in form.specs]
        leaves = [Tensor(spec) for spec in (*specs, *[Spec((), INT64)] * whole, *data)]
        token = CALLS.set(None)
        try:
            result = function(leaves)
        finally:
            CALLS.reset(token)
        outputs = [result] if isinstance(result, Tensor) else list(result) if isinstance(result, list | tuple) else []
        if not outputs or not all(isinstance(x, Tensor) for x in outputs):
            raise ConfigurationError(
                f"batched: {name} gave {shortened(result)}; expected a tensor, or a list or tuple of tensors, of a "
                f"layer or a function that is one operation"
            )
        edges_of = tuple([form.specs for form in edges])
        kind = Kind(len(self.all), name, edges_of, whole, tuple(data), leaves, outputs)
        self.all.append(kind)
        kind.container = None if isinstance(result, Tensor) else type(result)
        kind.results = [(self.form((x.spec,)), self.source(kind.number, i)) for i, x in enumerate(outputs)]
        kind.form = self.form(tuple([x.spec for x in outputs]))
        kind.source = kind.results[0][1] if kind.container is None else self.source(kind.number, ALL)
        self._by_key[key] = kind
        return kind

    def shared(self, key: Hashable, node: Tensor) -> Tensor:
        """The first node that was computed so of parameters alone."""
        return self._shared.setdefault(key, node)


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
    tokens = CALLS.set(recorder), RECORDING.set(Recording()), TRACING.set(True)
    try:
        yield
    finally:
        for variable, token in zip((CALLS, RECORDING, TRACING), tokens, strict=True):
            variable.reset(token)  # type: ignore[arg-type]


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
            result = function(example)
            kind = self._finish(result)
        matrices = {}
        for number, log in self.logs.items():
            width = self.kinds.all[number].width
            matrices[number] = np.array(log, np.int64).reshape(-1, width).T
        return self._without_dead(Record(matrices, self.data, kind))

    def _without_dead(self, record: Record) -> Record:
        """The record without operations that no result needs: they must have no part in any gradient."""
        sources = np.array([kind for kind, _ in self.kinds.sources], np.int64)
        starts, total = np.zeros(len(self.kinds.all), np.int64), 0
        for number, matrix in record.matrices.items():
            starts[number] = total
            total += matrix.shape[1]
        reads = [
            starts[sources[matrix[2 * edge]]] + matrix[2 * edge + 1]
            for number, matrix in record.matrices.items()
            for edge in range(len(self.kinds.all[number].edges))
        ]
        if not reads or np.count_nonzero(np.bincount(np.concatenate(reads), minlength=total)) >= total - 1:
            return record  # all but the results are read
        edges = {number: len(self.kinds.all[number].edges) for number in record.matrices}
        needed = {number: np.zeros(x.shape[1], bool) for number, x in record.matrices.items()}
        wanted = {record.result: np.zeros(1, np.int64)}
        while wanted:
            following: dict[int, list[Array]] = {}
            for number, rows in wanted.items():
                new = np.unique(rows[~needed[number][rows]])
                needed[number][new] = True
                for edge in range(edges[number]):
                    named, read = record.matrices[number][2 * edge : 2 * edge + 2, new]
                    for kind in np.unique(sources[named]).tolist():
                        following.setdefault(kind, []).append(read[sources[named] == kind])
            wanted = {kind: np.concatenate(found) for kind, found in following.items()}
            wanted = {kind: rows for kind, rows in wanted.items() if not needed[kind][rows].all()}
        if all(x.all() for x in needed.values()):
            return record
        places = {number: np.cumsum(x) - 1 for number, x in needed.items()}
        matrices = {number: x[:, needed[number]] for number, x in record.matrices.items() if needed[number].any()}
        for number, matrix in matrices.items():
            for edge in range(edges[number]):
                for kind in np.unique(sources[matrix[2 * edge]]).tolist():
                    own = sources[matrix[2 * edge]] == kind
                    matrix[2 * edge + 1, own] = places[kind][matrix[2 * edge + 1, own]]
        data = {
            number: [[x for x, there in zip(column, needed[number], strict=True) if there] for column in columns]
            for number, columns in record.data.items()
            if number in matrices
        }
        return Record(matrices, data, record.result)

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
        elif callable(x) or isinstance(x, Hashable):
            key.append(x)
        else:
            raise ConfigurationError(f"batched: an operation was given {shortened(x)}; expected tensors, numbers, arrays")

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
        settings = type(block), tuple([v if isinstance(v, Hashable) else repr(v) for k, v in vars(block).items() if k[0] != "_"])
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
