"""Steps: what a program consists of. A step runs a kernel, a matrix product or a block's NumPy forward."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import field
from typing import NamedTuple, TypeAlias

from chainrule.dataclasses import dataclass
from chainrule.errors import ChainruleError, ShapeError
from chainrule.graph.spec import Shape, Spec
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph
from chainrule.native.loops.kernel import Kernel


@dataclass(eq=False)
class Loop:
    """A step of a program that runs a kernel.

    Attributes:
        kernel: the loops; in a program that comes from a blueprint their `Signature` alone, which is what runs need.
        arguments: what the kernel's buffers stand for, in order. Each is a node, None for scratch memory, or a spec for
            a buffer of which only sizes are read.
        output: the node that it computes; None for a kernel that only writes leaves, or only refuses values.
        writes: the leaves that it writes.
        refusal: makes the error for a value that the kernel refuses.
    """

    kernel: Kernel
    arguments: tuple[Tensor | Spec | None, ...]
    output: Tensor | None = None
    writes: tuple[Tensor, ...] = ()
    refusal: Callable[[int], ChainruleError] = field(default=lambda value: ShapeError(f"value {value} was refused"))


@dataclass(eq=False)
class Product:
    """A step that calls BLAS: output = left right, where either may be transposed in its last two axes first.

    Attributes:
        output: the node that it computes.
        left, right: the nodes that are in memory.
        left_shape, right_shape: the shapes in which their elements, in row order, are read.
        left_transposed, right_transposed: whether they are transposed.
    """

    output: Tensor
    left: Tensor
    right: Tensor
    left_shape: Shape
    right_shape: Shape
    left_transposed: bool
    right_transposed: bool


@dataclass(eq=False)
class Call:
    """A step that runs the NumPy forward of a block that has no loop body."""

    output: Tensor


@dataclass(eq=False)
class Recurrence:
    """A step that repeats others, one time for each step of the texts of a batch, over fewer and fewer rows.

    Attributes:
        output: the node of the scan.
        reads: of each of its inputs the node that is in memory, and behind how many elements for each token it begins.
        graphs: the graph of its body over each of the numbers of `ROWS`.
        steps: the steps of each of these graphs. They differ in sizes alone, which tells what follows from the rows.
    """

    output: Tensor
    reads: tuple[tuple[Tensor, int], ...]
    graphs: tuple[Graph, Graph]
    steps: tuple[list[Loop | Product], list[Loop | Product]]

    def refusal(self, value: int) -> ChainruleError:
        """The error for a value that is refused."""
        return _refusal(self.output, value)


class Role(NamedTuple):
    """What a leaf of a rule's graph stands for.

    Attributes:
        kind: "rows" for an input of which a group reads its own rows; "whole" for one that all groups read; "own" for
            an output of the same step.
        place: which input; of an output, its rule.
        output: which output of the rule.
    """

    kind: str
    place: int
    output: int = 0


@dataclass(eq=False)
class LeveledRule:
    """How a group of rows of one kind is computed.

    Attributes:
        graphs: the graph over each of the numbers of `ROWS`.
        steps: the steps of each of these graphs; see `Recurrence`.
        roles: of each leaf of the first graph what it stands for.
    """

    graphs: tuple[Graph, Graph]
    steps: tuple[list[Loop | Product], list[Loop | Product]]
    roles: dict[Tensor, Role]


@dataclass(eq=False)
class Leveled:
    """A step that computes groups of rows, one after another, each by the steps of its rule.

    Attributes:
        output: the node of `Levels`.
        reads: of each of its inputs the node that is in memory, and behind how many elements for each row it begins.
        rules: of each kind of rows.
    """

    output: Tensor
    reads: tuple[tuple[Tensor, int], ...]
    rules: tuple[LeveledRule, ...]

    def refusal(self, value: int) -> ChainruleError:
        """The error for a value that is refused."""
        return _refusal(self.output, value)


@dataclass(eq=False)
class Attending:
    """A step that goes over the texts and heads of attention, or of its gradient, tile by tile.

    Attributes:
        output: the node of the block.
        reads: of each of its inputs the node that is in memory, and behind how many columns of that one it begins.
    """

    output: Tensor
    reads: tuple[tuple[Tensor, int], ...]

    def refusal(self, value: int) -> ChainruleError:
        """The error for a value that is refused."""
        return _refusal(self.output, value)


def _refusal(output: Tensor, value: int) -> ChainruleError:
    """The error for a value that the block of a node refuses."""
    return ShapeError(f"value {value} was refused" if output.block is None else output.block.refusal(value))


#: The numbers of rows that the body of a scan is traced with.
ROWS = (1009, 1013)

Step: TypeAlias = Loop | Product | Call | Recurrence | Leveled | Attending


def sizes_over(found: int, other: int) -> tuple[int, int]:
    """How a size follows from the number of rows, factor × rows + constant, by what it is over each of `ROWS`."""
    factor = (other - found) // (ROWS[1] - ROWS[0])
    return factor, found - factor * ROWS[0]


def with_inner(steps: Iterable[Step]) -> Iterator[Step]:
    """The steps, and those that some of them repeat."""
    for step in steps:
        yield step
        if isinstance(step, Recurrence):
            yield from with_inner(step.steps[0])
        elif isinstance(step, Leveled):
            for rule in step.rules:
                yield from with_inner(rule.steps[0])
