"""Statements: what the body of a loop nest consists of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field
from typing import Any, TypeAlias

from chainrule.dataclasses import dataclass
from chainrule.native.loops.expression import Expression


@dataclass(eq=False)
class Variable:
    """A number that a loop nest changes, such as an accumulator. It lives in a register."""

    name: str
    start: Expression

    def get(self) -> Any:
        """Its value at this point of the loop nest, as an expression."""
        return Expression("variable", (self.name,), self.start.dtype)


@dataclass(eq=False)
class Declare:
    """Give a variable its start value."""

    variable: Variable


@dataclass(eq=False)
class Assign:
    """Give a variable a new value."""

    variable: Variable
    value: Expression


@dataclass(eq=False)
class Store:
    """Write an element of a buffer, or add to it."""

    buffer: str
    index: tuple[Expression, ...]
    value: Expression
    accumulate: bool = False


@dataclass(eq=False)
class Refuse:
    """End the program where a condition holds, with an error about a value."""

    condition: Expression
    value: Expression


@dataclass(eq=False)
class When:
    """Run a body where a condition holds.

    Attributes:
        condition: whether to run it.
        body: what to run.
        seldom: whether the condition holds so seldom that the body is left out where work is counted.
    """

    condition: Expression
    body: list[Statement] = field(default_factory=list)
    seldom: bool = False


@dataclass(eq=False)
class For:
    """Run a body for index = start ... end - 1.

    Attributes:
        parallel: whether several threads may share its iterations: then a block of the kernel is a range of them.
        total: how often the body runs in the whole kernel, where that does not follow from start and end.
    """

    index: str
    start: Expression
    end: Expression
    body: list[Statement] = field(default_factory=list)
    parallel: bool = False
    total: Expression | None = None


@dataclass(eq=False)
class Prefetch:
    """Ask the processor to load an element, which will be read soon, into its cache. A wrong address does no harm."""

    buffer: str
    index: tuple[Expression, ...]


Statement: TypeAlias = Declare | Assign | Store | Prefetch | Refuse | When | For


def loops_of(body: Sequence[Statement]) -> Iterator[For]:
    """All loops of a body, outer ones before inner ones."""
    for statement in body:
        if isinstance(statement, For):
            yield statement
        if isinstance(statement, For | When):
            yield from loops_of(statement.body)


def values_of(statement: Statement) -> tuple[Expression, ...]:
    """The expressions that a statement computes."""
    if isinstance(statement, Store):
        return (*statement.index, statement.value)
    if isinstance(statement, Prefetch):
        return statement.index
    if isinstance(statement, Refuse):
        return statement.value, statement.condition
    if isinstance(statement, Assign):
        return (statement.value,)
    if isinstance(statement, When):
        return (statement.condition,)
    return (statement.variable.start,) if isinstance(statement, Declare) else ()
