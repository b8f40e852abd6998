"""Bindings: which array each leaf of a program stands for in a run, and its address in the program's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.lib.array_utils import byte_bounds

from chainrule.errors import ShapeError
from chainrule.graph.leaves import Mutable, Watch
from chainrule.graph.spec import ARRAY, FLOAT64, Array, Shape, spec_of
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.graph.trace import Graph

#: An argument of at most so many bytes is copied, which takes less time than to ask NumPy for its address.
COPIED_ARGUMENT_BYTES = 2**15


class Bindings:
    """The arrays of a program's leaves: its arguments, and the parameters and constants that it holds.

    A small argument is copied into memory of the program, whose address never changes. The address of a large one is
    written into the program's tables in each run. The array of another leaf is inspected when the leaf gets it, and not
    again for as long as it stays the same array.

    Attributes:
        arrays: the array that each leaf stands for in this run.
    """

    def __init__(
        self,
        graph: Graph,
        address_places: Mapping[Tensor, Sequence[int]],
        pitch_places: Mapping[Tensor, Sequence[int]],
        tables: Array,
    ) -> None:
        """Bind the leaves that have an address in the tables. The inputs of the graph are the arguments.

        Args:
            graph: the graph, with its inputs in order, and its updates.
            address_places: where in the tables the address of each leaf belongs.
            pitch_places: where in the tables the pitch of a leaf belongs (see `Kernel.pitched`).
            tables: the tables of the program.
        """
        self.arrays: dict[Tensor, Array] = {}
        self._graph = graph
        self._tables = tables
        self._address_places = {leaf: np.array(places, np.int64) for leaf, places in address_places.items()}
        self._pitch_places = {leaf: np.array(places, np.int64) for leaf, places in pitch_places.items()}
        self._targets = {update.target for update in graph.updates}
        self._inputs = [(leaf, self._copy(leaf)) for leaf in graph.inputs]
        # What `take` compares an argument with. The dtype is None where an array needs more than to be copied: a large
        # one is not copied, and float64 data enters as float32.
        self._expected = [
            (position, copy, None if copy is None or leaf.dtype == FLOAT64 else leaf.dtype, leaf.shape)
            for position, (leaf, copy) in enumerate(self._inputs)
        ]
        self._large: dict[Tensor, Array] = {}
        elsewhere = {*graph.inputs, *graph.behind}
        leaves = [x for x in address_places if x not in elsewhere]
        self._held: list[tuple[Tensor, Array | None]] = [(x, None) for x in leaves if not isinstance(x, Mutable)]
        self._mutable = [x for x in leaves if isinstance(x, Mutable)]
        self._behind = [x for x in graph.behind if x in address_places]
        self._settled: list[Mutable] = []
        self._watch, self._seen = Watch(), object()
        for leaf in (*self._mutable, *self._behind):
            leaf.watch(self._watch)
        self._written: list[tuple[int, int]] = []

    def take(self, arguments: Sequence[TensorLike]) -> bool:
        """Take the arguments of the next run if they have the traced dtypes and shapes; whether they have."""
        if len(arguments) != len(self._expected):
            return False
        for position, copy, dtype, shape in self._expected:
            x = arguments[position]
            if type(x) is ARRAY and x.dtype is dtype and x.shape == shape:
                copy[...] = x  # type: ignore[index]  # without a copy there is no dtype
            elif (type(x) is ARRAY and x.shape != shape) or not self._take(position, x):
                return False
        return True

    def _take(self, position: int, x: TensorLike) -> bool:
        """Take an argument that is a tensor, or a large array; whether it has the traced dtype and shape."""
        leaf, copy = self._inputs[position]
        if isinstance(x, Tensor):
            x = x.numpy()
        elif type(x) is not ARRAY or leaf.dtype == FLOAT64:
            return False
        if x.dtype != leaf.dtype or x.shape != leaf.shape:
            return False
        if copy is None:
            self._large[leaf] = x
        else:
            copy[...] = x
        return True

    def places(self, shapes: Sequence[Shape]) -> list[Array | None]:
        """Where arguments of these shapes, which are no larger than the traced ones, are copied to."""
        pairs = zip(self._inputs, shapes, strict=True)
        return [None if copy is None else np.ndarray(shape, leaf.dtype, copy) for (leaf, copy), shape in pairs]

    def take_converted(self, arrays: Sequence[Array], places: Sequence[Array | None] | None = None) -> None:
        """Take arrays of the traced dtypes, and of the traced shapes or those that the places were made for."""
        for number, (leaf, copy) in enumerate(self._inputs):
            place = copy if places is None else places[number]
            if place is None:
                self._large[leaf] = arrays[number]
            else:
                self.arrays[leaf] = place
                place[...] = arrays[number]

    def restore(self) -> None:
        """Have the inputs stand for arguments of the traced sizes again, after a run with other sizes."""
        self.arrays |= {leaf: copy for leaf, copy in self._inputs if copy is not None}

    def update(self) -> None:
        """Bring the tables up to date for a run.

        Raises:
            ShapeError: when a leaf holds an array that is not of the traced spec.
        """
        for mutable in self._settled:
            mutable.numpy()
        for leaf, array in self._held:
            if leaf.value is not array:
                self._inspect_all()
                break
        if self._watch.changes is not self._seen:
            self._inspect_all()
        if self._large:
            for leaf, value in self._large.items():
                self._refer(leaf, value)

    def _copy(self, leaf: Tensor) -> Array | None:
        """Memory of the program for a small argument; None for a large one."""
        if leaf.spec.size * leaf.dtype.itemsize > COPIED_ARGUMENT_BYTES:
            return None
        self.arrays[leaf] = copy = np.zeros(leaf.shape, leaf.dtype)
        self._write(leaf, copy)
        return copy

    def _write(self, leaf: Tensor, array: Array) -> int:
        """Write the address of a leaf's array into the tables, and return it."""
        address = array.ctypes.data
        self._tables[self._address_places.get(leaf, [])] = address
        if leaf in self._pitch_places:
            self._tables[self._pitch_places[leaf]] = array.strides[0] // array.itemsize
        self.arrays[leaf] = array  # last, so that it is written again if this is interrupted
        return address

    def _refer(self, leaf: Tensor, value: Array) -> None:
        """Have a leaf stand for a large argument.

        It stands for a copy of one that is not in row order, or in memory that the program writes.
        """
        if not _in_row_order(value):
            value = value.copy()
        start = self._write(leaf, value)
        end = start + value.nbytes
        if any(start < other_end and other_start < end for other_start, other_end in self._written):
            self._write(leaf, value.copy())

    def _inspect_all(self) -> None:
        """Inspect the arrays of the leaves, as one of them is another than in the last run."""
        held, changes = self._held, self._watch.changes
        self._held, self._seen = [(leaf, None) for leaf, _ in held], object()  # inspect again if one is refused now
        found = {leaf: self._inspect(leaf) for leaf in (*(leaf for leaf, _ in held), *self._mutable, *self._behind)}
        self._written = [byte_bounds(x) for leaf, x in found.items() if leaf in self._targets]
        self._settled = [leaf for leaf in self._mutable if leaf.settlers]
        self._held = [(leaf, found[leaf]) for leaf, _ in held]
        self._seen = changes

    def _inspect(self, leaf: Tensor) -> Array:
        """The array that a leaf holds; one that the program cannot use as it is, is replaced by a copy first."""
        value = self._graph.held(leaf)
        if value is self.arrays.get(leaf) and not (leaf in self._targets and _on_loan(leaf)):
            return value
        if value.shape != leaf.shape or value.dtype != leaf.dtype:
            raise ShapeError(f"{leaf.label}: expected a value {leaf.spec}, got {spec_of(value)}; change it with assign")
        fits = _has_pitch if leaf in self._pitch_places else _in_row_order
        if not fits(value) or (leaf in self._targets and (not value.flags.writeable or _on_loan(leaf))):
            value = np.array(value, order="C")
            self._graph.put(leaf, value)
        self._write(leaf, value)
        return value


def _on_loan(leaf: Tensor) -> bool:
    """Whether a node was computed from the array that the leaf holds, so that the program must not write into it."""
    return isinstance(leaf, Mutable) and leaf.on_loan


def _in_row_order(value: Array) -> bool:
    """Whether the elements follow one another in row order."""
    return value.flags.c_contiguous and value.flags.aligned


def _has_pitch(value: Array) -> bool:
    """Whether each row is in row order, and begins behind the row before, at a distance of whole elements."""
    pitch = value.strides[0]
    return (
        value.flags.aligned
        and value[:1].flags.c_contiguous
        and pitch >= value[:1].nbytes
        and not pitch % value.itemsize
    )
