"""The function that multiplies matrices, cut into blocks for threads: BLAS called from native code."""

from __future__ import annotations

from llvmlite import ir

from chainrule.native.llvm.machine import I8, I32, I64, OK_CONSTANT, STEP

#: What the product's table of arguments holds, in order; offsets are an array of three whole numbers a matrix.
ARGUMENTS = (
    "left", "right", "output", "offsets", "routine", "small", "rows", "columns", "inner", "left_transposed",
    "right_transposed", "count",
)  # fmt: skip


#: A product is cut into blocks of so many rows or columns: shorter ones lose time, as each block arranges all of the
#: matrix that is not cut in the order that BLAS wants. One with so many multiplications is cut in two in any case, and
#: matrices of a batch are put together until a block has as many.
LENGTH, ENOUGH = 512, 2**21


#: Such a block has a multiple of so many rows or columns, which BLAS computes at once, and so many at least.
AT_ONCE, SHORTEST = 16, 32


#: Multiplications that take a processor about as long as a block of a kernel.
BLOCK = 2**18


def add_product(module: ir.Module, name: str, double: bool) -> None:
    """Add the function `name` to a module, a `STEP`: a batch of matrix products, from a table of `ARGUMENTS`.

    A block is a part of the rows or the columns of one matrix of the batch, or several small matrices. BLAS counts by
    columns: in its eyes a matrix in row order is the transpose, so it is asked for Yᵀ = Bᵀ Aᵀ.
    """
    number = ir.DoubleType() if double else ir.FloatType()
    function = ir.Function(module, STEP, name)
    pointer, block, among = function.args
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    zero, one = ir.Constant(I64, 0), ir.Constant(I64, 1)

    def smaller(a: ir.Value, b: ir.Value) -> ir.Value:
        return builder.select(builder.icmp_signed("<", a, b), a, b)

    def larger(a: ir.Value, b: ir.Value) -> ir.Value:
        return builder.select(builder.icmp_signed(">", a, b), a, b)

    def quotient(a: ir.Value, b: ir.Value) -> ir.Value:
        return builder.sdiv(builder.add(a, builder.sub(b, one)), b)

    table = [builder.load(builder.gep(pointer, [ir.Constant(I64, i)])) for i in range(len(ARGUMENTS))]
    given = dict(zip(ARGUMENTS, table, strict=True))
    left, right, output = (builder.inttoptr(given[x], number.as_pointer()) for x in ("left", "right", "output"))
    rows, columns, inner = (given[x] for x in ("rows", "columns", "inner"))
    left_transposed, right_transposed = (
        builder.icmp_signed("!=", given[x], zero) for x in ("left_transposed", "right_transposed")
    )

    # One block is everything, as of small products, of which nobody need ask how they are cut.
    by_rows = builder.icmp_signed(">=", rows, columns)
    size, across = builder.select(by_rows, rows, columns), builder.select(by_rows, columns, rows)
    work = builder.mul(builder.mul(rows, columns), inner)
    all_work = builder.mul(work, given["count"])
    asked = builder.icmp_signed("==", among, zero)
    with builder.if_then(builder.and_(asked, builder.icmp_signed("<", all_work, ir.Constant(I64, BLOCK)))):
        builder.ret(one)
    parts = [builder.alloca(I64) for _ in range(4)]
    for place, value in zip(parts, (zero, size, zero, given["count"]), strict=True):
        builder.store(value, place)
    with builder.if_then(builder.icmp_signed("!=", among, one)):
        # How it is cut, by the sizes alone.
        twice = builder.select(builder.icmp_signed(">=", work, ir.Constant(I64, ENOUGH)), ir.Constant(I64, 2), one)
        cuts = smaller(larger(builder.sdiv(size, ir.Constant(I64, LENGTH)), twice), larger(size, one))
        at_once, two = ir.Constant(I64, AT_ONCE), ir.Constant(I64, 2)
        most = builder.sdiv(given["small"], larger(builder.mul(across, inner), one))
        most = builder.mul(builder.sdiv(most, at_once), at_once)
        pairs = quotient(size, larger(builder.mul(most, two), one))  # of blocks, so that two threads have as many
        not_arranged = builder.icmp_signed(">=", most, ir.Constant(I64, SHORTEST))
        for condition in (builder.icmp_signed("<", most, size), builder.not_(right_transposed)):
            not_arranged = builder.and_(not_arranged, condition)
        cuts = builder.select(not_arranged, builder.mul(pairs, two), cuts)
        length = quotient(size, cuts)
        length = builder.select(not_arranged, builder.mul(quotient(length, at_once), at_once), length)
        together = builder.sdiv(ir.Constant(I64, ENOUGH), larger(work, one))
        together = smaller(larger(together, one), larger(given["count"], one))
        with builder.if_then(asked):
            blocks = larger(builder.mul(quotient(given["count"], together), cuts), one)
            units = builder.sdiv(all_work, ir.Constant(I64, BLOCK))
            builder.ret(builder.add(blocks, builder.shl(units, ir.Constant(I64, 32))))
        # The part of this block.
        group, part = builder.sdiv(block, cuts), builder.srem(block, cuts)
        first, first_matrix = builder.mul(part, length), builder.mul(group, together)
        length = larger(smaller(length, builder.sub(size, first)), zero)
        last_matrix = smaller(builder.add(first_matrix, together), given["count"])
        for place, value in zip(parts, (first, length, first_matrix, last_matrix), strict=True):
            builder.store(value, place)
    first, length, first_matrix, last_matrix = (builder.load(place) for place in parts)
    first_row, first_column = builder.select(by_rows, first, zero), builder.select(by_rows, zero, first)
    some_rows, some_columns = builder.select(by_rows, length, rows), builder.select(by_rows, columns, length)
    left = builder.gep(left, [builder.select(left_transposed, first_row, builder.mul(first_row, inner))])
    right = builder.gep(right, [builder.select(right_transposed, builder.mul(first_column, inner), first_column)])
    output = builder.gep(output, [builder.add(builder.mul(first_row, columns), first_column)])

    letters = {}
    for side, turned in (("left", left_transposed), ("right", right_transposed)):
        letters[side] = builder.alloca(I8)
        builder.store(builder.select(turned, ir.Constant(I8, ord("T")), ir.Constant(I8, ord("N"))), letters[side])
    # The leading dimension is the length of a row in memory, at least 1 by BLAS's rule.
    lengths = {
        "m": some_columns,
        "n": some_rows,
        "k": inner,
        "left": larger(builder.select(left_transposed, rows, inner), one),
        "right": larger(builder.select(right_transposed, inner, columns), one),
        "output": larger(columns, one),
    }
    whole = {}
    for key, value in lengths.items():
        whole[key] = builder.alloca(I32)
        builder.store(builder.trunc(value, I32), whole[key])
    factors = [builder.alloca(number) for _ in range(2)]
    for place, factor in zip(factors, (1.0, 0.0), strict=True):
        builder.store(ir.Constant(number, factor), place)
    letter, count, real = I8.as_pointer(), I32.as_pointer(), number.as_pointer()
    kinds = [letter, letter, count, count, count, real, real, count, real, count, real, real, count]
    routine = builder.inttoptr(given["routine"], ir.FunctionType(ir.VoidType(), kinds).as_pointer())
    offsets = builder.inttoptr(given["offsets"], I64.as_pointer())
    entry = builder.block
    head, body, after = (function.append_basic_block(x) for x in ("head", "body", "after"))
    builder.branch(head)
    builder.position_at_end(head)
    matrix = builder.phi(I64)
    matrix.add_incoming(first_matrix, entry)
    builder.cbranch(builder.icmp_signed("<", matrix, last_matrix), body, after)
    builder.position_at_end(body)
    place = builder.mul(matrix, ir.Constant(I64, 3))
    a, b, y = (
        builder.gep(pointer, [builder.load(builder.gep(offsets, [builder.add(place, ir.Constant(I64, i))]))])
        for i, pointer in enumerate((left, right, output))
    )
    builder.call(
        routine,
        [
            letters["right"], letters["left"], whole["m"], whole["n"], whole["k"], factors[0],
            b, whole["right"], a, whole["left"], factors[1], y, whole["output"],
        ],
    )  # fmt: skip
    matrix.add_incoming(builder.add(matrix, one), builder.block)
    builder.branch(head)
    builder.position_at_end(after)
    builder.ret(OK_CONSTANT)
