"""Products of parts of matrices, whose rows lie apart: through BLAS, or natively where they are small.

BLAS copies both matrices into an order of its own first, and finds out which of its ways suits them. That takes as long
as the whole product of tiles of twenty to sixty rows, as short texts have.
"""

from __future__ import annotations

from llvmlite import ir

from chainrule.native.llvm.lanes import intrinsic
from chainrule.native.llvm.machine import I8, I32, I64, fused
from chainrule.native.running.pool_memory import ONE, ZERO
from chainrule.native.running.tiles import Rows, begun

#: So many rows and vectors of columns are added up in registers at once, beside which those of the factors have room.
ROWS_AT_ONCE, VECTORS_AT_ONCE = 4, 2
#: A product is small if it has no more multiplications, and no more numbers in its right matrix.
SMALL_MULTIPLICATIONS, SMALL_RIGHT = 2**18, 2**12


def add_multiply(module: ir.Module, name: str, number: ir.Type) -> ir.Function:
    """Y = factor A B + kept Y, where kept is 0 or 1.

    Arguments: the address of BLAS's routine; rows, columns and inner size; factor; A, the length of its rows, and
    whether it is transposed; the same of B; kept; Y and the length of its rows; and memory for `SMALL_RIGHT` numbers.

    Where B is transposed, the rows of Y are those of a tile, which end at a multiple of the lanes of a vector.
    """
    blas, small, turn, dots = (
        add(module, f"{name}_{key}", number)
        for key, add in (("blas", _add_blas), ("small", _add_small), ("turn", _add_turn), ("dots", _add_dots))
    )
    code = begun(module, name, number, "iiiixpiipiixpip")
    builder = code.builder
    *given, memory = code.function.args
    _, rows, columns, inner, factor, a, a_row, a_turned, b, b_row, b_turned, kept, y, y_row = given
    a_is, b_is = (builder.icmp_signed("!=", x, ZERO) for x in (a_turned, b_turned))
    lanes = ir.Constant(I64, -code.lanes)
    padded = builder.and_(builder.add(columns, ir.Constant(I64, code.lanes - 1)), lanes)
    right = builder.mul(inner, padded)
    fits = builder.or_(b_is, builder.icmp_signed("==", padded, columns))
    fits = builder.and_(fits, builder.icmp_signed("<=", right, ir.Constant(I64, SMALL_RIGHT)))
    few = builder.icmp_signed("<=", builder.mul(right, rows), ir.Constant(I64, SMALL_MULTIPLICATIONS))
    one = builder.icmp_signed("==", rows, ONE)  # as of a token that is generated: each number of B is read once
    fresh = builder.fcmp_ordered("==", kept, code.constant(0))
    with builder.if_then(builder.and_(builder.and_(one, fresh), builder.and_(b_is, builder.not_(a_is)))):
        builder.call(dots, [columns, inner, factor, a, b, b_row, y])
        builder.ret_void()
    of_one = builder.and_(one, builder.and_(builder.not_(b_is), builder.icmp_signed("==", padded, columns)))
    with builder.if_else(builder.or_(of_one, builder.and_(fits, few))) as (natively, through_blas):
        with natively:
            with builder.if_then(b_is):
                builder.call(turn, [b, b_row, columns, inner, memory, padded])
            apart = builder.select(a_is, ONE, a_row), builder.select(a_is, a_row, ONE)
            held = builder.select(b_is, memory, b), builder.select(b_is, padded, b_row)
            keeps = builder.zext(builder.fcmp_ordered("!=", kept, code.constant(0)), I64)
            builder.call(small, [rows, padded, inner, factor, a, *apart, *held, keeps, y, y_row])
        with through_blas:
            builder.call(blas, given)
    builder.ret_void()
    return code.function


def _add_small(module: ir.Module, name: str, number: ir.Type) -> ir.Function:
    """As `add_multiply`, for columns that are a multiple of the lanes of a vector.

    Arguments: rows, columns and inner size; factor; A, and how far its rows and its columns are from one another, so
    that it may be transposed; B and the length of its rows; kept; Y and the length of its rows.
    """
    code = begun(module, name, number, "iiixpiipiipi")
    builder = code.builder
    rows, columns, inner, factor, a, a_row, a_column, b, b_row, kept, y, y_row = code.function.args
    factors, keeps = code.all(factor), builder.icmp_signed("!=", kept, ir.Constant(I64, 0))

    def block(first: ir.Value, place: ir.Value, count: int, vectors: int) -> None:
        """Some rows and some vectors of columns of Y."""
        totals = [[code.variable(code.all(code.constant(0))) for _ in range(vectors)] for _ in range(count)]
        starts = [builder.gep(a, [builder.mul(builder.add(first, ir.Constant(I64, r)), a_row)]) for r in range(count)]
        places = [builder.add(place, ir.Constant(I64, v * code.lanes)) for v in range(vectors)]
        with code.count(inner) as k:
            row, column = code.row(b, b_row, k), builder.mul(k, a_column)
            held = [code.read(row, x) for x in places]
            for start, sums in zip(starts, totals, strict=True):
                weight = code.all(builder.load(builder.gep(start, [column])))
                for x, total in zip(held, sums, strict=True):
                    builder.store(added(code, weight, x, builder.load(total)), total)
        for r, sums in enumerate(totals):
            row = code.row(y, y_row, builder.add(first, ir.Constant(I64, r)))
            for x, total in zip(places, sums, strict=True):
                result = code.variable(builder.fmul(builder.load(total), factors))
                with builder.if_then(keeps):
                    builder.store(builder.fadd(builder.load(result), code.read(row, x)), result)
                code.write(builder.load(result), row, x)

    def across(first: ir.Value, count: int) -> None:
        """Some rows of Y."""
        step = VECTORS_AT_ONCE * code.lanes
        whole = builder.mul(builder.sdiv(columns, ir.Constant(I64, step)), ir.Constant(I64, step))
        with code.count(whole, step=step) as place:
            block(first, place, count, VECTORS_AT_ONCE)
        with code.count(columns, whole, code.lanes) as place:
            block(first, place, count, 1)

    whole_rows = builder.and_(rows, ir.Constant(I64, -ROWS_AT_ONCE))
    with code.count(whole_rows, step=ROWS_AT_ONCE) as i:
        across(i, ROWS_AT_ONCE)
    with code.count(rows, whole_rows) as i:
        across(i, 1)
    builder.ret_void()
    return code.function


def _add_dots(module: ir.Module, name: str, number: ir.Type) -> ir.Function:
    """(columns, inner size, factor, a, B, length of its rows, y): y = factor a Bᵀ, for one row a.

    Some rows of B at once go through the registers, so that one sum need not wait for another.
    """
    code = begun(module, name, number, "iixppip")
    builder = code.builder
    columns, inner, factor, a, b, b_row, y = code.function.args
    whole = builder.and_(inner, ir.Constant(I64, -code.lanes))

    def block(first: ir.Value, count: int) -> None:
        rows = [code.row(b, b_row, builder.add(first, ir.Constant(I64, r))) for r in range(count)]
        several = [code.variable(code.all(code.constant(0))) for _ in rows]
        rest = [code.variable(code.constant(0)) for _ in rows]
        with code.count(whole, step=code.lanes) as place:
            weights = code.read(a, place)
            for row, total in zip(rows, several, strict=True):
                builder.store(added(code, weights, code.read(row, place), builder.load(total)), total)
        with code.count(inner, whole) as place:
            weight = code.at(a, place)
            for row, total in zip(rows, rest, strict=True):
                product = builder.fmul(weight, code.at(row, place))
                builder.store(builder.fadd(builder.load(total), product), total)
        for r, (vector, single) in enumerate(zip(several, rest, strict=True)):
            total = builder.fadd(code.folded(builder.load(vector), builder.fadd), builder.load(single))
            place = builder.add(first, ir.Constant(I64, r))
            builder.store(builder.fmul(total, factor), builder.gep(y, [place]))

    together = builder.and_(columns, ir.Constant(I64, -ROWS_AT_ONCE))
    with code.count(together, step=ROWS_AT_ONCE) as j:
        block(j, ROWS_AT_ONCE)
    with code.count(columns, together) as j:
        block(j, 1)
    builder.ret_void()
    return code.function


def _add_turn(module: ir.Module, name: str, number: ir.Type) -> ir.Function:
    """(source, length of a row, rows, columns, target, length of a row): the target becomes the transpose."""
    code = begun(module, name, number, "piiipi")
    builder = code.builder
    source, length, rows, columns, target, target_length = code.function.args
    with code.count(rows) as i:
        row, column = code.row(source, length, i), builder.gep(target, [i])
        with code.count(columns) as j:
            value = builder.load(builder.gep(row, [j]))
            builder.store(value, builder.gep(column, [builder.mul(j, target_length)]))
    builder.ret_void()
    return code.function


def added(code: Rows, a: ir.Value, b: ir.Value, total: ir.Value) -> ir.Value:
    """total + a b, in one instruction where the processor has it."""
    if fused():
        return intrinsic(code.builder, "fma", [a, b, total])
    return code.builder.fadd(total, code.builder.fmul(a, b))


def _add_blas(module: ir.Module, name: str, number: ir.Type) -> ir.Function:
    """As `add_multiply`, through BLAS.

    Arguments: as there, without memory.
    """
    code = begun(module, name, number, "iiiixpiipiixpi")
    function, builder = code.function, code.builder
    routine, rows, columns, inner, factor, a, a_length, a_turned, b, b_length, b_turned, kept, y, y_length = (
        function.args
    )

    def place(value: ir.Value) -> ir.Value:
        address = builder.alloca(value.type)
        builder.store(value, address)
        return address

    def letter(turned: ir.Value) -> ir.Value:
        yes, no = (ir.Constant(I8, ord(x)) for x in "TN")
        return place(builder.select(builder.icmp_signed("!=", turned, ZERO), yes, no))

    def whole(value: ir.Value, least: ir.Value = ZERO) -> ir.Value:
        return place(builder.trunc(builder.select(builder.icmp_signed("<", value, least), least, value), I32))

    text, size, real = I8.as_pointer(), I32.as_pointer(), number.as_pointer()
    kinds = [text, text, size, size, size, real, real, size, real, size, real, real, size]
    call = builder.inttoptr(routine, ir.FunctionType(ir.VoidType(), kinds).as_pointer())
    # BLAS takes matrices in column order: Yᵀ = Bᵀ Aᵀ.
    builder.call(
        call,
        [
            letter(b_turned), letter(a_turned), whole(columns), whole(rows), whole(inner), place(factor),
            b, whole(b_length, ONE), a, whole(a_length, ONE), place(kept), y, whole(y_length, ONE),
        ],
    )  # fmt: skip
    builder.ret_void()
    return function
