"""Families of programs: one program for all the sizes in between those it was traced with.

Ragged batches have another number of tokens in every step. Tracing anew would cost milliseconds each time, so the
sizes in a program's tables are predicted from the sizes of the arguments: every one is constant, or a size of an
argument plus a constant, or a multiple of one. A prediction is made only where it is certain: the sizes asked for lie
between sizes that were traced, and all the formulas that fit what was traced agree. Anything else is traced, and
teaches the family more.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np

from chainrule.graph.leaves import Constant
from chainrule.graph.spec import Array, Spec
from chainrule.graph.tensor import Tensor
from chainrule.native.loops.steps import Loop, Product
from chainrule.native.program import Program

#: Traces before the first prediction; the smallest and the largest sizes are among them.
ENOUGH = 3


class Family:
    """Programs of one structure: the same kernels on the same leaves, for other sizes.

    Attributes:
        base: the program that runs for predicted sizes: that of the largest arguments traced.
    """

    def __init__(self) -> None:
        self.base: Program | None = None
        self._structure: object = None
        self._largest = np.zeros(0, np.int64)
        self._asked: list[Array] = []
        self._found: list[Array] = []
        self._bounds: tuple[list[int], list[list[int]]] = [], []
        self._formulas: list[tuple[int, list[tuple[int, int, int]]]] = []
        self._places = np.zeros(0, np.int64)
        self._mixed = False

    def predict(self, key: Sequence[Spec]) -> Array | None:
        """The sizes of the base program for arguments of these specs, or None where they are not certain."""
        if self.base is None or self._mixed or len(self._asked) < ENOUGH:
            return None
        asked = [size for spec in key for size in spec.shape]
        largest, traced = self._bounds
        if not _within(asked, largest) or not any(_within(sizes, asked) for sizes in traced):
            return None
        asked.append(1)
        predicted = []
        for largest_size, ((which, factor, shift), *others) in self._formulas:
            size = factor * asked[which] + shift
            if any(factor * asked[which] + shift != size for which, factor, shift in others):
                return None
            if size > largest_size or min(size, 2) != min(largest_size, 2):
                return None
            predicted.append(size)
        return np.array(predicted, np.int64)[self._places]

    def learn(self, key: Sequence[Spec], program: Program) -> bool:
        """Take in a program that was traced for arguments of these specs; False where it belongs to another family."""
        if self._mixed or not program.sizes_traced.size:
            return True
        structure = structure_of(program)
        asked = _dimensions(key)
        if self.base is None:
            self._structure = structure
        elif structure != self._structure:
            # Another pattern of sizes inside is another kernel, and another family; anything else is for good.
            same = [_pattern(x).tolist() for x in (program.sizes_traced, self.base.sizes_traced)]
            self._mixed = same[0] == same[1]
            return self._mixed
        if self.base is None or (asked >= self._largest).all():
            self.base, self._largest = program, asked
        self._asked.append(asked)
        self._found.append(program.sizes_traced)
        self._fit(self.base)
        return True

    def _fit(self, base: Program) -> None:
        """For every size, all formulas that fit all traces; none at all if there is a size without one."""
        asked = np.column_stack([np.array(self._asked), np.ones(len(self._asked), np.int64)])
        found = np.array(self._found)
        columns = asked.shape[1]
        fits: list[tuple[Array, Array, Array]] = []
        for which in range(columns):
            column = asked[:, which : which + 1]
            shift = found[0] - column[0]
            fits.append(((found == column + shift).all(axis=0), np.ones_like(shift), shift))
            factor = found[0] // column[0] if column[0] else np.zeros_like(shift)
            fits.append(((found == factor * column).all(axis=0), factor, np.zeros_like(shift)))
        table = np.array([fit for fit, _, _ in fits])
        if not table.any(axis=0).all():
            self._mixed = True  # more traces leave no more formulas than these did
            return
        # Constants fit "1 times the constant 1 plus a shift", the last column; several formulas may fit a size, and the
        # first and the last disagree wherever two of them do in a way that matters: all are compared.
        chosen = np.array(_choices(table))
        factor, shift = (np.take_along_axis(np.array([fit[part] for fit in fits]), chosen, 0) for part in (1, 2))
        # Few of the many sizes differ in their formulas and in what they are in the base program: each kind once.
        columns = np.concatenate([base.sizes_traced[None], chosen // 2, factor, shift])
        kinds, self._places = np.unique(columns, axis=1, return_inverse=True)
        self._formulas = []
        for largest_size, *rest in kinds.T.tolist():
            turns = len(chosen)
            formulas = zip(rest[:turns], rest[turns : 2 * turns], rest[2 * turns :], strict=True)
            self._formulas.append((largest_size, list(dict.fromkeys(formulas))))
        self._bounds = self._largest.tolist(), asked[:, :-1].tolist()


def _choices(table: Array) -> list[list[int]]:
    """Rows of formulas so that every formula that fits a size is in one of them."""
    counts = table.sum(axis=0)
    options = [np.flatnonzero(table[:, size]) for size in range(table.shape[1])]
    return [[int(held[min(turn, len(held) - 1)]) for held in options] for turn in range(int(counts.max()))]


def _within(sizes: Sequence[int], largest: Sequence[int]) -> bool:
    return all(map(operator.le, sizes, largest))


def _dimensions(key: Sequence[Spec]) -> Array:
    return np.array([size for spec in key for size in spec.shape], np.int64)


def _pattern(sizes: Array) -> Array:
    """Which sizes are 0 or 1: kernels depend on that."""
    return np.minimum(sizes, 2)


def structure_of(program: Program) -> object:
    """What programs must share for one to run in place of the other.

    That is what they run, on which nodes: inputs by their place, constants by their values, other leaves by themselves,
    and nodes by the order in which they are first met. So are leaves without a value, which the host computes.
    """
    numbers: dict[Tensor, int] = {}

    def named(node: Tensor | None) -> object:
        if node is None or node.block is not None or (not node.known and node not in program.graph.inputs):
            return None if node is None else numbers.setdefault(node, len(numbers))
        if node in program.graph.inputs:
            return "input", program.graph.inputs.index(node)
        return node.value.tobytes() if isinstance(node, Constant) and node.value is not None else node

    steps: list[object] = []
    for step in program.steps:
        if isinstance(step, Loop):
            steps.append((step.kernel.key, *[named(x) if isinstance(x, Tensor) else None for x in step.arguments]))
        elif isinstance(step, Product):
            turned = step.left_turned, step.right_turned
            steps.append((turned, named(step.left), named(step.right), named(step.output)))
    return steps, [named(node) for node in program.graph.outputs]
