"""How a kernel is cut into blocks, which several threads may run at the same time.

A block is a range of the kernel's parallel loops. How many blocks there are follows from the sizes alone, not from the
number of threads, so that the same numbers are computed in the same order whoever computes them.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.graph.spec import INT64
from chainrule.native.expression import Expression, call, constant, parts
from chainrule.native.loops import For, Kernel, Statement, When, loops_of, values_of

#: Work of a block, in operations: some five microseconds. Handing blocks to a thread takes about one.
BLOCK = 2**18
#: Passes of an innermost loop that a block has at least: shorter loops leave vector instructions half empty.
NARROWEST = 48
#: Blocks of one kernel, at most.
MOST = 2**16
#: Work of operations, as multiples of an addition.
COSTS = {
    "exp": 16, "expm1": 20, "log": 16, "log1p": 20, "tanh": 20, "sin": 20, "cos": 20, "power": 40, "truediv": 4, "sqrt": 4,
}  # fmt: skip
#: Passes of a loop whose bounds are read from memory and whose total is not declared.
UNKNOWN = 8


def extent(kernel: Kernel) -> Expression | None:
    """The size that is cut: the end of the parallel loops, of the longest where they differ; None without any."""
    ends = [loop.end for loop in loops_of(kernel.body) if loop.parallel]
    if not ends:
        return None
    longest = ends[0]
    for end in ends[1:]:
        longest = call("maximum", longest, end)
    return longest


def blocks(kernel: Kernel) -> Expression | None:
    """The number of blocks, from 1, as an expression of sizes; None for a kernel that is not cut."""
    size = extent(kernel)
    if size is None:
        return None
    inside = [statement for loop in loops_of(kernel.body) if loop.parallel for statement in loop.body]
    if not any(True for _ in loops_of(inside)):
        size = size // NARROWEST
    once = constant(1, INT64)
    count = call("minimum", call("minimum", work(kernel.body, once) // BLOCK, size), MOST)
    return call("maximum", count, 1)


def work(body: Sequence[Statement], times: Expression) -> Expression:
    """About how many operations a body takes that runs so many times."""
    total = constant(0, INT64)
    for statement in body:
        if isinstance(statement, For):
            passes = statement.end - statement.start  # type: ignore[operator]
            if statement.total is not None:
                passes = statement.total
            else:
                passes = times * (passes if _known(passes) else UNKNOWN)
            total = total + work(statement.body, passes)
            continue
        total = total + times * _cost(values_of(statement))
        if isinstance(statement, When):
            total = total + work(statement.body, times)
    return total


def _cost(values: Sequence[Expression]) -> int:
    cost = 1
    for x in _distinct(values):
        cost += 0 if x.operation in ("constant", "index", "size", "variable") else COSTS.get(x.operation, 1)
    return cost


def _known(value: Expression) -> bool:
    """Whether sizes alone tell it."""
    return all(x.operation not in ("load", "variable", "index") for x in _distinct([value]))


def _distinct(values: Sequence[Expression]) -> list[Expression]:
    """All that expressions are made of, shared parts once."""
    found: dict[int, Expression] = {}
    stack = list(values)
    while stack:
        x = stack.pop()
        if id(x) not in found:
            found[id(x)] = x
            stack.extend(parts(x))
    return list(found.values())
