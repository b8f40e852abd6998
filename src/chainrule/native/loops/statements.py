"""Statements: what a loop nest is made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from chainrule.native.loops.expression import Expression


@dataclass(eq=False)
class Variable:
    """A number that a loop nest changes, such as an accumulator; it lives in a register."""

    name: str
    start: Expression

    def get(self) -> Any:
        """Its value at this place of the loop nest, as an expression."""
        return Expression("variable", (self.name,), self.start.dtype)


@dataclass(eq=False)
class Declare:
    """Set a variable to its start value."""

    variable: Variable


@dataclass(eq=False)
class Assign:
    """Change a variable."""

    variable: Variable
    value: Expression


@dataclass(eq=False)
class Store:
    """Write an element of a buffer."""

    buffer: str
    index: tuple[Expression, ...]
    value: Expression
    accumulate: bool = False


@dataclass(eq=False)
class Refuse:
    """End the program with an error when a condition holds."""

    condition: Expression
    value: Expression


@dataclass(eq=False)
class When:
    """Run a body where a condition holds."""

    condition: Expression
    body: list[Statement] = field(default_factory=list)


@dataclass(eq=False)
class For:
    """Run a body for index = start ... end - 1.

    Attributes:
        parallel: whether the kernel may be cut into blocks, each of which takes a part of this loop.
        total: how often the body runs in the whole kernel, where start and end do not tell.
    """

    index: str
    start: Expression
    end: Expression
    body: list[Statement] = field(default_factory=list)
    parallel: bool = False
    total: Expression | None = None


@dataclass(eq=False)
class Prefetch:
    """Have the memory of an element brought near, as it will be read soon; nothing happens where it does not exist."""

    buffer: str
    index: tuple[Expression, ...]


Statement: TypeAlias = Declare | Assign | Store | Prefetch | Refuse | When | For


def loops_of(body: Sequence[Statement]) -> Iterator[For]:
    """All loops, outer before inner."""
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
