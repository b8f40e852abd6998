"""Products of a transposed large matrix and few columns, natively: the gradient of a linear map to few outputs.

BLAS gives the lanes of its vectors to the few columns, most of which stay empty. Here they are of the many: the product
is that of few rows (`few_rows.py`), in memory of its own, from where it is written transposed.
"""

from __future__ import annotations

from llvmlite import ir

from chainrule.native.llvm.machine import I64, width
from chainrule.native.running.pool_memory import ONE
from chainrule.native.running.tiles import add_clear, begun

#: A product has few columns up to here, if it adds up so many rows at least, and the many are two vectors at least.
FEW_COLUMNS, LEAST_INNER, LEAST_VECTORS = 32, 128, 2
#: So many rows of the result are computed together, in memory of the function.
TOGETHER = 128


def has_few_columns(
    builder: ir.IRBuilder, number: ir.Type, rows: ir.Value, columns: ir.Value, inner: ir.Value
) -> ir.Value:
    """Whether a product Aᵀ B of this size is computed here."""
    lanes = width() // (8 if isinstance(number, ir.DoubleType) else 4)
    few = builder.icmp_signed("<=", columns, ir.Constant(I64, FEW_COLUMNS))
    long = builder.icmp_signed(">=", inner, ir.Constant(I64, LEAST_INNER))
    many = builder.icmp_signed(">=", rows, ir.Constant(I64, LEAST_VECTORS * lanes))
    more = builder.icmp_signed(">", rows, columns)
    return builder.and_(builder.and_(few, long), builder.and_(many, more))


def add_few_columns(module: ir.Module, name: str, number: ir.Type, few_rows: ir.Function) -> ir.Function:
    """Y = Aᵀ B.

    Arguments: rows, columns and inner size; A and the length of its rows; the same of B and of Y.
    """
    clear = add_clear(module, f"{name}_clear", number)
    code = begun(module, name, number, "iiipipipi")
    builder, together = code.builder, ir.Constant(I64, TOGETHER)
    rows, columns, inner, a, a_row, b, b_row, y, y_row = code.function.args
    turned = builder.alloca(number, FEW_COLUMNS * TOGETHER)
    with code.count(rows, step=TOGETHER) as i:
        some = code.smaller(builder.sub(rows, i), together)
        builder.call(clear, [turned, together, columns, some])
        part = builder.gep(a, [i])
        builder.call(few_rows, [columns, some, inner, b, ONE, b_row, part, a_row, turned, together])
        with code.count(some) as r, code.count(columns) as j:
            place = builder.gep(code.row(y, y_row, builder.add(i, r)), [j])
            builder.store(code.at(code.row(turned, together, j), r), place)
    builder.ret_void()
    return code.function
