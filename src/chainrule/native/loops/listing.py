"""The text of a loop nest, for people, and its outline, by which machine code is found."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.native.loops.expression import LEAVES, SYMBOLS, Expression, parts
from chainrule.native.loops.statements import Assign, Declare, For, Prefetch, Refuse, Statement, When, values_of


class Outline:
    """Says all of a loop nest that its machine code depends on, as lines.

    A line stands for a number or a statement. A number that is computed from others is written once, in a line before
    that of what reads it first, and is known by how many lines there were. So a part that is shared takes no longer.
    """

    def __init__(self, body: Sequence[Statement]) -> None:
        self.lines: list[str] = []
        self._numbers: dict[int, str] = {}  # by the ids of expressions, which the body keeps
        self._body(body)

    def _body(self, body: Sequence[Statement]) -> None:
        number, numbers = self._number, self._all
        for statement in body:
            if isinstance(statement, For):
                total = None if statement.total is None else number(statement.total)
                bounds = f"{number(statement.start)} {number(statement.end)} {total}"
                self.lines.append(f"for {statement.index} {bounds} {statement.parallel}")
            elif isinstance(statement, When):
                self.lines.append(f"when {number(statement.condition)} {statement.seldom}")
            elif isinstance(statement, Declare):
                self.lines.append(f"declare {statement.variable.name} {number(statement.variable.start)}")
            elif isinstance(statement, Assign):
                self.lines.append(f"assign {statement.variable.name} {number(statement.value)}")
            elif isinstance(statement, Prefetch):
                self.lines.append(f"prefetch {statement.buffer} {numbers(statement.index)}")
            elif isinstance(statement, Refuse):
                self.lines.append(f"refuse {number(statement.value)} {number(statement.condition)}")
            else:
                place, value = numbers(statement.index), number(statement.value)
                self.lines.append(f"store {statement.buffer} {place} {value} {statement.accumulate}")
            if isinstance(statement, For | When):
                self._body(statement.body)
                self.lines.append("end")

    def _all(self, values: Sequence[Expression]) -> str:
        return " ".join([self._number(x) for x in values])

    def _number(self, x: Expression) -> str:
        """What stands for a number: of a leaf all of it, and of others the number of its line."""
        found = self._numbers.get(id(x))
        if found is None:
            operation, operands = x.operation, x.operands
            if operation in LEAVES:
                found = f"{operation}{operands}{x.dtype.char}"
            else:
                inner = self._all(parts(x))
                name = f"load {operands[0]}" if operation == "load" else operation
                self.lines.append(f"{name} {inner} {x.dtype.char}")
                found = f"#{len(self.lines)}"
            self._numbers[id(x)] = found
        return found


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
