"""Kinds of operations: those that do the same with inputs of the same shapes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, shortened
from chainrule.graph.autodiff import adjoints_of
from chainrule.graph.calls import CALLS
from chainrule.graph.spec import INT64, Spec
from chainrule.graph.tensor import TRACING, Tensor
from chainrule.graph.trace import RECORDING, Recording

#: Of a source: all outputs of its kind.
ALL = -1

#: Outputs are bits of a whole number of 64 bits; those from this one on share a bit, and are reached together.
LAST_BIT = 62


def bit(output: int) -> int:
    """What stands for an output in a set of outputs."""
    return 1 << min(output, LAST_BIT)


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

    origin: Origin | tuple[Form, int, int, int]
    # The same for all, so that one is made quickly: most of the time of recording goes here.
    value = block = name = gradient = None
    inputs = layers = loans = ()

    @property
    def spec(self) -> Spec:  # type: ignore[override]
        """Shape and dtype."""
        return self.origin[0].specs[0]


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
        #: All outputs, as bits.
        self.every = _bits(range(len(self.outputs)))
        #: The outputs that gradients reach, as bits.
        self.reached = self.every
        self._reach: dict[int, tuple[int, tuple[int, ...]]] = {}

    def reach(self, read: int) -> tuple[int, tuple[int, ...]]:
        """Where gradients go from these outputs: which outputs they reach, and which components of each edge, as bits.

        Others are reached if these are computed from them: a state h from c, for example.
        """
        if read not in self._reach:
            seeds = [(x, Tensor(x.spec)) for i, x in enumerate(self.outputs) if bit(i) & read and x.spec.floating]
            found = _adjoints(seeds)
            leaves, handed = iter(self.leaves), list[int]()
            for components in self.edges:
                handed.append(_bits([i for i in range(len(components)) if next(leaves) in found]))
            self._reach[read] = _bits([i for i, x in enumerate(self.outputs) if x in found]), tuple(handed)
        return self._reach[read]

    @cached_property
    def hands_on_all(self) -> bool:
        """Whether gradients reach all that it reads if they reach all outputs."""
        _, handed = self.reach(self.every)
        return all(found == _bits(range(len(x))) for found, x in zip(handed, self.edges, strict=True))

    def enough(self, read: set[int]) -> bool:
        """Whether gradients reach as much from each of these sets of outputs as from all outputs."""
        return all(x and self.reach(x) == self.reach(self.every) for x in read)

    def hands_on(self, edge: int, component: int) -> bool:
        """Whether a gradient goes back to a component of an edge."""
        return bool(self.reach(self.reached)[1][edge] & bit(component))


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
        return self._named(key, kind, None if isinstance(result, Tensor) else type(result))

    def reached(self, kind: Kind, outputs: int) -> Kind:
        """The kind of operations of this one that gradients reach at these outputs alone, given as bits."""
        if outputs == kind.reach(kind.every)[0]:
            return kind
        key = kind.number, outputs
        found = self._by_key.get(key)
        if found is None:
            found = Kind(len(self.all), kind.name, kind.edges, kind.whole, kind.data, kind.leaves, kind.outputs)
            found.reached = outputs
            self._named(key, found, kind.container)
        return found

    def _named(self, key: Hashable, kind: Kind, container: type | None) -> Kind:
        """Take in a new kind, and number what it gives."""
        self.all.append(kind)
        kind.container = container
        kind.results = [(self.form((x.spec,)), self.source(kind.number, i)) for i, x in enumerate(kind.outputs)]
        kind.form = self.form(tuple([x.spec for x in kind.outputs]))
        kind.source = kind.results[0][1] if container is None else self.source(kind.number, ALL)
        self._by_key[key] = kind
        return kind

    def shared(self, key: Hashable, node: Tensor) -> Tensor:
        """The first node that was computed so of parameters alone."""
        return self._shared.setdefault(key, node)


def _bits(outputs: Iterable[int]) -> int:
    """A set of outputs as bits."""
    found = 0
    for output in outputs:
        found |= bit(output)
    return found


def _adjoints(seeds: Sequence[tuple[Tensor, Tensor]]) -> Mapping[Tensor, Any]:
    """The nodes that gradients reach; nothing of it is computed."""
    calls, operations, tracing = CALLS.set(None), RECORDING.set(Recording()), TRACING.set(True)
    try:
        return adjoints_of(seeds, None) if seeds else {}
    finally:
        CALLS.reset(calls)
        RECORDING.reset(operations)
        TRACING.reset(tracing)
