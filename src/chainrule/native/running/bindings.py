"""Bindings: which arrays the leaves of a program stand for in a run, and where its tables say that they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.lib.array_utils import byte_bounds

from chainrule.errors import ShapeError
from chainrule.graph.leaves import Mutable, Watch
from chainrule.graph.spec import FLOAT64, Array, spec_of
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.graph.trace import Graph

#: Bytes of an argument up to which copying it costs less than finding out where it lies.
SMALL = 2**15
#: The type of arrays as such: a name of this module is found sooner.
ARRAY = np.ndarray


class Bindings:
    """The arrays of a program's leaves: its arguments, and the parameters and constants that it holds.

    A small argument is copied into memory of the program, whose address never changes. Of a large one the address is
    written into the program's tables in each run. An array that a leaf holds is looked at when the leaf gets it: as
    long as it is the same array, nothing is asked of it again.

    Attributes:
        arrays: what every leaf stands for in this run.
    """

    def __init__(
        self,
        graph: Graph,
        places: Mapping[Tensor, Sequence[int]],
        pitches: Mapping[Tensor, Sequence[int]],
        memory: Array,
    ) -> None:
        """The leaves in `places` are held, the inputs of the graph are arguments.

        Args:
            graph: with the inputs, in order, and the updates.
            places: where in the memory the address of each leaf belongs.
            pitches: for leaves whose rows may lie apart, where it belongs how many elements do from one to the next.
            memory: the tables of the program.
        """
        self.arrays: dict[Tensor, Array] = {}
        self._graph = graph
        self._memory = memory
        self._places = {leaf: np.array(held, np.int64) for leaf, held in places.items()}
        self._pitches = {leaf: np.array(held, np.int64) for leaf, held in pitches.items()}
        self._targets = {update.target for update in graph.updates}
        self._inputs = [(leaf, self._copy(leaf)) for leaf in graph.inputs]
        self._small = [  # of small arguments that are arrays: the copy, dtype and shape; float64 data enters as float32
            (position, copy, None if copy is None or leaf.dtype == FLOAT64 else leaf.dtype, leaf.shape)
            for position, (leaf, copy) in enumerate(self._inputs)
        ]
        self._large: dict[Tensor, Array] = {}
        held = [x for x in places if x not in graph.inputs and x not in graph.behind]
        self._held: list[tuple[Tensor, Array | None]] = [(x, None) for x in held if not isinstance(x, Mutable)]
        self._mutable = [x for x in held if isinstance(x, Mutable)]
        self._behind = [x for x in graph.behind if x in places]
        self._settled: list[Mutable] = []
        self._watch, self._seen = Watch(), object()
        for leaf in (*self._mutable, *self._behind):
            leaf.watch(self._watch)
        self._written: list[tuple[int, int]] = []

    def take(self, arguments: Sequence[TensorLike]) -> bool:
        """Take the arguments of the next run if they are as they were traced; if not, they are to be converted."""
        if len(arguments) != len(self._small):
            return False
        for position, copy, dtype, shape in self._small:
            x = arguments[position]
            if type(x) is ARRAY and x.dtype is dtype and x.shape == shape:
                copy[...] = x  # type: ignore[index]  # without a copy there is no dtype
            elif not self._take(position, x):
                return False
        return True

    def _take(self, position: int, x: TensorLike) -> bool:
        """Take an argument that is a tensor, or large."""
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

    def take_converted(self, arrays: Sequence[Array]) -> None:
        """Take arguments of the traced dtypes and shapes, or of smaller sizes than those."""
        for x, (leaf, copy) in zip(arrays, self._inputs, strict=True):
            if copy is None:
                self._large[leaf] = x
            else:
                self.arrays[leaf] = place = copy.reshape(-1)[: x.size].reshape(x.shape)
                place[...] = x

    def restore(self) -> None:
        """Stand inputs for arguments of the traced sizes again, after a run with others."""
        self.arrays |= {leaf: copy for leaf, copy in self._inputs if copy is not None}

    def update(self) -> None:
        """Bring the memory up to date for a run.

        Raises:
            ShapeError: when a leaf holds an array that is not of the spec that was traced.
        """
        for mutable in self._settled:
            mutable.numpy()
        for leaf, array in self._held:
            if leaf.value is not array:
                self._hold()
                break
        if self._watch.changes is not self._seen:
            self._hold()
        if self._large:
            for leaf, value in self._large.items():
                self._refer(leaf, value)

    def _copy(self, leaf: Tensor) -> Array | None:
        """The program's own memory for a small argument."""
        if leaf.spec.size * leaf.dtype.itemsize > SMALL:
            return None
        self.arrays[leaf] = copy = np.zeros(leaf.shape, leaf.dtype)
        self._write(leaf, copy)
        return copy

    def _write(self, leaf: Tensor, array: Array) -> int:
        """Write the address of a leaf's array, and return it."""
        address = array.ctypes.data
        self._memory[self._places.get(leaf, [])] = address
        if leaf in self._pitches:
            self._memory[self._pitches[leaf]] = array.strides[0] // array.itemsize
        self.arrays[leaf] = array  # last, so that it is written again if this is interrupted
        return address

    def _refer(self, leaf: Tensor, value: Array) -> None:
        """Stand a leaf for a large argument; for a copy where it is not in row order or in memory that is written."""
        if not _in_row_order(value):
            value = value.copy()
        start = self._write(leaf, value)
        end = start + value.nbytes
        if any(start < other_end and other_start < end for other_start, other_end in self._written):
            self._write(leaf, value.copy())

    def _hold(self) -> None:
        """Look at the arrays that leaves have got since the last run."""
        held, changes = self._held, self._watch.changes
        self._held, self._seen = [(leaf, None) for leaf, _ in held], object()  # until all of them are found to fit
        found = {leaf: self._look(leaf) for leaf in (*(leaf for leaf, _ in held), *self._mutable, *self._behind)}
        self._written = [byte_bounds(x) for leaf, x in found.items() if leaf in self._targets]
        self._settled = [leaf for leaf in self._mutable if leaf.settlers]
        self._held = [(leaf, found[leaf]) for leaf, _ in held]
        self._seen = changes

    def _look(self, leaf: Tensor) -> Array:
        """The array that a leaf holds, from now on as the program needs it, and writable where it writes."""
        value = self._graph.held(leaf)
        if value is self.arrays.get(leaf):
            return value
        if value.shape != leaf.shape or value.dtype != leaf.dtype:
            raise ShapeError(f"{leaf.label}: expected a value {leaf.spec}, got {spec_of(value)}; change it with assign")
        fits = _has_rows if leaf in self._pitches else _in_row_order
        if not fits(value) or (leaf in self._targets and not value.flags.writeable):
            value = np.array(value, order="C")
            self._graph.put(leaf, value)
        self._write(leaf, value)
        return value


def _in_row_order(value: Array) -> bool:
    return value.flags.c_contiguous and value.flags.aligned


def _has_rows(value: Array) -> bool:
    """Whether every row is in row order, and one follows the other in memory at a distance of whole elements."""
    apart = value.strides[0]
    return (
        value.flags.aligned
        and value[:1].flags.c_contiguous
        and apart >= value[:1].nbytes
        and not apart % value.itemsize
    )
