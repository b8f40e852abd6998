"""LLVM's vectors: numbers side by side in one register, on which one instruction works at once."""

from __future__ import annotations

from collections.abc import Sequence

from llvmlite import ir

I32 = ir.IntType(32)


def with_lanes(type: ir.Type, like: ir.Type) -> ir.Type:
    """The type of a number in as many lanes as another type has; itself where that is of one number."""
    return ir.VectorType(type, like.count) if isinstance(like, ir.VectorType) else type


def in_lanes(constant: ir.Constant, like: ir.Type) -> ir.Constant:
    """A constant in every lane that a type has."""
    if not isinstance(like, ir.VectorType):
        return constant
    return ir.Constant(ir.VectorType(constant.type, like.count), [constant] * like.count)


def counted(type: ir.Type, count: int) -> ir.Constant:
    """0, 1, 2, ... in the lanes of a vector."""
    return ir.Constant(ir.VectorType(type, count), [*range(count)])


def splat(builder: ir.IRBuilder, value: ir.Value, count: int) -> ir.Value:
    """A number in every lane."""
    kind = ir.VectorType(value.type, count)
    if type(value) is ir.Constant:
        return in_lanes(value, kind)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(I32, 0))
    places = ir.Constant(ir.VectorType(I32, count), None)
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), places)


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
