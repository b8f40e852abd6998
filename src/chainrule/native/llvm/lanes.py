"""LLVM's vectors: numbers side by side in one register, on which one instruction works at once."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from llvmlite import ir

from chainrule.native.llvm.machine import I32


def with_lanes(type: ir.Type, like: ir.Type) -> ir.Type:
    """The type of a number in as many lanes as another type has; itself where that is of one number."""
    return ir.VectorType(type, like.count) if isinstance(like, ir.VectorType) else type


def in_lanes(constant: ir.Constant, like: ir.Type) -> ir.Constant:
    """A constant in every lane that a type has."""
    if not isinstance(like, ir.VectorType):
        return constant
    return _same(constant.type, constant.get_reference(), like.count)


@functools.cache
def _same(type: ir.Type, number: str, count: int) -> ir.Constant:
    """A number as LLVM writes it, in every lane."""
    return ir.Constant(ir.VectorType(type, count), [ir.FormattedConstant(type, number)] * count)


@functools.cache
def listed(type: ir.Type, *numbers: int) -> ir.Constant:
    """A whole number for each lane."""
    return ir.Constant(ir.VectorType(type, len(numbers)), [*numbers])


@functools.cache
def nothing(type: ir.Type, count: int) -> ir.Constant:
    """A vector of which nobody reads what it is."""
    return ir.Constant(ir.VectorType(type, count), ir.Undefined)


def splat(builder: ir.IRBuilder, value: ir.Value, count: int) -> ir.Value:
    """A number in every lane."""
    if type(value) is ir.Constant:
        return _same(value.type, value.get_reference(), count)
    any_ = nothing(value.type, count)
    first = builder.insert_element(any_, value, ir.Constant(I32, 0))
    return builder.shuffle_vector(first, any_, listed(I32, *[0] * count))


def intrinsic(
    builder: ir.IRBuilder,
    name: str,
    operands: Sequence[ir.Value],
    result: ir.Type | None = None,
    *,
    of: Sequence[ir.Type] | None = None,
    flags: Sequence[str] = (),
) -> ir.Value:
    """A call of LLVM's intrinsic function of a name.

    Args:
        builder: where it goes.
        name: without "llvm." and without types.
        operands: what it is given.
        result: its type, that of the first operand when not given.
        of: the types that are part of its name, that of the first operand when not given.
        flags: what it may assume of floating-point numbers.
    """
    kind = result or operands[0].type
    full = ".".join(["llvm", name, *(_named(type) for type in of or [operands[0].type])])
    module = builder.module
    function = module.globals.get(full)
    if function is None:
        function = ir.Function(module, ir.FunctionType(kind, [x.type for x in operands]), full)
    return builder.call(function, operands, fastmath=flags)


def _named(type: ir.Type) -> str:
    """A type as names of intrinsic functions have it."""
    if isinstance(type, ir.VectorType):
        return f"v{type.count}{_named(type.element)}"
    return "p0" if isinstance(type, ir.PointerType) else str(type.intrinsic_name)
