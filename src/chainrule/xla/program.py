"""Program: a traced graph as one jitted function; what it changes stays on the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.graph.array import NUMPY
from chainrule.graph.leaves import Constant, Mutable, Series, Watch
from chainrule.graph.spec import INT32, INT64, Array, Spec
from chainrule.graph.tensor import TRACING, Tensor
from chainrule.graph.trace import RECORDING, Graph, Recording, Update
from chainrule.xla.device import TRANSFER, Arriving, Coming, OnDevice, compiler_options, put, wide
from chainrule.xla.forms.fused import OPTIONS, kernel_of
from chainrule.xla.lowering import values_of
from chainrule.xla.mesh import explained, layout
from chainrule.xla.message import Message
from chainrule.xla.products import SINGLE
from chainrule.xla.ranks import current_team
from chainrule.xla.refusals import refusals
from chainrule.xla.source import Source
from chainrule.xla.values import Value, both

#: The size along an axis of a node: so much for each size of the arguments, and a constant.
Axis = tuple[tuple[tuple[str, int], ...], int]
#: A leaf of the host of more numbers than these stays on the device until it changes.
MOST_TOLD = 64


def jitted(step: Callable[..., Any], changed: Sequence[Tensor], more: Mapping[str, Any]) -> Callable[..., Any]:
    """The step as XLA compiles it. Its first argument is what it changes, whose memory it may use.

    On several devices, what it changes lies after it as it lay before, and its results are whole on each.
    """
    laid, options = layout(), {**(compiler_options() or {}), **more} or None
    if laid is None:
        return jax.jit(step, donate_argnums=(0,), compiler_options=options)
    after = [laid.of_state(leaf.shape) for leaf in changed]
    lies = after, laid.everywhere, laid.everywhere
    return jax.jit(step, donate_argnums=(0,), out_shardings=lies, compiler_options=options)


class Program:
    """A graph compiled for the sizes it was traced with.

    Attributes:
        graph: what was compiled.
        changed: the leaves that a run changes; their arrays are on the device.
        series: leaves of which the host writes one number a step; copies are on the device, and get what is new.
        read: the leaves that it reads alone; theirs are, too.
        kernels: of the device, which compute attention; see `chainrule.xla.forms.fused`.
        told: what the host has and computes, such as the coefficients of a step; they go to the device in each run.
    """

    def __init__(
        self,
        graph: Graph,
        axes: Mapping[Tensor, Sequence[Axis | None]],
        names: Sequence[str],
        longest: Mapping[Tensor, int],
        *,
        go_on: Sequence[int] = (),
        precision: str = SINGLE,
        source: Source | None = None,
    ) -> None:
        """Lay the arguments out.

        Args:
            graph: what is to be computed.
            axes: of nodes with ragged axes, what the sizes are made of; None for a size that is fixed.
            names: of the sizes that runs are told.
            longest: of inputs that are offsets, how many tokens a text has at most.
            go_on: which inputs are offsets, whose last one is repeated where texts are added.
            precision: of products.
            source: of rows that are on the device, which the first arguments are.
        """
        self._source = source
        self.graph, self._axes, self._names = graph, axes, tuple(names)
        self._longest, self._precision = longest, precision
        self._nodes = graph.nodes()
        given = set(graph.inputs)
        leaves = [x for x in self._nodes if x.block is None and x not in given and not isinstance(x, Constant)]
        self._on_host = [x for x in graph.updates if not isinstance(x.target, Mutable) and _told(x)]
        made = [x for x in graph.updates if x not in self._on_host]
        self._updates = [x for x in made if isinstance(x.target, Mutable)]
        self._fetched = [x for x in made if not isinstance(x.target, Mutable)]
        targets = {x.target for x in self._updates}
        self.changed: list[Mutable] = [x.target for x in self._updates if isinstance(x.target, Mutable)]
        self.series = [x for x in leaves if isinstance(x, Series)]
        self.read = [x for x in leaves if isinstance(x, Mutable) and x not in targets]
        others = [x for x in leaves if not isinstance(x, Mutable | Series)]
        self.told = [x for x in others if x.spec.size <= MOST_TOLD]
        self._kept = [Kept(x) for x in others if x.spec.size > MOST_TOLD]
        self._leaves = Leaves([*self.changed, *self.read], graph)
        self._counting = Graph((), tuple(x.value for x in self._on_host)).nodes()
        self._refusals = refusals(graph)
        self._scalars = _scalars(graph.outputs)
        taken = set() if source is None else set(source.taken)
        self._sent = [i for i in range(len(graph.inputs)) if i not in taken]
        inputs = [graph.inputs[i].spec for i in self._sent]
        # Of several devices each has a part of an argument: then these go apart.
        self._apart = [Message([x], [0] * (i in go_on)) for i, x in enumerate(inputs)] if layout() is not None else None
        new = [spec for x in self.series for spec in (Spec((), x.dtype), Spec((), INT64))]
        told = [*(x.spec for x in self.told), *new, Spec((len(self._names),), INT64)]
        before = [] if self._apart is not None else inputs
        rows = [] if source is None else [Spec((source.count([x.shape for x in graph.inputs]),), INT32)]
        self._message = Message([*before, *rows, *told], [self._sent.index(i) for i in go_on] if before else ())
        self._nbytes = self._message.nbytes + sum(x.nbytes for x in self._apart or ())
        kernels = (kernel_of(x, longest, precision) for x in self._nodes)
        self.kernels = {x for x in kernels if x is not None}
        options = OPTIONS if "cudnn" in self.kernels else {}
        self._step = jitted(self._function, [*self.changed, *self.series], options)
        self._compiled = False

    def _inputs(self, said: Iterator[Any], held: Sequence[Any]) -> list[Any]:
        """The arguments: as they are told, and from the rows on the device."""
        found = dict(zip(self._sent, said, strict=False))
        if self._source is not None:
            sizes = {i: self.graph.inputs[i].shape[0] for i in self._source.taken}
            found |= self._source.read(held, next(said), found, sizes)
        return [found[i] for i in range(len(self.graph.inputs))]

    def _function(
        self,
        changed: Sequence[Any],
        read: Sequence[Any],
        held: Sequence[Any],
        apart: Sequence[Any],
        message: Sequence[Any],
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """The step: what it changes, its results, and what else the host is to get."""
        said = iter([*apart, *self._message.unpacked(message)])
        inputs = self._inputs(said, held)
        known: dict[Tensor, Value] = {}
        known |= {leaf: Value(x) for leaf, x in zip(self.changed, changed, strict=False)}
        rest = [*self.read, *(kept.leaf for kept in self._kept)]
        known |= {leaf: Value(x) for leaf, x in zip(rest, read, strict=True)}
        known |= {leaf: Value(next(said)) for leaf in self.told}
        series = []
        for written, numbers in zip(self.series, changed[len(self.changed) :], strict=True):
            number, place = next(said), next(said)
            series.append(jax.lax.dynamic_update_slice(numbers, number.reshape(1), (place,)))
            known[written] = Value(series[-1])
        counts = next(said)
        sizes = {name: counts[i] for i, name in enumerate(self._names)}
        limits = {node: [_limit(axis, sizes) for axis in axes] for node, axes in self._axes.items()}
        for leaf, x in zip(self.graph.inputs, inputs, strict=True):
            known[leaf] = Value(x, _inside(x.shape, limits.get(leaf, ())))
        outputs = self.graph.outputs
        with recording():  # forms make graphs, such as the body of a scan, and these read no parameter's value
            found = values_of(
                self._nodes, known, limits=limits, longest=self._longest, outputs=outputs, precision=self._precision
            )
        after = [_updated(known[x.target].array, x, found) for x in self._updates]
        results = [found[x].array.astype(x.dtype) for x in outputs]
        together = [jnp.stack([results[i].reshape(()) for i in places]) for places in self._scalars]
        apart = [x for i, x in enumerate(results) if not any(i in places for places in self._scalars)]
        return [*after, *series], [*together, *apart], [found[x.value].array for x in self._fetched]

    def run(self, arguments: Sequence[Array], sizes: Mapping[str, int], rows: Array | None = None) -> list[Tensor]:
        """The outputs for arguments, of which so many places are real: those that they have.

        Rows are the numbers of those on the device, if there are any.
        """
        for check in self._refusals:
            check(arguments)
        for prepare in self.graph.before:
            prepare()
        laid = layout()
        with wide():
            held = self._leaves.held()
            for kept in self._kept:
                kept.renew()
            news = [self._new(x) for x in self.series]
            told = [x.numpy() for x in self.told]
            counts = np.array([sizes[name] for name in self._names], np.int64)
            new = [x for leaf in self.series for x in (leaf.numpy()[leaf.place], leaf.place)]
            apart: list[Any] = []
            if self._apart is not None and laid is not None:
                for message, x, leaf in zip(self._apart, arguments, self.graph.inputs, strict=True):
                    array = message.packed([x])[0].reshape(leaf.shape)
                    apart.append(laid.placed(array, laid.of_argument(leaf.shape)))
            sent = [] if apart else [arguments[i] for i in self._sent]
            numbers = [] if rows is None else [rows]
            packed = self._message.packed([*sent, *numbers, *told, *new, counts])
            TRANSFER.sent += self._nbytes
            TRANSFER.calls += 1
            count = len(self.changed)
            arrays = [*(x.array for x in held), *(x.array for x in self._kept)]
            on_device = [] if self._source is None else self._source.arrays
            after, results, rest = self._started([*arrays[:count], *news], arrays[count:], on_device, apart, packed)
            if laid is not None:
                laid.pace((after, results))
        self._leaves.replace(after[:count])
        for leaf, array in zip(self.series, after[count:], strict=True):
            leaf.copy = array, leaf.writes
        self._count()
        for update, value in zip(self._fetched, rest, strict=True):
            update.target.value = np.array(value)
        return self._arriving(results, sizes)

    @staticmethod
    def _new(series: Series) -> Any:
        """The copy of a series on the device, where at most the last number is new; or else another copy."""
        if series.copy is None or series.writes - series.copy[1] > 1:
            return put(series.numpy())
        return series.copy[0]

    def _count(self) -> None:
        """Compute what the host can, such as the number of the step."""
        values = {node: node.numpy() for node in self._counting if node.block is None}
        for node in self._counting:
            if node.block is not None:
                values[node] = np.asarray(node.block.forward(NUMPY, *[values[x] for x in node.inputs]), node.dtype)
        for update in self._on_host:
            update.target.value = np.array(values[update.value])

    def _started(self, *arguments: Any) -> Any:
        """What the step gives, which the device may still be computing."""
        team = current_team()
        first, self._compiled = not self._compiled, True
        try:
            with nullcontext() if team is None or not first else team.watchdog.busy():  # it is compiled
                found = self._step(*arguments)
        except jax.errors.JaxRuntimeError as error:
            raise explained(error) from error
        if team is not None:
            team.watchdog.begun()
        return found

    def _arriving(self, results: Sequence[Any], sizes: Mapping[str, int]) -> list[Tensor]:
        """The outputs, of which the device may still compute the values."""
        coming = [Coming(x) for x in results]
        found: dict[int, Tensor] = {}
        for places, stacked in zip(self._scalars, coming, strict=False):
            for number, i in enumerate(places):
                found[i] = Arriving(self.graph.outputs[i].spec, stacked, number)
        rest = iter(coming[len(self._scalars) :])
        for i, node in enumerate(self.graph.outputs):
            if i not in found:
                axes = self._axes.get(node, ())
                pairs = zip(node.shape, axes, strict=bool(axes))
                shape = tuple(n if axis is None else int(_limit(axis, sizes)) for n, axis in pairs)
                if not any(axis is not None for axis in axes):
                    found[i] = Arriving(node.spec, next(rest))
                else:
                    found[i] = Arriving(Spec(shape, node.dtype), next(rest), tuple(slice(0, n) for n in shape))
        return [found[i] for i in range(len(found))]


class Kept:
    """A copy on the device of a leaf of the host that seldom changes, such as the weights of terms.

    Attributes:
        leaf: of the host.
        array: the copy, once it was sent.
    """

    def __init__(self, leaf: Tensor) -> None:
        self.leaf = leaf
        self.array: Any = None
        self._sent: Array | None = None

    def renew(self) -> None:
        """Send it where it is another one than before, which is found out sooner than it is sent."""
        now = self.leaf.numpy()
        if self._sent is None or not np.array_equal(now, self._sent):
            self._sent = np.array(now)
            self.array = put(now)


class Leaves:
    """The leaves that a program reads and changes, on the device; it looks at each anew only when one has changed.

    Args:
        leaves: those that it changes, and then the others.
        graph: of the program.
    """

    def __init__(self, leaves: Sequence[Mutable], graph: Graph) -> None:
        self._leaves, self._graph = list(leaves), graph
        self._held: list[OnDevice] = []
        self._settled: list[Mutable] = []
        self._watch, self._seen = Watch(), object()
        for leaf in leaves:
            leaf.watch(self._watch)

    def held(self) -> list[OnDevice]:
        """What holds the value of each on the device; it goes there where it is not."""
        for leaf in self._settled:
            leaf.settle()
        if self._watch.changes is not self._seen:
            self._settled = [x for x in self._leaves if x.settlers and x not in self._graph.behind]
            self._held = [self._sent(leaf) for leaf in self._leaves]
            self._seen = self._watch.changes
        return self._held

    def _sent(self, leaf: Mutable) -> OnDevice:
        if leaf not in self._graph.behind:
            leaf.settle()
        held = leaf.held
        if not isinstance(held, OnDevice):
            held = OnDevice(put(self._graph.held(leaf)))
            leaf.hold(held)
        return held

    def replace(self, arrays: Sequence[Any]) -> None:
        """Give the first of them other values."""
        for held, array in zip(self._held, arrays, strict=False):
            held.array = array
        if self._watch.changes is not self._seen:  # someone has read one meanwhile
            for leaf, held, _ in zip(self._leaves, self._held, arrays, strict=False):
                if leaf.held is not held:
                    leaf.hold(held)


@contextmanager
def recording() -> Iterator[None]:
    """Nothing that is written down meanwhile is computed at once."""
    record, tracing = RECORDING.set(Recording()), TRACING.set(True)
    try:
        yield
    finally:
        RECORDING.reset(record)
        TRACING.reset(tracing)


def _scalars(outputs: Sequence[Tensor]) -> list[list[int]]:
    """The places of outputs that are numbers, by dtype, where there are several: these come back as one array."""
    found: dict[Any, list[int]] = {}
    for i, x in enumerate(outputs):
        if x.shape == ():
            found.setdefault(x.dtype, []).append(i)
    return [places for places in found.values() if len(places) > 1]


def _told(update: Update) -> bool:
    """Whether the host can compute an update: from numbers that it has alone."""
    if update.rows is not None:
        return False
    return not any(isinstance(x, Mutable) for x in Graph((), (update.value,)).nodes() if x.block is None)


def _limit(axis: Axis | None, sizes: Mapping[str, Any]) -> Any:
    if axis is None:
        return None
    terms, constant = axis
    total: Any = constant
    for name, factor in terms:
        total = total + factor * sizes[name]
    return total


def _inside(shape: Sequence[int], limits: Sequence[Any]) -> Any:
    """Which places of an argument are real."""
    found = None
    for axis, limit in enumerate(limits):
        if limit is not None:
            places = jnp.arange(shape[axis]).reshape([-1 if i == axis else 1 for i in range(len(shape))])
            found = both(found, places < limit)
    return found


def _updated(before: Any, update: Update, found: Mapping[Tensor, Value]) -> Any:
    """What a leaf becomes."""
    value = found[update.value]
    if update.rows is None:
        return value.array.astype(update.target.dtype)
    rows, size = found[update.rows], update.target.shape[0]
    there = (rows.array >= 0) & (rows.array < size)
    if rows.real is not None:
        there &= rows.real
    # What is no row goes nowhere, each to a place of its own, as XLA need not look for an order then.
    places = jnp.where(there, rows.array, size + jnp.arange(len(rows.array)))
    return before.at[places].set(value.array.astype(update.target.dtype), mode="drop", unique_indices=True)
