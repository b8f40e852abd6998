"""Which innermost loops run on vectors: several of their iterations at once, one in each lane of a vector register.

A loop can run on vectors where no iteration reads what another one writes. Variables that are only added to (or
multiplied by, ...) are an exception: each lane keeps a sum of its own, and the sums are folded into one behind the
loop. What the iterations write must lie in order in memory. What they read lies in order, or is the same in all of
them, or lies anywhere. The last of these is slow, and so is only done where there is enough to compute with it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.native.llvm.machine import masked, width
from chainrule.native.loops.expression import COMPARISONS, Expression, all_parts, parts, power_of_two
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

#: The part of an index that an address is computed from (`Values.addressing`), for a buffer's name and an index.
Addressing: TypeAlias = Callable[[str, Sequence[Expression]], Sequence[Expression]]
#: The most lanes of a vector: numbers of one byte are computed from wider ones, which then take several registers.
MOST_LANES = 32
#: A sum (or the like) whose body has fewer expressions than this is kept in several vectors in turn, as each addition
#: would otherwise wait for the one before.
SHORT_SUM_EXPRESSIONS, SUM_VECTORS = 12, 4
#: A body with more expressions than this, or with one of these functions, is emitted once, for vectors with a mask:
#: a mask costs it little, and emitting it twice would cost compile time.
LONG_BODY_EXPRESSIONS = 96
LONG_FUNCTIONS = {"exp", "expm1", "log", "log1p", "tanh", "sin", "cos", "power"}
#: Operations that a variable may be reduced by lane by lane: their result does not depend on the order, but for
#: rounding.
REDUCIBLE = ("add", "mul", "maximum", "minimum", "and", "or", "xor")
#: Operations that run in all lanes at once: instructions without a branch, which no number makes fail.
LANEWISE = {
    *COMPARISONS, *REDUCIBLE, "constant", "index", "size", "variable", "load", "cast", "where", "invert", "sub", "neg",
    "lshift", "rshift", "truediv", "absolute", "exp", "expm1", "log", "log10", "log1p", "log2", "tanh", "sin", "cos",
    "sqrt", "floor", "rint",
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """How a loop runs on vectors.

    Attributes:
        full: the loops over full vectors, wide ones first: how many lanes a vector has, and how many vectors an
            iteration of the loop takes.
        part: how many lanes the vectors have that do the remaining iterations, with a mask for the lanes that are not
            needed; 0 where the remaining iterations run one after another.
    """

    full: tuple[tuple[int, int], ...]
    part: int

    @property
    def lanes(self) -> int:
        """The lanes of the widest vectors."""
        return self.full[0][0] if self.full else self.part

    @property
    def at_once(self) -> int:
        """The iterations that an iteration of the first loop does at once."""
        return self.full[0][0] * self.full[0][1] if self.full else self.part


def planned(body: Body, addressing: Addressing, read_soon: bool) -> Plan | None:
    """How a loop runs on vectors; None for one that cannot, or should not.

    Args:
        body: the loop's body.
        addressing: the part of an index that an address is computed from.
        read_soon: whether what it writes is read soon. Reading has to wait for a vector that was written with a mask.
    """
    narrowest = body.narrowest(addressing)
    if narrowest is None:
        return None
    lanes = min(MOST_LANES, width() // narrowest)
    found = [x.operation for x in all_parts([x for part in body.loop.body for x in values_of(part)])]
    long = len(found) > LONG_BODY_EXPRESSIONS or not LONG_FUNCTIONS.isdisjoint(found)
    divides = not {"truediv", "sqrt"}.isdisjoint(found)
    if body.irregular and not long and not divides:  # there is too little to gain by it
        return None
    if long and masked():
        return Plan((), lanes)
    if read_soon:
        return Plan(((lanes, 1), (max(lanes // 4, 1), 1)), 0)
    short_sum = bool(body.sums) and len(found) < SHORT_SUM_EXPRESSIONS
    if not masked():
        return Plan(((lanes, SUM_VECTORS if short_sum else 1),), 0)
    if short_sum:
        return Plan(((lanes, SUM_VECTORS),), lanes)
    # The remaining iterations seldom fill a vector, and half a vector is divided in half the time.
    return Plan(((lanes, 1),), lanes // 2 if divides else lanes)


class Body:
    """The body of an innermost loop: which of its expressions are uniform, that is, the same in all iterations.

    `narrowest` finds the last four attributes.

    Attributes:
        stored: the buffers that it writes.
        changed: the names of the variables that it declares or assigns.
        sums: the variables that it only adds to (or multiplies by, ...), with the assignment that does.
        places: the elements that lie in order: a buffer and an index, which moves by one in each iteration.
        uniform_operands: the uniform operands of operations that are not uniform; each goes into all lanes of a vector.
        irregular: the indices, by their ids, of elements that are read but do not lie in order.
    """

    def __init__(self, loop: For) -> None:
        self.loop = loop
        self.stored = stored(loop.body)
        self.changed = changed(loop.body)
        self.sums: dict[str, Assign] = {}
        self.places: list[tuple[str, tuple[Expression, ...]]] = []
        self.uniform_operands: list[Expression] = []
        self.irregular: set[int] = set()
        self._uniform: dict[int, tuple[Expression, bool]] = {}

    def is_uniform(self, x: Expression) -> bool:
        """Whether an expression has the same value in all iterations."""
        stack = [x]
        while stack:
            top = stack[-1]
            if id(top) in self._uniform:
                stack.pop()
                continue
            missing = [part for part in parts(top) if id(part) not in self._uniform]
            if missing:
                stack.extend(missing)
                continue
            name = top.operands[0] if top.operands else None
            own = not (
                (top.operation == "index" and name == self.loop.index)
                or (top.operation == "variable" and name in self.changed)
                or (top.operation == "load" and name in self.stored)
            )
            self._uniform[id(top)] = top, own and all(self._uniform[id(part)][1] for part in parts(top))
            stack.pop()
        return self._uniform[id(x)][1]

    def invariants(self) -> Iterator[Expression]:
        """The largest uniform expressions that every iteration needs, to be computed once before the loop.

        What a condition or a refusal guards is left out, as it may fail to be computed without that guard.
        """
        seen = set[int]()
        for statement in self.loop.body:
            stack = [*values_of(statement)]
            while stack:
                x = stack.pop()
                if id(x) in seen:
                    continue
                seen.add(id(x))
                if self.is_uniform(x):
                    yield x
                else:
                    stack.extend(parts(x))
            if isinstance(statement, Refuse | When):
                return

    def in_order(self, index: Sequence[Expression]) -> bool:
        """Whether an element lies beside that of the iteration before; the index is as `addressing` gives it."""
        return bool(index) and self._counts_up(index[-1]) and all(map(self.is_uniform, index[:-1]))

    def _counts_up(self, x: Expression) -> bool:
        """Whether an expression is one more in each iteration."""
        if x.operation == "index":
            return bool(x.operands[0] == self.loop.index)
        if x.operation == "add":
            a, b = x.operands
            return (self._counts_up(a) and self.is_uniform(b)) or (self.is_uniform(a) and self._counts_up(b))
        return x.operation == "sub" and self._counts_up(x.operands[0]) and self.is_uniform(x.operands[1])

    def read_soon(self, around: Sequence[str], reads: Mapping[str, Collection[int]]) -> bool:
        """Whether what the loop writes is read by other loops of the kernel, or by itself in a loop around it.

        Args:
            around: the indices of the loops around it.
            reads: the expressions that read each buffer of the kernel, by their ids.
        """
        own = [x for statement in self.loop.body for x in all_parts(values_of(statement)) if x.operation == "load"]
        own = [x for x in own if x.operands[0] in self.stored]
        names = {x.operands[0] for part in own for x in all_parts(part.operands[1]) if x.operation == "index"}
        elsewhere = any(not {*reads.get(name, ())} <= {*map(id, own)} for name in self.stored)
        return elsewhere or (bool(own) and not names >= {*around})

    def narrowest(self, addressing: Addressing) -> int | None:
        """The bytes of the narrowest numbers that it writes or adds up; None where the loop cannot run on vectors.

        Args:
            addressing: the part of an index that an address is computed from.
        """
        reads: list[tuple[str, tuple[Expression, ...]]] = []
        writes: list[tuple[str, tuple[Expression, ...]]] = []
        sizes: list[int] = []
        assigned = [x for x in self.loop.body if isinstance(x, Assign)]
        for statement in self.loop.body:
            if isinstance(statement, For | When | Refuse | Prefetch):
                return None
            if isinstance(statement, Assign):
                if not self._is_reduction(statement, assigned):
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
                if id(x) in seen or self.is_uniform(x):
                    continue
                seen.add(id(x))
                self.uniform_operands += [
                    p for p in parts(x) if x.operation != "load" and p.operation != "constant" and self.is_uniform(p)
                ]
                if x.operation == "load" and self.in_order(addressing(*x.operands)):
                    reads.append((x.operands[0], x.operands[1]))
                elif x.operation == "load":
                    if x.operands[0] in self.stored or x.dtype.itemsize < 4:
                        return None
                    self.irregular.add(id(x.operands[1]))
                    stack.extend(parts(x))
                elif not _lanewise(x):
                    return None
                else:
                    stack.extend(parts(x))
        self.places = [*reads, *writes]
        if not all(self.in_order(addressing(*place)) for place in writes):
            return None
        for buffer, index in writes:
            others = [other for name, other in self.places if name == buffer and other is not index]
            if not self.loop.parallel and not all(never_alias(index, other) for other in others):
                return None
        return min(sizes, default=None)

    def _is_reduction(self, statement: Assign, assigned: Sequence[Assign]) -> bool:
        """Whether an assignment only adds to a variable (or multiplies it, ...) that nothing else in the body reads."""
        name, value = statement.variable.name, statement.value
        if value.operation not in REDUCIBLE or sum(x.variable.name == name for x in assigned) != 1:
            return False
        added = [x for x in value.operands if not (x.operation == "variable" and x.operands[0] == name)]
        rest = [x for other in self.loop.body if other is not statement for x in values_of(other)]
        read = any(x.operation == "variable" and x.operands[0] == name for x in all_parts([*added, *rest]))
        if len(added) != 1 or read:
            return False
        self.sums[name] = statement
        return True


def added(statement: Assign) -> Expression:
    """What an assignment adds to its variable (or multiplies it by, ...)."""
    a, b = statement.value.operands
    own: Expression = a if not (a.operation == "variable" and a.operands[0] == statement.variable.name) else b
    return own


def neutral(operation: str, variable: Variable) -> Any:
    """The neutral element of an operation: the number that changes nothing when it is added, multiplied, ..."""
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
    """The expressions that read each buffer, by their ids."""
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
    """Whether an operation runs in all lanes at once."""
    if x.operation in ("floordiv", "mod"):
        return power_of_two(x.operands[1]) is not None
    if x.operation == "power":
        return x.dtype.kind == "f"
    return x.operation in LANEWISE


def never_alias(a: Sequence[Expression], b: Sequence[Expression]) -> bool:
    """Whether no iteration has at the index a the element that another iteration has at the index b.

    That is certain where the indices differ in a constant, or are the same expressions.
    """
    pairs = list(zip(a, b, strict=True))
    known = [(x.operands[0], y.operands[0]) for x, y in pairs if x.operation == y.operation == "constant"]
    return any(x != y for x, y in known) or all(_equal(x, y) for x, y in pairs)


def _equal(a: Expression, b: Expression) -> bool:
    """Whether two expressions are the same, perhaps written down twice."""
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
