"""Which innermost loops run on vectors: several of their passes at once, one in each lane of the processor's registers.

A loop does when no pass reads what another writes, but for sums and the like, each of which is added up lane by lane.
What the passes write then lies in order in memory, and what they read lies in order, is the same in all of them, or is
gathered from anywhere where there is enough to compute with it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from chainrule.native.llvm.machine import masked, width
from chainrule.native.loops.expression import COMPARISONS, Expression, all_parts, parts
from chainrule.native.loops.statements import (
    Assign,
    Declare,
    For,
    Prefetch,
    Refuse,
    Statement,
    Store,
    Variable,
    When,
    values_of,
)

#: Gives the index of an element without axes of size 1, for a buffer's name and an index.
Places: TypeAlias = Callable[[str, Sequence[Expression]], Sequence[Expression]]
#: Lanes of a vector at most: what takes few bytes is computed from what takes more.
MOST = 32
#: A sum (or the like) of fewer parts keeps so many vectors of sums, as it waits for its last addition otherwise.
SHORT, AT_ONCE = 12, 4
#: Loops of more parts, or with such functions, are written once, for parts of vectors, which costs them little.
LONG, LONG_FUNCTIONS = 96, {"exp", "expm1", "log", "log1p", "tanh", "sin", "cos", "power"}
#: Operations that gather lanes: what a variable becomes by one of them does not depend on their order.
GATHERED = ("add", "mul", "maximum", "minimum", "and", "or", "xor")
#: Operations that are the same in every lane: instructions without a branch that no number makes fail.
LANEWISE = {
    *COMPARISONS, *GATHERED, "constant", "index", "size", "variable", "load", "cast", "where", "invert", "sub", "neg",
    "lshift", "rshift", "truediv", "absolute", "exp", "expm1", "log", "log1p", "tanh", "sin", "cos", "sqrt", "floor",
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """How a loop runs on vectors.

    Attributes:
        full: the lanes of vectors that are full, and how many of them a pass of their loop has; wide ones first.
        part: the lanes of vectors for the rest, of which some may be left out; 0 for one pass after the other.
    """

    full: tuple[tuple[int, int], ...]
    part: int

    @property
    def lanes(self) -> int:
        """Of the widest."""
        return self.full[0][0] if self.full else self.part


def planned(body: Body, places: Places, soon: bool) -> Plan | None:
    """How a loop runs on vectors, or None when it cannot.

    Args:
        body: of the loop.
        places: gives an element's index without axes of size 1.
        soon: whether what it writes is read soon: a part of a vector is written late.
    """
    narrowest = body.narrowest(places)
    if narrowest is None:
        return None
    lanes = min(MOST, width() // narrowest)
    found = [x.operation for x in all_parts([x for part in body.loop.body for x in values_of(part)])]
    long = len(found) > LONG or not LONG_FUNCTIONS.isdisjoint(found)
    divides = not {"truediv", "sqrt"}.isdisjoint(found)
    if body.strewn and not long and not divides:  # there is too little to gain by it
        return None
    if long and masked():
        return Plan((), lanes)
    if soon:
        few = max(lanes // 4, 1)
        return Plan(((lanes, 1), (few, 1)), 0)
    if not masked():
        return Plan(((lanes, AT_ONCE if body.sums and len(found) < SHORT else 1),), 0)
    if body.sums and len(found) < SHORT:
        return Plan(((lanes, AT_ONCE),), lanes)
    # What is left seldom fills a vector, and half of one is divided in half the time.
    return Plan(((lanes, 1),), lanes // 2 if divides else lanes)


class Body:
    """The body of an innermost loop: what of it stays the same in all passes, and what does not.

    Attributes:
        stored: the buffers that it writes.
        changed: the names of the variables that it declares or assigns.
        sums: the variables that it only adds to (or multiplies by, ...), with the assignment that does.
        places: the elements that differ from pass to pass, as a buffer and an index.
        spread: what is the same in all passes and computed with what is not.
        strewn: the indices of elements that it reads anywhere, by their ids.
    """

    def __init__(self, loop: For) -> None:
        self.loop = loop
        self.stored = stored(loop.body)
        self.changed = changed(loop.body)
        self.sums: dict[str, Assign] = {}
        self.places: list[tuple[str, tuple[Expression, ...]]] = []
        self.spread: list[Expression] = []
        self.strewn: set[int] = set()
        self._same: dict[int, tuple[Expression, bool]] = {}

    def same(self, x: Expression) -> bool:
        """Whether an expression has one value in all passes."""
        stack = [x]
        while stack:
            top = stack[-1]
            if id(top) in self._same:
                stack.pop()
                continue
            missing = [part for part in parts(top) if id(part) not in self._same]
            if missing:
                stack.extend(missing)
                continue
            name = top.operands[0] if top.operands else None
            own = not (
                (top.operation == "index" and name == self.loop.index)
                or (top.operation == "variable" and name in self.changed)
                or (top.operation == "load" and name in self.stored)
            )
            self._same[id(top)] = top, own and all(self._same[id(part)][1] for part in parts(top))
            stack.pop()
        return self._same[id(x)][1]

    def before(self) -> Iterator[Expression]:
        """What every pass needs and is the same in all: the largest such parts, to be computed before the first.

        What a condition or a refusal guards stays behind it.
        """
        seen = set[int]()
        for statement in self.loop.body:
            stack = [*values_of(statement)]
            while stack:
                x = stack.pop()
                if id(x) in seen:
                    continue
                seen.add(id(x))
                if self.same(x):
                    yield x
                else:
                    stack.extend(parts(x))
            if isinstance(statement, Refuse | When):
                return

    def in_order(self, index: Sequence[Expression]) -> bool:
        """Whether an element lies beside that of the pass before; the index without axes of size 1."""
        return bool(index) and self._steps(index[-1]) and all(map(self.same, index[:-1]))

    def _steps(self, x: Expression) -> bool:
        """Whether it is one more in every pass."""
        if x.operation == "index":
            return bool(x.operands[0] == self.loop.index)
        if x.operation == "add":
            a, b = x.operands
            return (self._steps(a) and self.same(b)) or (self.same(a) and self._steps(b))
        return x.operation == "sub" and self._steps(x.operands[0]) and self.same(x.operands[1])

    def read_soon(self, around: Sequence[str], reads: Mapping[str, Collection[int]]) -> bool:
        """Whether what it writes is read again by other loops of the kernel, or by itself in a loop around it.

        Args:
            around: the indices of the loops around it.
            reads: where a kernel reads each of its buffers, as ids of the expressions.
        """
        own = [x for statement in self.loop.body for x in all_parts(values_of(statement)) if x.operation == "load"]
        own = [x for x in own if x.operands[0] in self.stored]
        names = {x.operands[0] for part in own for x in all_parts(part.operands[1]) if x.operation == "index"}
        elsewhere = any(not {*reads.get(name, ())} <= {*map(id, own)} for name in self.stored)
        return elsewhere or (bool(own) and not names >= {*around})

    def narrowest(self, places: Places) -> int | None:
        """The bytes of the narrowest numbers that it writes or adds up; None when the loop cannot run on vectors.

        Args:
            places: gives the index of an element without axes of size 1, for a buffer's name and an index.
        """
        reads: list[tuple[str, tuple[Expression, ...]]] = []
        writes: list[tuple[str, tuple[Expression, ...]]] = []
        sizes: list[int] = []
        assigned = [x for x in self.loop.body if isinstance(x, Assign)]
        for statement in self.loop.body:
            if isinstance(statement, For | When | Refuse | Prefetch):
                return None
            if isinstance(statement, Assign):
                if not self._gathers(statement, assigned):
                    return None
                sizes.append(statement.value.dtype.itemsize)
            if isinstance(statement, Store):
                writes.append((statement.buffer, statement.index))
                sizes.append(statement.value.dtype.itemsize)
                values: tuple[Expression, ...] = (statement.value,)
            else:
                values = values_of(statement)
            stack, seen = list(values), set[int]()
            while stack:
                x = stack.pop()
                if id(x) in seen or self.same(x):
                    continue
                seen.add(id(x))
                self.spread += [
                    p for p in parts(x) if x.operation != "load" and p.operation != "constant" and self.same(p)
                ]
                if x.operation == "load" and self.in_order(places(*x.operands)):
                    reads.append((x.operands[0], x.operands[1]))
                elif x.operation == "load":
                    if x.operands[0] in self.stored or x.dtype.itemsize < 4:
                        return None
                    self.strewn.add(id(x.operands[1]))
                    stack.extend(parts(x))
                elif not _lanewise(x):
                    return None
                else:
                    stack.extend(parts(x))
        self.places = [*reads, *writes]
        if not all(self.in_order(places(*place)) for place in writes):
            return None
        for buffer, index in writes:
            others = [other for name, other in self.places if name == buffer and other is not index]
            if not self.loop.parallel and not all(_apart(index, other) for other in others):
                return None
        return min(sizes, default=None)

    def _gathers(self, statement: Assign, assigned: Sequence[Assign]) -> bool:
        """Whether a variable is only added to: nothing else in the body sees it."""
        name, value = statement.variable.name, statement.value
        if value.operation not in GATHERED or sum(x.variable.name == name for x in assigned) != 1:
            return False
        added = [x for x in value.operands if not (x.operation == "variable" and x.operands[0] == name)]
        rest = [x for other in self.loop.body if other is not statement for x in values_of(other)]
        seen = any(x.operation == "variable" and x.operands[0] == name for x in all_parts([*added, *rest]))
        if len(added) != 1 or seen:
            return False
        self.sums[name] = statement
        return True


def added(statement: Assign) -> Expression:
    """What an assignment adds to its variable."""
    a, b = statement.value.operands
    own: Expression = a if not (a.operation == "variable" and a.operands[0] == statement.variable.name) else b
    return own


def neutral(operation: str, variable: Variable) -> Any:
    """The number that changes nothing when it is added, multiplied, ..."""
    dtype = variable.start.dtype
    if operation in ("maximum", "minimum"):
        if dtype.kind == "f":
            return -np.inf if operation == "maximum" else np.inf
        if dtype.kind == "b":
            return operation == "minimum"
        if dtype.kind == "u":
            return 0 if operation == "maximum" else -1
        limits = np.iinfo(dtype)
        return limits.min if operation == "maximum" else limits.max
    if operation == "and":
        return True if dtype.kind == "b" else -1
    if operation == "add":
        return -0.0 if dtype.kind == "f" else 0
    return {"mul": 1, "or": 0, "xor": 0}[operation]


def reads(body: Sequence[Statement]) -> dict[str, set[int]]:
    """Where each buffer is read, as ids of the expressions."""
    found: dict[str, set[int]] = {}
    for statement in body:
        for x in all_parts(values_of(statement)):
            if x.operation == "load":
                found.setdefault(x.operands[0], set()).add(id(x))
        if isinstance(statement, For | When):
            for name, places in reads(statement.body).items():
                found.setdefault(name, set()).update(places)
    return found


def stored(body: Sequence[Statement]) -> set[str]:
    """The buffers that a body writes."""
    found = set[str]()
    for statement in body:
        if isinstance(statement, Store):
            found.add(statement.buffer)
        elif isinstance(statement, For | When):
            found |= stored(statement.body)
    return found


def changed(body: Sequence[Statement]) -> set[str]:
    """The variables that a body declares or assigns."""
    found = set[str]()
    for statement in body:
        if isinstance(statement, Declare | Assign):
            found.add(statement.variable.name)
        elif isinstance(statement, For | When):
            found |= changed(statement.body)
    return found


def _lanewise(x: Expression) -> bool:
    if x.operation in ("floordiv", "mod"):
        return power_of_two(x.operands[1]) is not None
    if x.operation == "power":
        return x.dtype.kind == "f"
    return x.operation in LANEWISE


def power_of_two(x: Expression) -> int | None:
    """k of a whole constant 2ᵏ."""
    value = x.operands[0] if x.operation == "constant" else None
    return value.bit_length() - 1 if type(value) is int and value > 0 and not value & (value - 1) else None


def _apart(a: Sequence[Expression], b: Sequence[Expression]) -> bool:
    """Whether two elements are one in every pass, or of two passes never one."""
    pairs = list(zip(a, b, strict=True))
    known = [(x.operands[0], y.operands[0]) for x, y in pairs if x.operation == y.operation == "constant"]
    return any(x != y for x, y in known) or all(_equal(x, y) for x, y in pairs)


def _equal(a: Expression, b: Expression) -> bool:
    """Whether two expressions are the same one, written down twice."""
    stack = [(a, b)]
    while stack:
        x, y = stack.pop()
        if x is y:
            continue
        if x.operation != y.operation or x.dtype != y.dtype or len(parts(x)) != len(parts(y)):
            return False
        if not parts(x) and x.operands != y.operands:
            return False
        if x.operation == "load" and x.operands[0] != y.operands[0]:
            return False
        stack += zip(parts(x), parts(y), strict=True)
    return True
