"""Cost: what a step of a program computes and moves, counted from its loop nest and the sizes it was traced with.

Operations are counted as the listing shows them: one for each +, -, ×, ÷ and each function of floating-point numbers,
every time its loop runs. Of an array that a step reads or writes, each element counts once, however often it is touched
while it is in the processor's cache.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from chainrule.native.loops.expression import COMPARISONS, Expression, all_parts, parts
from chainrule.native.loops.kernel import Kernel
from chainrule.native.loops.statements import For, Refuse, Statement, Store, When, values_of
from chainrule.native.loops.steps import Loop, Product, Step

#: What moves a number or chooses one, and computes none.
FREE = {"constant", "index", "size", "load", "variable", "cast", "where", *COMPARISONS}
#: How sure a count is, the least sure last.
SURE = ("", "about ", "at least ")


@dataclass(frozen=True)
class Cost:
    """Floating-point operations, and bytes.

    Attributes:
        operations: how many.
        read: bytes.
        written: bytes.
        sure: "" when the counts follow from the sizes; "about " where data decides, and conditions count as if they
            always held; "at least " where something is not counted.

    Example:
        >>> print(Cost(6000, 24, 8) + Cost(10, 0, 16, "about "))
        about 6,010 floating-point operations, 24 bytes read, 24 bytes written
    """

    operations: int = 0
    read: int = 0
    written: int = 0
    sure: str = ""

    def __add__(self, other: Cost) -> Cost:
        sure = max(self.sure, other.sure, key=SURE.index)
        return Cost(self.operations + other.operations, self.read + other.read, self.written + other.written, sure)

    def __str__(self) -> str:
        counts = f"{self.operations:,} floating-point operations, {self.read:,} bytes read"
        return f"{self.sure}{counts}, {self.written:,} bytes written"


def cost_of(step: Step) -> Cost:
    """The cost of a step; of a block that runs in NumPy, only the bytes are known."""
    if isinstance(step, Loop):
        return _Count(step.kernel).cost()
    output = step.output
    written = output.spec.size * output.dtype.itemsize
    if isinstance(step, Product):
        inner = step.left.shape[-2 if step.left_turned else -1]
        read = sum(x.spec.size * x.dtype.itemsize for x in (step.left, step.right))
        return Cost(2 * output.spec.size * inner, read, written)
    return Cost(0, sum(x.spec.size * x.dtype.itemsize for x in output.inputs), written, SURE[2])


class _Count:
    """Counts what a kernel does."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.total = Cost()
        self.read: Counter[str] = Counter()
        self.written: Counter[str] = Counter()

    def cost(self) -> Cost:
        """Of the whole kernel."""
        self.body(self.kernel.body, {}, set())
        return replace(self.total, read=self.bytes(self.read), written=self.bytes(self.written))

    def bytes(self, elements: Counter[str]) -> int:
        """What elements of the buffers take, each of which counts once."""
        specs = self.kernel.buffers
        return sum(min(count, specs[name].size) * specs[name].dtype.itemsize for name, count in elements.items())

    def body(self, statements: Sequence[Statement], passes: dict[str, int], seen: set[int]) -> None:
        """Statements that run in every pass of the loops around them.

        Args:
            statements: the body of a loop.
            passes: how often each loop around it runs, by its index.
            seen: the expressions that the loops around it have computed.
        """
        seen, times = set(seen), math.prod(passes.values())
        for statement in statements:
            for value in values_of(statement):
                self.expression(value, times, seen)
            if isinstance(statement, For):
                self.loop(statement, passes, seen)
            elif isinstance(statement, When) and not _refuses(statement):
                self.total += Cost(sure=SURE[1])
                self.body(statement.body, passes, seen)
            elif isinstance(statement, Store):
                self.written[statement.buffer] += times
                if statement.accumulate:
                    self.read[statement.buffer] += times
                    self.total += Cost(times if statement.value.dtype.kind == "f" else 0)

    def loop(self, loop: For, passes: dict[str, int], seen: set[int]) -> None:
        """A loop whose length follows from the sizes, or is what data says of each pass of the loops around it.

        In the second case, as with the segments of a ragged array, all those passes together are taken to go over an
        array's axis once.
        """
        start, end = (_whole(x, self.kernel) for x in (loop.start, loop.end))
        if start is not None and end is not None:
            self.body(loop.body, {**passes, loop.index: max(end - start, 0)}, seen)
            return
        length = _axis(loop, self.kernel)
        self.total += Cost(sure=SURE[2 if length is None else 1])
        if length is not None:
            told = _indices(loop.start) | _indices(loop.end)
            rest = {name: count for name, count in passes.items() if name not in told}
            self.body(loop.body, {**rest, loop.index: length}, seen)

    def expression(self, value: Expression, times: int, seen: set[int]) -> None:
        stack = [value]
        while stack:
            x = stack.pop()
            if id(x) in seen:
                continue
            seen.add(id(x))
            stack.extend(parts(x))
            if x.operation == "load":
                self.read[x.operands[0]] += times
            elif x.operation not in FREE and x.dtype.kind == "f":
                self.total += Cost(times)


def _refuses(statement: For | When) -> bool:
    """Whether a body ends the program with an error."""
    return any(isinstance(x, Refuse) or (isinstance(x, For | When) and _refuses(x)) for x in statement.body)


def _whole(x: Expression, kernel: Kernel) -> int | None:
    """What a whole number is, when it follows from the sizes."""
    if x.operation == "constant":
        return int(x.operands[0])
    if x.operation == "size":
        return int(kernel.buffers[x.operands[0]].shape[x.operands[1]])
    known = [_whole(part, kernel) for part in parts(x)]
    values = [value for value in known if value is not None]
    if x.operation not in WHOLE or len(values) < len(known):
        return None
    return WHOLE[x.operation](*values)


WHOLE: dict[str, Callable[..., int]] = {
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
    """The size of the axis that a loop's index goes along, in the first array where it is one."""
    for buffer, index in _places(loop.body):
        for size, position in zip(kernel.buffers[buffer].shape, index, strict=True):
            if position.operation == "index" and position.operands[0] == loop.index:
                return size
    return None


def _places(body: Sequence[Statement]) -> list[tuple[str, Sequence[Expression]]]:
    """Every place that a body reads or writes."""
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
