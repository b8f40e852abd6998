"""From the wiring of a batch to its graph, the same for all batches of that wiring."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chainrule.blocks.collect import Collect
from chainrule.blocks.contraction import MatMul
from chainrule.blocks.level_rules import Consumer, Rule, Source, tables_read
from chainrule.blocks.levels import Levels
from chainrule.blocks.recurrence import Body
from chainrule.blocks.stepwise import LONG_FUNCTIONS, read_again
from chainrule.dynamic.kinds import ALL, Kind, Kinds
from chainrule.dynamic.schedule import Used, Wiring, back_name, readers_of
from chainrule.errors import ConfigurationError
from chainrule.graph.leaves import Constant
from chainrule.graph.order import topological_order
from chainrule.graph.spec import FLOAT32, Spec
from chainrule.graph.tensor import Tensor
from chainrule.passes.rows import over_rows


def assembled(wiring: Wiring, kinds: Kinds, names: Sequence[Any]) -> Callable[..., list[Tensor]]:
    """The function from the arrays of a schedule, in the order of their names, to the results of all examples."""

    def function(*arrays: Tensor) -> list[Tensor]:
        return _Assembly(wiring, kinds, dict(zip(names, arrays, strict=True))).results()

    return function


class _Assembly:
    """The graph of a batch.

    Attributes:
        values: the outputs of each kind, of all its operations.
    """

    def __init__(self, wiring: Wiring, kinds: Kinds, arrays: Mapping[Any, Tensor]) -> None:
        self.wiring, self.kinds, self.arrays = wiring, kinds, arrays
        self.readers = readers_of(wiring, kinds)
        self.values: dict[int, list[Tensor]] = {}

    def results(self) -> list[Tensor]:
        """What the leaves of the results are for all examples."""
        for number, (stage, circle) in enumerate(zip(self.wiring.stages, self.wiring.circles, strict=True)):
            if circle:
                self._circle(number, stage)
            else:
                for used in stage:
                    self._at_once(used)
        return self.values[self.wiring.result]

    def _own(self, used: Used) -> list[Tensor]:
        """What the operations of a kind were given: whole numbers and other data."""
        kind = self.kinds.all[used.kind]
        whole = [self.arrays["whole", used.kind, i] for i in range(kind.whole)]
        return [*whole, *[self.arrays["data", used.kind, i] for i in range(len(kind.data))]]

    def _back(self, kind: int, output: int, unit: Any) -> tuple[Tensor, Tensor]:
        """The arrays by which the gradient of an output goes back from those who read it at once."""
        name = back_name(kind, output, self.readers[kind, output][unit], self.wiring, self.kinds)
        return self.arrays["back offsets", name], self.arrays["back codes", name]

    def _at_once(self, used: Used) -> None:
        """All operations of a kind that does not need itself."""
        kind = self.kinds.all[used.kind]
        given = []
        for edge, sources in enumerate(used.sources):
            for component in range(len(kind.edges[edge])):
                tables, arrays = list[Tensor](), list[Tensor]()
                for source in sources:
                    of, output = self._source(source, component)
                    tables.append(self.values[of][output])
                    arrays += self._back(of, output, (used.kind, edge))
                block = Collect(tables_read(sources), ((0,),) * len(tables))
                offsets, codes = self.arrays["offsets", used.kind], self.arrays["codes", used.kind, edge]
                given.append(block(offsets, codes, *arrays, *tables))
        given += self._own(used)
        if used.kind == self.wiring.result:
            self.values[used.kind] = given
        else:
            known = dict(zip(kind.leaves, given, strict=True))
            self.values[used.kind] = over_rows(kind.outputs, known, {}, given[0].shape[0])

    def _source(self, source: int, component: int) -> tuple[int, int]:
        """The kind and the output that a component of an edge comes from."""
        kind, output = self.kinds.sources[source]
        return kind, component if output == ALL else output

    def _circle(self, number: int, stage: Sequence[Used]) -> None:
        """The operations of a circle, group by group."""
        place_of = {used.kind: place for place, used in enumerate(stage)}
        dtype = _dtype([self.kinds.all[used.kind] for used in stage])
        slots = {}  # of each edge of each kind the first of its slots
        for used in stage:
            start = 0
            for edge, components in enumerate(self.kinds.all[used.kind].edges):
                slots[used.kind, edge] = start
                start += len(components)

        def consumers(kind: int, output: int) -> tuple[Consumer | None, ...]:
            found = list[Consumer | None]()
            for reader, edge in self.readers[kind, output]["circle", number]:
                sources = next(x for x in stage if x.kind == reader).sources[edge]
                outputs = {self.kinds.sources[x][1] for x in sources if self.kinds.sources[x][0] == kind}
                component = output if ALL in outputs else 0
                if self.kinds.all[reader].hands_on(edge, component):
                    found.append(Consumer(place_of[reader], slots[reader, edge] + component))
                else:
                    found.append(None)
            return tuple(found)

        outer: list[tuple[int, int]] = []
        rules, rows, shared = list[Rule](), list[Tensor](), list[Tensor]()
        backs, forward = list[Tensor](), list[Tensor]()
        for used in stage:
            kind = self.kinds.all[used.kind]
            sources_of = []
            for edge, sources in enumerate(used.sources):
                for component in range(len(kind.edges[edge])):
                    found = []
                    for source in sources:
                        of, output = self._source(source, component)
                        if of in place_of:
                            found.append(Source(place_of[of], output))
                            continue
                        if (of, output) not in outer:
                            outer.append((of, output))
                        found.append(Source(-1, outer.index((of, output))))
                    sources_of.append(tuple(found))
                    forward += [self.arrays["offsets", used.kind], self.arrays["codes", used.kind, edge]]
            read = [o for o in range(len(kind.outputs)) if ("circle", number) in self.readers.get((used.kind, o), {})]
            backs += [x for o in read for x in self._back(used.kind, o, ("circle", number))]
            body, common = _body(kind, self._own(used), dtype)
            rules.append(Rule(body, tuple(sources_of), {o: consumers(used.kind, o) for o in read}))
            rows += self._own(used)
            shared += common
        backs += [x for of, output in outer for x in self._back(of, output, ("circle", number))]
        tables = [_as(self.values[of][output], dtype) for of, output in outer]
        block = Levels(tuple(rules), tuple([consumers(*each) for each in outer]), False)
        groups = self.arrays["groups", stage[0].kind]
        packed = block(groups, *forward, *backs, *tables, *rows, *shared)
        counts = [self.arrays["offsets", used.kind].shape[0] - 1 for used in stage]
        for used, planes in zip(stage, block.planes(packed, counts), strict=True):
            outputs = self.kinds.all[used.kind].outputs
            self.values[used.kind] = [_as(x, y.dtype) for x, y in zip(planes, outputs, strict=False)]


def _dtype(kinds: Sequence[Kind]) -> Any:
    """The dtype that a circle computes in.

    Raises:
        ConfigurationError: for whole numbers that go round.
    """
    for kind in kinds:
        for x in kind.outputs:
            if x.dtype.kind not in "fb":
                raise ConfigurationError(
                    f"batched: {kind.name} gives {x.spec}, which it or another one reads again; expected "
                    f"floating-point numbers where a recursion hands on what it computed"
                )
    found = [x.dtype for kind in kinds for x in kind.outputs if x.spec.floating]
    return max(found, key=lambda dtype: dtype.itemsize) if found else FLOAT32


def _as(x: Tensor, dtype: Any) -> Tensor:
    return x if x.dtype == dtype else x.astype(dtype)


def _body(kind: Kind, own: Sequence[Tensor], dtype: Any) -> tuple[Body, list[Tensor]]:
    """What a group of operations of a kind computes, and what all of them read, such as parameters."""
    edges = [x.spec for x in kind.leaves[: len(kind.leaves) - len(own)]]
    common = _common(kind)

    def function(inputs: Sequence[Tensor]) -> list[Tensor]:
        count, size = inputs[0].shape[0], len(kind.leaves)
        known = {leaf: _as(x, leaf.dtype) for leaf, x in zip(kind.leaves, inputs[:size], strict=True)}
        shared = dict(zip(common, inputs[size:], strict=True))
        outputs = [_as(x, dtype) for x in over_rows(kind.outputs, known, shared, count)]
        outputs = [x if x.block is not None else x * 1 for x in outputs]
        return [*outputs, *_kept(inputs[:size], outputs)]

    computed = [_again(x) for x in common]
    specs = [Spec(x.shape, dtype) for x in edges]
    specs += [Spec(x.shape[1:], x.dtype) for x in own]
    return Body(function, [*specs, *[x.spec for x in common]], 0, len(kind.leaves)), computed


def _again(x: Tensor) -> Tensor:
    """A node that was recorded, computed of parameters alone, as a part of the graph at hand."""
    if x.block is None:
        return x
    return x.block(*[_again(y) for y in x.inputs])


def _common(kind: Kind) -> list[Tensor]:
    """The nodes that all operations of a kind read alike."""
    many = set(kind.leaves)
    common: dict[Tensor, None] = {}
    for node in topological_order(kind.outputs):
        if not many.isdisjoint(node.inputs):
            many.add(node)
            common |= {x: None for x in node.inputs if x not in many}
    common |= {x: None for x in kind.outputs if x not in many}
    return [x for x in common if not (isinstance(x, Constant) and x.spec.size == 1)]


def _kept(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Tensor]:
    """What takes long and is read again by the gradient, so that it is not computed twice."""
    moving = set(inputs)
    long, products = list[Tensor](), list[Tensor]()
    for node in topological_order(outputs):
        if not moving.isdisjoint(node.inputs):
            moving.add(node)
            if isinstance(node.block, MatMul):
                products.append(node)
            elif node.block is not None and node.block.name in LONG_FUNCTIONS:
                long.append(node)
    read = read_again(inputs, outputs, [], known={*outputs, *long})
    return [x for x in (*long, *(x for x in products if x in read)) if not any(x is y for y in outputs)]
