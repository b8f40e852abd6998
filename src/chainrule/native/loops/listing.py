"""The text of a loop nest: people read it, and machine code is found by it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chainrule.native.loops.expression import LEAVES, SYMBOLS, Expression, parts
from chainrule.native.loops.statements import Assign, Declare, For, Prefetch, Refuse, Statement, When, values_of


def constant_types(body: Sequence[Statement]) -> Iterator[str]:
    """The dtypes of all constants, as a listing does not show them."""
    for statement in body:
        stack = [*values_of(statement)]
        seen = set[int]()
        while stack:
            x = stack.pop()
            if x.operation == "constant":
                if id(x) not in seen:
                    yield x.dtype.char
            elif id(x) not in seen and x.operation not in LEAVES:
                stack += parts(x)
            seen.add(id(x))
        if isinstance(statement, For | When):
            yield from constant_types(statement.body)


def listed(body: Sequence[Statement], depth: int) -> list[str]:
    """The lines of statements, indented. A part that an expression uses several times gets a name, by `let`."""
    pad, lines = "  " * depth, []
    for statement in body:
        names: dict[int, str] = {}
        for value in values_of(statement):
            shared = _shared(value, names)
            lines += [f"{pad}let {names[id(x)]} = {written(x, names, whole=True)}" for x in shared]
        if isinstance(statement, For):
            lines.append(
                f"{pad}for {statement.index} in {written(statement.start, {})} .. {written(statement.end, {})}"
            )
            lines += listed(statement.body, depth + 1)
        elif isinstance(statement, When):
            lines.append(f"{pad}{'seldom ' if statement.seldom else ''}when {written(statement.condition, names)}")
            lines += listed(statement.body, depth + 1)
        elif isinstance(statement, Declare):
            variable = statement.variable
            lines.append(f"{pad}{variable.name}: {variable.start.dtype.name} = {written(variable.start, names)}")
        elif isinstance(statement, Assign):
            lines.append(f"{pad}{statement.variable.name} = {written(statement.value, names)}")
        elif isinstance(statement, Prefetch):
            lines.append(f"{pad}prefetch {statement.buffer}[{', '.join(written(i, names) for i in statement.index)}]")
        elif isinstance(statement, Refuse):
            lines.append(f"{pad}refuse {written(statement.value, names)} if {written(statement.condition, names)}")
        else:
            place = ", ".join(written(i, names) for i in statement.index)
            sign = "+=" if statement.accumulate else "="
            lines.append(f"{pad}{statement.buffer}[{place}] {sign} {written(statement.value, names)}")
    return lines


def _shared(value: Expression, names: dict[int, str]) -> list[Expression]:
    """The parts of an expression that it uses several times, inner ones before outer ones; each is given a name."""
    uses: dict[int, int] = {}
    order: list[Expression] = []  # of those that are computed from others
    stack: list[Expression | None] = [value]
    opened: list[Expression] = []
    while stack:
        x = stack.pop()
        if x is None:  # all that the last one opened is computed from has been seen
            order.append(opened.pop())
        elif x.operation not in LEAVES:
            uses[id(x)] = count = uses.get(id(x), 0) + 1
            if count == 1:
                opened.append(x)
                stack.append(None)
                stack += parts(x)[::-1]
    found = [x for x in order if uses[id(x)] > 1 and parts(x) and id(x) not in names]
    for x in found:
        names[id(x)] = f"t{len(names)}"
    return found


def written(x: Expression, names: dict[int, str], *, whole: bool = False) -> str:
    """The text of an expression.

    Args:
        x: the expression.
        names: the names of expressions, by their ids; a name stands for the expression.
        whole: whether to write x itself out, even if it has a name.
    """
    if id(x) in names and not whole:
        return names[id(x)]
    operation, operands = x.operation, x.operands
    inner = [written(part, names) for part in parts(x)]
    if operation == "constant":
        return f"{operands[0]:.17g}" if isinstance(operands[0], float) else str(operands[0])
    if operation in ("index", "variable"):
        return str(operands[0])
    if operation == "size":
        return f"size({operands[0]}, {operands[1]})"
    if operation == "load":
        return f"{operands[0]}[{', '.join(inner)}]"
    if operation in ("neg", "invert"):
        return f"{'-' if operation == 'neg' else '~'}{inner[0]}"
    if operation == "cast":
        return f"{x.dtype.name}({inner[0]})"
    if operation in SYMBOLS:
        return f"({inner[0]} {SYMBOLS[operation]} {inner[1]})"
    return f"{operation}({', '.join(inner)})"
