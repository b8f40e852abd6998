"""Program: a traced graph as one jitted function; what it changes stays on the device."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.graph.array import NUMPY
from chainrule.graph.leaves import Constant, Mutable
from chainrule.graph.spec import Array, Spec
from chainrule.graph.tensor import TRACING, Tensor
from chainrule.graph.trace import RECORDING, Graph, Recording, Update
from chainrule.xla.device import TRANSFER, Arriving, OnDevice, compiler_options, put, wide
from chainrule.xla.lowering import values_of
from chainrule.xla.mesh import explained, layout
from chainrule.xla.products import SINGLE
from chainrule.xla.ranks import current_team
from chainrule.xla.refusals import refusals
from chainrule.xla.values import Value, both

#: The size along an axis of a node: so much for each size of the arguments, and a constant.
Axis = tuple[tuple[tuple[str, int], ...], int]


def jitted(step: Callable[..., Any], changed: Sequence[Mutable]) -> Callable[..., Any]:
    """The step as XLA compiles it. Its first argument is what it changes, whose memory it may use.

    On several devices, what it changes lies after it as it lay before, and its results are whole on each.
    """
    laid, options = layout(), compiler_options()
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
        read: the leaves that it reads alone; theirs are, too.
        told: what the host has and computes, such as the coefficients of a step; they go to the device in each run.
    """

    def __init__(
        self,
        graph: Graph,
        axes: Mapping[Tensor, Sequence[Axis | None]],
        names: Sequence[str],
        longest: Mapping[Tensor, int],
        *,
        precision: str = SINGLE,
    ) -> None:
        """Lay the arguments out.

        Args:
            graph: what is to be computed.
            axes: of nodes with ragged axes, what the sizes are made of; None for a size that is fixed.
            names: of the sizes that runs are told.
            longest: of inputs that are offsets, how many tokens a text has at most.
            precision: of products.
        """
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
        self.read = [x for x in leaves if isinstance(x, Mutable) and x not in targets]
        self.told = [x for x in leaves if not isinstance(x, Mutable)]
        dtypes = dict.fromkeys(x.dtype for x in self.told)
        self._told_by_dtype = [[x for x in self.told if x.dtype == dtype] for dtype in dtypes]
        self._counting = Graph((), tuple(x.value for x in self._on_host)).nodes()
        self._refusals = refusals(graph)
        self._step = jitted(self._function, self.changed)
        self._compiled = False

    def _function(
        self,
        changed: Sequence[Any],
        read: Sequence[Any],
        told: Sequence[Any],
        inputs: Sequence[Any],
        counts: Any,
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """The step: the leaves that it changes, its results, and what else the host is to get."""
        known: dict[Tensor, Value] = {}
        known |= {leaf: Value(x) for leaf, x in zip(self.changed, changed, strict=True)}
        known |= {leaf: Value(x) for leaf, x in zip(self.read, read, strict=True)}
        known |= {leaf: Value(x) for leaf, x in self._unpacked(told).items()}
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
        results = [found[x].array.astype(x.dtype) for x in self.graph.outputs]
        return after, results, [found[x.value].array for x in self._fetched]

    def run(self, arguments: Sequence[Array], sizes: Mapping[str, int]) -> list[Tensor]:
        """The outputs for arrays of the sizes that were traced, of which so many places are real."""
        for check in self._refusals:
            check(arguments)
        for prepare in self.graph.before:
            prepare()
        with wide():
            changed = [self._device(leaf) for leaf in self.changed]
            read = [self._device(leaf) for leaf in self.read]
            told = self._packed()
            TRANSFER.sent += sum(x.nbytes for x in itertools.chain(told, arguments))
            TRANSFER.calls += 1
            counts = np.array([sizes[name] for name in self._names], np.int64)
            before, laid = [x.array for x in changed], layout()
            given = list(arguments) if laid is None else [laid.placed(x, laid.of_argument(x.shape)) for x in arguments]
            after, results, rest = self._started(before, [x.array for x in read], told, given, counts)
            if laid is not None:
                laid.pace((after, results))
        for leaf, held, array in zip(self.changed, changed, after, strict=True):
            held.array = array
            if leaf.held is not held:  # someone has read it meanwhile
                leaf.hold(held)
        self._count()
        for update, value in zip(self._fetched, rest, strict=True):
            update.target.value = np.array(value)
        return [self._arriving(node, x, sizes) for node, x in zip(self.graph.outputs, results, strict=True)]

    def _count(self) -> None:
        """Compute what the host can, such as the number of the step."""
        values = {node: node.numpy() for node in self._counting if node.block is None}
        for node in self._counting:
            if node.block is not None:
                values[node] = np.asarray(node.block.forward(NUMPY, *[values[x] for x in node.inputs]), node.dtype)
        for update in self._on_host:
            update.target.value = np.array(values[update.value])

    def _packed(self) -> list[Array]:
        """What the host says, as one array of each dtype: a few long transfers take less time than many short ones.

        They are copies, as the next step may be told before this one runs.
        """
        return [np.concatenate([leaf.numpy().reshape(-1) for leaf in leaves]) for leaves in self._told_by_dtype]

    def _unpacked(self, arrays: Sequence[Any]) -> dict[Tensor, Any]:
        """The inverse, on the device."""
        found: dict[Tensor, Any] = {}
        for leaves, array in zip(self._told_by_dtype, arrays, strict=True):
            start = 0
            for leaf in leaves:
                found[leaf] = array[start : start + leaf.spec.size].reshape(leaf.shape)
                start += leaf.spec.size
        return found

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

    def _device(self, leaf: Mutable) -> OnDevice:
        """What holds the value of a leaf on the device; it goes there where it is not."""
        if leaf not in self.graph.behind:
            leaf.settle()
        held = leaf.held
        if not isinstance(held, OnDevice):
            held = OnDevice(put(self.graph.held(leaf)))
            leaf.hold(held)
        return held

    def _arriving(self, node: Tensor, array: Any, sizes: Mapping[str, int]) -> Tensor:
        axes = self._axes.get(node, ())
        if not any(axis is not None for axis in axes):
            return Arriving(node.spec, array)
        shape = [n if axis is None else _limit(axis, sizes) for n, axis in zip(node.shape, axes, strict=True)]
        cut = tuple(slice(0, int(n)) for n in shape)
        return Arriving(Spec(tuple(int(n) for n in shape), node.dtype), array, cut)


@contextmanager
def recording() -> Iterator[None]:
    """Nothing that is written down meanwhile is computed at once."""
    record, tracing = RECORDING.set(Recording()), TRACING.set(True)
    try:
        yield
    finally:
        RECORDING.reset(record)
        TRACING.reset(tracing)


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
    there = rows.array if rows.real is None else jnp.where(rows.real, rows.array, size)
    there = jnp.where(there < 0, size, there)
    return before.at[there].set(value.array.astype(update.target.dtype), mode="drop")
