"""Cost: what a step of a program computes and moves, counted from its loop nest and the sizes it was traced with.

Operations are counted as the listing shows them: each +, -, ×, ÷ and each function of floating-point numbers is one
operation in every iteration of its loop. Each element of an array that a step reads or writes counts once, as it stays
in the processor's cache while it is used again.
"""

from __future__ import annotations

import enum
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from chainrule.dataclasses import dataclass
from chainrule.native.loops.expression import COMPARISONS, Expression, all_parts, parts
from chainrule.native.loops.kernel import Kernel
from chainrule.native.loops.statements import For, Refuse, Statement, Store, When, values_of
from chainrule.native.loops.steps import Attending, Leveled, Loop, Product, Recurrence, Step, sizes_over

#: What moves or chooses a number and computes none.
FREE_OPERATIONS = {"constant", "index", "size", "load", "variable", "cast", "where", *COMPARISONS}


class Certainty(enum.Enum):
    """How sure a cost is, the least sure last; the values are what it is written with."""

    #: It follows from the sizes.
    EXACT = ""
    #: Data decides it. Conditions count as if they always held.
    ABOUT = "about "
    #: Something is not counted.
    AT_LEAST = "at least "


@dataclass(frozen=True)
class Cost:
    """Floating-point operations, and bytes.

    Attributes:
        operations: how many there are.
        read: how many bytes are read.
        written: how many bytes are written.
        certainty: how sure the least sure of these counts is.

    Example:
        >>> print(Cost(6000, 24, 8) + Cost(10, 0, 16, Certainty.ABOUT))
        about 6,010 floating-point operations, 24 bytes read, 24 bytes written
    """

    operations: int = 0
    read: int = 0
    written: int = 0
    certainty: Certainty = Certainty.EXACT

    def __add__(self, other: Cost) -> Cost:
        certainty = max(self.certainty, other.certainty, key=[*Certainty].index)
        return Cost(self.operations + other.operations, self.read + other.read, self.written + other.written, certainty)

    def __str__(self) -> str:
        counts = f"{self.operations:,} floating-point operations, {self.read:,} bytes read"
        return f"{self.certainty.value}{counts}, {self.written:,} bytes written"


def cost_of(step: Step) -> Cost:
    """The cost of a step; of a block that runs in NumPy, only the bytes are known."""
    if isinstance(step, Loop):
        return _Count(step.kernel).cost()
    if isinstance(step, Recurrence):
        return _over(step.steps, step.output.inputs[0].shape[0] - 1)
    if isinstance(step, Leveled):
        block = step.output.block
        counts = block.counts(block.parts(step.output.inputs[1:]))  # type: ignore[union-attr]
        return sum((_over(rule.steps, count) for rule, count in zip(step.rules, counts, strict=True)), Cost())
    if isinstance(step, Attending):
        return _attended(step)
    output = step.output
    written = output.spec.size * output.dtype.itemsize
    if isinstance(step, Product):
        inner = step.left_shape[-2 if step.left_transposed else -1]
        read = sum(x.spec.size * x.dtype.itemsize for x in (step.left, step.right))
        return Cost(2 * output.spec.size * inner, read, written)
    return Cost(0, sum(x.spec.size * x.dtype.itemsize for x in output.inputs), written, Certainty.AT_LEAST)


def _over(steps: tuple[Sequence[Step], Sequence[Step]], rows: int) -> Cost:
    """The cost of steps that are repeated: what each row takes, for all rows; what a step takes beside is left out."""
    found, other = (sum(map(cost_of, each), Cost()) for each in steps)
    operations = sizes_over(found.operations, other.operations)[0]
    read, written = sizes_over(found.read, other.read)[0], sizes_over(found.written, other.written)[0]
    return Cost(rows * operations, rows * read, rows * written, Certainty.ABOUT)


def _attended(step: Attending) -> Cost:
    """The cost of attention, with texts taken to be equally long: of its products, and of its powers one each."""
    output, block = step.output, step.output.block
    (*matrices, q, k, v), (offsets, _), _ = block.apart_by_use(output.inputs)  # type: ignore[union-attr]
    heads, groups = block.heads, block.groups  # type: ignore[union-attr]
    pairs = heads * q.shape[0] * (k.shape[0] // max(offsets.shape[0] - 1, 1))
    dim, value_dim = q.shape[1] // heads, v.shape[1] // groups
    products = 6 * dim + 4 * value_dim if matrices else 2 * dim + 2 * value_dim
    read = sum(x.spec.size * x.dtype.itemsize for x in output.inputs)
    return Cost(pairs * (products + 1), read, output.spec.size * output.dtype.itemsize, Certainty.ABOUT)


class _Count:
    """Counts what a kernel does.

    Attributes:
        total: the operations so far, and how sure the count is.
        read: how many elements of each buffer have been read, repeated ones included.
        written: how many have been written.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.total = Cost()
        self.read: Counter[str] = Counter()
        self.written: Counter[str] = Counter()

    def cost(self) -> Cost:
        """The cost of the whole kernel."""
        self.body(self.kernel.body, {}, set())
        return replace(self.total, read=self.bytes_of(self.read), written=self.bytes_of(self.written))

    def bytes_of(self, elements: Counter[str]) -> int:
        """How many bytes the elements of the buffers take, where each of them counts once."""
        specs = self.kernel.buffers
        return sum(min(count, specs[name].size) * specs[name].dtype.itemsize for name, count in elements.items())

    def body(self, statements: Sequence[Statement], iterations: dict[str, int], seen: set[int]) -> None:
        """Count statements that run in every iteration of the loops around them.

        Args:
            statements: the body of a loop.
            iterations: how many each loop around it has, by its index.
            seen: the expressions that the loops around it have computed.
        """
        seen, times = set(seen), math.prod(iterations.values())
        for statement in statements:
            for value in values_of(statement):
                self.expression(value, times, seen)
            if isinstance(statement, For):
                self.loop(statement, iterations, seen)
            elif isinstance(statement, When) and not statement.seldom and not _refuses(statement):
                self.total += Cost(certainty=Certainty.ABOUT)
                self.body(statement.body, iterations, seen)
            elif isinstance(statement, Store):
                self.written[statement.buffer] += times
                if statement.accumulate:
                    self.read[statement.buffer] += times
                    self.total += Cost(times if statement.value.dtype.kind == "f" else 0)

    def loop(self, loop: For, iterations: dict[str, int], seen: set[int]) -> None:
        """Count a loop.

        Its length follows from the sizes, or data decides it in each iteration of the loops around it. In the second
        case, as with the segments of a ragged array, all these iterations together are taken to go once over the axis
        of an array.
        """
        start, end = (_whole(x, self.kernel) for x in (loop.start, loop.end))
        if start is not None and end is not None:
            self.body(loop.body, {**iterations, loop.index: max(end - start, 0)}, seen)
            return
        length = _axis(loop, self.kernel)
        self.total += Cost(certainty=Certainty.AT_LEAST if length is None else Certainty.ABOUT)
        if length is not None:
            deciding = _indices(loop.start) | _indices(loop.end)
            others = {index: count for index, count in iterations.items() if index not in deciding}
            self.body(loop.body, {**others, loop.index: length}, seen)

    def expression(self, value: Expression, times: int, seen: set[int]) -> None:
        """Count what an expression computes that has not been computed before."""
        stack = [value]
        while stack:
            x = stack.pop()
            if id(x) in seen:
                continue
            seen.add(id(x))
            stack.extend(parts(x))
            if x.operation == "load":
                self.read[x.operands[0]] += times
            elif x.operation not in FREE_OPERATIONS and x.dtype.kind == "f":
                self.total += Cost(times)


def _refuses(statement: For | When) -> bool:
    """Whether a body ends the program with an error."""
    return any(isinstance(x, Refuse) or (isinstance(x, For | When) and _refuses(x)) for x in statement.body)


def _whole(x: Expression, kernel: Kernel) -> int | None:
    """The value of a whole number that follows from the sizes; None of one that does not."""
    if x.operation == "constant":
        return int(x.operands[0])
    if x.operation == "size":
        return int(kernel.buffers[x.operands[0]].shape[x.operands[1]])
    known = [_whole(part, kernel) for part in parts(x)]
    values = [value for value in known if value is not None]
    if x.operation not in INTEGER_FUNCTIONS or len(values) < len(known):
        return None
    return INTEGER_FUNCTIONS[x.operation](*values)


#: Operations that the length of a loop may be computed with.
INTEGER_FUNCTIONS: dict[str, Callable[..., int]] = {
    "add": int.__add__,
    "sub": int.__sub__,
    "mul": int.__mul__,
    "floordiv": int.__floordiv__,
    "mod": int.__mod__,
    "minimum": min,
    "maximum": max,
    "cast": int,
}


def _axis(loop: For, kernel: Kernel) -> int | None:
    """The size of the axis that a loop goes along: of the first array that has the loop's index as an index."""
    for buffer, index in _places(loop.body):
        for size, position in zip(kernel.buffers[buffer].shape, index, strict=True):
            if position.operation == "index" and position.operands[0] == loop.index:
                return size
    return None


def _places(body: Sequence[Statement]) -> list[tuple[str, Sequence[Expression]]]:
    """Every buffer and index that a body reads or writes."""
    found: list[tuple[str, Sequence[Expression]]] = []
    for statement in body:
        if isinstance(statement, For | When):
            found += _places(statement.body)
        if isinstance(statement, Store):
            found.append((statement.buffer, statement.index))
        for value in values_of(statement):
            found += [(x.operands[0], x.operands[1]) for x in all_parts([value]) if x.operation == "load"]
    return found


def _indices(value: Expression) -> set[str]:
    """The loops whose index an expression depends on."""
    return {x.operands[0] for x in all_parts([value]) if x.operation == "index"}
