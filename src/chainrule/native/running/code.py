"""Writes native functions by hand: variables, loops, and records of words in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping

from llvmlite import ir

from chainrule.native.llvm.machine import I1, I8, I64
from chainrule.native.running.pool_memory import ONE, ZERO


class Code:
    """Writes the parts of a function."""

    def __init__(self, module: ir.Module, builder: ir.IRBuilder) -> None:
        self.builder = builder
        text = I8.as_pointer()
        self.memcpy = module.declare_intrinsic("llvm.memcpy", [text, text, I64])

    def variable(self, value: ir.Value) -> ir.Value:
        """A place in memory that begins with a value."""
        with self.builder.goto_entry_block():
            place = self.builder.alloca(value.type)
        self.builder.store(value, place)
        return place

    def at(self, pointer: ir.Value, index: ir.Value) -> ir.Value:
        """A word of an array."""
        return self.builder.load(self.builder.gep(pointer, [index]))

    def words(self, pointer: ir.Value, names: tuple[str, ...]) -> dict[str, ir.Value]:
        """The words of a record, by their names."""
        return {name: self.at(pointer, ir.Constant(I64, i)) for i, name in enumerate(names)}

    def sum_of(self, record: Mapping[str, ir.Value], factors: Mapping[str, ir.Value]) -> ir.Value:
        """The word "rest" of a record, and for each named word the product of that and what is given for it."""
        found = record["rest"]
        for name, factor in factors.items():
            found = self.builder.add(found, self.builder.mul(factor, record[name]))
        return found

    def copy(self, target: ir.Value, source: ir.Value, count: ir.Value) -> None:
        """Copy so many bytes."""
        to, of = (self.builder.inttoptr(x, I8.as_pointer()) for x in (target, source))
        self.builder.call(self.memcpy, [to, of, count, ir.Constant(I1, 0)])

    @contextlib.contextmanager
    def loop(self, condition: Callable[[], ir.Value]) -> Iterator[None]:
        """Repeat what is written inside while a condition holds."""
        head, body, after = (self.builder.function.append_basic_block(x) for x in ("head", "body", "after"))
        self.builder.branch(head)
        self.builder.position_at_end(head)
        self.builder.cbranch(condition(), body, after)
        self.builder.position_at_end(body)
        yield
        self.builder.branch(head)
        self.builder.position_at_end(after)

    @contextlib.contextmanager
    def each(self, address: ir.Value, count: ir.Value, names: tuple[str, ...]) -> Iterator[dict[str, ir.Value]]:
        """Repeat what is written inside for each of some records; gives the words of one by their names."""
        number = self.variable(ZERO)
        first = self.builder.inttoptr(address, I64.as_pointer())
        with self.loop(lambda: self.builder.icmp_signed("<", self.builder.load(number), count)):
            place = self.builder.mul(self.builder.load(number), ir.Constant(I64, len(names)))
            yield self.words(self.builder.gep(first, [place]), names)
            self.builder.store(self.builder.add(self.builder.load(number), ONE), number)
