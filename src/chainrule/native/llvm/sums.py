"""Long sums: a loop that adds to a variable does so in blocks, so that the sum keeps its digits.

`chainrule.graph.sums` says why, and does the same for sums that are held in memory. These here are in registers. A
loop that is no longer than a block adds as it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from llvmlite import ir

from chainrule.graph.sums import BLOCK, FAN, LEVELS
from chainrule.native.llvm.machine import I64, value_type
from chainrule.native.llvm.operations import combine
from chainrule.native.llvm.vector import Plan, neutral
from chainrule.native.loops.expression import Expression, all_parts
from chainrule.native.loops.statements import Assign, Declare, For, Statement, Variable, When, values_of

#: How many numbers a lane of a vector adds up in a block. They are fewer than `BLOCK`, as a new block costs nothing
#: that could be measured here.
LANE_BLOCK = 64


def block_length(plan: Plan | None) -> int:
    """How many iterations a block has of a loop that runs on vectors by a plan, or without one."""
    return BLOCK if plan is None else LANE_BLOCK * plan.at_once


def sums_of(loop: For) -> list[Variable]:
    """The floating-point variables that a loop adds to and uses in no other way."""
    added: dict[str, Variable] = {}
    others = set[str]()
    for statement in _all_statements(loop.body):
        values = list(values_of(statement))
        if isinstance(statement, For):
            values += [statement.start, statement.end]
        elif isinstance(statement, Declare):
            others.add(statement.variable.name)
        elif isinstance(statement, Assign):
            name = statement.variable.name
            term = _term(statement)
            if term is None:
                others.add(name)
            else:
                added[name], values = statement.variable, [term]
        others |= {x.operands[0] for x in all_parts(values) if x.operation == "variable"}
    return [variable for name, variable in added.items() if name not in others]


def _term(statement: Assign) -> Expression | None:
    """What an assignment adds to its variable; None where it does something else with it."""
    value = statement.value
    if value.operation != "add" or value.dtype.kind != "f":
        return None
    terms = [x for x in value.operands if x.operation != "variable" or x.operands[0] != statement.variable.name]
    return terms[0] if len(terms) == 1 else None


def _all_statements(body: Sequence[Statement]) -> Iterator[Statement]:
    for statement in body:
        yield statement
        if isinstance(statement, For | When):
            yield from _all_statements(statement.body)


def write_in_blocks(
    builder: ir.IRBuilder,
    sums: Sequence[tuple[Variable, ir.Value]],
    length: int,
    bounds: tuple[ir.Value, ir.Value],
    loop: Callable[[ir.Value, ir.Value], None],
) -> None:
    """Write a loop in blocks.

    Args:
        builder: where the loop goes.
        sums: the variables that it adds to, and where in memory they are; LLVM puts them into registers.
        length: how many iterations a block has.
        bounds: the first index of the loop, and the index after the last; there is at least one iteration.
        loop: writes a loop over a part of the indices.
    """
    start, end = bounds
    zeros = [ir.Constant(value_type(variable.start.dtype), neutral("add", variable)) for variable, _ in sums]
    levels: list[list[ir.Value]] = []
    for zero in zeros:
        with builder.goto_entry_block():
            levels.append([builder.alloca(zero.type) for _ in range(LEVELS)])
        for place in levels[-1]:
            builder.store(zero, place)

    def move(number: int, source: ir.Value, target: ir.Value) -> None:
        """Add what one place holds to another one, and make it zero."""
        dtype = sums[number][0].start.dtype
        builder.store(combine(builder, "add", dtype, builder.load(target), builder.load(source)), target)
        builder.store(zeros[number], source)

    before = builder.block
    block, full, last = (builder.function.append_basic_block(name) for name in ("block", "full", "last"))
    builder.branch(block)
    builder.position_at_end(block)
    first, done = builder.phi(I64), builder.phi(I64)
    is_last = builder.icmp_signed("<=", builder.sub(end, first), ir.Constant(I64, length))
    behind = builder.add(first, ir.Constant(I64, length), flags=("nsw",))
    loop(first, builder.select(is_last, end, behind))
    builder.cbranch(is_last, last, full)

    builder.position_at_end(full)
    now_done = builder.add(done, ir.Constant(I64, 1))
    for level in range(LEVELS):
        remainder = builder.urem(now_done, ir.Constant(I64, FAN**level))
        with builder.if_then(builder.icmp_signed("==", remainder, ir.Constant(I64, 0))):
            for number, (_, place) in enumerate(sums):
                move(number, [place, *levels[number]][level], levels[number][level])
    for phi, value, later in ((first, start, behind), (done, ir.Constant(I64, 0), now_done)):
        phi.add_incoming(value, before)
        phi.add_incoming(later, builder.block)
    builder.branch(block)

    builder.position_at_end(last)
    with builder.if_then(builder.icmp_signed(">", done, ir.Constant(I64, 0)), likely=False):
        for number, (_, place) in enumerate(sums):
            for level in levels[number]:
                move(number, level, place)
