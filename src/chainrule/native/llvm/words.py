"""Random words inside native functions that are written by hand, for the equation of `Threefry`."""

from __future__ import annotations

from typing import TypeAlias

from llvmlite import ir

from chainrule.dataclasses import dataclass
from chainrule.native.llvm.lanes import in_lanes
from chainrule.native.llvm.machine import I32


@dataclass(frozen=True, eq=False)
class Words:
    """A word of 32 bits, or one in each lane of a vector, with the operators that the equation uses.

    Attributes:
        builder: where instructions go.
        value: the word or the words.
    """

    builder: ir.IRBuilder
    value: ir.Value

    def _other(self, other: Word) -> ir.Value:
        return in_lanes(ir.Constant(I32, other), self.value.type) if isinstance(other, int) else other.value

    def __add__(self, other: Word) -> Words:
        return Words(self.builder, self.builder.add(self.value, self._other(other)))

    def __xor__(self, other: Word) -> Words:
        return Words(self.builder, self.builder.xor(self.value, self._other(other)))

    def __or__(self, other: Word) -> Words:
        return Words(self.builder, self.builder.or_(self.value, self._other(other)))

    def __lshift__(self, other: int) -> Words:
        return Words(self.builder, self.builder.shl(self.value, self._other(other)))

    def __rshift__(self, other: int) -> Words:
        return Words(self.builder, self.builder.lshr(self.value, self._other(other)))


Word: TypeAlias = Words | int
