"""Loop nests: the small language between a graph and native code. A kernel prints as it runs.

kernel map(out: float32[n, m], a: float32[n, m], b: float32[m])
  for i0 in 0 .. size(out, 0)
    for i1 in 0 .. size(out, 1)
      out[i0, i1] = maximum((a[i0, i1] + b[i1]), 0)
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.graph.spec import INT64, Spec
from chainrule.native.loops.expression import Expression, Functions, as_expression, call, cast, constant, parts
from chainrule.native.loops.listing import constant_types, listed, written
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
    loops_of,
    values_of,
)


@dataclass(eq=False)
class Kernel:
    """A loop nest over buffers; pointers and sizes are its arguments, so that it serves every size.

    Attributes:
        name: for the listing.
        buffers: its arguments by name, in order, with dtype and the pattern of their shape: sizes of 1 are part of the
            kernel, as broadcasting depends on them; others are not.
        pitched: the arguments whose rows may lie apart; their distance is an argument as well.
    """

    name: str
    buffers: dict[str, Spec] = field(default_factory=dict)
    body: list[Statement] = field(default_factory=list)
    pitched: set[str] = field(default_factory=set)
    _counter: int = 0
    _places: list[list[Statement]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._places = [self.body]

    def buffer(self, name: str, spec: Spec) -> Buffer:
        """An argument, made when it is first asked for."""
        self.buffers.setdefault(name, spec)
        return Buffer(name, spec)

    def fresh(self, prefix: str) -> str:
        """A name that nothing has yet."""
        self._counter += 1
        return f"{prefix}{self._counter - 1}"

    def add(self, statement: Statement) -> None:
        """Append to the innermost open loop."""
        self._places[-1].append(statement)

    def declare(self, start: Expression) -> Variable:
        """A new variable."""
        variable = Variable(self.fresh("v"), start)
        self.add(Declare(variable))
        return variable

    def loop(
        self,
        end: Any,
        body: Callable[[Expression], None],
        start: Any = 0,
        *,
        parallel: bool = False,
        total: Any = None,
    ) -> None:
        """Add a loop whose body is what the function adds; a loop of one pass is left out.

        Args:
            end: the index after the last.
            body: adds statements for an index.
            start: the first index.
            parallel: the passes may run at the same time, as none writes what another reads or writes; what the
                kernel does outside its parallel loops, which all have one size, each block does for itself.
            total: how often the body runs in the whole kernel, where start and end are read from memory.
        """
        if isinstance(end, int) and isinstance(start, int) and end - start == 1:
            body(constant(start, INT64))
            return
        total = None if total is None else _whole(total)
        held = For(self.fresh("i"), _whole(start), _whole(end), parallel=parallel, total=total)
        self.add(held)
        self._places.append(held.body)
        body(Expression("index", (held.index,), INT64))
        self._places.pop()

    @property
    def xp(self) -> Functions:
        """The functions of `SCALAR_FUNCTIONS`, for bodies of several statements."""
        return Functions()

    def whole(self, value: int) -> Expression:
        """A whole number."""
        return constant(value, INT64)

    def number(self, value: float, dtype: np.dtype[Any]) -> Expression:
        """A number of a dtype."""
        return constant(value, dtype)

    def choose(self, condition: Any, a: Any, b: Any) -> Expression:
        """a where the condition holds, else b."""
        return call("where", condition, _whole(a), _whole(b))

    def assign(self, variable: Variable, value: Any) -> None:
        """Change a variable."""
        self.add(Assign(variable, as_expression(value, variable.start.dtype)))

    def refuse(self, condition: Expression, value: Expression) -> None:
        """End the program with an error about a value where a condition holds."""
        self.add(Refuse(condition, _whole(value)))

    def when(self, condition: Expression, body: Callable[[], None]) -> None:
        """Add what the function adds, for where a condition holds."""
        held = When(condition)
        self.add(held)
        self._places.append(held.body)
        body()
        self._places.pop()

    def nest(
        self, sizes: Sequence[Any], body: Callable[[tuple[Expression, ...]], None], *, parallel: int | None = None
    ) -> None:
        """Add loops over all sizes, the last innermost; that over the axis `parallel` is a parallel one."""

        def descend(done: tuple[Expression, ...]) -> None:
            axis = len(done)
            if axis == len(sizes):
                body(done)
            else:
                self.loop(sizes[axis], lambda i: descend((*done, i)), parallel=axis == parallel)

        descend(())

    def compact(self) -> list[str]:
        """Leave out the buffers that nothing reads, writes or takes a size of, and number the others anew.

        Returns:
            the old names of those that are left.
        """
        uses: dict[int, Expression] = {}
        stores: list[Store | Prefetch] = []
        bodies = [self.body]
        while bodies:
            for statement in bodies.pop():
                if isinstance(statement, Store | Prefetch):
                    stores.append(statement)
                bounds = (statement.start, statement.end, statement.total) if isinstance(statement, For) else ()
                stack = [*values_of(statement), *(x for x in bounds if x is not None)]
                while stack:
                    x = stack.pop()
                    if id(x) not in uses:
                        uses[id(x)] = x
                        stack.extend(parts(x))
                if isinstance(statement, For | When):
                    bodies.append(statement.body)
        reads = [x for x in uses.values() if x.operation in ("load", "size")]
        named = {store.buffer for store in stores} | {x.operands[0] for x in reads}
        left = [name for name in self.buffers if name in named]
        names = {name: f"b{number}" for number, name in enumerate(left)}
        self.buffers = {names[name]: self.buffers[name] for name in left}
        for store in stores:
            store.buffer = names[store.buffer]
        for x in reads:
            x.operands = (names[x.operands[0]], x.operands[1])
        return left

    @functools.cached_property
    def key(self) -> str:
        """A text that two kernels share exactly when the same code serves both; asked for when the kernel is whole."""
        lines = [
            f"{name}:{spec.dtype.name}{_pattern(spec)}{' pitched' if name in self.pitched else ''}"
            for name, spec in self.buffers.items()
        ]
        cut = [f"{x.index} {x.parallel} {'' if x.total is None else written(x.total, {})}" for x in loops_of(self.body)]
        return "\n".join([*listed(self.body, 1), *lines, "".join(constant_types(self.body)), *cut])

    def __str__(self) -> str:
        arguments = ", ".join(f"{name}: {spec.dtype.name}{list(spec.shape)}" for name, spec in self.buffers.items())
        return "\n".join([f"kernel {self.name}({arguments})", *listed(self.body, 1)])


@dataclass(frozen=True)
class Buffer:
    """An array in memory, in row order, as a loop nest sees it."""

    name: str
    spec: Spec

    @property
    def shape(self) -> tuple[Any, ...]:
        """Its sizes: 1 and 0 as numbers, which the code may depend on, others as arguments of the kernel."""
        return tuple(
            size if size <= 1 else Expression("size", (self.name, axis), INT64)
            for axis, size in enumerate(self.spec.shape)
        )

    def __call__(self, index: Sequence[Any]) -> Expression:
        """The element at an index."""
        return Expression("load", (self.name, self.place(index)), self.spec.dtype)

    def place(self, index: Sequence[Any]) -> tuple[Expression, ...]:
        """An index as expressions, 0 along axes of size 1."""
        held = tuple(_whole(i) for i in index)
        return tuple(constant(0, INT64) if size == 1 else i for i, size in zip(held, self.spec.shape, strict=True))

    def prefetch(self, kernel: Kernel, index: Sequence[Any]) -> None:
        """Have the memory of the element at an index brought near."""
        kernel.add(Prefetch(self.name, self.place(index)))

    def store(self, kernel: Kernel, index: Sequence[Any], value: Any, *, accumulate: bool = False) -> None:
        """Write, or add to, the element at an index."""
        held = cast(as_expression(value, self.spec.dtype), self.spec.dtype)
        kernel.add(Store(self.name, self.place(index), held, accumulate))


def _whole(value: Any) -> Expression:
    if isinstance(value, Expression):
        return value if value.dtype == INT64 else Expression("cast", (value,), INT64)
    return constant(value, INT64)


def _pattern(spec: Spec) -> str:
    return "".join(str(size) if size <= 1 else "n" for size in spec.shape) or "scalar"
