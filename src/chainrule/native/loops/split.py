"""How a kernel is cut into blocks, which several threads may run at the same time.

A block is a range of the kernel's parallel loops. The number of blocks follows from the sizes alone and not from the
number of threads, so that the same numbers are computed in the same order whichever thread computes them.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from chainrule.graph.spec import INT64
from chainrule.native.loops.expression import Expression, all_parts, call, constant
from chainrule.native.loops.kernel import Kernel
from chainrule.native.loops.statements import For, Prefetch, Statement, When, loops_of, values_of

#: Work of a block, in operations: it takes some five microseconds, ten times as long as handing it to another thread.
BLOCK_OPERATIONS = 2**18
#: A kernel with work for fewer blocks is not cut. Two are enough: each thread takes blocks from its own end of every
#: kernel, and so finds its data in its own caches, unless a kernel in between ran on one thread alone. Where help still
#: costs more than it gives, the driver measures that and runs the program on one thread.
FEWEST_BLOCKS = 2
#: Blocks of one kernel at most: enough for the threads of a large machine to end at about the same time.
MOST_BLOCKS = 32
#: Iterations of an innermost loop that a block has at least: shorter loops leave vector instructions half empty.
LEAST_ITERATIONS = 48
#: The cost of operations, in additions.
OPERATION_COSTS = {
    **dict.fromkeys(("exp", "log"), 16),
    **dict.fromkeys(("expm1", "log1p", "tanh", "sin", "cos"), 20),
    **dict.fromkeys(("truediv", "sqrt"), 4),
    "power": 40,
}
#: An innermost loop of fewer iterations than this, about the lanes of a vector, is counted as if it had as many.
VECTOR_ITERATIONS = 16
#: The cost of prefetching a row of a table, which may lie anywhere in memory, in additions.
PREFETCH_COST = 128
#: How many iterations are assumed of a loop whose bounds are read from memory and whose total is not declared.
ASSUMED_ITERATIONS = 8


def extent(kernel: Kernel) -> Any:
    """The size that is cut, as an expression: the end of the longest parallel loop; None where there is none."""
    ends = [loop.end for loop in loops_of(kernel.body) if loop.parallel]
    return functools.reduce(lambda a, b: call("maximum", a, b), ends) if ends else None


def blocks(kernel: Kernel) -> Any:
    """The answer of a kernel that is asked for its blocks, as an expression; None for a kernel that is never cut.

    It is the number of blocks plus 2³² times the work, in units of `BLOCK_OPERATIONS`.
    """
    most = extent(kernel)
    if most is None:
        return None
    inside = [statement for loop in loops_of(kernel.body) if loop.parallel for statement in loop.body]
    if not list(loops_of(inside)):
        most = most // LEAST_ITERATIONS
    full = work(kernel.body, constant(1, INT64)) // BLOCK_OPERATIONS
    count = call("minimum", call("minimum", full, most), MOST_BLOCKS)
    return call("where", full >= FEWEST_BLOCKS, call("maximum", count, 1) + full * 2**32, 1)


def work(body: Sequence[Statement], times: Any) -> Any:
    """About how many additions take as long as a body that runs so many times, as an expression."""
    total: Any = constant(0, INT64)
    for statement in body:
        if isinstance(statement, For):
            iterations: Any = statement.total
            if iterations is None:
                length: Any = statement.end - statement.start  # type: ignore[operator]
                length = length if _follows_from_sizes(length) else constant(ASSUMED_ITERATIONS, INT64)
                if not list(loops_of(statement.body)):
                    length = call("maximum", length, VECTOR_ITERATIONS)
                iterations = times * length
            total = total + work(statement.body, iterations)
            continue
        prefetching = PREFETCH_COST if isinstance(statement, Prefetch) else 0
        total = total + times * (prefetching + _cost(values_of(statement)))
        if isinstance(statement, When) and not statement.seldom:
            total = total + work(statement.body, times) // 2  # the condition is taken to hold every other time
    return total


def _cost(values: Sequence[Expression]) -> int:
    """The cost of a statement that computes these values, in additions."""
    cost = 1
    for x in all_parts(values):
        cost += 0 if x.operation in ("constant", "index", "size", "variable") else OPERATION_COSTS.get(x.operation, 1)
    return cost


def _follows_from_sizes(value: Expression) -> bool:
    """Whether a number follows from sizes alone."""
    return all(x.operation not in ("load", "variable", "index") for x in all_parts([value]))
