"""Families of programs: one program serves all the sizes in between those it was traced with.

Ragged batches have another number of tokens in every step, and each trace costs milliseconds. So the sizes in a
program's tables are predicted from the sizes of the arguments: each is a constant, or a size of an argument plus a
constant, or a size of an argument times a constant, or the sum of two such products, as where two arrays lie side by
side. A prediction is made only where it is certain: where the sizes of
the arguments lie between sizes that were traced, and where all the formulas that fit what was traced agree. All other
arguments are traced, and teach the family more.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np

from chainrule.graph.leaves import Constant
from chainrule.graph.spec import Array, Spec
from chainrule.graph.tensor import Tensor
from chainrule.native.loops.steps import Attending, Leveled, Loop, Product, Recurrence, with_inner
from chainrule.native.program import Program

#: How many traces there are before the first prediction; the smallest and the largest sizes are among them.
TRACES_BEFORE_PREDICTION = 3
#: Predictions that a compiled function keeps, so that they are found out once.
PREDICTIONS_KEPT = 1024
#: (column, factor, other column, other factor): a size is `factor` times the size of an argument that stands in a
#: column, plus the same of the other. The column after the last argument's holds the constant 1.
Formula: TypeAlias = tuple[int, int, int, int]


def common_pattern(key: Sequence[Spec]) -> object:
    """What all arguments that one family serves have in common: dtypes, ranks, and which sizes are 0 or 1."""
    return tuple((spec.dtype, tuple(min(size, 2) for size in spec.shape)) for spec in key)


class Family:
    """Programs of one structure: the same kernels on the same leaves, for other sizes.

    Attributes:
        base: the program that runs for predicted sizes: that of the largest arguments traced.
    """

    def __init__(self) -> None:
        self.base: Program | None = None
        self._structure: object = None
        self._unpredictable = False
        # What was traced: the sizes of the arguments, and the sizes in the program, an array for each trace.
        self._argument_sizes: list[Array] = []
        self._program_sizes: list[Array] = []
        self._largest_arguments = np.zeros(0, np.int64)
        #: Which arguments had the same size.
        self._coincidences: set[tuple[int, ...]] = set()
        # As numbers: the largest arguments, and those of which none has only sizes of another's or larger ones.
        self._bounds: tuple[list[int], list[list[int]]] = [], []
        # The distinct kinds of sizes: what each is in the base program, and its formulas; and the kind of every size.
        self._kinds: list[tuple[int, list[Formula]]] = []
        self._kind_of = np.zeros(0, np.int64)

    def predict(self, key: Sequence[Spec]) -> Array | None:
        """The sizes of the base program for arguments of these specs, or None where they are not certain."""
        if self.base is None or self._unpredictable or len(self._argument_sizes) < TRACES_BEFORE_PREDICTION:
            return None
        asked = [size for spec in key for size in spec.shape]
        largest, least = self._bounds
        if not _within(asked, largest) or not any(_within(sizes, asked) for sizes in least):
            return None
        asked.append(1)
        predicted = []
        for base_size, formulas in self._kinds:
            size = None
            for column, factor, other, more in formulas:
                found = factor * asked[column] + more * asked[other]
                if found != size:
                    if size is not None:
                        return None
                    size = found
            if size is None or size > base_size or (size < 2 and size != base_size):
                return None  # its memory, and its kernels, are the base's
            predicted.append(size)
        return np.array(predicted, np.int64)[self._kind_of]

    def learn(self, key: Sequence[Spec], program: Program) -> bool:
        """Take in a program that was traced for arguments of these specs; False where it belongs to another family."""
        if self._unpredictable or not program.sizes_traced.size:
            return True
        structure = structure_of(program)
        arguments = _dimensions(key)
        if self.base is None:
            self._structure = structure
        elif structure != self._structure:
            # Kernels differ where other sizes are 0 or 1, and what is computed once for two arguments, where they
            # happen to have the same size: that is another family. Where neither is so, the function does something
            # else for other sizes, and nothing can be predicted.
            patterns = [_pattern(x).tolist() for x in (program.sizes_traced, self.base.sizes_traced)]
            self._unpredictable = patterns[0] == patterns[1] and _coincidences(arguments) in self._coincidences
            return self._unpredictable
        self._coincidences.add(_coincidences(arguments))
        if self.base is None or (arguments >= self._largest_arguments).all():
            self.base, self._largest_arguments = program, arguments
        self._argument_sizes.append(arguments)
        self._program_sizes.append(program.sizes_traced)
        if len(self._argument_sizes) >= TRACES_BEFORE_PREDICTION:
            self._fit(self.base)
        return True

    def _fit(self, base: Program) -> None:
        """Find all the formulas that fit each size in all traces; a size without one makes the family unpredictable."""
        arguments = np.column_stack([np.array(self._argument_sizes), np.ones(len(self._argument_sizes), np.int64)])
        sizes = np.array(self._program_sizes)
        one = arguments.shape[1] - 1
        candidates: list[_Candidate] = []
        for column in range(one + 1):
            argument = arguments[:, column : column + 1]
            shift = sizes[0] - argument[0]
            candidates.append(_Candidate(arguments, sizes, (column, one), np.ones_like(shift), shift))
            factor = sizes[0] // argument[0] if argument[0] else np.zeros_like(shift)
            candidates.append(_Candidate(arguments, sizes, (column, one), factor, np.zeros_like(shift)))
        unexplained = np.logical_not(np.array([x.fits for x in candidates]).any(axis=0))
        if unexplained.any():
            candidates += _sums_of_two(arguments, sizes, unexplained)
        fits = np.array([x.fits for x in candidates])
        if not fits.any(axis=0).all():
            self._unpredictable = True  # for good, as more traces only leave fewer formulas
            return
        # A constant size fits the last column: 1 times the constant 1, plus a shift.
        chosen = np.array(_choices(fits))
        first, second = (np.array([x.columns[part] for x in candidates])[chosen] for part in (0, 1))
        factors = [np.take_along_axis(np.array([x.factors[part] for x in candidates]), chosen, 0) for part in (0, 1)]
        # Most of the many sizes have the same formulas and the same value in the base program: each kind is kept once.
        columns = np.concatenate([base.sizes_traced[None], first, factors[0], second, factors[1]])
        kinds, self._kind_of = np.unique(columns, axis=1, return_inverse=True)
        self._kinds = []
        count = len(chosen)
        for base_size, *rest in kinds.T.tolist():
            formulas = zip(*(rest[part * count : (part + 1) * count] for part in range(4)), strict=True)
            self._kinds.append((base_size, list(dict.fromkeys(formulas))))
        traced = sorted(set(map(tuple, arguments[:, :-1].tolist())))
        least = [list(x) for x in traced if not any(y != x and _within(y, x) for y in traced)]
        self._bounds = self._largest_arguments.tolist(), least


class _Candidate:
    """A formula for each size, from the same two columns, and which sizes it fits in all traces."""

    def __init__(self, arguments: Array, sizes: Array, columns: tuple[int, int], factor: Array, more: Array) -> None:
        self.columns, self.factors = columns, (factor, more)
        first, second = (arguments[:, column : column + 1] for column in columns)
        self.fits: Array = (sizes == factor * first + more * second).all(axis=0)


def _sums_of_two(arguments: Array, sizes: Array, wanted: Array) -> Iterator[_Candidate]:
    """Sums of products of two arguments' sizes, for sizes that nothing simpler fits."""
    for columns in itertools.combinations(range(arguments.shape[1] - 1), 2):
        first, second = arguments[:, columns[0]], arguments[:, columns[1]]
        determinants = first[0] * second - second[0] * first
        row = int(np.abs(determinants).argmax())
        if determinants[row]:
            factor = (sizes[0] * second[row] - sizes[row] * second[0]) // determinants[row]
            more = (first[0] * sizes[row] - first[row] * sizes[0]) // determinants[row]
            found = _Candidate(arguments, sizes, columns, factor, more)
            found.fits &= wanted
            yield found


def _choices(fits: Array) -> list[list[int]]:
    """Rows that hold a candidate for each size, so that every candidate that fits a size is in one of the rows."""
    counts = fits.sum(axis=0)
    options = [np.flatnonzero(fits[:, size]) for size in range(fits.shape[1])]
    return [[int(fitting[min(row, len(fitting) - 1)]) for fitting in options] for row in range(int(counts.max()))]


def _within(sizes: Sequence[int], largest: Sequence[int]) -> bool:
    """Whether no size is above the one in the same place."""
    return all(map(operator.le, sizes, largest))


def _dimensions(key: Sequence[Spec]) -> Array:
    """The sizes of all arguments, one after another."""
    return np.array([size for spec in key for size in spec.shape], np.int64)


def _pattern(sizes: Array) -> Array:
    """The sizes with all from 2 on alike: kernels depend on which sizes are 0 or 1."""
    return np.minimum(sizes, 2)


def _coincidences(sizes: Array) -> tuple[int, ...]:
    """For each size, the first place that has the same."""
    listed: list[int] = sizes.tolist()
    return tuple(map(listed.index, listed))


class _Itself:
    """A leaf in a structure, equal to itself alone: `==` of tensors compares their values."""

    def __init__(self, leaf: Tensor) -> None:
        self.leaf = leaf

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and other.leaf is self.leaf

    def __hash__(self) -> int:
        return hash(self.leaf)


def structure_of(program: Program) -> object:
    """What two programs must have in common for one to run in place of the other: their steps, and on what they work.

    Inputs are named by their position, constants by their values, other leaves by themselves. Computed nodes are named
    by the order in which the steps first use them, and so are leaves whose value the host computes before each run.
    """
    numbers: dict[Tensor, int] = {}
    positions = {node: i for i, node in enumerate(program.graph.inputs)}

    def named(node: Tensor | None) -> object:
        if node is None or node.block is not None or (not node.known and node not in positions):
            return None if node is None else numbers.setdefault(node, len(numbers))
        if node in positions:
            return "input", positions[node]
        return node.value.tobytes() if isinstance(node, Constant) and node.value is not None else _Itself(node)

    steps: list[object] = []
    for step in with_inner(program.steps):
        if isinstance(step, Loop):
            steps.append((step.kernel.key, *[named(x) if isinstance(x, Tensor) else None for x in step.arguments]))
        elif isinstance(step, Product):
            transposed = step.left_transposed, step.right_transposed
            steps.append((transposed, named(step.left), named(step.right), named(step.output)))
        elif isinstance(step, Recurrence):
            numbers |= {leaf: len(numbers) + i for i, leaf in enumerate(step.graphs[0].inputs)}
            inputs = [(named(x), place) for x, place in step.reads]
            steps.append((named(step.output), inputs, [named(x) for x in step.graphs[0].outputs]))
        elif isinstance(step, Leveled):
            for rule in step.rules:
                numbers |= {leaf: len(numbers) + i for i, leaf in enumerate(rule.roles)}
            inputs = [(named(x), place) for x, place in step.reads]
            outputs = [[named(x) for x in rule.graphs[0].outputs] for rule in step.rules]
            steps.append((named(step.output), inputs, outputs, [[*rule.roles.values()] for rule in step.rules]))
        elif isinstance(step, Attending):
            steps.append((step.output.block, named(step.output), [(named(x), place) for x, place in step.reads]))
    return steps, [named(node) for node in program.graph.outputs]
