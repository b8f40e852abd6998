"""Kernels: loop nests in the small language between a graph and machine code. A kernel prints as it runs.

kernel map(out: float32[n, m], a: float32[n, m], b: float32[m])
  for i0 in 0 .. size(out, 0)
    for i1 in 0 .. size(out, 1)
      out[i0, i1] = maximum((a[i0, i1] + b[i1]), 0)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.forks import once
from chainrule.graph.spec import INT64, Spec
from chainrule.native.loops.expression import Expression, Functions, as_expression, call, cast, constant, parts
from chainrule.native.loops.listing import Outline, listed
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


@dataclass(eq=False)
class Signature:
    """What a program that runs a kernel has to know of it.

    Attributes:
        key: equal for two kernels exactly when the same machine code serves both.
        buffers, pitched: see `Kernel`.
    """

    key: str
    buffers: dict[str, Spec]
    pitched: set[str]


@dataclass(eq=False)
class Kernel:
    """A loop nest over buffers. Addresses and sizes are its arguments, so that one kernel serves all sizes.

    Attributes:
        name: the name in the listing.
        buffers: the dtype and shape of each argument, by name and in order. Which sizes are 0 or 1 is part of the
            kernel, as broadcasting depends on it; the other sizes are not.
        pitched: the arguments whose rows need not follow one another in memory without a gap. Their pitch, that is the
            number of elements from the beginning of a row to that of the next, is an argument as well.
    """

    name: str
    buffers: dict[str, Spec] = field(default_factory=dict)
    body: list[Statement] = field(default_factory=list)
    pitched: set[str] = field(default_factory=set)
    _counter: int = 0
    _open_bodies: list[list[Statement]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._open_bodies = [self.body]

    def buffer(self, name: str, spec: Spec) -> Buffer:
        """The argument of this name; a new one if there is none yet."""
        self.buffers.setdefault(name, spec)
        return Buffer(name, spec)

    def fresh(self, prefix: str) -> str:
        """A name that is not in use."""
        self._counter += 1
        return f"{prefix}{self._counter - 1}"

    def add(self, statement: Statement) -> None:
        """Append a statement to the innermost open body."""
        self._open_bodies[-1].append(statement)

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
        """Add a loop; `body` adds the statements for an index. One of a single iteration is its body alone.

        Args:
            end: the index after the last.
            body: adds statements for an index.
            start: the first index.
            parallel: the iterations may run at the same time, as none writes what another reads or writes. All parallel
                loops of a kernel have one size. What is outside of them runs once in each block of the kernel.
            total: how often the body runs in the whole kernel, where start and end are read from memory.
        """
        if isinstance(end, int) and isinstance(start, int) and end - start == 1:
            body(constant(start, INT64))
            return
        total = None if total is None else _whole(total)
        loop = For(self.fresh("i"), _whole(start), _whole(end), parallel=parallel, total=total)
        self.add(loop)
        self._open_bodies.append(loop.body)
        body(Expression("index", (loop.index,), INT64))
        self._open_bodies.pop()

    @property
    def xp(self) -> Functions:
        """The functions of `SCALAR_FUNCTIONS`, for bodies of several statements."""
        return Functions()

    def whole(self, value: int) -> Expression:
        """A whole number, as a constant."""
        return constant(value, INT64)

    def number(self, value: float, dtype: np.dtype[Any]) -> Expression:
        """A constant of a dtype."""
        return constant(value, dtype)

    def choose(self, condition: Any, a: Any, b: Any) -> Expression:
        """a where the condition holds, else b."""
        return call("where", condition, _whole(a), _whole(b))

    def assign(self, variable: Variable, value: Any) -> None:
        """Give a variable a new value."""
        self.add(Assign(variable, as_expression(value, variable.start.dtype)))

    def refuse(self, condition: Expression, value: Expression) -> None:
        """End the program where a condition holds, with an error about a value."""
        self.add(Refuse(condition, _whole(value)))

    def when(self, condition: Expression, body: Callable[[], None], *, seldom: bool = False) -> None:
        """Add statements that run only where a condition holds; `body` adds them."""
        guarded = When(condition, seldom=seldom)
        self.add(guarded)
        self._open_bodies.append(guarded.body)
        body()
        self._open_bodies.pop()

    def nest(
        self, sizes: Sequence[Any], body: Callable[[tuple[Expression, ...]], None], *, parallel: int | None = None
    ) -> None:
        """Add loops over all sizes, the last of them innermost; the one over the axis `parallel` is parallel."""

        def descend(done: tuple[Expression, ...]) -> None:
            axis = len(done)
            if axis == len(sizes):
                body(done)
            else:
                self.loop(sizes[axis], lambda i: descend((*done, i)), parallel=axis == parallel)

        descend(())

    def compact(self) -> list[str]:
        """Remove the buffers that no statement uses, and number the others anew.

        Returns:
            the old names of the buffers that remain.
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
                        stack += parts(x)
                if isinstance(statement, For | When):
                    bodies.append(statement.body)
        reads = [x for x in uses.values() if x.operation in ("load", "size")]
        named = {store.buffer for store in stores} | {x.operands[0] for x in reads}
        remaining = [name for name in self.buffers if name in named]
        names = {name: f"b{number}" for number, name in enumerate(remaining)}
        self.buffers = {names[name]: self.buffers[name] for name in remaining}
        for store in stores:
            store.buffer = names[store.buffer]
        for x in reads:
            x.operands = (names[x.operands[0]], x.operands[1])
        return remaining

    @once
    def key(self) -> str:
        """The hash of a text that kernels share exactly when the same machine code serves them. It must be finished."""
        lines = [
            f"{name}:{spec.dtype.str}{_pattern(spec)}{' pitched' if name in self.pitched else ''}"
            for name, spec in self.buffers.items()
        ]
        text = "\n".join([*Outline(self.body).lines, *lines])
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def signature(self) -> Signature:
        """What a program that runs the kernel has to know of it."""
        return Signature(self.key, self.buffers, self.pitched)

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
        """Its sizes: 0 and 1 as numbers, which the code may depend on, and others as arguments of the kernel."""
        return tuple(
            size if size <= 1 else Expression("size", (self.name, axis), INT64)
            for axis, size in enumerate(self.spec.shape)
        )

    def __call__(self, index: Sequence[Any]) -> Expression:
        """The element at an index."""
        return Expression("load", (self.name, self.place(index)), self.spec.dtype)

    def place(self, index: Sequence[Any]) -> tuple[Expression, ...]:
        """An index as expressions; it is 0 along axes of size 1."""
        places = tuple(_whole(i) for i in index)
        return tuple(constant(0, INT64) if size == 1 else i for i, size in zip(places, self.spec.shape, strict=True))

    def prefetch(self, kernel: Kernel, index: Sequence[Any]) -> None:
        """Ask the processor to load the element at an index into its cache."""
        kernel.add(Prefetch(self.name, self.place(index)))

    def store(self, kernel: Kernel, index: Sequence[Any], value: Any, *, accumulate: bool = False) -> None:
        """Write, or add to, the element at an index."""
        number = cast(as_expression(value, self.spec.dtype), self.spec.dtype)
        kernel.add(Store(self.name, self.place(index), number, accumulate))


def _whole(value: Any) -> Expression:
    """A number or an expression as a whole number of 64 bits."""
    if isinstance(value, Expression):
        return value if value.dtype == INT64 else Expression("cast", (value,), INT64)
    return constant(value, INT64)


def _pattern(spec: Spec) -> str:
    """A shape as the code depends on it: sizes of 0 and 1, and n for all others."""
    return "".join(str(size) if size <= 1 else "n" for size in spec.shape) or "scalar"
