"""Deferred updates: the dense rule on an embedding table, at the cost of the rows that a batch reads.

A rule such as Adam moves every row of a table in every step, also those without a gradient, as momenta decay. A row
that no batch reads may be left behind, though: what k steps without a gradient do to it is made up for when it is next
read, in a closed form (`Optimizer.rest`), or by running the rule's own equations k times where that form does not hold
(`Optimizer.rests_from`). The result is the dense rule's, up to rounding.

In a compiled step, every look-up in the table becomes one among the distinct rows of the batch, brought up to date; the
update goes on from these and writes them. Each row knows the step it was written after. Whoever reads the table in
another way, or what is remembered of it, finds all rows up to date: reading a `Mutable` leaf settles it.

Source: derived for this project; lazy variants, which leave such rows out and are another algorithm, are those of
PyTorch's SparseAdam and TensorFlow's LazyAdam.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from chainrule.blocks import (
    broadcast_to,
    concatenate,
    distinct,
    equal,
    first_slots,
    gather,
    gather_or_zero,
    greater_equal,
    reshape,
    scatter_add,
    where,
)
from chainrule.blocks.indexing import Gather
from chainrule.blocks.movement import Reshape
from chainrule.blocks.repetition import Repeat
from chainrule.errors import ChainruleError
from chainrule.graph.block import Elementwise
from chainrule.graph.sparse import RowSparse
from chainrule.graph.spec import INT32, INT64, Array, Spec, spec_of
from chainrule.graph.tensor import Constant, Mutable, Tensor
from chainrule.graph.trace import Graph, Update, current_recording, trace
from chainrule.native.passes import optimise
from chainrule.native.passes.rewrite import rebuild, with_inputs
from chainrule.optim.updates import apply_rule, in_dtype

if TYPE_CHECKING:
    from chainrule.native.compile import Compiled
    from chainrule.optim.optimizer import Optimizer

#: Steps that are kept in mind; then all rows are brought up to date.
CAPACITY = 4096
#: Numbers of a table that are brought up to date together when all are.
CHUNK = 2**18
#: Places are stored one higher than they are: what is no row is read as 0, and so is a row that sleeps.
ASLEEP, BEGINNING = 0, 1
#: Bytes of a row and of what is remembered of it up to which they are moved to one place in memory: two cache lines.
NARROW = 128
#: Products over steps smaller than this are not kept any further.
SMALLEST = 1e-200


@dataclass(frozen=True, eq=False)
class Rest:
    """The time that rows rested, without a gradient: from after one step to after another.

    Steps are counted by places from a beginning that all rows have in common.

    Attributes:
        first: the place after which each row rested, int64 of shape (n,).
        last: the place after which it is to be up to date, an int64 scalar.
        history: the coefficients of the step at each place, by name, in float64.
        products: for the coefficients in the rule's `compounds`, the product up to each place.
        sums: for each row, what the rule's `grow` has summed up by `last`, in float64 of shape (n,).
        gap: the number of steps that each row rested, int64.
    """

    first: Tensor
    last: Tensor
    history: Mapping[str, Tensor]
    products: Mapping[str, Tensor]
    sums: Mapping[str, Tensor]
    gap: Tensor

    def coefficient(self, name: str, place: Tensor) -> Tensor:
        """A coefficient of the step at a place, or at one place a row."""
        return gather_or_zero(self.history[name], place)

    def product(self, name: str, first: Tensor, last: Tensor) -> Tensor:
        """The product of a coefficient over the steps after `first` up to `last`."""
        return gather_or_zero(self.products[name], last) / gather_or_zero(self.products[name], first)

    def power(self, base: float) -> Tensor:
        """The base to the power of the gap, in float64; looked up."""
        powers = base ** np.arange(CAPACITY + 2, dtype=np.float64)
        if isinstance(self.gap, Constant):
            powers = powers[self.gap.numpy()]
            return Constant(spec_of(powers), powers)
        return gather_or_zero(Constant(spec_of(powers), powers), self.gap)

    @staticmethod
    def rows(numbers: Tensor, like: Tensor) -> Tensor:
        """One number a row, in a shape and dtype that meet the rows of `like`."""
        return reshape(numbers, (-1, *[1] * (like.spec.rank - 1))).astype(like.dtype)


@dataclass(eq=False)
class Table:
    """An embedding table and what is remembered of it.

    Attributes:
        parameter: the table.
        slot: what is remembered of it, by name.
        written: the place after which each row was written, and one, int32; `ASLEEP` for a row of which nothing is
            remembered yet, where that keeps it as it is.
        known: the arrays of `slot` when rows were last found to be asleep, unless someone looked at them since.
    """

    parameter: Mutable
    slot: Mapping[str, Mutable]
    written: Tensor
    known: Sequence[Array | None] = ()

    @property
    def leaves(self) -> list[Mutable]:
        """The parameter and what is remembered of it."""
        return [self.parameter, *self.slot.values()]

    def awaken(self) -> None:
        """Find out which rows are asleep, where another array has been put in the place of what was remembered."""
        held = [leaf.array for leaf in self.slot.values()]
        if any(array is not known for array, known in zip_longest(held, self.known)):
            awake = np.zeros(self.parameter.shape[0], bool)
            for array in held:
                if array is not None:
                    awake |= array.any(axis=tuple(range(1, array.ndim)))
            self.written.numpy()[...] = np.where(awake, BEGINNING, ASLEEP)
            self.known = held


class Deferral:
    """What one rule needs to bring the rows of its tables up to date.

    Attributes:
        optimizer: the rule.
        behind: whether any row may be behind.
        tables: by their parameters.
    """

    def __init__(self, optimizer: Optimizer, count: Tensor) -> None:
        self.optimizer = optimizer
        self.count = count
        self.behind = False
        self.tables: dict[Tensor, Table] = {}
        size = CAPACITY + 2
        names = optimizer.coefficients(1, optimizer.learning_rate)
        self._history = {name: _leaf(np.zeros(size), name) for name in names}
        self._products = {name: _leaf(np.ones(size), f"product of {name}") for name in optimizer.compounds}
        self._sums = {name: _leaf(np.zeros(size), name) for name in optimizer.sums}
        leaves = [*self._sums.values(), *self._products.values(), *self._history.values()]
        for leaf, array in zip(leaves, _together([leaf.numpy() for leaf in leaves]), strict=True):
            leaf.value = array
        self._start = _leaf(np.zeros((), np.int64), "start")
        self._settling = False
        self._programs: dict[tuple[Tensor, bool], Compiled[Sequence[Tensor]]] = {}

    @property
    def place(self) -> int:
        """How many steps were taken since all rows were up to date."""
        return int(self.count.numpy() - self._start.numpy()) if self.behind else 0

    @property
    def young(self) -> bool:
        """Whether rows are brought up to date by the rule's own equations still, not by the closed form."""
        begins = self.optimizer.rests_from()
        return begins is None or self.count.item() - self.place < begins

    def table(self, parameter: Mutable, slot: Mapping[str, Mutable]) -> Table:
        """The table of a parameter; from now on, whoever reads it or its state finds all rows up to date."""
        if parameter not in self.tables:
            table = Table(parameter, slot, _leaf(np.full(parameter.shape[0], BEGINNING, np.int32), "written"))
            _move_together(table)
            self.tables[parameter] = table
            parameter.settlers = (*parameter.settlers, self.settle)
            for leaf in slot.values():
                leaf.settlers = (*leaf.settlers, self.look)
        return self.tables[parameter]

    def ready(self, deferred: Sequence[Table], young: bool) -> bool:
        """Make ready for a step in which these tables are left behind; whether rows are as young as it takes them."""
        for table in deferred:
            for leaf in table.leaves:
                for settle in leaf.settlers:
                    if settle not in (self.settle, self.look):  # another rule's
                        settle()
        if self.behind:
            begins = self.optimizer.rests_from()
            grown_up = young and begins is not None and self.count.numpy() >= begins
            faded = any(abs(x.numpy()[self.place]) < SMALLEST for x in self._products.values())
            if self.place >= CAPACITY or grown_up or faded or len(deferred) < len(self.tables):
                self.settle()
        return bool(young == self.young)

    def note(self, coefficients: Mapping[str, float]) -> None:
        """Keep the coefficients of the step that comes now."""
        if not self.behind:
            self._start.numpy()[()] = self.count.numpy()
            for total in self._sums.values():
                total.numpy()[...] = 0
            for table in self.tables.values():
                np.minimum(table.written.numpy(), BEGINNING, out=table.written.numpy())
                if self.optimizer.sleeps:
                    table.awaken()
            self.behind = True  # last, so that whoever interrupts this finds it to be done again
        place = self.place + 1
        for name, value in coefficients.items():
            self._history[name].numpy()[place] = value
        for name, product in self._products.items():
            product.numpy()[place] = product.numpy()[place - 1] * coefficients[name]

    def settle(self) -> None:
        """Bring all rows of all tables up to date."""
        if not self.behind or self._settling:
            return
        self._settling = True
        try:
            for table in self.tables.values():
                self._catch_up(table)
        finally:
            self._settling = False
        self.behind = False

    def look(self) -> None:
        """Bring all rows up to date for someone who looks at what is remembered of them, and may change it."""
        self.settle()
        for table in self.tables.values():
            table.known = ()

    def _catch_up(self, table: Table) -> None:
        """Bring all rows of a table up to date, those that lie together at once."""
        from chainrule.native.compile import compile  # loads LLVM: only where steps are compiled

        key = table.parameter, self.young
        if key not in self._programs:

            def bring(rows: Tensor) -> tuple[Tensor, ...]:
                recording = current_recording()
                if recording is None:
                    raise ChainruleError("deferred updates: rows are brought up to date in a compiled function")
                moved, state = self._current(table, rows, young=key[1])
                recording.updates += [Update(table.parameter, moved, rows)]
                recording.updates += [Update(table.slot[name], x, rows) for name, x in state.items()]
                recording.updates += [Update(table.written, self._places(rows, 0), rows)]
                recording.rewrites.append(lambda graph: _reading_behind(graph, table.leaves))
                return ()

            self._programs[key] = compile(bring)
        behind = np.flatnonzero((table.written.numpy() != self.place + 1) & (table.written.numpy() != ASLEEP))
        none, *width = table.parameter.shape
        size = max(min(CHUNK // max(math.prod(width), 1), none), 1)
        for start in range(0, len(behind), size):
            rows = np.full(size, none, np.int64)  # places left over stand for no row
            chunk = behind[start : start + size]
            rows[: len(chunk)] = chunk
            self._programs[key](rows)

    def _current(self, table: Table, rows: Tensor, *, young: bool) -> tuple[Tensor, dict[str, Tensor]]:
        """Rows of a table and what is remembered of them, up to date; zeros for what is no row."""
        place = self.count - self._start
        written = gather_or_zero(table.written, rows).astype(INT64)
        first = where(equal(written, ASLEEP), place, written - 1)
        held = [gather_or_zero(leaf, rows) for leaf in table.leaves]
        if young:
            equations = resting(self.optimizer, table.parameter, tuple(table.slot))
            if equations is None:
                raise ChainruleError("deferred updates: the rule is not elementwise")
            block = Repeat(equations)
            packed = block(first, place, *self._history.values(), *held)
            moved, *state = [packed[k] for k in range(block.count)]
        else:
            sums = {name: gather_or_zero(x, first) for name, x in self._sums.items()}
            rest = Rest(first, place, self._history, self._products, sums, place - first)
            moved, after = self.optimizer.rest(held[0], dict(zip(table.slot, held[1:], strict=True)), rest)
            state = [after[name] for name in table.slot]
        return moved, dict(zip(table.slot, state, strict=True))

    def _places(self, rows: Tensor, further: int) -> Tensor:
        """The place now, or further on, for every one of some rows, as it is stored."""
        return broadcast_to((self.count - self._start + (further + 1)).astype(INT32), rows.shape)

    def _grown(self) -> list[Update]:
        """The sums for all places that rows may rest since, with the step that is taken now."""
        width = min(self.optimizer.horizon(), CAPACITY)
        gap = Constant(Spec((width,), INT64), np.arange(1, width + 1))
        now = self.count - self._start + 1
        first = now - gap
        rows = where(greater_equal(first, 0), first, CAPACITY + 2)  # before the beginning there is no place
        sums = {name: gather_or_zero(x, rows) for name, x in self._sums.items()}
        grown = self.optimizer.grow(Rest(first, now, self._history, self._products, sums, gap))
        return [Update(self._sums[name], x, rows) for name, x in grown.items()]

    def rewrite(self, graph: Graph, gradients: Mapping[Tensor, RowSparse], c: Mapping[str, Tensor]) -> Graph:
        """A traced step whose updates of tables are dense, as one that leaves rows behind.

        A table that the function reads in another way than by looking rows up stays dense, and so does what reads what
        is remembered of it.

        Args:
            graph: the step; the updates of the tables are among its own.
            gradients: of the tables' parameters.
            c: the coefficients of the step, as leaves.
        """
        young = self.young
        looks = {}
        for parameter, gradient in gradients.items():
            found = _looks(graph, gradient, self.tables[parameter])
            if found is not None:
                looks[self.tables[parameter]] = found
        if not looks:
            return graph
        updates: list[Update] = []
        replacements: dict[Tensor, Tensor] = {}
        for table, found in looks.items():
            updates += self._by_rows(table, found, gradients[table.parameter], c, replacements, young=young)
        leaves = {leaf for table in looks for leaf in table.leaves}
        updates += [update for update in graph.updates if update.target not in {*leaves, self.count}]
        if not young:
            updates += self._grown()  # after all rows, which are brought up to date by the sums so far
        updates += [update for update in graph.updates if update.target is self.count]

        def replace(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
            return replacements[node] if node in replacements else with_inputs(node, inputs)

        graph = rebuild(dataclasses.replace(graph, updates=tuple(updates)), replace)
        graph = dataclasses.replace(graph, serves=(*graph.serves, lambda: self.ready(list(looks), young)))
        return _reading_behind(graph, list(leaves))

    def _by_rows(
        self,
        table: Table,
        looks: Sequence[Tensor],
        gradient: RowSparse,
        c: Mapping[str, Tensor],
        replacements: dict[Tensor, Tensor],
        *,
        young: bool,
    ) -> list[Update]:
        """The updates of a table's distinct rows; what takes the place of the look-ups goes into `replacements`."""
        none = table.parameter.shape[0]
        ids = [reshape(look.inputs[1], (-1,)).astype(INT64) for look in looks]
        read = ids[0] if len(ids) == 1 else concatenate(ids, 0)
        slots = first_slots(read, none, reader="gather")
        if len(looks) == 1 and _flat(gradient.indices) is _flat(looks[0].inputs[1]):
            rows, places = distinct(read, slots, none), slots
        else:  # of the rows with a gradient, those that are read come first
            everything = concatenate([read, gradient.indices.astype(INT64)], 0)
            shared = first_slots(everything, none + 1)
            rows, places = distinct(everything, shared, none), shared[read.shape[0] :]
        moved, state = self._current(table, rows, young=young)
        start = 0
        for look, own in zip(looks, ids, strict=True):
            end = start + own.shape[0]
            part = slots if len(looks) == 1 else slots[start:end]
            replacements[look] = gather(moved, reshape(part, look.inputs[1].shape))
            start = end
        summed = scatter_add(gradient.rows, places, rows.shape[0])
        after, remembered = apply_rule(self.optimizer, moved, summed, state, in_dtype(c, moved.dtype))
        return [
            Update(table.parameter, after, rows),
            *(Update(table.slot[name], x, rows) for name, x in remembered.items()),
            Update(table.written, self._places(rows, 1), rows),
        ]


def resting(optimizer: Optimizer, parameter: Tensor, names: Sequence[str]) -> Graph | None:
    """A rule's equations for one number without a gradient; None for a rule that is not elementwise.

    The inputs are the coefficients, the parameter and what is remembered of it; the outputs, the latter two anew.
    """
    one = Spec((), parameter.dtype)
    coefficients = list(optimizer.coefficients(1, optimizer.learning_rate))

    def equations(*given: Tensor) -> list[Tensor]:
        c = dict(zip(coefficients, given, strict=False))
        value, *state = given[len(coefficients) :]
        zero = Constant(one, np.zeros((), one.dtype))
        after, remembered = apply_rule(optimizer, value, zero, dict(zip(names, state, strict=True)), c)
        return [after, *[remembered[name] for name in names]]

    graph = optimise(trace(equations, *[one] * (len(coefficients) + 1 + len(names))))
    elementwise = all(node.block is None or isinstance(node.block, Elementwise) for node in graph.nodes())
    return graph if elementwise else None


def _looks(graph: Graph, gradient: RowSparse, table: Table) -> list[Tensor] | None:
    """The look-ups in a table by a graph and a gradient; None where they read it, or its state, in another way."""
    leaves = set(table.leaves)
    others = tuple(update for update in graph.updates if update.target not in leaves)
    results = dataclasses.replace(graph, outputs=(*graph.outputs, gradient.indices, gradient.rows), updates=others)
    if leaves & set(results.results()):
        return None
    looks = []
    for node in results.nodes():
        read = leaves & set(node.inputs)
        if not read:
            continue
        if read != {table.parameter} or not isinstance(node.block, Gather) or node.inputs[0] is not table.parameter:
            return None
        looks.append(node)
    return looks or None


def _flat(x: Tensor) -> Tensor:
    """What was reshaped or copied."""
    while isinstance(x.block, Reshape):
        (x,) = x.inputs
    return x


def _reading_behind(graph: Graph, leaves: Sequence[Mutable]) -> Graph:
    return dataclasses.replace(graph, behind=graph.behind | frozenset(leaves))


def _move_together(table: Table) -> None:
    """Move the rows of a table and what is remembered of them to one place."""
    arrays = [leaf.array for leaf in table.leaves]
    held = [array for array in arrays if array is not None]
    if len(held) == len(arrays):
        *moved, table.written.value = _together([*held, table.written.numpy()])
        for leaf, array in zip(table.leaves, moved, strict=True):
            leaf.array = array


def _together(arrays: Sequence[Array]) -> list[Array]:
    """Arrays of as many rows as views of one, rows of one number beside each other, if these are not too wide.

    A step finds them anywhere in a large memory. They do not cross the borders of cache lines more than they have to.
    """
    sizes = [array.itemsize * math.prod(array.shape[1:]) for array in arrays]
    if not 0 < sum(sizes) <= NARROW or not len(arrays[0]):
        return list(arrays)
    rows, width = len(arrays[0]), 1 << (sum(sizes) - 1).bit_length()
    memory = np.zeros(rows * width + NARROW, np.uint8)
    place = -memory.ctypes.data % NARROW
    views = {}
    for i in sorted(range(len(arrays)), key=lambda i: -arrays[i].itemsize):
        inside = np.empty(arrays[i].shape[1:], arrays[i].dtype).strides
        views[i] = np.ndarray(arrays[i].shape, arrays[i].dtype, memory.data, place, (width, *inside))
        views[i][...] = arrays[i]
        place += sizes[i]
    return [views[i] for i in range(len(arrays))]


def _leaf(value: Array, name: str) -> Tensor:
    return Tensor(spec_of(value), value, name=name)
