"""LLVM's vectors: numbers side by side in the lanes of one register, on all of which one instruction works."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from llvmlite import ir

from chainrule.native.llvm.machine import I32


def with_lanes(type: ir.Type, like: ir.Type) -> ir.Type:
    """The vector of a type with as many lanes as another type has; the type itself where that is no vector."""
    return ir.VectorType(type, like.count) if isinstance(like, ir.VectorType) else type


def in_lanes(constant: ir.Constant, like: ir.Type) -> ir.Constant:
    """A constant in every lane of a vector type; the constant itself where the type is no vector."""
    if not isinstance(like, ir.VectorType):
        return constant
    return _repeated(constant.type, constant.get_reference(), like.count)


@functools.cache
def _repeated(type: ir.Type, number: str, count: int) -> ir.Constant:
    """A vector constant with one number, as LLVM writes it, in every lane."""
    return ir.Constant(ir.VectorType(type, count), [ir.FormattedConstant(type, number)] * count)


@functools.cache
def vector_of(type: ir.Type, *numbers: int) -> ir.Constant:
    """A vector constant with a whole number for each lane."""
    return ir.Constant(ir.VectorType(type, len(numbers)), [*numbers])


@functools.cache
def undefined(type: ir.Type, count: int) -> ir.Constant:
    """A vector whose lanes nothing reads."""
    return ir.Constant(ir.VectorType(type, count), ir.Undefined)


def splat(builder: ir.IRBuilder, value: ir.Value, count: int) -> ir.Value:
    """A vector with one number in every lane."""
    if type(value) is ir.Constant:
        return _repeated(value.type, value.get_reference(), count)
    empty = undefined(value.type, count)
    first = builder.insert_element(empty, value, ir.Constant(I32, 0))
    return builder.shuffle_vector(first, empty, vector_of(I32, *[0] * count))


def intrinsic(
    builder: ir.IRBuilder,
    name: str,
    operands: Sequence[ir.Value],
    result: ir.Type | None = None,
    *,
    of: Sequence[ir.Type] | None = None,
    flags: Sequence[str] = (),
) -> ir.Value:
    """A call of one of LLVM's intrinsic functions.

    Args:
        builder: where the call goes.
        name: the function's name, without "llvm." and without types.
        operands: its operands.
        result: the type of its result; by default that of the first operand.
        of: the types that are part of its name; by default that of the first operand.
        flags: LLVM's fast-math flags for the call.
    """
    kind = result or operands[0].type
    full = ".".join(["llvm", name, *(_mangled(type) for type in ([operands[0].type] if of is None else of))])
    module = builder.module
    function = module.globals.get(full)
    if function is None:
        function = ir.Function(module, ir.FunctionType(kind, [x.type for x in operands]), full)
    return builder.call(function, operands, fastmath=flags)


def _mangled(type: ir.Type) -> str:
    """A type as it is part of the names of intrinsic functions."""
    if isinstance(type, ir.VectorType):
        return f"v{type.count}{_mangled(type.element)}"
    return "p0" if isinstance(type, ir.PointerType) else str(type.intrinsic_name)
