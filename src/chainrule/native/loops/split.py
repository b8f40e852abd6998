"""How a kernel is cut into blocks, which several threads may run at the same time.

A block is a range of the kernel's parallel loops. How many blocks there are follows from the sizes alone, not from the
number of threads, so that the same numbers are computed in the same order whoever computes them.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from chainrule.graph.spec import INT64
from chainrule.native.loops.expression import Expression, all_parts, call, constant
from chainrule.native.loops.kernel import Kernel
from chainrule.native.loops.statements import For, Prefetch, Statement, When, loops_of, values_of

#: Work of a block, in operations: some five microseconds, ten times what handing it to a thread that looks for work
#: takes. A kernel is cut from so many blocks on: as each thread takes blocks from its own end, it mostly finds what it
#: works on in its own caches, and more so the fewer kernels in between are left to one thread. Where it costs more
#: than it gives all the same, the program does without help.
BLOCK, FEWEST = 2**18, 2
#: Passes of an innermost loop that a block has at least: shorter loops leave vector instructions half empty.
NARROWEST = 48
#: Blocks of one kernel, at most: enough for the threads of a large machine to end at about the same time.
MOST = 32
#: Work of operations, as multiples of an addition.
COSTS = {
    **dict.fromkeys(("exp", "log"), 16),
    **dict.fromkeys(("expm1", "log1p", "tanh", "sin", "cos"), 20),
    **dict.fromkeys(("truediv", "sqrt"), 4),
    "power": 40,
}
#: Operations in a vector: what an innermost loop of fewer passes takes, too.
VECTOR = 16
#: Work of bringing a row of a table near, which may lie anywhere in memory.
FETCH = 128
#: Passes of a loop whose bounds are read from memory and whose total is not declared.
UNKNOWN = 8


def extent(kernel: Kernel) -> Any:
    """The size that is cut, an expression: the end of the parallel loops, of the longest one; None without any."""
    ends = [loop.end for loop in loops_of(kernel.body) if loop.parallel]
    return functools.reduce(lambda a, b: call("maximum", a, b), ends) if ends else None


def blocks(kernel: Kernel) -> Any:
    """The number of blocks plus 2³² times the work, in `BLOCK`s, an expression; None for a kernel that is not cut."""
    most = extent(kernel)
    if most is None:
        return None
    inside = [statement for loop in loops_of(kernel.body) if loop.parallel for statement in loop.body]
    if not list(loops_of(inside)):
        most = most // NARROWEST
    full = work(kernel.body, constant(1, INT64)) // BLOCK
    count = call("minimum", call("minimum", full, most), MOST)
    return call("where", full >= FEWEST, call("maximum", count, 1) + full * 2**32, 1)


def work(body: Sequence[Statement], times: Any) -> Any:
    """About how many operations a body takes that runs so many times, as an expression."""
    total: Any = constant(0, INT64)
    for statement in body:
        if isinstance(statement, For):
            passes: Any = statement.total
            if passes is None:
                once: Any = statement.end - statement.start  # type: ignore[operator]
                once = once if _known(once) else UNKNOWN
                if not list(loops_of(statement.body)):
                    once = call("maximum", once, VECTOR)
                passes = times * once
            total = total + work(statement.body, passes)
            continue
        fetch = FETCH if isinstance(statement, Prefetch) else 0
        total = total + times * (fetch + _cost(values_of(statement)))
        if isinstance(statement, When):
            total = total + work(statement.body, times) // 2  # about as often as not
    return total


def _cost(values: Sequence[Expression]) -> int:
    cost = 1
    for x in all_parts(values):
        cost += 0 if x.operation in ("constant", "index", "size", "variable") else COSTS.get(x.operation, 1)
    return cost


def _known(value: Expression) -> bool:
    """Whether sizes alone tell it."""
    return all(x.operation not in ("load", "variable", "index") for x in all_parts([value]))
